//! What can go wrong between us and the database, by what the caller can do about it.

use std::path::PathBuf;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// It cannot be reached, is busy or is out of room: the same call may succeed later.
    #[error("the control database cannot be reached")]
    Unavailable(#[source] Source),
    /// SQLite's file was moved away or replaced while it was in use. Put back, it serves again.
    #[error(
        "the file of the control database {} was moved away or replaced while the server runs: put \
         it back; to go on with another one, start the server again",
        path.display()
    )]
    Displaced {
        /// Where it was.
        path: PathBuf,
    },
    /// The address or the access given in the configuration is wrong; trying again is no use.
    #[error("the control database cannot be opened: {reason}")]
    Settings {
        /// What to change, without the password.
        reason: String,
    },
    /// A row holds what nobody here writes.
    #[error("the control database holds something unreadable: {what}")]
    Corrupt {
        /// Where, never with the value.
        what: String,
    },
    /// The database's own files cannot be read as what they should be: they are damaged, or the disk
    /// under them fails.
    #[error(
        "the files of the control database are damaged, or their disk fails (code {code}): if this \
         does not pass, restore them from a backup"
    )]
    Damaged {
        /// What the engine says.
        code: String,
    },
    /// The schema was made by another release than this one.
    #[error("the control database does not fit this release: {reason}")]
    Schema {
        /// What differs.
        reason: String,
    },
    /// The database refused a statement: a mistake of ours.
    #[error("the control database refused a statement")]
    Refused(#[source] Source),
}

impl DbError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Displaced { .. })
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Io(_)
            | E::Tls(_)
            | E::Protocol(_)
            | E::PoolTimedOut
            | E::PoolClosed
            | E::WorkerCrashed
            | E::BeginFailed => Self::Unavailable(Box::new(error)),
            E::Configuration(source) => Self::Settings {
                reason: source.to_string(),
            },
            // The value that did not fit may be in the error's text, so only the column is kept.
            E::ColumnDecode { index, .. } => Self::corrupt(format!("column {index}")),
            E::Decode(_) | E::AnyDriverError(_) => Self::corrupt("a value of an unexpected type"),
            E::Database(refusal) => {
                let code = refusal.code().unwrap_or_default().into_owned();
                match Fault::of(&code) {
                    Fault::Passing => Self::Unavailable(refusal),
                    Fault::Damage => Self::Damaged { code },
                    Fault::Access => Self::Settings {
                        reason: refusal.message().to_owned(),
                    },
                    Fault::Ours => Self::Refused(refusal),
                }
            }
            other => Self::Refused(Box::new(other)),
        }
    }
}

/// Whose fault an error code is.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Passing,
    Damage,
    Access,
    Ours,
}

impl Fault {
    /// `SQLSTATE` has five characters (PostgreSQL, appendix A); SQLite's extended result codes are
    /// numbers whose low byte is the primary code (sqlite.org/rescode.html).
    fn of(code: &str) -> Self {
        if code.len() == 5 {
            return match &code[..2] {
                // connection, conflict to be tried again, resources, operator intervention, system
                "08" | "40" | "53" | "57" | "58" => Self::Passing,
                "28" | "3D" | "42" if code == "42501" || !code.starts_with("42") => Self::Access,
                "XX" => Self::Damage,
                // a standby after a failover; lock not available
                "25" if code == "25006" => Self::Passing,
                "55" if code == "55P03" => Self::Passing,
                _ => Self::Ours,
            };
        }
        match code.parse::<u32>().map(|number| number & 0xff) {
            // busy, locked, out of memory, interrupted, I/O error, full, cannot open
            Ok(5 | 6 | 7 | 9 | 10 | 13 | 14) => Self::Passing,
            // no permission, read-only
            Ok(3 | 8) => Self::Access,
            // corrupt, not a database
            Ok(11 | 26) => Self::Damage,
            _ => Self::Ours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whose_fault_it_is() {
        for (code, fault) in [
            ("5", Fault::Passing),
            ("517", Fault::Passing), // SQLITE_BUSY_SNAPSHOT
            ("13", Fault::Passing),
            ("778", Fault::Passing),  // SQLITE_IOERR_WRITE
            ("1034", Fault::Passing), // SQLITE_IOERR_FSYNC
            ("11", Fault::Damage),
            ("26", Fault::Damage),
            ("8", Fault::Access),
            ("2067", Fault::Ours), // SQLITE_CONSTRAINT_UNIQUE
            ("57P01", Fault::Passing),
            ("40001", Fault::Passing),
            ("55P03", Fault::Passing),
            ("28P01", Fault::Access),
            ("3D000", Fault::Access),
            ("42501", Fault::Access),
            ("42P01", Fault::Ours),
            ("23505", Fault::Ours),
            ("XX001", Fault::Damage),
        ] {
            assert_eq!(Fault::of(code), fault, "{code}");
        }
    }
}
