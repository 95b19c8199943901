//! Deepgram's management API: a key for each tenant in one project.
//!
//! Facts are from its API description (July 2026) and its page on authentication: no API makes a
//! project, so tenants are told apart by keys and tags; a key is made and deleted, never changed;
//! it can be made to end by itself. Several projects do not add capacity, and splitting traffic
//! over them is against the provider's terms.

use diamond_domain::SecretValue;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keys::authorized;
use crate::{
    Answer, Capacity, Effect, KeyManagement, ListedKey, ManagementError, MintSpec, Minted,
    OutboundRequest, Place, ProviderKey, ShortLived, ShortLivedSpec, Step,
    deepgram::errors::classify_failure,
};

/// Where it all is.
const PROJECTS: &str = "/v1/projects";
/// What carries AI calls.
const SCOPES: &[&str] = &["usage:write"];
/// How long a granted token may live, in seconds.
const GRANT_SECONDS: std::ops::RangeInclusive<u64> = 1..=3_600;

/// Deepgram's management API.
#[derive(Debug)]
pub(super) struct DeepgramManagement;

/// A project.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Home {
    project: String,
}

impl Home {
    fn of(place: &Place) -> Result<Self, ManagementError> {
        serde_json::from_str(place.as_str()).map_err(|_| ManagementError::Refused {
            reason: "the place of the key is not one of Deepgram's".to_owned(),
        })
    }

    fn place(&self) -> Place {
        Place::new(json!(self).to_string())
    }

    fn keys(&self) -> String {
        format!("{PROJECTS}/{}/keys", self.project)
    }
}

#[derive(Deserialize)]
struct Projects {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    project_id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Keys {
    api_keys: Vec<Member>,
}

/// A row is a member and its key.
#[derive(Deserialize)]
struct Member {
    api_key: KeyRow,
}

#[derive(Deserialize)]
struct KeyRow {
    api_key_id: String,
    #[serde(default)]
    comment: String,
    created: Option<Timestamp>,
    expiration_date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct NewKey {
    api_key_id: String,
    key: String,
    expiration_date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    /// In seconds, perhaps with a fraction.
    expires_in: f64,
}

impl KeyManagement for DeepgramManagement {
    fn mint(&self, admin: &SecretValue, spec: &MintSpec) -> Result<Step<Minted>, ManagementError> {
        if !spec.addresses.is_empty() {
            return Err(ManagementError::NotPossible {
                reason: "Deepgram cannot bind a key to networks",
            });
        }
        if spec.usage_limit.is_some() {
            return Err(ManagementError::NotPossible {
                reason: "Deepgram limits projects, not keys",
            });
        }
        let (admin, spec) = (admin.clone(), spec.clone());
        match &spec.place {
            Some(place) => {
                let home = Home::of(place)?;
                Ok(mint_in(&admin, &spec, home))
            }
            None => find_home(&admin, &spec.place_name)
                .then(move |home| Ok(mint_in(&admin, &spec, home))),
        }
    }

    fn list(
        &self,
        admin: &SecretValue,
        place: Option<&Place>,
    ) -> Result<Step<Vec<ListedKey>>, ManagementError> {
        let admin = admin.clone();
        match place {
            Some(place) => {
                let project = Home::of(place)?.project;
                Ok(list_keys(admin, vec![project], Vec::new()))
            }
            None => list_projects(&admin).then(move |projects| {
                let projects = projects.into_iter().map(|project| project.project_id);
                Ok(list_keys(admin, projects.collect(), Vec::new()))
            }),
        }
    }

    fn revoke(&self, admin: &SecretValue, key: &ProviderKey) -> Result<Step<()>, ManagementError> {
        let path = format!("{}/{}", Home::of(&key.place)?.keys(), key.id);
        let request = OutboundRequest::new(Method::DELETE, path);
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
            reason: "Deepgram's keys cannot be switched off and on, only deleted",
        })
    }

    fn prepare_place(
        &self,
        admin: &SecretValue,
        place_name: &str,
    ) -> Result<Step<Place>, ManagementError> {
        find_home(admin, place_name).then(|home| Ok(Step::Done(home.place())))
    }

    fn capacity(&self, admin: &SecretValue) -> Result<Step<Vec<Capacity>>, ManagementError> {
        self.list(admin, None)?.then(|keys| {
            Ok(Step::Done(vec![Capacity {
                what: "keys",
                used: keys.len() as u64,
                limit: None,
            }]))
        })
    }

    fn validation(&self, admin: &SecretValue) -> OutboundRequest {
        authorized(OutboundRequest::get(PROJECTS), admin)
    }
}

