//! OpenAI's errors: `{"error": {message, type, param, code}}`.

use serde_json::json;

pub(super) use crate::desk::Refusal;
use crate::desk::{Trouble, Whose};

/// Puts a trouble into OpenAI's words.
pub(super) fn of(trouble: &Trouble<'_>) -> Refusal {
    match *trouble {
        Trouble::NoKey => {
            let message = "You didn't provide an API key. Send it as a bearer token in the \
                Authorization header.";
            make(401, INVALID, message, None, None)
        }
        Trouble::BadKey(redacted) => {
            let message = format!("Incorrect API key provided: {redacted}.");
            make(401, INVALID, message, None, Some("invalid_api_key"))
        }
        Trouble::MissingScope(scope) => missing_scope(scope),
        Trouble::TooFast { code, wait } => {
            of_code(429, Some(code.unwrap_or("rate_limit_exceeded")), Some(wait))
        }
        Trouble::TooMany { .. } => of_code(429, Some("rate_limit_exceeded"), Some(1)),
        Trouble::Exhausted { whose, code } => {
            let usual = match whose {
                Whose::Project => "project_spend_limit_exceeded",
                Whose::Key | Whose::Organization => "credit_balance_exhausted",
            };
            of_code(429, Some(code.unwrap_or(usual)), None)
        }
        Trouble::Asked {
            status,
            code,
            retry_after,
        } => of_code(status, code, retry_after),
        Trouble::Unreadable => {
            let message = "The body of the request could not be parsed.";
            make(400, INVALID, message, None, None)
        }
        Trouble::NoRoute { method, path } => no_route(method, path),
        Trouble::NotSimulated(what) => not_simulated(what),
    }
}

/// The type of most errors.
const INVALID: &str = "invalid_request_error";

fn make(
    status: u16,
    kind: &str,
    message: impl Into<String>,
    param: Option<&str>,
    code: Option<&str>,
) -> Refusal {
    let body = json!({"error": {
        "message": message.into(),
        "type": kind,
        "param": param,
        "code": code,
    }});
    Refusal::json(status, code, &body)
}

/// A request that is wrong in one parameter.
pub(super) fn invalid(param: &str, code: &str, message: impl Into<String>) -> Refusal {
    make(400, INVALID, message, Some(param), Some(code))
}

/// A parameter that is missing.
pub(super) fn missing(param: &str) -> Refusal {
    let message = format!("Missing required parameter: '{param}'.");
    invalid(param, "missing_required_parameter", message)
}

/// An object that does not exist, or is somebody else's.
pub(super) fn not_found(what: &str, id: &str) -> Refusal {
    let message = format!("No such {what}: '{id}'");
    make(404, INVALID, message, Some("id"), None)
}

/// A model that does not exist.
pub(super) fn no_model(name: &str) -> Refusal {
    let message = format!("The model '{name}' does not exist or you do not have access to it.");
    make(404, INVALID, message, None, Some("model_not_found"))
}

/// A path that OpenAI does not have.
pub(super) fn no_route(method: &str, path: &str) -> Refusal {
    let message = format!("Invalid URL ({method} {path})");
    make(404, INVALID, message, None, None)
}

/// A good key without the permission.
fn missing_scope(scope: &str) -> Refusal {
    let message =
        format!("You have insufficient permissions for this operation. Missing scopes: {scope}.");
    make(403, INVALID, message, None, Some("missing_scope"))
}

/// Something that the real OpenAI does and the simulated one does not.
pub(super) fn not_simulated(what: &str) -> Refusal {
    let message = format!("{what} is not simulated yet.");
    make(501, INVALID, message, None, Some("not_simulated"))
}

/// The error that goes with a status and a code, as a fault asks for it.
fn of_code(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Refusal {
    let (kind, message) = match code {
        Some("rate_limit_exceeded" | "slow_down") => (
            "rate_limit_error",
            "Rate limit reached. Slow down and try again later.",
        ),
        Some("insufficient_quota" | "credit_balance_exhausted") => (
            "insufficient_quota",
            "You have no credit left. Check your plan and billing.",
        ),
        Some(code) if code.ends_with("_limit_exceeded") => (
            "insufficient_quota",
            "A limit on spending or usage has been reached.",
        ),
        Some("server_is_overloaded") => (
            "service_unavailable_error",
            "The server is overloaded. Try again later.",
        ),
        Some("invalid_api_key") => (INVALID, "Incorrect API key provided."),
        Some("missing_scope") => {
            let message = "You have insufficient permissions for this operation. \
                Missing scopes: api.model.request.";
            (INVALID, message)
        }
        _ if (500..600).contains(&status) => ("server_error", "The server had an error."),
        _ => (INVALID, "The request was refused."),
    };
    let waits = matches!(code, Some("rate_limit_exceeded" | "slow_down"));
    make(status, kind, message, None, code).retry_after(retry_after.or(waits.then_some(1)))
}
