//! Hume's errors: what its gateway refuses has a message alone, what its services refuse has a
//! code.

use serde_json::{Value, json};

use crate::desk::{REQUEST_ID, Refusal, Trouble};

/// Puts a trouble into Hume's words.
pub(super) fn of(trouble: &Trouble<'_>) -> Refusal {
    match *trouble {
        // Only a request that brought a key is given a name.
        Trouble::NoKey => Refusal::json(401, None, &json!({"message": "Unauthorized"})),
        Trouble::BadKey(_) => gateway(401, "Unauthorized"),
        Trouble::MissingScope(_) => {
            make(403, "forbidden", "The key lacks the permission for this.")
        }
        Trouble::TooFast { code, .. } => of_code(429, code, None),
        Trouble::TooMany { .. } => of_code(429, Some("server_busy"), None),
        // How an empty account is refused is said nowhere: a guess.
        Trouble::Exhausted { code, .. } => of_code(402, code.or(Some("payment_required")), None),
        Trouble::Asked {
            status,
            code,
            retry_after,
        } => of_code(status, code, retry_after),
        Trouble::Unreadable => invalid(None, "The request could not be read."),
        Trouble::NoRoute { .. } => gateway(404, "no Route matched with those values"),
        Trouble::NotSimulated(what) => make(
            501,
            "not_simulated",
            &format!("{what} is not simulated yet."),
        ),
    }
}

/// A refusal of the gateway.
pub(super) fn gateway(status: u16, message: &str) -> Refusal {
    let body = json!({"message": message, "request_id": REQUEST_ID});
    Refusal::json(status, None, &body)
}

/// A refusal of a service.
pub(super) fn make(status: u16, code: &str, message: &str) -> Refusal {
    Refusal::json(status, Some(code), &body(code, message, None))
}

/// A request that is wrong in one place, or as a whole.
pub(super) fn invalid(parameter: Option<&str>, message: &str) -> Refusal {
    let body = body("invalid_request", message, parameter);
    Refusal::json(400, Some("invalid_request"), &body)
}

/// An error as a body or as a message.
pub(super) fn body(code: &str, message: &str, parameter: Option<&str>) -> Value {
    let mut body = json!({
        "type": "error", "code": code, "message": message, "request_id": REQUEST_ID,
    });
    if let Some(parameter) = parameter {
        body["param"] = json!(parameter);
    }
    body
}

fn of_code(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Refusal {
    let refusal = match (status, code) {
        (status, Some(code)) => make(status, code, "The request was refused."),
        (401, None) => gateway(401, "Unauthorized"),
        (429, None) => gateway(429, "API rate limit exceeded"),
        (404, None) => gateway(404, "no Route matched with those values"),
        (500.., None) => make(status, "internal_error", "Something went wrong."),
        (status, None) => make(status, "invalid_request", "The request was refused."),
    };
    refusal.retry_after(retry_after)
}
