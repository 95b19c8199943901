//! Anthropic's errors: `{"type": "error", "error": {type, message, details?}, "request_id"}`.

use serde_json::{Value, json};

use crate::desk::{REQUEST_ID, Refusal, Trouble, Whose};

/// Puts a trouble into Anthropic's words.
pub(super) fn of(trouble: &Trouble<'_>) -> Refusal {
    match *trouble {
        Trouble::NoKey => make(401, "x-api-key header is required", None),
        Trouble::BadKey(_) => make(401, "invalid x-api-key", None),
        Trouble::MissingScope(_) => make(
            403,
            "Your API key does not have permission to use the specified resource.",
            None,
        ),
        Trouble::TooFast { code, wait } => {
            let code = code.filter(|code| *code != "rate_limit_error");
            of_code(429, code, Some(wait))
        }
        Trouble::TooMany { most } => {
            let message = format!("Number of concurrent connections has exceeded {most}.");
            make(429, &message, None).retry_after(Some(1))
        }
        Trouble::Exhausted { whose, code } => exhausted(whose, code),
        Trouble::Asked {
            status,
            code,
            retry_after,
        } => of_code(status, code, retry_after),
        Trouble::Unreadable => invalid("The request body is not valid JSON."),
        Trouble::NoRoute { .. } => make(404, "Not found", None),
        Trouble::NotSimulated(what) => {
            let message = format!("{what} is not simulated yet.");
            make(501, &message, Some("not_simulated"))
        }
    }
}

/// A request that is wrong.
pub(super) fn invalid(message: &str) -> Refusal {
    make(400, message, None)
}

/// An object that does not exist, or is somebody else's.
pub(super) fn not_found(what: &str) -> Refusal {
    make(404, what, None)
}

fn exhausted(whose: Whose, code: Option<&str>) -> Refusal {
    match (code, whose) {
        (Some(code), _) => of_code(429, Some(code), None),
        (None, Whose::Project) => of_code(400, Some("workspace_usage_limits"), None),
        (None, Whose::Key | Whose::Organization) => of_code(402, None, None),
    }
}

/// The error that goes with a status and a code. Some codes have a status of their own: a limit
/// that the customer set is a bad request.
fn of_code(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Refusal {
    match code {
        Some("usage_limits") => invalid(
            "You have reached your specified API usage limits. You will regain access on \
            2099-01-01 at 00:00 UTC.",
        ),
        Some("workspace_usage_limits") => invalid(
            "You have reached your specified workspace API usage limits. You will regain access \
            on 2099-01-01 at 00:00 UTC.",
        ),
        Some("billing_error") => make(402, "Your credit balance is too low.", None),
        Some("overloaded_error") => make(529, "Overloaded", None).retry_after(retry_after),
        // Ends with the month, so nobody is told to come back soon.
        Some(code @ "enforced_spend_limit_reached") => make(
            429,
            "Your organization has reached its enforced spend limit.",
            Some(code),
        ),
        Some(code @ "organization_on_hold") => {
            make(403, "This organization is on hold.", Some(code))
        }
        _ => {
            let message = match status {
                401 => "invalid x-api-key",
                402 => "Your credit balance is too low.",
                403 => "Your API key does not have permission to use the specified resource.",
                429 => "This request would exceed your organization's rate limit.",
                529 => "Overloaded",
                500.. => "Internal server error",
                _ => "The request was refused.",
            };
            let wait = retry_after.or((status == 429).then_some(1));
            make(status, message, code).retry_after(wait)
        }
    }
}

fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

fn make(status: u16, message: &str, code: Option<&str>) -> Refusal {
    let body = body(kind(status), message, code, REQUEST_ID);
    Refusal::json(status, Some(code.unwrap_or(kind(status))), &body)
}

/// The body of an error, which may also come in the middle of a stream.
pub(super) fn body(kind: &str, message: &str, code: Option<&str>, request_id: &str) -> Value {
    let mut body = json!({
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    });
    if let Some(code) = code {
        body["error"]["details"] = json!({"error_code": code});
    }
    body
}