/// A token for the voice interfaces. It has to hold only when a connection is made.
pub(super) fn short_lived(
    key: &SecretValue,
    spec: &ShortLivedSpec,
) -> Result<Step<ShortLived>, ManagementError> {
    if !matches!(spec.kind.as_deref(), None | Some("voice")) {
        return Err(ManagementError::NotPossible {
            reason: "Deepgram's short-lived tokens are of the kind `voice`",
        });
    }
    let mut body = json!({});
    if let Some(lifetime) = spec.lifetime {
        let (least, most) = (*GRANT_SECONDS.start(), *GRANT_SECONDS.end());
        body["ttl_seconds"] = json!(lifetime.as_secs().clamp(least, most));
    }
    let request = OutboundRequest::post_json("/v1/auth/grant", &body);
    Ok(ask(key, request, Effect::Repeatable, |answer| {
        let grant: Grant = read(answer)?;
        let length = std::time::Duration::try_from_secs_f64(grant.expires_in).ok();
        let length = length.and_then(|length| SignedDuration::try_from(length).ok());
        let expires_at = length.and_then(|length| answer.now.checked_add(length).ok());
        Ok(Step::Done(ShortLived {
            value: SecretValue::new(grant.access_token),
            expires_at: expires_at.ok_or_else(out_of_range)?,
            single_use: false,
        }))
    }))
}

fn mint_in(admin: &SecretValue, spec: &MintSpec, home: Home) -> Step<Minted> {
    let mut body = json!({ "comment": spec.key_name });
    body["scopes"] = if spec.permissions.is_empty() {
        json!(SCOPES)
    } else {
        json!(spec.permissions)
    };
    if !spec.tags.is_empty() {
        body["tags"] = json!(spec.tags);
    }
    let seconds = spec.lifetime.map(|lifetime| lifetime.as_secs().max(1));
    if let Some(seconds) = seconds {
        body["time_to_live_in_seconds"] = json!(seconds);
    }
    let request = OutboundRequest::post_json(home.keys(), &body);
    ask(admin, request, Effect::Makes, move |answer| {
        let new: NewKey = read(answer)?;
        let counted = || {
            let length = SignedDuration::from_secs(i64::try_from(seconds?).ok()?);
            answer.now.checked_add(length).ok()
        };
        let expires_at = new.expiration_date.or_else(counted);
        Ok(Step::Done(Minted {
            value: SecretValue::new(new.key),
            key: ProviderKey {
                id: new.api_key_id,
                place: home.place(),
            },
            expires_at,
        }))
    })
}

/// The project of this name, or the only one.
fn find_home(admin: &SecretValue, name: &str) -> Step<Home> {
    let name = name.to_owned();
    ask(
        admin,
        OutboundRequest::get(PROJECTS),
        Effect::Reads,
        move |answer| {
            let Projects { projects } = read(answer)?;
            let named = projects.iter().find(|project| project.name == name);
            let project = match (named, projects.as_slice()) {
                (Some(project), _) | (None, [project]) => project.project_id.clone(),
                (None, several) => {
                    return Err(ManagementError::Refused {
                        reason: format!(
                            "the management key sees {} projects and none is named `{name}`: \
                             no API makes one, so name the one to use so, or use a key of one \
                             project",
                            several.len()
                        ),
                    });
                }
            };
            Ok(Step::Done(Home { project }))
        },
    )
}

fn list_projects(admin: &SecretValue) -> Step<Vec<Project>> {
    let request = OutboundRequest::get(PROJECTS);
    ask(admin, request, Effect::Reads, |answer| {
        Ok(Step::Done(read::<Projects>(answer)?.projects))
    })
}

fn list_keys(
    admin: SecretValue,
    mut projects: Vec<String>,
    mut before: Vec<ListedKey>,
) -> Step<Vec<ListedKey>> {
    let Some(project) = projects.pop() else {
        return Step::Done(before);
    };
    let home = Home { project };
    let request = OutboundRequest::get(home.keys());
    ask(&admin.clone(), request, Effect::Reads, move |answer| {
        let Keys { api_keys } = read(answer)?;
        let now = answer.now;
        before.extend(
            api_keys
                .into_iter()
                .map(|row| listed(row.api_key, &home, now)),
        );
        Ok(list_keys(admin, projects, before))
    })
}

fn listed(row: KeyRow, home: &Home, now: Timestamp) -> ListedKey {
    ListedKey {
        key: ProviderKey {
            id: row.api_key_id,
            place: home.place(),
        },
        name: row.comment,
        // Nothing is shown of a key.
        hint: None,
        live: row.expiration_date.is_none_or(|end| end > now),
        created_at: row.created,
        expires_at: row.expiration_date,
    }
}

fn out_of_range() -> ManagementError {
    ManagementError::Unreadable {
        reason: "a time is out of range".to_owned(),
    }
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
        Err(failed(answer))
    }
}

fn failed(answer: &Answer<'_>) -> ManagementError {
    ManagementError::of(classify_failure(answer), answer)
}

#[cfg(test)]
mod tests;
