//! `/organization/projects`.

use serde_json::Value;

use super::{Project, name};
use crate::openai::{
    context::{Context, Served, page},
    error::Refusal,
};

/// Projects; archived ones on request.
pub(in crate::openai) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let archived_too = context.request.query("include_archived") == Some("true");
    let organization = context.world.openai.organization.lock();
    let shown = |project: &&Project| {
        let own = project.organization == context.organization();
        own && (archived_too || project.archived_at.is_none())
    };
    let projects: Vec<Value> = organization
        .projects
        .iter()
        .filter(shown)
        .map(Project::view)
        .collect();
    Ok(Served::free(&page(context.request, projects, 20)))
}

/// A new project.
pub(in crate::openai) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let project = Project {
        id: context.world.ids.fresh("proj_"),
        organization: context.organization().to_owned(),
        name: name(&context.json()?)?,
        created_at: context.now(),
        archived_at: None,
    };
    let view = project.view();
    context
        .world
        .openai
        .organization
        .lock()
        .projects
        .push(project);
    Ok(Served::free(&view))
}

/// One project.
pub(in crate::openai) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let mut organization = context.world.openai.organization.lock();
    Ok(Served::free(
        &organization.project(context, context.part(0))?.view(),
    ))
}

/// Another name.
pub(in crate::openai) fn update(context: &Context<'_>) -> Result<Served, Refusal> {
    let name = name(&context.json()?)?;
    let mut organization = context.world.openai.organization.lock();
    let project = organization.project(context, context.part(0))?;
    project.name = name;
    Ok(Served::free(&project.view()))
}

/// Closes a project for ever: its keys open nothing any more.
pub(in crate::openai) fn archive(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.part(0);
    let view = {
        let mut organization = context.world.openai.organization.lock();
        let project = organization.project(context, id)?;
        project.archived_at.get_or_insert(context.now());
        project.view()
    };
    context.delete_keys(|key| key.project_id.as_deref() == Some(id));
    Ok(Served::free(&view))
}
