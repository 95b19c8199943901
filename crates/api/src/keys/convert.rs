//! Between the API's words and the use cases'.

use diamond_api_types::KeyVersionResponse;
use diamond_app::KeyVersionView;
use diamond_domain::KeyHealth;
use http::HeaderMap;

use crate::errors::ApiError;

const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// A version as the API shows it.
pub fn key_version(view: KeyVersionView) -> KeyVersionResponse {
    let (health, health_until) = match view.health {
        KeyHealth::Ok => ("ok", None),
        KeyHealth::Limited { until } => ("limited", Some(until)),
        KeyHealth::Exhausted { until } => ("exhausted", Some(until)),
        KeyHealth::Suspect => ("suspect", None),
        KeyHealth::Invalid => ("invalid", None),
    };
    KeyVersionResponse {
        service: view.name.service().clone(),
        tenant_id: view.name.tenant().cloned(),
        name: view.name,
        kind: view.kind,
        version: view.version,
        state: view.state,
        health: health.to_owned(),
        health_until,
        payer: view.payer,
        fingerprint: view.fingerprint,
        revealed: view.revealed,
        created_at: view.created_at,
        activated_at: view.activated_at,
        retired_at: view.retired_at,
        revoked_at: view.revoked_at,
        provider_key_id: view.provider_key_id,
        provider_expires_at: view.provider_expires_at,
        pins: view.pins,
        last_used_at: view.last_used_at,
        leased_until: view.leased_until,
        next_rotation_at: view.next_rotation_at,
    }
}

/// The caller's name for the request.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let sound = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !sound {
        return Err(ApiError::bad_request(
            "invalid_idempotency_key",
            "the header Idempotency-Key has 1 to 128 visible ASCII characters",
        ));
    }
    Ok(Some(text.to_owned()))
}
