//! The ports of metering: [`EventSink`] takes usage events, [`UsageReader`] answers questions about
//! them, [`AuditSink`] keeps the keyed chain of who touched which key. Each port's doc comment is
//! its contract, and each has a contract suite that every adapter runs. The embedded adapters,
//! which write to the journal, live here too; the reader over them is the ledger's.

mod audit_sink;
mod event_sink;
mod usage_reader;

pub use audit_sink::{
    AuditAction, AuditDraft, AuditEntry, AuditError, AuditHead, AuditOutcome, AuditQuery,
    AuditSink, AuditVerdict,
};
pub use event_sink::{EventSink, SinkError, Verdict};
pub use usage_reader::{
    ErasureSubject, EventFilter, EventPage, GroupBy, LedgerCursor, ReadError, SequenceSum,
    SeriesPoint, TenantScope, TotalsRow, UsageReader, UserTotal,
};
