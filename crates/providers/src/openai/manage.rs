//! OpenAI's management API: a project and a service account for each tenant, keys on the account.
//!
//! Facts are from the official Python package 3.54 and OpenAI's API reference of November 2026:
//! a service account can hold several keys, each with an expiry of its own; projects cannot be
//! deleted; a management key is made by a person only.

use diamond_domain::SecretValue;
use http::{Method, header::AUTHORIZATION};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keys::bearer;
use crate::{
    Answer, Capacity, Effect, KeyManagement, ListedKey, ManagementError, MintSpec, Minted,
    OutboundRequest, Place, ProviderKey, ShortLived, ShortLivedSpec, Step,
    openai::errors::classify_failure,
};

/// Where it all is.
const PROJECTS: &str = "/v1/organization/projects";
/// The most rows of a page.
const PAGE: u32 = 100;
/// How long a short-lived secret may live, in seconds.
const SHORT_LIVED_SECONDS: std::ops::RangeInclusive<u64> = 10..=7_200;

/// OpenAI's management API.
#[derive(Debug)]
pub(super) struct OpenAiManagement;

/// A project and the service account in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Home {
    project: String,
    account: String,
}

impl Home {
    fn of(place: &Place) -> Result<Self, ManagementError> {
        serde_json::from_str(place.as_str()).map_err(|_| ManagementError::Refused {
            reason: "the place of the key is not one of OpenAI's".to_owned(),
        })
    }

    fn place(&self) -> Place {
        Place::new(json!(self).to_string())
    }
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
    last_id: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct NewKey {
    id: String,
    value: String,
    expires_at: Option<i64>,
}

#[derive(Deserialize)]
struct KeyRow {
    id: String,
    name: Option<String>,
    redacted_value: Option<String>,
    created_at: Option<i64>,
    expires_at: Option<i64>,
    owner: Option<KeyOwner>,
}

#[derive(Deserialize)]
struct KeyOwner {
    service_account: Option<OwningAccount>,
}

#[derive(Deserialize)]
struct OwningAccount {
    id: String,
}

#[derive(Deserialize)]
struct ClientSecret {
    value: String,
    expires_at: i64,
}

impl KeyManagement for OpenAiManagement {
    fn mint(&self, admin: &SecretValue, spec: &MintSpec) -> Result<Step<Minted>, ManagementError> {
        if !spec.addresses.is_empty() {
            return Err(ManagementError::NotPossible {
                reason: "OpenAI cannot bind a key to networks",
            });
        }
        if spec.usage_limit.is_some() {
            return Err(ManagementError::NotPossible {
                reason: "OpenAI limits projects, not keys",
            });
        }
        let (admin, spec) = (admin.clone(), spec.clone());
        match &spec.place {
            Some(place) => {
                let home = Home::of(place)?;
                Ok(mint_on(admin, &spec, home))
            }
            None => find_home(admin.clone(), &spec.place_name)?
                .then(move |home| Ok(mint_on(admin, &spec, home))),
        }
    }

    fn list(
        &self,
        admin: &SecretValue,
        place: Option<&Place>,
    ) -> Result<Step<Vec<ListedKey>>, ManagementError> {
        match place {
            Some(place) => {
                let projects = vec![Home::of(place)?.project];
                Ok(list_keys(admin.clone(), projects, Vec::new(), None))
            }
            None => {
                let admin = admin.clone();
                list_projects(admin.clone(), Vec::new(), None).then(move |projects| {
                    let projects = projects.into_iter().map(|project| project.id).collect();
                    Ok(list_keys(admin, projects, Vec::new(), None))
                })
            }
        }
    }

    fn revoke(&self, admin: &SecretValue, key: &ProviderKey) -> Result<Step<()>, ManagementError> {
        let home = Home::of(&key.place)?;
        let path = format!("{PROJECTS}/{}/api_keys/{}", home.project, key.id);
        let request = OutboundRequest::new(Method::DELETE, path);
        // Where an older API refuses to delete a service account's key, only the account could be
        // deleted, and with it the key that took this one's place: that is left to a person.
        Ok(ask(admin, request, Effect::Repeatable, |answer| {
            if answer.is_success() || answer.status == 404 {
                return Ok(Step::Done(()));
            }
            Err(failed(answer))
        }))
    }

    fn set_enabled(
        &self,
        _admin: &SecretValue,
        _key: &ProviderKey,
        _enabled: bool,
    ) -> Result<Step<()>, ManagementError> {
        Err(ManagementError::NotPossible {
            reason: "OpenAI's keys cannot be switched off and on, only deleted",
        })
    }

