//! How each company says that something is wrong.

use serde_json::{Value, json};

use crate::{
    desk::{REQUEST_ID, Refusal, Trouble, Whose},
    service::Service,
};

/// Puts a trouble into a company's words.
pub(super) fn of(service: Service, trouble: &Trouble<'_>) -> Refusal {
    match *trouble {
        Trouble::NoKey | Trouble::BadKey(_) => bad_key(service),
        Trouble::MissingScope(_) => make(service, 403, "permission_denied", "Not allowed."),
        Trouble::TooFast { code, wait } => make(
            service,
            429,
            code.unwrap_or("rate_limit_exceeded"),
            "Too many requests.",
        )
        .retry_after(Some(wait)),
        Trouble::TooMany { .. } => make(
            service,
            429,
            "concurrency_limited",
            "Too many requests at one time.",
        ),
        Trouble::Exhausted { whose, code } => exhausted(service, whose, code),
        Trouble::Asked {
            status,
            code,
            retry_after,
        } => match (status, code) {
            (401, None) => bad_key(service),
            (402, None) => exhausted(service, Whose::Organization, None),
            (status, code) => make(
                service,
                status,
                code.unwrap_or(usual(status)),
                "The request was refused.",
            ),
        }
        .retry_after(retry_after),
        Trouble::Unreadable => make(service, 400, "invalid_request", "Invalid JSON."),
        Trouble::NoRoute { method, path } => make(
            service,
            404,
            "not_found",
            &format!("{method} {path} is not there."),
        ),
        Trouble::NotSimulated(what) => make(
            service,
            501,
            "not_simulated",
            &format!("{what} is not simulated yet."),
        ),
    }
}

/// A field that must be there.
pub(super) fn missing(service: Service, field: &str) -> Refusal {
    make(
        service,
        400,
        "invalid_request",
        &format!("{field} is required."),
    )
}

/// A model that is not there.
pub(super) fn no_model(service: Service, name: &str) -> Refusal {
    make(
        service,
        404,
        "model_not_found",
        &format!("The model {name} does not exist."),
    )
}

const fn usual(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        403 => "permission_denied",
        429 => "rate_limit_exceeded",
        498 => "capacity_exceeded",
        500.. => "internal_error",
        _ => "invalid_request",
    }
}

fn bad_key(service: Service) -> Refusal {
    match service {
        Service::Groq => make(service, 401, "invalid_api_key", "Invalid API Key"),
        Service::Xai => {
            let message = "Incorrect API key provided: xa***id. You can obtain one at the console.";
            make(service, 400, "invalid_argument", message)
        }
        Service::Gemini => {
            let body = json!({"error": {
                "code": 400,
                "message": "API key not valid. Please pass a valid API key.",
                "status": "INVALID_ARGUMENT",
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                }],
            }});
            Refusal::json(400, Some("API_KEY_INVALID"), &body)
        }
        Service::Cohere => make(service, 401, "invalid_api_key", "invalid api token"),
        _ => make(service, 401, "unauthorized", "Unauthorized"),
    }
}

fn exhausted(service: Service, whose: Whose, code: Option<&str>) -> Refusal {
    match service {
        Service::Openrouter => {
            let source = match whose {
                Whose::Key => "openrouter_key_limit",
                Whose::Project | Whose::Organization => "openrouter_credits",
            };
            let body = json!({"error": {
                "code": 402, "message": "Insufficient credits.",
                "metadata": {"limit_source": source},
            }});
            Refusal::json(402, Some(source), &body)
        }
        Service::Xai => {
            let message = "Your team has used all available credits.";
            make(service, 429, code.unwrap_or("resource_exhausted"), message)
        }
        Service::Assemblyai => {
            let message = "Your current account balance is negative.";
            make(service, 400, code.unwrap_or("bad_request"), message)
        }
        _ => make(
            service,
            402,
            code.unwrap_or("payment_required"),
            "Payment is required.",
        ),
    }
}

/// A refusal in a company's shape.
pub(super) fn make(service: Service, status: u16, code: &str, message: &str) -> Refusal {
    Refusal::json(status, Some(code), &body(service, status, code, message))
}

/// An error in a company's shape.
pub(super) fn body(service: Service, status: u16, code: &str, message: &str) -> Value {
    match service {
        Service::Mistral => json!({
            "object": "error", "message": message, "type": code, "param": null,
            "code": if status == 429 { "1300" } else { "1000" }, "raw_status_code": status,
        }),
        Service::Xai => json!({"code": code, "error": message}),
        Service::Cohere => json!({"message": message}),
        Service::Openrouter => json!({"error": {"code": status, "message": message}}),
        Service::Assemblyai => json!({"error": message}),
        Service::Cartesia => json!({
            "error_code": code, "title": code, "message": message, "request_id": REQUEST_ID,
        }),
        Service::Gemini => {
            let word = match status {
                403 => "PERMISSION_DENIED",
                429 => "RESOURCE_EXHAUSTED",
                500.. => "UNAVAILABLE",
                _ => "INVALID_ARGUMENT",
            };
            json!({"error": {"code": status, "message": message, "status": word}})
        }
        _ => json!({"error": {"message": message, "type": "invalid_request_error", "code": code}}),
    }
}
