//! The administration API: projects, service accounts, keys, costs.

pub(super) mod keys;
pub(super) mod projects;
pub(super) mod service_accounts;
pub(super) mod usage;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    context::Context,
    error::{self, Refusal},
};
use crate::{keys::DEFAULT_ORGANIZATION, service::Service};

/// The longest life of a key.
const MOST_SECONDS: i64 = 31_536_000;

/// Every organization: its projects and their service accounts. Keys stand in the table of keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Organization {
    projects: Vec<Project>,
    service_accounts: Vec<ServiceAccount>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Project {
    id: String,
    #[serde(default = "default_organization")]
    organization: String,
    name: String,
    created_at: i64,
    archived_at: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ServiceAccount {
    id: String,
    project: String,
    name: String,
    created_at: i64,
}

impl Organization {
    /// One organization with one project.
    pub(crate) fn new(now: i64) -> Self {
        let mut organization = Self {
            projects: Vec::new(),
            service_accounts: Vec::new(),
        };
        organization.begin(DEFAULT_ORGANIZATION, now);
        organization
    }

    /// One more organization, with the project in which it begins, unless it is there.
    pub(crate) fn begin(&mut self, organization: &str, now: i64) {
        let Some(id) = Service::Openai.first_project(organization) else {
            return;
        };
        if !self.projects.iter().any(|project| project.id == id) {
            self.projects.push(Project {
                id,
                organization: organization.to_owned(),
                name: "Default project".to_owned(),
                created_at: now,
                archived_at: None,
            });
        }
    }

    fn project(&mut self, context: &Context<'_>, id: &str) -> Result<&mut Project, Refusal> {
        let found = self
            .projects
            .iter_mut()
            .find(|project| project.id == id && project.organization == context.organization());
        found.ok_or_else(|| error::not_found("project", id))
    }

    /// A project to which something can be added.
    fn open_project(&mut self, context: &Context<'_>, id: &str) -> Result<&mut Project, Refusal> {
        let project = self.project(context, id)?;
        if project.archived_at.is_some() {
            let message = "The project is archived.";
            return Err(error::invalid("project_id", "project_archived", message));
        }
        Ok(project)
    }

    fn service_account(
        &mut self,
        context: &Context<'_>,
        project: &str,
        id: &str,
    ) -> Result<&ServiceAccount, Refusal> {
        self.project(context, project)?;
        let mut accounts = self.service_accounts.iter();
        let found = accounts.find(|account| account.project == project && account.id == id);
        found.ok_or_else(|| error::not_found("service account", id))
    }
}

impl Project {
    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "object": "organization.project",
            "name": self.name,
            "created_at": self.created_at,
            "archived_at": self.archived_at,
            "status": if self.archived_at.is_some() { "archived" } else { "active" },
            "external_key_id": null,
            "residency": null,
        })
    }
}

impl ServiceAccount {
    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "object": "organization.project.service_account",
            "name": self.name,
            "role": "member",
            "created_at": self.created_at,
        })
    }
}

fn default_organization() -> String {
    DEFAULT_ORGANIZATION.to_owned()
}

/// The end of a key's life that a request asks for.
fn expiry(context: &Context<'_>, body: &Value) -> Result<Option<i64>, Refusal> {
    match &body["expires_in_seconds"] {
        Value::Null => Ok(None),
        asked => {
            let seconds = asked
                .as_i64()
                .filter(|asked| (1..=MOST_SECONDS).contains(asked));
            let seconds = seconds.ok_or_else(|| {
                let message = format!("Invalid 'expires_in_seconds': 1 to {MOST_SECONDS}.");
                error::invalid("expires_in_seconds", "invalid_value", message)
            })?;
            Ok(Some(context.now() + seconds))
        }
    }
}

/// The scopes that a request asks for.
fn scopes(body: &Value) -> Result<Option<Vec<String>>, Refusal> {
    match &body["scopes"] {
        Value::Null => Ok(None),
        asked => serde_json::from_value(asked.clone())
            .map(Some)
            .map_err(|_| {
                error::invalid(
                    "scopes",
                    "invalid_value",
                    "Invalid 'scopes': expected texts.",
                )
            }),
    }
}

/// A name that must be there.
fn name(body: &Value) -> Result<String, Refusal> {
    let name = body["name"].as_str().filter(|name| !name.is_empty());
    name.map(str::to_owned)
        .ok_or_else(|| error::missing("name"))
}
