//! ElevenLabs' management API: one service account for the whole installation, a key for each
//! tenant on it.
//!
//! Facts are from the official Python package 2.78 and the published API description: a workspace
//! has 20 service accounts (100 on the largest plan), so they are no place for a tenant each; a key
//! lives 15 minutes to 90 days, or without end; a key can still be switched off when the plan that
//! allowed service accounts has ended, and then not deleted any more.

use diamond_domain::SecretValue;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keys::authorized;
use crate::{
    Answer, Capacity, Effect, KeyManagement, KeyVerdict, ListedKey, ManagementError, MintSpec,
    Minted, OutboundRequest, Place, ProviderKey, ShortLived, ShortLivedSpec, Step,
    elevenlabs::errors::classify_failure,
};

/// Where it all is.
const ACCOUNTS: &str = "/v1/service-accounts";
/// How many service accounts a workspace may have: usually, and on the largest plan.
const ACCOUNTS_MAX: [u64; 2] = [20, 100];
/// The shortest and the longest life of a key that ends by itself, each with a minute for clocks
/// that differ.
const LIFE_SECONDS: std::ops::RangeInclusive<u64> = 16 * 60..=90 * 86_400 - 60;
/// How long a single-use token waits for its use.
const SINGLE_USE_SECONDS: i64 = 15 * 60;
/// What a single-use token can open.
const SINGLE_USE_KINDS: [&str; 3] = ["realtime_scribe", "batch_scribe", "tts_websocket"];
/// What carries AI calls and touches nothing that tenants of one workspace share.
const PERMISSIONS: &[&str] = &[
    "text_to_speech",
    "speech_to_speech",
    "speech_to_text",
    "sound_generation",
    "audio_isolation",
    "voice_generation",
    "forced_alignment",
    "music_generation",
    "models_read",
    "voices_read",
];

/// ElevenLabs' management API.
#[derive(Debug)]
pub(super) struct ElevenLabsManagement;

/// A service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Home {
    account: String,
}

impl Home {
    fn of(place: &Place) -> Result<Self, ManagementError> {
        serde_json::from_str(place.as_str()).map_err(|_| ManagementError::Refused {
            reason: "the place of the key is not one of ElevenLabs'".to_owned(),
        })
    }

    fn place(&self) -> Place {
        Place::new(json!(self).to_string())
    }

    fn keys(&self) -> String {
        format!("{ACCOUNTS}/{}/api-keys", self.account)
    }
}

/// Hyphens and underscores stand side by side in these answers; each is taken for the other.
#[derive(Deserialize)]
struct Accounts {
    #[serde(rename = "service-accounts", alias = "service_accounts")]
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "service_account_user_id", alias = "service-account-user-id")]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "api-keys", alias = "api_keys", default)]
    keys: Vec<KeyRow>,
}

#[derive(Deserialize)]
struct Keys {
    #[serde(rename = "api-keys", alias = "api_keys")]
    keys: Vec<KeyRow>,
}

#[derive(Deserialize)]
struct KeyRow {
    key_id: String,
    #[serde(default)]
    name: String,
    hint: Option<String>,
    #[serde(default)]
    is_disabled: bool,
    created_at_unix: Option<i64>,
    expires_at_unix: Option<i64>,
}

#[derive(Deserialize)]
struct NewKey {
    #[serde(rename = "xi-api-key", alias = "xi_api_key")]
    value: String,
    #[serde(alias = "key-id")]
    key_id: String,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

impl KeyManagement for ElevenLabsManagement {
    fn mint(&self, admin: &SecretValue, spec: &MintSpec) -> Result<Step<Minted>, ManagementError> {
        if !spec.tags.is_empty() {
            return Err(ManagementError::NotPossible {
                reason: "ElevenLabs' keys bear no tags",
            });
        }
        let (admin, spec) = (admin.clone(), spec.clone());
        let known = spec.place.as_ref().map(Home::of).transpose()?;
        let name = account_name(&spec.place_name).to_owned();
        // The answer also brings the time that an expiry is counted from.
        Ok(ask(
            &admin.clone(),
            OutboundRequest::get(ACCOUNTS),
            Effect::Reads,
            move |answer| {
                let Accounts { accounts } = read(answer)?;
                let home = known.or_else(|| {
                    let there = accounts.into_iter().find(|account| account.name == name);
                    there.map(|account| Home {
                        account: account.id,
                    })
                });
                match home {
                    Some(home) => Ok(mint_on(&admin, &spec, home, answer.now)),
                    None => make_account(&admin, &name)
                        .then(move |(home, now)| Ok(mint_on(&admin, &spec, home, now))),
                }
            },
        ))
    }

