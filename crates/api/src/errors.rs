//! The one map from what went wrong to what the world sees.
//!
//! A status means one thing:
//!
//! | status | meaning |
//! |---|---|
//! | 400 | the request cannot be understood: path, query, header, or text that is not JSON |
//! | 401 | we do not know who is asking |
//! | 403 | they may not |
//! | 404 | there is no such thing, or it is a stranger's |
//! | 405 | the path takes other methods |
//! | 409 | it contradicts the present state |
//! | 413, 415 | the body is too large, or in another form than asked for |
//! | 422 | understood, and not acceptable |
//! | 429 | a budget or limit is used up |
//! | 500 | our fault; the log has the request's id |
//! | 503 | try again later |

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use diamond_api_types::{ErrorBody, ErrorResponse};
use diamond_app::{AppError, AppErrorKind};
use diamond_domain::RequestId;
use http::{HeaderValue, StatusCode, header};

/// What a caller is told went wrong, and what only the log is told.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<serde_json::Value>,
    cause: Option<Arc<str>>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: None,
            cause: None,
        }
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The request cannot be understood.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// The request is understood and not acceptable.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// The token may not.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// The body is too large.
    pub fn too_large(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, message)
    }

    /// The body is in another form than asked for.
    pub fn unsupported_media_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("the body's content-type is {expected}"),
        )
    }

    /// There is no such path.
    pub fn route_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "route_not_found",
            "there is no such path; /openapi.json lists all",
        )
    }

    /// The path takes other methods.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "the path does not take this method; the header `allow` lists those that it takes",
        )
    }

    /// The work took too long.
    pub fn timeout() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "the request took too long; whether it was done is not known. Repeat it, a PUT with \
             the same Idempotency-Key",
        )
    }

    /// Our fault; `cause` goes to the log only.
    pub fn internal(cause: &str) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "something went wrong on our side; the log has it under the request's id",
            )
        }
    }

    /// Writes to the log what the caller is not told, and makes the answer.
    pub fn into_envelope(self, request_id: RequestId) -> (StatusCode, axum::Json<ErrorResponse>) {
        if let Some(cause) = &self.cause {
            tracing::error!(
                request.id = %request_id,
                error.code = self.code,
                error.cause = %cause,
                "a request could not be done"
            );
        }
        let error = ErrorBody {
            code: self.code.to_owned(),
            message: self.message,
            request_id: request_id.to_string(),
            details: self.details,
        };
        (self.status, axum::Json(ErrorResponse { error }))
    }
}

const fn status_of(kind: AppErrorKind) -> StatusCode {
    match kind {
        AppErrorKind::Invalid => StatusCode::BAD_REQUEST,
        AppErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        AppErrorKind::Forbidden => StatusCode::FORBIDDEN,
        AppErrorKind::NotFound => StatusCode::NOT_FOUND,
        AppErrorKind::Conflict => StatusCode::CONFLICT,
        AppErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        AppErrorKind::Limited => StatusCode::TOO_MANY_REQUESTS,
        AppErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        AppErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        let cause = cause_of(&error);
        if error.kind() == AppErrorKind::Internal {
            return Self::internal(&cause.unwrap_or_else(|| error.to_string()));
        }
        Self {
            status: status_of(error.kind()),
            code: error.code(),
            message: error.to_string(),
            details: error.details().cloned(),
            cause: cause.map(Into::into),
        }
    }
}

/// The chain of causes in one line.
fn cause_of(error: &dyn std::error::Error) -> Option<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    (!causes.is_empty()).then(|| causes.join(": "))
}

/// The answer without its body: the outermost layer, which knows the request's id, writes it.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_text_stays_inside() {
        let error = ApiError::internal("password of the database is hunter2");
        let (status, body) = error.into_envelope(RequestId::from_bits(1));
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!serde_json::to_string(&body.0).unwrap().contains("hunter2"));
    }
}
