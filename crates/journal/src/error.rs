//! What can go wrong, by what the caller can do.

use std::{io, path::PathBuf};

/// Why a journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// No space: none of the records was taken. Free some and try again, without a restart.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// The disk failed. What it then holds cannot be known, so nothing more is taken until the
    /// journal is opened anew; what was acknowledged stands.
    #[error("the disk failed; the journal takes nothing more until it is opened again")]
    Failed(#[source] io::Error),
    /// Too much waits for the disk: none of the records was taken. Try again later.
    #[error("more than {limit} bytes wait for the disk")]
    Overloaded {
        /// The most that may wait.
        limit: u64,
    },
    /// The record is empty or too large: none of the records was taken.
    #[error("a record has 1 to {limit} bytes, not {size}")]
    Size {
        /// How large it is.
        size: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// What was once durable has been changed or has gone. Restore the file; nothing is cut.
    #[error("{} is damaged at byte {offset}: {reason}", segment.display())]
    Corrupt {
        /// The file.
        segment: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file cannot be opened or read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// Another process, or another part of this one, has the folder.
    #[error("{} is in use by another process", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
}

impl JournalError {
    /// A write's or a creation's error, told apart by what the caller can do.
    pub(crate) fn of_write(error: io::Error) -> Self {
        if is_full(&error) {
            Self::Full(error)
        } else {
            Self::Failed(error)
        }
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// The same error once more: many wait for one flush, and `io::Error` cannot be cloned.
pub(crate) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
