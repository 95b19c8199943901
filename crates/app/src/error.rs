//! What can go wrong, said so that the caller knows what to do.

use diamond_admission::{Refusal, RefusalKind};
use diamond_db::DbError;
use diamond_secrets::SecretError;
use diamond_usage::{AuditError, ReadError, SinkError};

/// Which kind of trouble it is; the API maps each to one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppErrorKind {
    /// The request is wrong in form or in what it asks for.
    Invalid,
    /// We do not know who is asking.
    Unauthenticated,
    /// They may not.
    Forbidden,
    /// There is no such thing, or it is a stranger's.
    NotFound,
    /// It cannot be done in the present state.
    Conflict,
    /// It is well-formed but cannot be accepted (a key that its provider refuses).
    Unprocessable,
    /// A budget or limit is used up.
    Limited,
    /// Try again later.
    Unavailable,
    /// Our fault.
    Internal,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error with a stable code and a message for the caller. What must stay inside is in the
/// source, which is logged and never sent.
#[derive(Debug)]
pub struct AppError {
    kind: AppErrorKind,
    code: &'static str,
    message: String,
    details: Option<serde_json::Value>,
    source: Option<Source>,
}

impl AppError {
    pub(crate) fn new(kind: AppErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            details: None,
            source: None,
        }
    }

    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(AppErrorKind::Invalid, code, message)
    }

    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(AppErrorKind::NotFound, code, message)
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(AppErrorKind::Conflict, code, message)
    }

    pub(crate) fn internal(source: impl Into<Source>) -> Self {
        Self::new(
            AppErrorKind::Internal,
            "internal",
            "something went wrong on our side",
        )
        .because(source)
    }

    pub(crate) fn unavailable(
        code: &'static str,
        message: impl Into<String>,
        source: impl Into<Source>,
    ) -> Self {
        Self::new(AppErrorKind::Unavailable, code, message).because(source)
    }

    pub(crate) fn with_details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }

    fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What whoever needs the control database is told while it is known to be gone.
    #[must_use]
    pub fn database_lost() -> Self {
        DbError::Unavailable("it did not answer when it was last asked".into()).into()
    }

    /// Which kind of trouble.
    #[must_use]
    pub const fn kind(&self) -> AppErrorKind {
        self.kind
    }

    /// Stable, `snake_case`; programs decide by it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// More for programs, when there is more.
    #[must_use]
    pub const fn details(&self) -> Option<&serde_json::Value> {
        self.details.as_ref()
    }
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AppError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind() {
            RefusalKind::Unauthenticated => AppErrorKind::Unauthenticated,
            RefusalKind::Forbidden => AppErrorKind::Forbidden,
            RefusalKind::NotFound => AppErrorKind::NotFound,
            RefusalKind::Limited => AppErrorKind::Limited,
            RefusalKind::Invalid => AppErrorKind::Invalid,
            RefusalKind::Unavailable => AppErrorKind::Unavailable,
        };
        Self::new(kind, refusal.code(), refusal.to_string())
    }
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) | DbError::Displaced { .. } => Self::unavailable(
                "database_unreachable",
                "the control database cannot be reached; keys and the gateway keep working, \
                 administration waits: try again",
                error,
            ),
            DbError::Damaged { .. } => Self::unavailable(
                "database_damaged",
                "the control database cannot be read; keys and the gateway keep working, \
                 administration waits: tell the operator",
                error,
            ),
            _ => Self::internal(error),
        }
    }
}

impl From<SecretError> for AppError {
    fn from(error: SecretError) -> Self {
        match &error {
            SecretError::Missing { .. } => Self::not_found("version_not_found", error.to_string()),
            SecretError::Destroyed { .. } => Self::conflict("version_destroyed", error.to_string()),
            SecretError::Conflict { newest, .. } => {
                let newest = newest.map(diamond_domain::SecretVersion::get);
                Self::conflict("version_conflict", error.to_string())
                    .with_details(serde_json::json!({ "newestVersion": newest }))
            }
            SecretError::RequestReused => Self::conflict("request_reused", error.to_string()),
            SecretError::Unavailable(_) => Self::unavailable(
                "secret_store_unreachable",
                "the secret store cannot be reached: try again",
                error,
            ),
            SecretError::WrongMasterKey { .. }
            | SecretError::Tampered { .. }
            | SecretError::Damaged { .. } => Self::internal(error),
        }
    }
}

impl From<AuditError> for AppError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Unwritable(_) => Self::unavailable(
                "audit_unwritable",
                "the audit log cannot be written, so nothing that must be audited is done",
                error,
            ),
            AuditError::Unreadable(_) => Self::internal(error),
        }
    }
}

impl From<SinkError> for AppError {
    fn from(error: SinkError) -> Self {
        let message = match &error {
            SinkError::Full(_) => "the disk that holds the usage journal is full",
            SinkError::Unavailable(_) => "the usage journal cannot be written",
            SinkError::Closed => "the server is stopping",
        };
        Self::unavailable(
            "journal_unwritable",
            format!("{message}: send it again later"),
            error,
        )
    }
}

impl From<ReadError> for AppError {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Cursor => Self::invalid("invalid_cursor", error.to_string()),
            ReadError::TooLarge { .. } => Self::invalid("too_many_rows", error.to_string()),
            ReadError::Unavailable(_) => Self::unavailable(
                "ledger_unreadable",
                "the ledger cannot be read: try again",
                error,
            ),
        }
    }
}
