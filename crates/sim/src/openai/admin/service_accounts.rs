//! `/organization/projects/{}/service_accounts`.

use serde_json::{Value, json};

use super::{ServiceAccount, expiry, keys, name};
use crate::openai::{
    context::{Context, Served, page},
    error::Refusal,
};

/// The accounts of a project.
pub(in crate::openai) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let mut organization = context.world.openai.organization.lock();
    let project = context.part(0);
    organization.project(context, project)?;
    let own = organization
        .service_accounts
        .iter()
        .filter(|account| account.project == project);
    let accounts = own.map(ServiceAccount::view).collect();
    Ok(Served::free(&page(context.request, accounts, 20)))
}

/// A new account and, unless told otherwise, its first key: the only time its value is shown.
pub(in crate::openai) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let name = name(&body)?;
    let expires_at = expiry(context, &body)?;
    let project = context.part(0);
    let account = ServiceAccount {
        id: context.world.ids.fresh("user-"),
        project: project.to_owned(),
        name,
        created_at: context.now(),
    };
    {
        let mut organization = context.world.openai.organization.lock();
        organization.open_project(context, project)?;
        organization.service_accounts.push(account.clone());
    }
    let mut view = account.view();
    view["api_key"] = if body["create_service_account_only"].as_bool() == Some(true) {
        Value::Null
    } else {
        keys::make(
            context,
            &account,
            "Secret Key".to_owned(),
            Vec::new(),
            expires_at,
        )
    };
    Ok(Served::free(&view))
}

/// One account.
pub(in crate::openai) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let mut organization = context.world.openai.organization.lock();
    let account = organization.service_account(context, context.part(0), context.part(1))?;
    Ok(Served::free(&account.view()))
}

/// Removes an account and every key of it.
pub(in crate::openai) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    let (project, id) = (context.part(0), context.part(1));
    {
        let mut organization = context.world.openai.organization.lock();
        organization.service_account(context, project, id)?;
        organization
            .service_accounts
            .retain(|account| account.id != id);
    }
    context.delete_keys(|key| key.service_account_id.as_deref() == Some(id));
    let object = "organization.project.service_account.deleted";
    Ok(Served::free(
        &json!({"id": id, "object": object, "deleted": true}),
    ))
}
