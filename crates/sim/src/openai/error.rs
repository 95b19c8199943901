//! OpenAI's errors: `{"error": {message, type, param, code}}`.

use http::StatusCode;
use serde_json::{Value, json};

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: Option<String>,
    kind: &'static str,
    message: String,
    param: Option<String>,
    pub(super) retry_after: Option<u64>,
}

impl ApiError {
    /// A request that is wrong in one parameter.
    pub(super) fn invalid(param: &str, code: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: Some(code.to_owned()),
            kind: "invalid_request_error",
            message: message.into(),
            param: Some(param.to_owned()),
            retry_after: None,
        }
    }

    /// A parameter that is missing.
    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::invalid(param, "missing_required_parameter", message)
    }

    /// A body that is no JSON, or no form.
    pub(super) fn unreadable() -> Self {
        let message = "The body of the request could not be parsed.";
        Self {
            code: None,
            param: None,
            ..Self::invalid("", "", message)
        }
    }

    /// An object that does not exist, or is somebody else's.
    pub(super) fn not_found(what: &str, id: &str) -> Self {
        let message = format!("No such {what}: '{id}'");
        Self {
            status: StatusCode::NOT_FOUND,
            code: None,
            ..Self::invalid("id", "", message)
        }
    }

    /// A model that does not exist.
    pub(super) fn no_model(name: &str) -> Self {
        let message = format!("The model '{name}' does not exist or you do not have access to it.");
        let error = Self::invalid("model", "model_not_found", message);
        Self {
            status: StatusCode::NOT_FOUND,
            param: None,
            ..error
        }
    }

    /// A path that OpenAI does not have.
    pub(super) fn no_route(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        let error = Self::invalid("", "", message);
        Self {
            status: StatusCode::NOT_FOUND,
            code: None,
            param: None,
            ..error
        }
    }

    /// A key that is none: mistyped, revoked or expired.
    pub(super) fn bad_key(redacted: &str) -> Self {
        let message = format!("Incorrect API key provided: {redacted}.");
        let error = Self::invalid("", "invalid_api_key", message);
        Self {
            status: StatusCode::UNAUTHORIZED,
            param: None,
            ..error
        }
    }

    /// No key at all.
    pub(super) fn no_key() -> Self {
        let message = "You didn't provide an API key. Send it as a bearer token in the \
            Authorization header.";
        let error = Self::invalid("", "", message);
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: None,
            param: None,
            ..error
        }
    }

    /// A good key without the permission.
    pub(super) fn missing_scope(scope: &str) -> Self {
        let message = format!(
            "You have insufficient permissions for this operation. Missing scopes: {scope}."
        );
        let error = Self::invalid("", "missing_scope", message);
        Self {
            status: StatusCode::FORBIDDEN,
            param: None,
            ..error
        }
    }

    /// Something that the real OpenAI does and the simulated one does not.
    pub(super) fn not_simulated(what: &str) -> Self {
        let message = format!("{what} is not simulated yet.");
        let error = Self::invalid("", "not_simulated", message);
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            param: None,
            ..error
        }
    }

    /// The error that goes with a status and a code, as a fault asks for it.
    pub(super) fn of_code(status: u16, code: Option<&str>, retry_after: Option<u64>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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
            Some("invalid_api_key") => ("invalid_request_error", "Incorrect API key provided."),
            Some("missing_scope") => {
                let message = "You have insufficient permissions for this operation. \
                    Missing scopes: api.model.request.";
                ("invalid_request_error", message)
            }
            _ if status.is_server_error() => ("server_error", "The server had an error."),
            _ => ("invalid_request_error", "The request was refused."),
        };
        let waits = matches!(code, Some("rate_limit_exceeded" | "slow_down"));
        Self {
            status,
            code: code.map(str::to_owned),
            kind,
            message: message.to_owned(),
            param: None,
            retry_after: retry_after.or(waits.then_some(1)),
        }
    }

    /// What stands in the list of refusals.
    pub(super) fn reason(&self) -> String {
        self.code
            .clone()
            .unwrap_or_else(|| self.status.as_u16().to_string())
    }

    /// The body.
    pub(super) fn body(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }
}
