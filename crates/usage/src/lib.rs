//! The ports of metering: [`EventSink`] takes usage events, [`UsageReader`] answers questions about
//! them, [`AuditSink`] keeps the keyed chain of who touched which key. Each port's doc comment is
//! its contract, and each has a suite in [`contract`] that every adapter runs. The embedded
//! adapters, [`UsageJournal`] and [`JournalAuditSink`], which write to a journal, live here too;
//! the reader over them is the ledger's. Names of users stand only in the [`UserDictionary`].

mod audit_chain;
mod audit_folders;
mod audit_sink;
pub mod contract;
mod dedup;
mod dictionary;
mod dictionary_file;
mod displaced;
mod durable_tail;
mod event_scan;
mod event_sink;
mod journal_audit;
mod journal_events;
mod opening;
mod progress;
mod stored;
mod usage_journal;
mod usage_reader;
mod witness;

pub use audit_folders::AuditCopy;
pub use audit_sink::{
    AuditAction, AuditDraft, AuditEntry, AuditError, AuditHead, AuditOutcome, AuditQuery,
    AuditSink, AuditVerdict, EarlierChain, RefusalSink,
};
pub use dictionary::{UserCode, UserDictionary};
pub use displaced::call_count;
pub use event_scan::{EventScan, ScanFilter};
pub use event_sink::{EventSink, SinkError, Verdict};
pub use journal_audit::JournalAuditSink;
pub use opening::RecoveredCalls;
pub use usage_journal::{UsageCopies, UsageJournal, UsageJournalOptions};
pub use usage_reader::{
    ErasureSubject, EventFilter, EventPage, GroupBy, LedgerCursor, ReadError, SequenceSum,
    SeriesPoint, TenantScope, TotalsRow, UsageReader, UserTotal,
};
pub use witness::{Witness, WitnessError, WitnessFile};