    fn prepare_place(
        &self,
        admin: &SecretValue,
        place_name: &str,
    ) -> Result<Step<Place>, ManagementError> {
        find_home(admin.clone(), place_name)?.then(|home| Ok(Step::Done(home.place())))
    }

    fn capacity(&self, admin: &SecretValue) -> Result<Step<Vec<Capacity>>, ManagementError> {
        list_projects(admin.clone(), Vec::new(), None).then(|projects| {
            Ok(Step::Done(vec![Capacity {
                what: "projects",
                used: projects.len() as u64,
                limit: None,
            }]))
        })
    }

    fn validation(&self, admin: &SecretValue) -> OutboundRequest {
        OutboundRequest::get("/v1/organization/admin_api_keys?limit=1")
            .with_secret(AUTHORIZATION, bearer(admin))
    }
}

/// A secret for a realtime session; it may open several until it ends.
pub(super) fn short_lived(
    key: &SecretValue,
    spec: &ShortLivedSpec,
) -> Result<Step<ShortLived>, ManagementError> {
    if !matches!(spec.kind.as_deref(), None | Some("realtime")) {
        return Err(ManagementError::NotPossible {
            reason: "OpenAI's short-lived secrets are of the kind `realtime`",
        });
    }
    let mut body = json!({});
    if let Some(lifetime) = spec.lifetime {
        let (least, most) = (*SHORT_LIVED_SECONDS.start(), *SHORT_LIVED_SECONDS.end());
        let seconds = lifetime.as_secs().clamp(least, most);
        body = json!({ "expires_after": { "anchor": "created_at", "seconds": seconds } });
    }
    let request = OutboundRequest::post_json("/v1/realtime/client_secrets", &body);
    Ok(ask(key, request, Effect::Repeatable, |answer| {
        let secret: ClientSecret = read(answer)?;
        Ok(Step::Done(ShortLived {
            value: SecretValue::new(secret.value),
            expires_at: second(secret.expires_at)?,
            single_use: false,
        }))
    }))
}

fn mint_on(admin: SecretValue, spec: &MintSpec, home: Home) -> Step<Minted> {
    let path = format!(
        "{PROJECTS}/{}/service_accounts/{}/api_keys",
        home.project, home.account
    );
    let mut body = json!({ "name": spec.key_name });
    if !spec.permissions.is_empty() {
        body["scopes"] = json!(spec.permissions);
    }
    if let Some(lifetime) = spec.lifetime {
        body["expires_in_seconds"] = json!(lifetime.as_secs().max(1));
    }
    let request = OutboundRequest::post_json(path, &body);
    ask(&admin, request, Effect::Makes, move |answer| {
        let new: NewKey = read(answer)?;
        Ok(Step::Done(Minted {
            value: SecretValue::new(new.value),
            key: ProviderKey {
                id: new.id,
                place: home.place(),
            },
            expires_at: new.expires_at.map(second).transpose()?,
        }))
    })
}

/// The tenant's project and service account, by their name; each is made when it is not there.
fn find_home(admin: SecretValue, name: &str) -> Result<Step<Home>, ManagementError> {
    let name = name.to_owned();
    let found = list_projects(admin.clone(), Vec::new(), None).then({
        let (admin, name) = (admin.clone(), name.clone());
        move |projects| {
            let known = projects.into_iter().find(|project| project.name == name);
            if let Some(project) = known {
                return Ok(Step::Done(project.id));
            }
            let request = OutboundRequest::post_json(PROJECTS, &json!({ "name": name }));
            Ok(ask(&admin, request, Effect::Makes, |answer| {
                Ok(Step::Done(read::<Project>(answer)?.id))
            }))
        }
    });
    found?.then(move |project| {
        let accounts = list_accounts(admin.clone(), project.clone(), Vec::new(), None);
        accounts.then(move |accounts| {
            let known = accounts.into_iter().find(|account| account.name == name);
            if let Some(account) = known {
                let account = account.id;
                return Ok(Step::Done(Home { project, account }));
            }
            let path = format!("{PROJECTS}/{project}/service_accounts");
            let body = json!({ "name": name, "create_service_account_only": true });
            let request = OutboundRequest::post_json(path, &body);
            Ok(ask(&admin, request, Effect::Makes, move |answer| {
                let account = read::<Account>(answer)?.id;
                Ok(Step::Done(Home { project, account }))
            }))
        })
    })
}

fn list_projects(
    admin: SecretValue,
    mut before: Vec<Project>,
    after: Option<String>,
) -> Step<Vec<Project>> {
    let request = OutboundRequest::get(page_of(PROJECTS, after.as_deref()));
    ask(&admin.clone(), request, Effect::Reads, move |answer| {
        let page: Page<Project> = read(answer)?;
        let next = page.next(|project| &project.id);
        let live = |project: &Project| project.status.as_deref() != Some("archived");
        before.extend(page.data.into_iter().filter(live));
        Ok(match next {
            Some(next) => list_projects(admin, before, Some(next)),
            None => Step::Done(before),
        })
    })
}

fn list_accounts(
    admin: SecretValue,
    project: String,
    mut before: Vec<Account>,
    after: Option<String>,
) -> Step<Vec<Account>> {
    let path = format!("{PROJECTS}/{project}/service_accounts");
    let request = OutboundRequest::get(page_of(&path, after.as_deref()));
    ask(&admin.clone(), request, Effect::Reads, move |answer| {
        let page: Page<Account> = read(answer)?;
        let next = page.next(|account| &account.id);
        before.extend(page.data);
        Ok(match next {
            Some(next) => list_accounts(admin, project, before, Some(next)),
            None => Step::Done(before),
        })
    })
}

/// The keys of the projects, the last project first.
fn list_keys(
    admin: SecretValue,
    mut projects: Vec<String>,
    mut before: Vec<ListedKey>,
    after: Option<String>,
) -> Step<Vec<ListedKey>> {
    let Some(project) = projects.last().cloned() else {
        return Step::Done(before);
    };
    let path = format!("{PROJECTS}/{project}/api_keys");
    let request = OutboundRequest::get(page_of(&path, after.as_deref()));
    ask(&admin.clone(), request, Effect::Reads, move |answer| {
        let page: Page<KeyRow> = read(answer)?;
        let next = page.next(|key| &key.id);
        for row in page.data {
            before.push(listed(row, &project, answer.now)?);
        }
        if next.is_none() {
            projects.pop();
        }
        Ok(list_keys(admin, projects, before, next))
    })
}

fn listed(row: KeyRow, project: &str, now: Timestamp) -> Result<ListedKey, ManagementError> {
    let account = row.owner.and_then(|owner| owner.service_account);
    let home = Home {
        project: project.to_owned(),
        account: account.map(|account| account.id).unwrap_or_default(),
    };
    let expires_at = row.expires_at.map(second).transpose()?;
    Ok(ListedKey {
        key: ProviderKey {
            id: row.id,
            place: home.place(),
        },
        name: row.name.unwrap_or_default(),
        hint: row.redacted_value,
        live: expires_at.is_none_or(|end| end > now),
        created_at: row.created_at.map(second).transpose()?,
        expires_at,
    })
}

impl<T> Page<T> {
    /// Behind which row the next page begins, when there is one.
    fn next(&self, id: impl Fn(&T) -> &String) -> Option<String> {
        let last = self.last_id.as_ref().or_else(|| self.data.last().map(id));
        last.filter(|_| self.has_more).cloned()
    }
}

fn page_of(path: &str, after: Option<&str>) -> String {
    match after {
        None => format!("{path}?limit={PAGE}"),
        Some(after) => format!("{path}?limit={PAGE}&after={after}"),
    }
}

fn second(second: i64) -> Result<Timestamp, ManagementError> {
    Timestamp::from_second(second).map_err(|_| ManagementError::Unreadable {
        reason: "a time that does not exist".to_owned(),
    })
}

fn ask<T>(
    admin: &SecretValue,
    request: OutboundRequest,
    effect: Effect,
    read: impl FnOnce(&Answer<'_>) -> Result<Step<T>, ManagementError> + Send + 'static,
) -> Step<T> {
    Step::ask(
        request.with_secret(AUTHORIZATION, bearer(admin)),
        effect,
        read,
    )
}

/// A good answer's JSON.
fn read<T: serde::de::DeserializeOwned>(answer: &Answer<'_>) -> Result<T, ManagementError> {
    if answer.is_success() {
        answer.json()
    } else {
        Err(failed(answer))
    }
}

fn failed(answer: &Answer<'_>) -> ManagementError {
    ManagementError::of(classify_failure(answer), answer)
}

#[cfg(test)]
mod tests;
