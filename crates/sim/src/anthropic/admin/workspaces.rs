//! `/v1/organizations/workspaces`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::page;
use crate::{
    anthropic::error,
    desk::{Context, Refusal, Served},
    instant,
    service::Service,
};

/// A workspace. Keys stand in the table of keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::anthropic) struct Workspace {
    id: String,
    organization: String,
    name: String,
    tags: Value,
    created_at: i64,
    archived_at: Option<i64>,
}

/// Workspaces; archived ones on request.
pub(in crate::anthropic) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let archived_too = context.request.query("include_archived") == Some("true");
    let workspaces = context.world.anthropic.workspaces.lock();
    let own = workspaces.iter().filter(|workspace| {
        workspace.organization == context.organization()
            && (archived_too || workspace.archived_at.is_none())
    });
    let views = own.map(Workspace::view).collect();
    drop(workspaces);
    Ok(Served::free(&page(context, views)))
}

/// A new workspace.
pub(in crate::anthropic) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let workspace = Workspace {
        id: context.world.ids.fresh("wrkspc_"),
        organization: context.organization().to_owned(),
        name: name(&body)?.ok_or_else(|| error::invalid("name: Field required"))?,
        tags: tags(&body).unwrap_or_else(|| json!({})),
        created_at: context.now(),
        archived_at: None,
    };
    let view = workspace.view();
    context.world.anthropic.workspaces.lock().push(workspace);
    Ok(Served::free(&view))
}

/// One workspace.
pub(in crate::anthropic) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    change(context, |_| {})
}

/// Another name, other tags.
pub(in crate::anthropic) fn update(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let name = name(&body)?;
    change(context, |workspace| {
        if let Some(name) = name {
            workspace.name = name;
        }
        if let Some(tags) = tags(&body) {
            workspace.tags = tags;
        }
    })
}

/// Closes a workspace for ever: its keys open nothing any more.
pub(in crate::anthropic) fn archive(context: &Context<'_>) -> Result<Served, Refusal> {
    let now = context.now();
    let served = change(context, |workspace| {
        workspace.archived_at.get_or_insert(now);
    })?;
    let id = context.part(0);
    context.delete_keys(|key| {
        key.service == Service::Anthropic && key.project_id.as_deref() == Some(id)
    });
    Ok(served)
}

fn change(context: &Context<'_>, change: impl FnOnce(&mut Workspace)) -> Result<Served, Refusal> {
    let mut workspaces = context.world.anthropic.workspaces.lock();
    let workspace = workspaces.iter_mut().find(|workspace| {
        workspace.id == context.part(0) && workspace.organization == context.organization()
    });
    let workspace = workspace.ok_or_else(|| error::not_found("Workspace not found"))?;
    change(workspace);
    Ok(Served::free(&workspace.view()))
}

fn name(body: &Value) -> Result<Option<String>, Refusal> {
    match &body["name"] {
        Value::Null => Ok(None),
        Value::String(name) if (1..=40).contains(&name.chars().count()) => Ok(Some(name.clone())),
        _ => Err(error::invalid(
            "name: String should have 1 to 40 characters",
        )),
    }
}

fn tags(body: &Value) -> Option<Value> {
    body.get("tags").filter(|tags| tags.is_object()).cloned()
}

impl Workspace {
    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "type": "workspace",
            "name": self.name,
            "tags": self.tags,
            "display_color": "#6C5BB9",
            "created_at": instant::rfc3339(self.created_at),
            "archived_at": self.archived_at.map(instant::rfc3339),
        })
    }
}
