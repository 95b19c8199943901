//! `/v1/projects` and their balances. A key sees the one project that it belongs to.

use serde_json::{Value, json};

use crate::{
    deepgram::error,
    desk::{Context, Refusal, Served},
    ids::uuid_of,
    prices,
    service::Service,
};

/// What was paid in before anything was used, in nano-dollars.
const PAID_IN_NANOS: u128 = 1_000_000_000_000;

/// The projects that the key may see.
pub(in crate::deepgram) fn list(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(Served::free(&json!({"projects": [view(context)]})))
}

/// One project.
pub(in crate::deepgram) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context)?;
    Ok(Served::free(&view(context)))
}

/// What is left to pay with.
pub(in crate::deepgram) fn balances(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context)?;
    Ok(Served::free(&json!({"balances": [balance_of(context)]})))
}

/// One balance.
pub(in crate::deepgram) fn balance(context: &Context<'_>) -> Result<Served, Refusal> {
    look(context)?;
    let balance = balance_of(context);
    if balance["balance_id"] != context.part(1) {
        return Err(error::not_found("Balance"));
    }
    Ok(Served::free(&balance))
}

/// Refuses every project but the key's own.
pub(super) fn look(context: &Context<'_>) -> Result<(), Refusal> {
    if context.part(0) == context.project() {
        Ok(())
    } else {
        Err(error::not_found("Project"))
    }
}

fn view(context: &Context<'_>) -> Value {
    json!({"project_id": context.project(), "name": format!("Project of {}", context.organization())})
}

fn balance_of(context: &Context<'_>) -> Value {
    let mut used = 0;
    context.world.bill.for_each(Service::Deepgram, |call| {
        if call.project_id.as_deref() == Some(context.project()) {
            used += call.cost_nanos();
        }
    });
    let left = prices::dollars(PAID_IN_NANOS.saturating_sub(used));
    json!({
        "balance_id": uuid_of(context.project()),
        "amount": serde_json::from_str::<Value>(&left).unwrap_or_default(),
        "units": "usd",
        "purchase_order_id": null,
    })
}
