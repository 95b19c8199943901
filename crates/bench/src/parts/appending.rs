//! What a floor writes down, when it does: records of the sizes that diamond-server writes, through
//! the same journal.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use diamond_journal::{Journal, JournalOptions, RealDisk};

/// What to write for each request, and where. Nothing without a folder.
#[derive(Debug, Clone, Default, Args)]
pub struct Appending {
    /// The folder of the journal.
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Bytes of the record that is written before the request is forwarded, without waiting.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub opened_bytes: usize,
    /// Bytes of each record that must be durable before the answer ends.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub record_bytes: usize,
    /// How many of those a request has.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub records: usize,
}

/// The journal of a floor. Cheap to clone.
#[derive(Clone)]
pub struct Appender(Option<Arc<Inner>>);

struct Inner {
    journal: Journal,
    opened: Vec<u8>,
    records: Vec<Vec<u8>>,
}

impl Appending {
    /// Opens the journal, when there is one to be.
    pub fn open(self) -> anyhow::Result<Appender> {
        let Some(folder) = self.journal else {
            return Ok(Appender(None));
        };
        let (journal, _) = Journal::open(&folder, Arc::new(RealDisk), JournalOptions::default())
            .context("the floor's journal cannot be opened")?;
        Ok(Appender(Some(Arc::new(Inner {
            journal,
            opened: vec![b'o'; self.opened_bytes],
            records: vec![vec![b'r'; self.record_bytes]; self.records],
        }))))
    }
}

impl Appender {
    /// Whether anything is written at all.
    pub fn writes(&self) -> bool {
        self.0.is_some()
    }

    /// Hands the first record to the operating system; whether that went well.
    pub fn open(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| {
            inner.opened.is_empty() || inner.journal.append(&inner.opened).is_ok()
        })
    }

    /// Writes the others and waits until they are durable; whether they are.
    pub async fn close(&self) -> bool {
        match &self.0 {
            None => true,
            Some(inner) => inner.journal.append_durable(&inner.records).await.is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use diamond_journal::Position;

    use super::*;

    #[tokio::test]
    async fn what_is_written_has_the_sizes_that_were_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let appender = Appending {
            journal: Some(folder.path().join("journal")),
            opened_bytes: 7,
            record_bytes: 9,
            records: 2,
        };
        let appender = appender.open().unwrap();
        assert!(appender.writes() && appender.open() && appender.close().await);
        let journal = &appender.0.as_ref().unwrap().journal;
        let mut scan = journal.scan(Position::START);
        let mut sizes = Vec::new();
        while let Some((_, record)) = scan.next_record().unwrap() {
            sizes.push(record.len());
        }
        assert_eq!(sizes, [7, 9, 9]);
    }

    #[tokio::test]
    async fn without_a_folder_nothing_is_written() {
        let appender = Appending::default().open().unwrap();
        assert!(!appender.writes() && appender.open() && appender.close().await);
    }
}
