//! `/files`: what a project has uploaded.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    context::{Content, Context, Served, page},
    error::{self, Refusal},
    state::keep,
};

/// A file.
pub(super) struct StoredFile {
    project: String,
    object: Value,
    bytes: Bytes,
}

impl StoredFile {
    fn is(&self, id: &str, project: &str) -> bool {
        self.object["id"] == id && self.project == project
    }
}

/// Takes a file.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let form = context.form()?;
    let file = form.part("file").ok_or_else(|| error::missing("file"))?;
    let purpose = form
        .text("purpose")
        .ok_or_else(|| error::missing("purpose"))?;
    let object = json!({
        "id": context.world.ids.fresh("file-"),
        "object": "file",
        "bytes": file.bytes.len(),
        "created_at": context.now(),
        "expires_at": null,
        "filename": file.file_name.as_deref().unwrap_or("upload"),
        "purpose": purpose,
        "status": "processed",
        "status_details": null,
    });
    let stored = StoredFile {
        project: context.project().to_owned(),
        object: object.clone(),
        bytes: Bytes::copy_from_slice(file.bytes),
    };
    keep(&context.world.openai.files, stored);
    Ok(Served::free(&object))
}

/// The project's files, the newest first.
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let files = context.world.openai.files.lock();
    let purpose = context.request.query("purpose");
    let chosen = files.iter().rev().filter(|file| {
        file.project == context.project()
            && purpose.is_none_or(|purpose| file.object["purpose"] == purpose)
    });
    let objects = chosen.map(|file| file.object.clone()).collect();
    Ok(Served::free(&page(context.request, objects, 10_000)))
}

/// What is known of a file.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    with_file(context, |file| Served::free(&file.object))
}

/// The file itself.
pub(super) fn content(context: &Context<'_>) -> Result<Served, Refusal> {
    with_file(context, |file| Served {
        status: StatusCode::OK,
        content: Content::Whole {
            content_type: "application/octet-stream",
            bytes: file.bytes.clone(),
        },
        headers: Vec::new(),
        charge: None,
    })
}

/// Forgets a file.
pub(super) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.part(0);
    let mut files = context.world.openai.files.lock();
    let before = files.len();
    files.retain(|file| !file.is(id, context.project()));
    if files.len() == before {
        return Err(error::not_found("File object", id));
    }
    Ok(Served::free(
        &json!({"id": id, "object": "file", "deleted": true}),
    ))
}

/// Whether a project has such a file.
pub(super) fn exists(context: &Context<'_>, id: &str) -> bool {
    context
        .world
        .openai
        .files
        .lock()
        .iter()
        .any(|file| file.is(id, context.project()))
}

fn with_file(
    context: &Context<'_>,
    look: impl FnOnce(&StoredFile) -> Served,
) -> Result<Served, Refusal> {
    let id = context.part(0);
    let files = context.world.openai.files.lock();
    let found = files.iter().find(|file| file.is(id, context.project()));
    found
        .map(look)
        .ok_or_else(|| error::not_found("File object", id))
}
