//! Where SQLite's file is. The system lets a program write on into a file that somebody has moved
//! away, and what is written there is not in the file that the next start opens.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::DbError;

/// The file that was opened.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    /// The file at this path, as it is now.
    pub(crate) async fn of(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let found = tokio::fs::metadata(&path).await?;
        Ok(Self {
            path,
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Whether the file is where it was.
    ///
    /// # Errors
    /// [`DbError::Displaced`] when it is not, or cannot be looked at.
    pub(crate) async fn check(&self) -> Result<(), DbError> {
        let found = tokio::fs::metadata(&self.path).await;
        let same = found.is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        same.then_some(()).ok_or_else(|| DbError::Displaced {
            path: self.path.clone(),
        })
    }
}