    fn list(
        &self,
        admin: &SecretValue,
        place: Option<&Place>,
    ) -> Result<Step<Vec<ListedKey>>, ManagementError> {
        let Some(place) = place else {
            return Ok(ask(
                admin,
                OutboundRequest::get(ACCOUNTS),
                Effect::Reads,
                |answer| {
                    let Accounts { accounts } = read(answer)?;
                    let keys = accounts.into_iter().flat_map(|account| {
                        let home = Home {
                            account: account.id,
                        };
                        let listed = move |row| listed(row, &home);
                        account.keys.into_iter().map(listed)
                    });
                    Ok(Step::Done(keys.collect::<Result<_, _>>()?))
                },
            ));
        };
        let home = Home::of(place)?;
        let request = OutboundRequest::get(home.keys());
        Ok(ask(admin, request, Effect::Reads, move |answer| {
            let Keys { keys } = read(answer)?;
            let keys = keys.into_iter().map(|row| listed(row, &home));
            Ok(Step::Done(keys.collect::<Result<_, _>>()?))
        }))
    }

    fn revoke(&self, admin: &SecretValue, key: &ProviderKey) -> Result<Step<()>, ManagementError> {
        let request = OutboundRequest::new(Method::DELETE, path_of(key)?);
        let (again, key) = (admin.clone(), key.clone());
        Ok(ask(admin, request, Effect::Repeatable, move |answer| {
            if answer.is_success() || answer.status == 404 {
                return Ok(Step::Done(()));
            }
            let failed = failed(answer);
            match &failed {
                // A plan that has no service accounts any more deletes no key of one, and still
                // switches it off: it does not work then, and nobody can switch it on.
                ManagementError::Refused { .. }
                | ManagementError::Credential(
                    KeyVerdict::MissingScope { .. }
                    | KeyVerdict::Blocked { .. }
                    | KeyVerdict::Exhausted { .. },
                ) => switch_off(&again, &key),
                _ => Err(failed),
            }
        }))
    }

    fn set_enabled(
        &self,
        admin: &SecretValue,
        key: &ProviderKey,
        enabled: bool,
    ) -> Result<Step<()>, ManagementError> {
        if enabled {
            patch_enabled(admin, key, true)
        } else {
            switch_off(admin, key)
        }
    }

    fn prepare_place(
        &self,
        admin: &SecretValue,
        place_name: &str,
    ) -> Result<Step<Place>, ManagementError> {
        let (admin, name) = (admin.clone(), account_name(place_name).to_owned());
        Ok(ask(
            &admin.clone(),
            OutboundRequest::get(ACCOUNTS),
            Effect::Reads,
            move |answer| {
                let Accounts { accounts } = read(answer)?;
                let there = accounts.into_iter().find(|account| account.name == name);
                if let Some(account) = there {
                    let account = account.id;
                    return Ok(Step::Done(Home { account }.place()));
                }
                make_account(&admin, &name).then(|(home, _)| Ok(Step::Done(home.place())))
            },
        ))
    }

    fn capacity(&self, admin: &SecretValue) -> Result<Step<Vec<Capacity>>, ManagementError> {
        Ok(ask(
            admin,
            OutboundRequest::get(ACCOUNTS),
            Effect::Reads,
            |answer| {
                let used = read::<Accounts>(answer)?.accounts.len() as u64;
                Ok(Step::Done(vec![Capacity {
                    what: "service_accounts",
                    used,
                    // The plan is not told; who has more than the usual has the largest.
                    limit: ACCOUNTS_MAX.into_iter().find(|most| used <= *most),
                }]))
            },
        ))
    }

