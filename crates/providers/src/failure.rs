//! Our own errors, which a provider writes in its own shape so that its SDK understands them.

use bytes::Bytes;

/// What kind of error it is; decides the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 400: the request cannot be understood.
    BadRequest,
    /// 401: no usable access token.
    Unauthenticated,
    /// 402: somebody has to pay first.
    PaymentRequired,
    /// 403: the token may not do this.
    Forbidden,
    /// 404: not there, or not for this caller.
    NotFound,
    /// 409: it contradicts what is.
    Conflict,
    /// 413: the body is too large.
    TooLarge,
    /// 415: the body is in a form that cannot be read.
    UnsupportedMedia,
    /// 429: a budget or limit of ours is used up; trying again at once is pointless.
    Limited,
    /// 502: the provider cannot be reached or broke off.
    BadGateway,
    /// 503: we cannot take the call now.
    Unavailable,
    /// 504: the provider did not answer in time.
    GatewayTimeout,
    /// 500: our own mistake.
    Internal,
}

impl Fault {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::PaymentRequired => 402,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMedia => 415,
            Self::Limited => 429,
            Self::Internal => 500,
            Self::BadGateway => 502,
            Self::Unavailable => 503,
            Self::GatewayTimeout => 504,
        }
    }
}

/// An error of ours on its way to a caller who believes to speak with the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnError {
    /// What kind.
    pub fault: Fault,
    /// Our stable code, snake case.
    pub code: &'static str,
    /// What is wrong and what to do, for a person. Never internal text.
    pub message: String,
}

impl OwnError {
    /// What tells an SDK not to try again. OpenAI's and Anthropic's repeat 408, 409, 429 and 5xx;
    /// these of ours do not pass by waiting.
    pub(crate) fn no_retry_header(&self) -> Vec<(&'static str, &'static str)> {
        match self.fault {
            Fault::Limited | Fault::Conflict | Fault::Internal => {
                vec![("x-should-retry", "false")]
            }
            _ => Vec::new(),
        }
    }
}

/// The answer that carries an [`OwnError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `content-type`.
    pub content_type: &'static str,
    /// Further headers that steer the provider's SDK.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body.
    pub body: Bytes,
}
