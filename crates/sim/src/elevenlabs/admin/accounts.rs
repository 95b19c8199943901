//! `/v1/service-accounts`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys;
use crate::{
    desk::{Context, Refusal, Served},
    elevenlabs::error,
};

/// How many a workspace may have unless the judge was told otherwise.
const MOST_ACCOUNTS: u64 = 20;

/// A service account. Its keys stand in the table of keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::elevenlabs) struct ServiceAccount {
    id: String,
    organization: String,
    name: String,
    created_at: i64,
}

/// The accounts of the workspace with their keys.
pub(in crate::elevenlabs) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let accounts = context.world.elevenlabs.accounts.lock().clone();
    let own = accounts
        .iter()
        .filter(|account| account.organization == context.organization());
    let views: Vec<Value> = own
        .map(|account| {
            json!({
                "service_account_user_id": account.id,
                "name": account.name,
                "created_at_unix": account.created_at,
                "api-keys": keys::views(context, &account.id),
            })
        })
        .collect();
    Ok(Served::free(&json!({"service-accounts": views})))
}

/// A new account, as long as there is room.
pub(in crate::elevenlabs) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let name = name(&body)?;
    let most = context
        .world
        .limits
        .of(context.key, |limit| limit.service_accounts)
        .unwrap_or(MOST_ACCOUNTS);
    let mut accounts = context.world.elevenlabs.accounts.lock();
    let own = accounts
        .iter()
        .filter(|account| account.organization == context.organization());
    if own.count() as u64 >= most {
        let message = format!("The workspace already has {most} service accounts.");
        return Err(error::make(400, "service_account_limit_reached", &message));
    }
    let account = ServiceAccount {
        id: context.world.ids.fresh("sa_"),
        organization: context.organization().to_owned(),
        name,
        created_at: context.now(),
    };
    let view = json!({"service-account-user-id": account.id});
    accounts.push(account);
    Ok(Served::free(&view))
}

/// The account of the path, if it is one of the workspace.
pub(super) fn look(context: &Context<'_>) -> Result<String, Refusal> {
    let id = context.part(0);
    let accounts = context.world.elevenlabs.accounts.lock();
    let found = accounts
        .iter()
        .any(|account| account.id == id && account.organization == context.organization());
    if found {
        return Ok(id.to_owned());
    }
    let message = "The service account was not found.";
    Err(error::make(404, "service_account_not_found", message))
}

/// A name that must be there.
pub(super) fn name(body: &Value) -> Result<String, Refusal> {
    let name = body["name"].as_str().filter(|name| !name.is_empty());
    name.map(str::to_owned)
        .ok_or_else(|| error::missing("name"))
}
