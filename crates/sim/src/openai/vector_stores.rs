//! `/vector_stores`: their names; no files go in.

use serde_json::{Value, json};

use super::{
    context::{Context, Served, page},
    error::{self, Refusal},
    state::keep,
};

/// Begins a store.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json_or_empty()?;
    if body["file_ids"]
        .as_array()
        .is_some_and(|files| !files.is_empty())
    {
        return Err(error::not_simulated("A vector store with files"));
    }
    let object = json!({
        "id": context.world.ids.fresh("vs_"),
        "object": "vector_store",
        "created_at": context.now(),
        "last_active_at": context.now(),
        "name": body["name"].as_str().unwrap_or_default(),
        "status": "completed",
        "usage_bytes": 0,
        "file_counts":
            {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0},
        "metadata": body["metadata"],
    });
    let stored = (context.project().to_owned(), object.clone());
    keep(&context.world.openai.vector_stores, stored);
    Ok(Served::free(&object))
}

/// The project's stores, the newest first.
pub(super) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    let stores = context.world.openai.vector_stores.lock();
    let own = stores
        .iter()
        .rev()
        .filter(|(project, _)| project == context.project());
    let objects: Vec<Value> = own.map(|(_, object)| object.clone()).collect();
    Ok(Served::free(&page(context.request, objects, 20)))
}

/// One store.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.part(0);
    let stores = context.world.openai.vector_stores.lock();
    let own =
        |(project, object): &&(String, Value)| project == context.project() && object["id"] == id;
    let found = stores.iter().find(own);
    found
        .map(|(_, object)| Served::free(object))
        .ok_or_else(|| error::not_found("vector store", id))
}

/// Forgets a store.
pub(super) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.part(0);
    let mut stores = context.world.openai.vector_stores.lock();
    let before = stores.len();
    stores.retain(|(project, object)| project != context.project() || object["id"] != id);
    if stores.len() == before {
        return Err(error::not_found("vector store", id));
    }
    Ok(Served::free(
        &json!({"id": id, "object": "vector_store.deleted", "deleted": true}),
    ))
}
