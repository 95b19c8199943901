//! Why a command did not do its work, and what to do about it.

use diamond_api_types::ErrorBody;

use crate::ExitStatus;

/// Why a command failed. The text is for the person who typed it; it contains no secret.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line, the configuration or the input is wrong.
    #[error("{message}")]
    Input {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The server answered with an error.
    #[error("{message} ({code}, request {request})", message = body.message, code = body.code,
        request = body.request_id)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        body: Box<ErrorBody>,
    },
    /// Something answered, but not as our server does.
    #[error("{url} answered with status {status}, but not as a diamond server does")]
    Strange {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Nothing answered.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why not.
        reason: String,
        /// Whether it is the certificate that is not trusted.
        untrusted: bool,
    },
    /// The command worked, and what it checked does not hold.
    #[error("{0}")]
    CheckFailed(String),
    /// Somebody else's server answered, but not as it should.
    #[error("{message}")]
    Foreign {
        /// Who, and how.
        message: String,
    },
    /// Somebody else's server does not permit it.
    #[error("{message}")]
    VaultForbidden {
        /// What.
        message: String,
    },
    /// Some rows of many failed; each has said why.
    #[error("{message}")]
    Rows {
        /// How many.
        message: String,
        /// Whose fault the first one was.
        status: ExitStatus,
    },
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// Our own input or output broke.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
}

impl Failure {
    /// A wrong input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input {
            message: message.into(),
            hint: None,
        }
    }

    /// A wrong input, and what to do.
    pub fn input_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Input {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// Whose fault it was.
    pub const fn status(&self) -> ExitStatus {
        match self {
            Self::Input { .. } => ExitStatus::InvalidInput,
            Self::Refused { status, .. } => ExitStatus::of_http(*status),
            Self::Strange { .. } | Self::Foreign { .. } | Self::Io(_) => ExitStatus::ServerFault,
            Self::VaultForbidden { .. } => ExitStatus::NotPermitted,
            Self::Unreachable { .. } => ExitStatus::Unreachable,
            Self::CheckFailed(_) => ExitStatus::CheckFailed,
            Self::Rows { status, .. } => *status,
            Self::Conflict(_) => ExitStatus::Conflict,
        }
    }

    /// Whether whatever comes next would fail in the same way: without a server, or a right to
    /// ask it.
    pub const fn ends_everything(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Strange { .. } | Self::Io(_) => true,
            Self::Refused { status, .. } => *status == 401,
            _ => false,
        }
    }

    /// A stable word for programs: the server's own code where it gave one.
    pub fn code(&self) -> String {
        match self {
            Self::Refused { body, .. } => body.code.clone(),
            Self::Input { .. } => "invalid_input".to_owned(),
            Self::Strange { .. } => "strange_answer".to_owned(),
            Self::Unreachable { .. } => "unreachable".to_owned(),
            Self::CheckFailed(_) => "check_failed".to_owned(),
            Self::Foreign { .. } => "foreign_answer".to_owned(),
            Self::VaultForbidden { .. } => "vault_forbidden".to_owned(),
            Self::Rows { .. } => "rows_failed".to_owned(),
            Self::Conflict(_) => "conflict".to_owned(),
            Self::Io(_) => "input_output".to_owned(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Input { hint, .. } => return hint.clone(),
            Self::Refused { body, .. } if body.code == "purpose_required" => {
                "say why with --purpose TEXT; it is kept in the audit"
            }
            Self::Refused { status: 401, .. } => {
                "set DIAMOND_TOKEN, give --token-file, or keep a token in a profile: \
                 diamond config set-profile default --url URL < token-file"
            }
            Self::Refused { status: 403, .. } => {
                "ask whoever administers tokens for one that may do this"
            }
            Self::Refused { status: 409, body } if body.code == "version_conflict" => {
                "somebody put another version: look with `diamond ai keys:list`, then give that \
                 number as --expected-version"
            }
            Self::Refused {
                status: 429 | 503, ..
            } => "try again later",
            Self::Strange { .. } => "is the address the server's own (--url, DIAMOND_URL)?",
            Self::Unreachable {
                untrusted: true, ..
            } => {
                "if the server's certificate is by an authority of your own, name its file \
                 (--ca-file, DIAMOND_CA_FILE)"
            }
            Self::Unreachable { .. } => {
                "is the server running, and is the address right (--url, DIAMOND_URL)?"
            }
            Self::Refused { .. }
            | Self::CheckFailed(_)
            | Self::Foreign { .. }
            | Self::VaultForbidden { .. }
            | Self::Rows { .. }
            | Self::Conflict(_)
            | Self::Io(_) => return None,
        };
        Some(hint.to_owned())
    }
}