    fn validation(&self, admin: &SecretValue) -> OutboundRequest {
        authorized(OutboundRequest::get(ACCOUNTS), admin)
    }
}

/// A token that opens one thing once.
pub(super) fn short_lived(
    key: &SecretValue,
    spec: &ShortLivedSpec,
) -> Result<Step<ShortLived>, ManagementError> {
    let kind = spec.kind.as_deref().unwrap_or_default();
    if !SINGLE_USE_KINDS.contains(&kind) {
        return Err(ManagementError::NotPossible {
            reason: "ElevenLabs' single-use tokens are of the kinds `realtime_scribe`, \
                     `batch_scribe` and `tts_websocket`: name one",
        });
    }
    let request = OutboundRequest::new(Method::POST, format!("/v1/single-use-token/{kind}"));
    Ok(ask(key, request, Effect::Repeatable, |answer| {
        let Token { token } = read(answer)?;
        Ok(Step::Done(ShortLived {
            value: SecretValue::new(token),
            expires_at: later(answer.now, SINGLE_USE_SECONDS)?,
            single_use: true,
        }))
    }))
}

/// The name of the account that all tenants of an installation share: of `ukm-INSTALLATION-TENANT`
/// what stands before the tenant.
fn account_name(place_name: &str) -> &str {
    let mut hyphens = place_name.match_indices('-').map(|(at, _)| at);
    hyphens.nth(1).map_or(place_name, |at| &place_name[..at])
}

fn make_account(admin: &SecretValue, name: &str) -> Step<(Home, Timestamp)> {
    let request = OutboundRequest::post_json(ACCOUNTS, &json!({ "name": name }));
    ask(admin, request, Effect::Makes, |answer| {
        if !answer.is_success() {
            return Err(full_or_failed(answer));
        }
        let account = answer.json::<Account>()?.id;
        Ok(Step::Done((Home { account }, answer.now)))
    })
}

fn mint_on(admin: &SecretValue, spec: &MintSpec, home: Home, now: Timestamp) -> Step<Minted> {
    let mut body = json!({ "name": spec.key_name });
    body["permissions"] = if spec.permissions.is_empty() {
        json!(PERMISSIONS)
    } else {
        json!(spec.permissions)
    };
    if let Some(limit) = spec.usage_limit {
        body["character_limit"] = json!(limit);
    }
    if !spec.addresses.is_empty() {
        body["allowed_ips"] = json!(spec.addresses);
    }
    let expires_at = spec.lifetime.and_then(|lifetime| {
        let seconds = lifetime
            .as_secs()
            .clamp(*LIFE_SECONDS.start(), *LIFE_SECONDS.end());
        let end = now.as_second().checked_add(i64::try_from(seconds).ok()?)?;
        Timestamp::from_second(end).ok()
    });
    if let Some(end) = expires_at {
        body["expires_at_unix"] = json!(end.as_second());
    }
    let request = OutboundRequest::post_json(home.keys(), &body);
    ask(admin, request, Effect::Makes, move |answer| {
        if !answer.is_success() {
            return Err(full_or_failed(answer));
        }
        let new: NewKey = answer.json()?;
        Ok(Step::Done(Minted {
            value: SecretValue::new(new.value),
            key: ProviderKey {
                id: new.key_id,
                place: home.place(),
            },
            expires_at,
        }))
    })
}

/// Older APIs know no `disable`, only the change of the key.
fn switch_off(admin: &SecretValue, key: &ProviderKey) -> Result<Step<()>, ManagementError> {
    let request = OutboundRequest::new(Method::POST, format!("{}/disable", path_of(key)?));
    let (again, key) = (admin.clone(), key.clone());
    Ok(ask(
        admin,
        request,
        Effect::Repeatable,
        move |answer| match answer.status {
            200..=299 => Ok(Step::Done(())),
            404 | 405 => patch_enabled(&again, &key, false),
            _ => Err(failed(answer)),
        },
    ))
}

fn patch_enabled(
    admin: &SecretValue,
    key: &ProviderKey,
    enabled: bool,
) -> Result<Step<()>, ManagementError> {
    let body = json!({ "is_enabled": enabled });
    let request = OutboundRequest::new(Method::PATCH, path_of(key)?).with_json(&body);
    Ok(ask(admin, request, Effect::Repeatable, move |answer| {
        // A key that is not there is off.
        if answer.is_success() || (answer.status == 404 && !enabled) {
            return Ok(Step::Done(()));
        }
        Err(failed(answer))
    }))
}

fn listed(row: KeyRow, home: &Home) -> Result<ListedKey, ManagementError> {
    let second = |unix: i64| {
        Timestamp::from_second(unix).map_err(|_| ManagementError::Unreadable {
            reason: "a time is out of range".to_owned(),
        })
    };
    Ok(ListedKey {
        key: ProviderKey {
            id: row.key_id,
            place: home.place(),
        },
        name: row.name,
        // Only the end of a key is shown.
        hint: row.hint.map(|end| {
            let end = end.trim_start_matches(['.', '*', '…', '•']);
            format!("…{end}")
        }),
        live: !row.is_disabled,
        created_at: row.created_at_unix.map(second).transpose()?,
        expires_at: row.expires_at_unix.map(second).transpose()?,
    })
}

fn path_of(key: &ProviderKey) -> Result<String, ManagementError> {
    Ok(format!("{}/{}", Home::of(&key.place)?.keys(), key.id))
}

fn later(now: Timestamp, seconds: i64) -> Result<Timestamp, ManagementError> {
    now.checked_add(SignedDuration::from_secs(seconds))
        .map_err(|_| ManagementError::Unreadable {
            reason: "a time is out of range".to_owned(),
        })
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

/// What is refused because there are enough of it already has a code that says so.
fn full_or_failed(answer: &Answer<'_>) -> ManagementError {
    match classify_failure(answer) {
        KeyVerdict::BadRequest { reason } | KeyVerdict::MissingScope { reason }
            if reason.contains("limit") =>
        {
            ManagementError::Full { reason }
        }
        verdict => ManagementError::of(verdict, answer),
    }
}

#[cfg(test)]
mod tests;
