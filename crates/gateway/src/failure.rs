//! Errors of ours, on the way to becoming an answer in the provider's shape.

use bytes::Bytes;
use diamond_admission::{CutReason, Refusal, RefusalKind};
use diamond_keyring::{NoKey, RepairError};
use diamond_providers::{ErrorAnswer, Fault, OwnError, Provider, RefusedRoute};
use http::{HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use crate::relay::GatewayBody;

/// Why a call was not carried.
#[derive(Debug)]
pub(crate) struct Failure {
    error: OwnError,
    /// A status that says more than the fault's own.
    status: Option<StatusCode>,
}

impl Failure {
    pub(crate) fn own(fault: Fault, code: &'static str, message: &str) -> Self {
        Self {
            error: OwnError {
                fault,
                code,
                message: message.to_owned(),
            },
            status: None,
        }
    }

    /// The caller stopped sending in the middle of its body.
    pub(crate) fn caller_silent() -> Self {
        Self {
            status: Some(StatusCode::REQUEST_TIMEOUT),
            ..Self::own(
                Fault::BadRequest,
                "request_timeout",
                "The rest of the request body did not arrive in time: send it again.",
            )
        }
    }

    /// The caller's body ended before it was whole.
    pub(crate) fn caller_broke_off() -> Self {
        Self::own(
            Fault::BadRequest,
            "body_broken_off",
            "The request body broke off before its end.",
        )
    }

    /// What the call used was revoked while it was under way.
    pub(crate) fn cut(reason: CutReason) -> Self {
        let (fault, code, message) = match reason {
            CutReason::Token => (
                Fault::Unauthenticated,
                "revoked_token",
                "The access token was revoked, so this call was cut. Whether the provider did its \
                 work is not known.",
            ),
            CutReason::Tenant => (
                Fault::Forbidden,
                "tenant_suspended",
                "The tenant was suspended, so this call was cut. Whether the provider did its \
                 work is not known.",
            ),
            CutReason::Key => (
                Fault::Conflict,
                "key_revoked",
                "The provider key of this call was revoked, so it was cut. Whether the provider \
                 did its work is not known.",
            ),
            CutReason::Stopping => (
                Fault::Unavailable,
                "server_stopping",
                "The server is stopping and the time for calls under way is over, so this one was \
                 cut. Whether the provider did its work is not known.",
            ),
            CutReason::Overtaken => (
                Fault::Unavailable,
                "revocations_overtook",
                "Too much was revoked while this request was read. Send it again.",
            ),
        };
        Self::own(fault, code, message)
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.error.code
    }

    /// The answer, as the provider would shape it; in a plain shape when there is no provider.
    pub(crate) fn answer(&self, provider: Option<&dyn Provider>) -> Response<GatewayBody> {
        let answer = match provider {
            Some(provider) => provider.own_error(&self.error),
            None => plain(&self.error),
        };
        let mut response = Response::new(GatewayBody::full(answer.body));
        let own = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.status_mut() = self.status.unwrap_or(own);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        for (name, value) in answer.headers {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        response
    }
}

fn plain(error: &OwnError) -> ErrorAnswer {
    let body = serde_json::json!({
        "error": {"code": error.code, "message": error.message}
    });
    ErrorAnswer {
        status: error.fault.status(),
        content_type: "application/json",
        headers: Vec::new(),
        body: Bytes::from(body.to_string()),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let fault = match refusal.kind() {
            RefusalKind::Invalid => Fault::BadRequest,
            RefusalKind::Unauthenticated => Fault::Unauthenticated,
            RefusalKind::Forbidden => Fault::Forbidden,
            RefusalKind::NotFound => Fault::NotFound,
            RefusalKind::Limited => Fault::Limited,
            RefusalKind::Unavailable => Fault::Unavailable,
        };
        Self::own(fault, refusal.code(), &refusal.to_string())
    }
}

impl Failure {
    /// There is no key, and this is why none was made.
    pub(crate) fn without_key(missing: &NoKey, error: &RepairError) -> Self {
        match error {
            RepairError::NotPossible { reason, .. } => Self::own(
                Fault::Conflict,
                missing.code(),
                &format!("{missing}. None was made: {reason}"),
            ),
            RepairError::Unavailable { .. } => Self::own(
                Fault::Unavailable,
                "key_being_made",
                "The tenant's first key for this service is being made: try again.",
            ),
        }
    }
}

impl From<NoKey> for Failure {
    fn from(missing: NoKey) -> Self {
        let fault = match missing {
            NoKey::Exhausted { .. } => Fault::Limited,
            _ => Fault::Conflict,
        };
        Self::own(fault, missing.code(), &missing.to_string())
    }
}

impl From<RefusedRoute> for Failure {
    fn from(refused: RefusedRoute) -> Self {
        let fault = if refused.forbidden {
            Fault::Forbidden
        } else {
            Fault::NotFound
        };
        Self::own(fault, refused.code, refused.message)
    }
}
