//! The embedded audit sink: the keyed chain in a journal of its own.

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use diamond_domain::AuditId;
use diamond_journal::{Disk, Journal, JournalError, JournalOptions, Position, SegmentCopy};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::{
    AuditDraft, AuditEntry, AuditError, AuditHead, AuditQuery, AuditSink, AuditVerdict,
    UserDictionary,
    audit_chain::{self, Chain, EMPTY},
    durable_tail::DurableTail,
    stored::Malformed,
};

/// Entries in a journal, users as codes of the dictionary. Concurrent entries share one flush.
pub struct JournalAuditSink(Arc<Inner>);

struct Inner {
    journal: Journal,
    chain: Chain,
    dictionary: Arc<UserDictionary>,
    /// Changed only together with a write to the journal: the chain's order is the records'.
    state: Mutex<State>,
}

struct State {
    written: AuditHead,
    durable: DurableTail<AuditHead>,
}

impl JournalAuditSink {
    /// Opens the chain in a folder of its own. Blocks on the disk. What stands there is believed
    /// until [`AuditSink::verify`] is asked.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open(
        folder: &Path,
        disk: Arc<dyn Disk>,
        key: Zeroizing<[u8; 32]>,
        dictionary: Arc<UserDictionary>,
    ) -> Result<Self, JournalError> {
        let options = JournalOptions {
            thread_name: "audit-commit".to_owned(),
            ..JournalOptions::default()
        };
        let (journal, _) = Journal::open(folder, disk, options)?;
        let head = last_head(&journal, folder)?;
        Ok(Self(Arc::new(Inner {
            journal,
            chain: Chain::new(key),
            dictionary,
            state: Mutex::new(State {
                written: head.clone(),
                durable: DurableTail::new(head),
            }),
        })))
    }

    /// Whether entries are taken.
    ///
    /// # Errors
    /// [`JournalError::Failed`], [`JournalError::Closed`] or, after a refusal for want of space and
    /// as long as there is none, [`JournalError::Full`].
    pub fn check(&self) -> Result<(), JournalError> {
        self.0.journal.check()
    }

    /// The chain as far as it is durable now. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Journal::copies`].
    pub fn copies(&self) -> Result<Vec<SegmentCopy>, JournalError> {
        self.0.journal.copies()
    }

    /// Takes nothing more. Blocks on the disk.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when not everything is durable.
    pub fn close_blocking(&self) -> Result<(), JournalError> {
        self.0.journal.close()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, AuditError> + Send + 'static,
    ) -> Result<T, AuditError> {
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || read(&inner))
            .await
            .map_err(|error| AuditError::Unreadable(Box::new(error)))?
    }
}

fn last_head(journal: &Journal, folder: &Path) -> Result<AuditHead, JournalError> {
    // The last segment may be new and empty.
    for begin in journal.segments().into_iter().rev() {
        let mut last = None;
        let mut scan = journal.scan(begin);
        while let Some((_, record)) = scan.next_record()? {
            last = Some(record.to_vec());
        }
        if let Some(record) = last {
            let (entry, hash, _) =
                audit_chain::read(&record).map_err(|_| JournalError::Corrupt {
                    segment: folder.to_owned(),
                    offset: 0,
                    reason: "a record is not an entry of the audit chain",
                })?;
            let sequence = entry.sequence;
            return Ok(AuditHead { sequence, hash });
        }
    }
    Ok(EMPTY)
}

impl Inner {
    /// Gives the entry its place and hands it to the operating system.
    fn chain_up(&self, draft: AuditDraft) -> Result<(AuditEntry, Position), AuditError> {
        let mut state = self.state.lock();
        let entry = AuditEntry {
            id: AuditId::generate(draft.at),
            sequence: state.written.sequence + 1,
            draft,
        };
        let (record, head) = self
            .chain
            .add(&state.written, &entry)
            .map_err(|error| AuditError::Unwritable(Box::new(error)))?;
        let position = self.journal.stage_all(&[record]).map_err(unwritable)?;
        state.written = head.clone();
        let durable_end = self.journal.durable_end();
        state.durable.push(position, head, durable_end);
        Ok((entry, position))
    }

