//! Which records diamond-server writes for a request, as they stand in its journal: the durable
//! floors write as many, as large.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use diamond_journal::{Journal, JournalOptions, Position, RealDisk};
use serde::Serialize;

use crate::scenario::{Scenario, Surface};

/// The records of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Records {
    /// Bytes of the one that is written before a call is forwarded, without waiting; 0 for none.
    pub opened_bytes: usize,
    /// Bytes of each that is durable before the answer ends.
    pub record_bytes: usize,
    /// How many of those.
    pub records: usize,
}

impl Records {
    /// What tells a floor to write the same, into a journal in this folder.
    pub fn arguments(&self, folder: &Path) -> [String; 4] {
        [
            format!("--journal={}", folder.join("journal").display()),
            format!("--opened-bytes={}", self.opened_bytes),
            format!("--record-bytes={}", self.record_bytes),
            format!("--records={}", self.records),
        ]
    }
}

/// The records that the last `requests` requests left, which were sent one after the other.
pub fn of_requests(data: &Path, scenario: Scenario, requests: u64) -> anyhow::Result<Records> {
    let folder = match scenario.surface() {
        Surface::Key => "audit",
        Surface::Gateway | Surface::Usage => "events",
    };
    let sizes = sizes(&data.join(folder))?;
    let opens = scenario.surface() == Surface::Gateway;
    let records = scenario.facts_per_request();
    let all = records + usize::from(opens);
    let wanted = all * usize::try_from(requests)?;
    // Setting up leaves records too, before them.
    let sizes = sizes.get(sizes.len().saturating_sub(wanted)..);
    let sizes = sizes.unwrap_or_default();
    ensure!(
        sizes.len() == wanted,
        "{requests} requests left {} records, not {wanted}",
        sizes.len()
    );
    // The last request: the first one may bring something new.
    let last = &sizes[wanted - all..];
    Ok(Records {
        opened_bytes: if opens { last[0] } else { 0 },
        record_bytes: last[all - 1],
        records,
    })
}

/// The sizes of a journal's records, read from a copy: the journal itself has its owner.
fn sizes(folder: &Path) -> anyhow::Result<Vec<usize>> {
    let copy = tempfile::tempdir()?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
    }
    let options = JournalOptions::default();
    let (journal, _) = Journal::open(copy.path(), Arc::new(RealDisk), options)
        .with_context(|| format!("the copy of {} cannot be read", folder.display()))?;
    let mut scan = journal.scan(Position::START);
    let mut sizes = Vec::new();
    while let Some((_, record)) = scan.next_record()? {
        sizes.push(record.len());
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal_of(sizes: &[usize]) -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        for folder in ["events", "audit"] {
            let options = JournalOptions::default();
            let folder = data.path().join(folder);
            let (journal, _) = Journal::open(&folder, Arc::new(RealDisk), options).unwrap();
            for &size in sizes {
                journal.append(&vec![1; size]).unwrap();
            }
            journal.close().unwrap();
        }
        data
    }

    #[test]
    fn a_call_has_a_record_before_and_one_behind() {
        let data = journal_of(&[9, 400, 700, 401, 701]);
        let records = of_requests(data.path(), Scenario::Gateway, 2).unwrap();
        assert_eq!((records.opened_bytes, records.record_bytes), (401, 701));
        assert_eq!(records.records, 1);
        assert!(of_requests(data.path(), Scenario::Gateway, 3).is_err());
    }

    #[test]
    fn a_key_has_one_record() {
        let data = journal_of(&[9, 300, 301]);
        let records = of_requests(data.path(), Scenario::Key, 2).unwrap();
        assert_eq!((records.opened_bytes, records.record_bytes), (0, 301));
    }
}
