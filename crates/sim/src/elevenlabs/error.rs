//! ElevenLabs' errors: `detail` is an object, a list of what is invalid, or a text.

use serde_json::{Value, json};

use crate::desk::{REQUEST_ID, Refusal, Trouble};

/// Puts a trouble into ElevenLabs' words.
pub(super) fn of(trouble: &Trouble<'_>) -> Refusal {
    match *trouble {
        Trouble::NoKey => make(
            401,
            "needs_authorization",
            "Neither authorization header nor xi-api-key received, please provide one.",
        ),
        Trouble::BadKey(_) => make(401, "invalid_api_key", "Invalid API key"),
        Trouble::MissingScope(scope) => {
            let scope = if scope.is_empty() {
                "workspace_write"
            } else {
                scope
            };
            let message = format!(
                "The API key you used is missing the permission {scope} to execute this operation."
            );
            make(401, "missing_permissions", &message)
        }
        Trouble::TooFast { code, .. } => of_code(429, code.or(Some("rate_limit_exceeded")), None),
        Trouble::TooMany { most } => {
            let message = format!(
                "Too many concurrent requests. Your current subscription is associated with a \
                maximum of {most} concurrent requests (running in parallel)."
            );
            let body = detail(
                "concurrent_limit_exceeded",
                "too_many_concurrent_requests",
                &message,
            );
            Refusal::json(429, Some("concurrent_limit_exceeded"), &body)
        }
        Trouble::Exhausted { code, .. } => of_code(401, code.or(Some("quota_exceeded")), None),
        Trouble::Asked {
            status,
            code,
            retry_after,
        } => of_code(status, code, retry_after),
        Trouble::Unreadable => invalid("body", "value_error", "The body could not be read."),
        Trouble::NoRoute { .. } => Refusal::json(404, None, &json!({"detail": "Not Found"})),
        Trouble::NotSimulated(what) => make(
            501,
            "not_simulated",
            &format!("{what} is not simulated yet."),
        ),
    }
}

/// A field that is missing or wrong.
pub(super) fn invalid(field: &str, kind: &str, message: &str) -> Refusal {
    let place = json!(["body", field]);
    let body = json!({"detail": [{"loc": place, "msg": message, "type": kind}]});
    Refusal::json(422, None, &body)
}

/// A field that must be there.
pub(super) fn missing(field: &str) -> Refusal {
    invalid(field, "missing", "Field required")
}

/// A request that is wrong in another way.
pub(super) fn make(status: u16, code: &str, message: &str) -> Refusal {
    Refusal::json(status, Some(code), &detail(code, code, message))
}

fn of_code(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Refusal {
    let code = code.unwrap_or(match status {
        401 => "invalid_api_key",
        402 => "quota_exceeded",
        429 => "rate_limit_exceeded",
        500.. => "internal_server_error",
        _ => "bad_request",
    });
    let message = match code {
        "invalid_api_key" => "Invalid API key",
        "quota_exceeded" => "This request exceeds your quota. You have 0 credits remaining.",
        "missing_permissions" => {
            "The API key you used is missing the permission text_to_speech to execute this \
            operation."
        }
        "system_busy" => "We are currently experiencing heavy traffic. Please try again later.",
        "concurrent_limit_exceeded" | "too_many_concurrent_requests" => {
            "Too many concurrent requests."
        }
        "rate_limit_exceeded" => "You are sending too many requests.",
        _ => "The request was refused.",
    };
    make(status, code, message).retry_after(retry_after)
}

/// `status` is what older clients read in place of `code`.
fn detail(code: &str, status: &str, message: &str) -> Value {
    let kind = match code {
        "invalid_api_key" | "needs_authorization" => "authentication_error",
        "missing_permissions" => "authorization_error",
        "quota_exceeded" => "payment_required",
        "rate_limit_exceeded" | "concurrent_limit_exceeded" | "system_busy" => "rate_limit_error",
        "internal_server_error" => "internal_error",
        _ => "invalid_request",
    };
    json!({"detail": {
        "type": kind,
        "code": code,
        "message": message,
        "status": status,
        "request_id": REQUEST_ID,
        "param": null,
    }})
}
