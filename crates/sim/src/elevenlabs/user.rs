//! `GET /v1/user` and `/v1/user/subscription`.

use serde_json::{Value, json};

use crate::desk::{Context, Refusal, Served};

/// The credits of a workspace's plan.
const CREDITS: u64 = 10_000_000;

/// Whose key it is.
pub(super) fn user(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(Served::free(&json!({
        "user_id": format!("user_{}", context.organization()),
        "subscription": plan(context),
        "is_new_user": false,
        "can_use_delayed_payment_methods": false,
        "is_onboarding_completed": true,
        "first_name": "Sim",
    })))
}

/// What is paid for, and what is left of it.
pub(super) fn subscription(context: &Context<'_>) -> Result<Served, Refusal> {
    Ok(Served::free(&plan(context)))
}

fn plan(context: &Context<'_>) -> Value {
    let used = context.world.elevenlabs.credits.lock();
    let used = used.get(context.organization()).copied().unwrap_or(0);
    json!({
        "tier": "scale",
        "character_count": used,
        "character_limit": CREDITS,
        "can_extend_character_limit": true,
        "allowed_to_extend_character_limit": true,
        "max_credit_limit_extension": "unlimited",
        "next_character_count_reset_unix": context.now() + 30 * 86_400,
        "current_overage": {"amount": "0", "currency": "usd"},
        "voice_limit": 660,
        "currency": "usd",
        "status": "active",
        "billing_period": "monthly_period",
        "next_invoice": null,
        "open_invoices": [],
        "has_open_invoices": false,
    })
}
