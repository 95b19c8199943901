//! Anthropic's management API: a workspace for each tenant, in which a person makes the keys.
//!
//! Facts are from the official Python package 2.12 and Anthropic's pages on its Admin API: it
//! lists, renames, switches off and archives keys; it makes none. A workspace cannot be deleted,
//! only archived.

use diamond_domain::SecretValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{errors::classify_failure, keys::authorized};
use crate::{
    Answer, Capacity, Effect, KeyManagement, ListedKey, ManagementError, MintSpec, Minted,
    OutboundRequest, Place, ProviderKey, Step,
};

const KEYS: &str = "/v1/organizations/api_keys";
const WORKSPACES: &str = "/v1/organizations/workspaces";
/// The most rows of a page.
const PAGE: u32 = 1_000;
/// How many an organisation has by default, the archived ones not counted; Anthropic raises it on
/// request.
const WORKSPACES_MAX: u64 = 100;

/// Anthropic's management API.
#[derive(Debug)]
pub(super) struct AnthropicManagement;

/// The workspace; `None` is what belongs to none.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Home {
    workspace: Option<String>,
}

impl Home {
    fn of(place: &Place) -> Result<Self, ManagementError> {
        serde_json::from_str(place.as_str()).map_err(|_| ManagementError::Refused {
            reason: "the place of the key is not one of Anthropic's".to_owned(),
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
struct Workspace {
    id: String,
    name: String,
    archived_at: Option<String>,
}

#[derive(Deserialize)]
struct KeyRow {
    id: String,
    #[serde(default)]
    name: String,
    status: String,
    partial_key_hint: Option<String>,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    scope: Option<Scope>,
    workspace_id: Option<String>,
}

#[derive(Deserialize)]
struct Scope {
    workspace_id: Option<String>,
}

impl KeyManagement for AnthropicManagement {
    fn mint(
        &self,
        _admin: &SecretValue,
        _spec: &MintSpec,
    ) -> Result<Step<Minted>, ManagementError> {
        Err(ManagementError::NotPossible {
            reason: "Anthropic's API makes no keys: a person makes one in the tenant's workspace \
                     in the Claude Console and puts it here",
        })
    }

    fn list(
        &self,
        admin: &SecretValue,
        place: Option<&Place>,
    ) -> Result<Step<Vec<ListedKey>>, ManagementError> {
        let workspace = match place {
            Some(place) => Home::of(place)?.workspace,
            None => None,
        };
        Ok(list_keys(admin.clone(), workspace, Vec::new(), None))
    }

    fn revoke(&self, admin: &SecretValue, key: &ProviderKey) -> Result<Step<()>, ManagementError> {
        let look = ask(admin, OutboundRequest::get(path_of(key)), Effect::Reads, {
            let (admin, key) = (admin.clone(), key.clone());
            move |answer| {
                if answer.status == 404 {
                    return Ok(Step::Done(()));
                }
                // An archived key cannot be changed any more, not even to what it is.
                match read::<KeyRow>(answer)?.status.as_str() {
                    "archived" => Ok(Step::Done(())),
                    _ => Ok(set_status(&admin, &key, "archived")),
                }
            }
        });
        Ok(look)
    }

    fn set_enabled(
        &self,
        admin: &SecretValue,
        key: &ProviderKey,
        enabled: bool,
    ) -> Result<Step<()>, ManagementError> {
        let status = if enabled { "active" } else { "inactive" };
        Ok(set_status(admin, key, status))
    }

    fn prepare_place(
        &self,
        admin: &SecretValue,
        place_name: &str,
    ) -> Result<Step<Place>, ManagementError> {
        let (admin, name) = (admin.clone(), place_name.to_owned());
        list_workspaces(admin.clone(), Vec::new(), None).then(move |workspaces| {
            let known = workspaces
                .into_iter()
                .find(|workspace| workspace.name == name);
            let place = |workspace: Workspace| {
                Home {
                    workspace: Some(workspace.id),
                }
                .place()
            };
            if let Some(workspace) = known {
                return Ok(Step::Done(place(workspace)));
            }
            let request = OutboundRequest::post_json(WORKSPACES, &json!({ "name": name }));
            Ok(ask(&admin, request, Effect::Makes, move |answer| {
                Ok(Step::Done(place(read(answer)?)))
            }))
        })
    }

    fn capacity(&self, admin: &SecretValue) -> Result<Step<Vec<Capacity>>, ManagementError> {
        list_workspaces(admin.clone(), Vec::new(), None).then(|workspaces| {
            Ok(Step::Done(vec![Capacity {
                what: "workspaces",
                used: workspaces.len() as u64,
                limit: Some(WORKSPACES_MAX),
            }]))
        })
    }

    fn validation(&self, admin: &SecretValue) -> OutboundRequest {
        authorized(OutboundRequest::get("/v1/organizations/me"), admin)
    }
}

fn path_of(key: &ProviderKey) -> String {
    format!("{KEYS}/{}", key.id)
}

fn set_status(admin: &SecretValue, key: &ProviderKey, status: &'static str) -> Step<()> {
    let request = OutboundRequest::post_json(path_of(key), &json!({ "status": status }));
    ask(admin, request, Effect::Repeatable, move |answer| {
        if answer.status == 404 && status == "archived" {
            return Ok(Step::Done(()));
        }
        let row: KeyRow = read(answer)?;
        if row.status == status {
            return Ok(Step::Done(()));
        }
        Err(ManagementError::Refused {
            reason: format!("the key stayed {}", row.status),
        })
    })
}

/// Workspaces that are not archived.
fn list_workspaces(
    admin: SecretValue,
    mut before: Vec<Workspace>,
    after: Option<String>,
) -> Step<Vec<Workspace>> {
    let request = OutboundRequest::get(page_of(WORKSPACES, None, after.as_deref()));
    ask(&admin.clone(), request, Effect::Reads, move |answer| {
        let page: Page<Workspace> = read(answer)?;
        let next = page.last_id.filter(|_| page.has_more);
        let live = |workspace: &Workspace| workspace.archived_at.is_none();
        before.extend(page.data.into_iter().filter(live));
        Ok(match next {
            Some(next) => list_workspaces(admin, before, Some(next)),
            None => Step::Done(before),
        })
    })
}

fn list_keys(
    admin: SecretValue,
    workspace: Option<String>,
    mut before: Vec<ListedKey>,
    after: Option<String>,
) -> Step<Vec<ListedKey>> {
    let request = OutboundRequest::get(page_of(KEYS, workspace.as_deref(), after.as_deref()));
    ask(&admin.clone(), request, Effect::Reads, move |answer| {
        let page: Page<KeyRow> = read(answer)?;
        let next = page.last_id.filter(|_| page.has_more);
        before.extend(page.data.into_iter().map(listed));
        Ok(match next {
            Some(next) => list_keys(admin, workspace, before, Some(next)),
            None => Step::Done(before),
        })
    })
}

fn listed(row: KeyRow) -> ListedKey {
    let scope = row.scope.and_then(|scope| scope.workspace_id);
    let home = Home {
        workspace: scope.or(row.workspace_id),
    };
    ListedKey {
        key: ProviderKey {
            id: row.id,
            place: home.place(),
        },
        name: row.name,
        hint: row.partial_key_hint,
        live: row.status == "active",
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}

fn page_of(path: &str, workspace: Option<&str>, after: Option<&str>) -> String {
    let mut page = format!("{path}?limit={PAGE}");
    if let Some(workspace) = workspace {
        page.push_str("&workspace_id=");
        page.push_str(workspace);
    }
    if let Some(after) = after {
        page.push_str("&after_id=");
        page.push_str(after);
    }
    page
}

fn ask<T>(
    admin: &SecretValue,
    request: OutboundRequest,
    effect: Effect,
    read: impl FnOnce(&Answer<'_>) -> Result<Step<T>, ManagementError> + Send + 'static,
) -> Step<T> {
    Step::ask(authorized(request, admin), effect, read)
}

/// A good answer's JSON.
fn read<T: serde::de::DeserializeOwned>(answer: &Answer<'_>) -> Result<T, ManagementError> {
    if answer.is_success() {
        answer.json()
    } else {
        Err(ManagementError::of(classify_failure(answer), answer))
    }
}

#[cfg(test)]
mod tests;
