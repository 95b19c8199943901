//! Deepgram's errors, in three shapes: an old one with `err_code`, a newer one with `category`,
//! and plain text.

use serde_json::json;

use crate::desk::{REQUEST_ID, Refusal, Trouble};

/// Puts a trouble into Deepgram's words.
pub(super) fn of(trouble: &Trouble<'_>) -> Refusal {
    match *trouble {
        Trouble::NoKey | Trouble::BadKey(_) => old(401, "INVALID_AUTH", "Invalid credentials."),
        Trouble::MissingScope(_) => new(
            403,
            "INSUFFICIENT_PERMISSIONS",
            "User does not have sufficient permissions.",
        ),
        Trouble::TooFast { code, .. } => of_code(429, code, None),
        Trouble::TooMany { .. } => of_code(429, None, None),
        Trouble::Exhausted { code, .. } => of_code(402, code, None),
        Trouble::Asked {
            status,
            code,
            retry_after,
        } => of_code(status, code, retry_after),
        Trouble::Unreadable => old(400, "INVALID_JSON", "Invalid JSON submitted."),
        Trouble::NoRoute { .. } => Refusal::text(404, None, "Not Found"),
        Trouble::NotSimulated(what) => old(
            501,
            "NOT_SIMULATED",
            &format!("{what} is not simulated yet."),
        ),
    }
}

/// An error in the old shape.
pub(super) fn old(status: u16, code: &str, message: &str) -> Refusal {
    let body = json!({"err_code": code, "err_msg": message, "request_id": REQUEST_ID});
    Refusal::json(status, Some(code), &body)
}

/// An error in the newer shape.
pub(super) fn new(status: u16, category: &str, message: &str) -> Refusal {
    let body = json!({
        "category": category, "message": message, "details": message, "request_id": REQUEST_ID,
    });
    Refusal::json(status, Some(category), &body)
}

/// An object that does not exist, or is somebody else's.
pub(super) fn not_found(what: &str) -> Refusal {
    new(404, "NOT_FOUND", &format!("{what} not found."))
}

fn of_code(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Refusal {
    let refusal = match (code, status) {
        (Some("INSUFFICIENT_PERMISSIONS"), _) => new(
            status,
            "INSUFFICIENT_PERMISSIONS",
            "User does not have sufficient permissions.",
        ),
        // Servers on the way fail without a shape.
        (None, 500..) => Refusal::text(status, None, "upstream failed"),
        (code, _) => {
            let usual = match status {
                401 => "INVALID_AUTH",
                402 => "ASR_PAYMENT_REQUIRED",
                403 => "INSUFFICIENT_PERMISSIONS",
                422 => "ASR_UNPROCESSABLE_ENTITY",
                429 => "TOO_MANY_REQUESTS",
                500.. => "INTERNAL_SERVER_ERROR",
                _ => "Bad Request",
            };
            let code = code.unwrap_or(usual);
            let message = match code {
                "INVALID_AUTH" => "Invalid credentials.",
                "ASR_PAYMENT_REQUIRED" => {
                    "Project does not have enough credits for an ASR request and does not have an \
                    overage agreement."
                }
                "TOO_MANY_REQUESTS" => "Too many requests. Please try again later.",
                _ => "The request was refused.",
            };
            old(status, code, message)
        }
    };
    refusal.retry_after(retry_after)
}
