//! `/batches`: their states. Nothing in them is run, so nothing in them is billed.

use serde_json::{Value, json};

use super::{
    context::{Context, Served, page},
    error::{self, Refusal},
    files,
    state::keep,
};

/// A batch.
pub(super) struct Batch {
    project: String,
    object: Value,
}

/// Begins a batch.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let text = |name: &str| body[name].as_str().ok_or_else(|| error::missing(name));
    let (file, endpoint, window) = (
        text("input_file_id")?,
        text("endpoint")?,
        text("completion_window")?,
    );
    if !files::exists(context, file) {
        return Err(error::not_found("File object", file));
    }
    let now = context.now();
    let object = json!({
        "id": context.world.ids.fresh("batch_"),
        "object": "batch",
        "endpoint": endpoint,
        "errors": null,
        "input_file_id": file,
        "completion_window": window,
        "status": "validating",
        "output_file_id": null,
        "error_file_id": null,
        "created_at": now,
        "in_progress_at": null,
        "expires_at": now + 86_400,
        "cancelling_at": null,
        "cancelled_at": null,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": body["metadata"],
    });
    let batch = Batch {
        project: context.project().to_owned(),
        object: object.clone(),
    };
    keep(&context.world.openai.batches, batch);
    Ok(Served::free(&object))
}

/// The project's batches, the newest first.
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let batches = context.world.openai.batches.lock();
    let own = batches
        .iter()
        .rev()
        .filter(|batch| batch.project == context.project());
    let objects = own.map(|batch| batch.object.clone()).collect();
    Ok(Served::free(&page(context.request, objects, 20)))
}

/// A batch, one state further than at the last look.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    with_batch(context, |batch, now| match batch["status"].as_str() {
        Some("validating") => {
            batch["status"] = json!("in_progress");
            batch["in_progress_at"] = json!(now);
        }
        Some("cancelling") => {
            batch["status"] = json!("cancelled");
            batch["cancelled_at"] = json!(now);
        }
        _ => {}
    })
}

/// Stops a batch.
pub(super) fn cancel(context: &Context<'_>) -> Result<Served, Refusal> {
    with_batch(context, |batch, now| {
        if matches!(batch["status"].as_str(), Some("validating" | "in_progress")) {
            batch["status"] = json!("cancelling");
            batch["cancelling_at"] = json!(now);
        }
    })
}

fn with_batch(
    context: &Context<'_>,
    change: impl FnOnce(&mut Value, i64),
) -> Result<Served, Refusal> {
    let id = context.part(0);
    let mut batches = context.world.openai.batches.lock();
    let found = batches
        .iter_mut()
        .find(|batch| batch.object["id"] == id && batch.project == context.project());
    let batch = found.ok_or_else(|| error::not_found("batch", id))?;
    change(&mut batch.object, context.now());
    Ok(Served::free(&batch.object))
}
