//! The embedded audit sink: the keyed chain in a journal of its own.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use diamond_domain::AuditId;
use diamond_journal::{Disk, Journal, JournalError, JournalOptions, Position};
use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

use crate::{
    AuditDraft, AuditEntry, AuditError, AuditHead, AuditQuery, AuditSink, AuditVerdict,
    EarlierChain, UserDictionary,
    audit_chain::{self, Chain, EMPTY},
    audit_folders::{self, AuditCopy},
    durable_tail::DurableTail,
    stored::Malformed,
};

/// Entries in a journal, users as codes of the dictionary. Concurrent entries share one flush.
pub struct JournalAuditSink(Arc<Chains>);

struct Chains {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    /// Changed only when a new chain begins.
    current: RwLock<Arc<Inner>>,
}

struct Inner {
    root: PathBuf,
    number: u32,
    journal: Journal,
    /// The journals of the chains before, as far as they can be read, oldest first.
    earlier: Vec<Journal>,
    chain: Arc<Chain>,
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
        let unreadable = |source| JournalError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        let number = audit_folders::newest(folder).map_err(unreadable)?;
        let mut journals = Vec::new();
        for each in 1..=number {
            let place = audit_folders::folder(folder, each);
            match Journal::open(&place, disk.clone(), options()) {
                Ok((journal, _)) => journals.push(journal),
                // What is kept as evidence need not be readable.
                Err(error) if each < number => {
                    tracing::warn!(chain = each, %error, "an earlier chain cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        let beginning = audit_folders::beginning(folder, number).map_err(unreadable)?;
        let chain = Arc::new(Chain::new(key));
        let inner = Inner::new(folder, number, beginning, journals, chain, dictionary)?;
        Ok(Self(Arc::new(Chains {
            root: folder.to_owned(),
            disk,
            current: RwLock::new(Arc::new(inner)),
        })))
    }

    fn current(&self) -> Arc<Inner> {
        Arc::clone(&self.0.current.read())
    }

    /// Whether entries are taken.
    ///
    /// # Errors
    /// [`JournalError::Failed`], [`JournalError::Closed`] or, after a refusal for want of space and
    /// as long as there is none, [`JournalError::Full`].
    pub fn check(&self) -> Result<(), JournalError> {
        self.current().journal.check()
    }

    /// The chain as far as it is durable now, and those before it that are kept. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// As [`Journal::copies`].
    pub fn copies(&self) -> Result<Vec<AuditCopy>, JournalError> {
        let inner = self.current();
        let before = audit_folders::copies_before(&inner.root, inner.number);
        let mut copies = before.map_err(|source| JournalError::Unreadable {
            path: inner.root.clone(),
            source,
        })?;
        let own = inner.journal.copies()?.into_iter();
        copies.extend(own.map(|segment| AuditCopy::of_segment(inner.number, segment)));
        Ok(copies)
    }

    /// Takes nothing more. Blocks on the disk.
    ///
    /// # Errors
    /// [`JournalError::Failed`] when not everything is durable.
    pub fn close_blocking(&self) -> Result<(), JournalError> {
        self.current().journal.close()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, AuditError> + Send + 'static,
    ) -> Result<T, AuditError> {
        let inner = self.current();
        tokio::task::spawn_blocking(move || read(&inner))
            .await
            .map_err(|error| AuditError::Unreadable(Box::new(error)))?
    }
}

impl Chains {
    /// Begins the next chain. Blocks on the disk; no entry is taken meanwhile.
    fn begin_anew_blocking(&self, draft: AuditDraft) -> Result<AuditEntry, AuditError> {
        let mut current = self.current.write();
        let failed = |error: std::io::Error| AuditError::Unwritable(Box::new(error));
        // Nothing more comes to the old one. One that failed is closed already.
        let closed = current.journal.close();
        if let Err(error) = closed {
            tracing::warn!(%error, "the chain before did not close cleanly");
        }
        let number = current.number + 1;
        let ended = current.state.lock().written.clone();
        let beginning = audit_folders::prepare(&self.root, number, &ended).map_err(failed)?;
        let place = audit_folders::folder(&self.root, number);
        let (journal, _) =
            Journal::open(&place, self.disk.clone(), options()).map_err(unwritable)?;
        let mut journals = current.earlier.clone();
        journals.extend([current.journal.clone(), journal]);
        let next = Inner::new(
            &self.root,
            number,
            beginning,
            journals,
            Arc::clone(&current.chain),
            Arc::clone(&current.dictionary),
        )
        .map_err(unwritable)?;
        let (entry, position) = next.chain_up(draft)?;
        next.journal
            .durable_blocking(position)
            .map_err(unwritable)?;
        *current = Arc::new(next);
        Ok(entry)
    }
}

fn options() -> JournalOptions {
    JournalOptions {
        thread_name: "audit-commit".to_owned(),
        ..JournalOptions::default()
    }
}

fn last_head(
    journal: &Journal,
    folder: &Path,
    beginning: &AuditHead,
) -> Result<AuditHead, JournalError> {
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
    Ok(beginning.clone())
}

impl Inner {
    /// The last of the journals is the chain's own.
    fn new(
        root: &Path,
        number: u32,
        beginning: AuditHead,
        mut journals: Vec<Journal>,
        chain: Arc<Chain>,
        dictionary: Arc<UserDictionary>,
    ) -> Result<Self, JournalError> {
        let Some(journal) = journals.pop() else {
            return Err(JournalError::Closed);
        };
        let head = last_head(&journal, root, &beginning)?;
        Ok(Self {
            root: root.to_owned(),
            number,
            journal,
            earlier: journals,
            chain,
            dictionary,
            state: Mutex::new(State {
                written: head.clone(),
                durable: DurableTail::new(head),
            }),
        })
    }

    /// What stands before the first entry, as the files before it say now.
    fn found_beginning(&self) -> Result<AuditHead, AuditError> {
        if self.number == 1 {
            return Ok(EMPTY);
        }
        let read = |error: std::io::Error| AuditError::Unreadable(Box::new(error));
        let told = audit_folders::beginning(&self.root, self.number).map_err(read)?;
        let hash = audit_folders::evidence(&self.root, self.number).map_err(read)?;
        Ok(AuditHead { hash, ..told })
    }

    fn earlier_chains(&self) -> Result<Vec<EarlierChain>, AuditError> {
        let read = |error: std::io::Error| AuditError::Unreadable(Box::new(error));
        let mut chains = Vec::new();
        for number in 2..=self.number {
            let told = audit_folders::beginning(&self.root, number).map_err(read)?;
            let found = audit_folders::evidence(&self.root, number).map_err(read)?;
            chains.push(EarlierChain {
                chain: number - 1,
                ends_at: told.sequence,
                intact: told.hash == found,
            });
        }
        Ok(chains)
    }

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
        let mut head = self.found_beginning()?;
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
        for journal in &self.earlier {
            // What a broken chain still tells is told; where it breaks off is no error here.
            if let Err(error) = self.entries_of(journal, query, limit, &mut found) {
                tracing::warn!(%error, "a chain kept as evidence breaks off");
            }
        }
        self.entries_of(&self.journal, query, limit, &mut found)?;
        Ok(found)
    }

    fn entries_of(
        &self,
        journal: &Journal,
        query: &AuditQuery,
        limit: usize,
        found: &mut Vec<AuditEntry>,
    ) -> Result<(), AuditError> {
        let mut scan = journal.scan(Position::START);
        while found.len() < limit {
            let Some((_, record)) = scan.next_record().map_err(unreadable)? else {
                break;
            };
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
        }
        Ok(())
    }
}

fn matches(query: &AuditQuery, entry: &AuditEntry) -> bool {
    let draft = &entry.draft;
    let version = |(service, version): &(_, _)| {
        draft.service.as_ref() == Some(service) && draft.version.as_ref() == Some(version)
    };
    entry.sequence > query.after
        && query.range.is_none_or(|range| range.contains(draft.at))
        && (query.tenant.is_none() || query.tenant == draft.tenant_id)
        && (query.token.is_none() || query.token == draft.token_id)
        && (query.address.is_none() || query.address == draft.address)
        && query.version.as_ref().is_none_or(version)
}

#[async_trait]
impl AuditSink for JournalAuditSink {
    async fn record(&self, draft: AuditDraft) -> Result<AuditEntry, AuditError> {
        let inner = self.current();
        let user = draft.user_id.clone();
        let code = match &user {
            Some(user) => {
                let tenant = draft.tenant_id.as_ref();
                let assigned = inner.dictionary.assign(tenant, user);
                Some(assigned.await.map_err(unwritable)?)
            }
            None => None,
        };
        let coded = audit_chain::with_code(draft, code);
        let (mut entry, position) = inner.chain_up(coded)?;
        inner.journal.durable(position).await.map_err(unwritable)?;
        entry.draft.user_id = user;
        Ok(entry)
    }

    fn check(&self) -> Result<(), AuditError> {
        Self::check(self).map_err(unwritable)
    }

    fn head(&self) -> AuditHead {
        let inner = self.current();
        let durable_end = inner.journal.durable_end();
        inner.state.lock().durable.settle(durable_end)
    }

    async fn verify(&self, anchor: Option<&AuditHead>) -> Result<AuditVerdict, AuditError> {
        let anchor = anchor.cloned();
        self.blocking(move |inner| inner.verify(anchor.as_ref()))
            .await
    }

    fn chain(&self) -> u32 {
        self.current().number
    }

    async fn begin_anew(&self, draft: AuditDraft) -> Result<AuditEntry, AuditError> {
        let chains = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || chains.begin_anew_blocking(draft))
            .await
            .map_err(|error| AuditError::Unwritable(Box::new(error)))?
    }

    async fn earlier(&self) -> Result<Vec<EarlierChain>, AuditError> {
        self.blocking(Inner::earlier_chains).await
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