    fn verify(&self, anchor: Option<&AuditHead>) -> Result<AuditVerdict, AuditError> {
        let mut head = EMPTY;
        let mut rewritten = false;
        let mut scan = self.journal.scan(Position::START);
        loop {
            let broken = AuditVerdict::Broken {
                sequence: head.sequence + 1,
            };
            let record = match scan.next_record() {
                Ok(None) => break,
                Ok(Some((_, record))) => record,
                Err(JournalError::Unreadable { source, .. })
                    if source.kind() != std::io::ErrorKind::NotFound =>
                {
                    return Err(AuditError::Unreadable(Box::new(source)));
                }
                // A record that is damaged or missing is what this looks for.
                Err(_) => return Ok(broken),
            };
            match self.chain.check(&head, record) {
                Some(next) => head = next,
                None => return Ok(broken),
            }
            rewritten |= anchor
                .is_some_and(|anchor| anchor.sequence == head.sequence && anchor.hash != head.hash);
        }
        Ok(match anchor {
            Some(anchor) if anchor.sequence > head.sequence => AuditVerdict::Truncated {
                ends_at: head.sequence,
                anchored_at: anchor.sequence,
            },
            Some(anchor) if rewritten => AuditVerdict::Rewritten {
                anchored_at: anchor.sequence,
            },
            _ => AuditVerdict::Whole {
                entries: head.sequence,
            },
        })
    }

    fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, AuditError> {
        let limit = query.limit.clamp(1, 1_000);
        let mut found = Vec::new();
        let mut scan = self.journal.scan(Position::START);
        while let Some((_, record)) = scan.next_record().map_err(unreadable)? {
            let malformed = |error: Malformed| AuditError::Unreadable(Box::new(error));
            let (mut entry, _, _) = audit_chain::read(record).map_err(malformed)?;
            if !matches(query, &entry) {
                continue;
            }
            if let Some(code) = audit_chain::code_of(&entry.draft) {
                let shown = self.dictionary.shown(entry.draft.tenant_id.as_ref(), code);
                entry.draft.user_id = Some(shown);
            }
            found.push(entry);
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }
}

fn matches(query: &AuditQuery, entry: &AuditEntry) -> bool {
    let draft = &entry.draft;
    let version = |(service, version): &(_, _)| {
        draft.service.as_ref() == Some(service) && draft.version.as_ref() == Some(version)
    };
    entry.sequence > query.after
        && (query.tenant.is_none() || query.tenant == draft.tenant_id)
        && (query.token.is_none() || query.token == draft.token_id)
        && (query.address.is_none() || query.address == draft.address)
        && query.version.as_ref().is_none_or(version)
}

#[async_trait]
impl AuditSink for JournalAuditSink {
    async fn record(&self, draft: AuditDraft) -> Result<AuditEntry, AuditError> {
        let user = draft.user_id.clone();
        let code = match &user {
            Some(user) => {
                let tenant = draft.tenant_id.as_ref();
                let assigned = self.0.dictionary.assign(tenant, user);
                Some(assigned.await.map_err(unwritable)?)
            }
            None => None,
        };
        let coded = audit_chain::with_code(draft, code);
        let (mut entry, position) = self.0.chain_up(coded)?;
        self.0.journal.durable(position).await.map_err(unwritable)?;
        entry.draft.user_id = user;
        Ok(entry)
    }

    fn check(&self) -> Result<(), AuditError> {
        Self::check(self).map_err(unwritable)
    }

    fn head(&self) -> AuditHead {
        let durable_end = self.0.journal.durable_end();
        self.0.state.lock().durable.settle(durable_end)
    }

    async fn verify(&self, anchor: Option<&AuditHead>) -> Result<AuditVerdict, AuditError> {
        let anchor = anchor.cloned();
        self.blocking(move |inner| inner.verify(anchor.as_ref()))
            .await
    }

    async fn entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, AuditError> {
        let query = query.clone();
        self.blocking(move |inner| inner.entries(&query)).await
    }
}

impl fmt::Debug for JournalAuditSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalAuditSink").finish_non_exhaustive()
    }
}

fn unwritable(error: JournalError) -> AuditError {
    AuditError::Unwritable(Box::new(error))
}

fn unreadable(error: JournalError) -> AuditError {
    AuditError::Unreadable(Box::new(error))
}
