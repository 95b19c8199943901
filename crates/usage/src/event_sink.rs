//! Where usage events go in.

use async_trait::async_trait;
use diamond_domain::{EventId, OpenedCall, UsageEvent};

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Taken and durable.
    Accepted,
    /// The same fact was taken before; nothing changed.
    Duplicate,
    /// The same id was taken before with other content; nothing changed.
    Conflict,
    /// Older than the deduplication window, so it cannot be told from a repeat; not taken.
    TooOld,
}

/// Why nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The disk is full: free space, then try again. Nothing acknowledged was lost.
    #[error("the disk that holds the usage journal is full")]
    Full(#[source] std::io::Error),
    /// The medium failed; this segment takes nothing more.
    #[error("the usage journal cannot be written")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process is stopping.
    #[error("the usage journal is closed")]
    Closed,
}

/// Takes usage events.
///
/// **Durability.** When `close` or `append` returns a verdict, the event outlives the machine's
/// power. `open` returns at once; its record is on the disk no later than the next durable write.
///
/// **Identity.** An event is the fact named by its `event_id`. Content is compared without
/// `ledger_sequence` and `ingested_at`. Concurrent calls with one id: exactly one is `Accepted`.
///
/// Within a tenant a service's `provider_request_id` names the same fact for kind `call`, but what
/// the gateway saw itself never yields to what somebody says. An appended event of a call that is
/// known by that id is a `Duplicate`. A closing event is always `Accepted`: if the call was known
/// from a report (source `api` or `import`), one event of kind `correction` follows it at the next
/// sequence, with the report's cost against its sign and without quantities, so that cost and calls
/// count once ([`call_count`](crate::call_count)); if it was known from another call through the
/// gateway, the provider has used an id twice, and both stand.
///
/// **Recovery.** At the next start, each call that was opened and not closed becomes one
/// `partial` event with outcome `lost`; a `close` that was acknowledged wins over it.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Writes down that a call is about to be forwarded, without waiting for the disk.
    ///
    /// # Errors
    /// [`SinkError`] when new work cannot be taken; the call must then not be forwarded.
    fn open(&self, call: &OpenedCall) -> Result<(), SinkError>;

    /// Withdraws an opened call that was never forwarded: it leaves no event.
    ///
    /// # Errors
    /// [`SinkError`]; the call is then counted at the next start, as if it had been forwarded.
    fn abandon(&self, call: EventId) -> Result<(), SinkError>;

    /// Closes an opened call with its event and waits until that is durable. Space is kept for it:
    /// `open` refuses before the disk is so full that the ends of what is open would not fit.
    ///
    /// # Errors
    /// [`SinkError`] when the event is not durable.
    async fn close(&self, event: UsageEvent) -> Result<Verdict, SinkError>;

    /// Whether new work is taken. After a refusal for want of space this looks for some, so that
    /// it comes right by itself when there is space again.
    ///
    /// # Errors
    /// [`SinkError`] as `open` would give it.
    fn check(&self) -> Result<(), SinkError>;

    /// Takes events that were never opened; verdicts in the order of the events, and none before
    /// all that were accepted are durable.
    ///
    /// # Errors
    /// [`SinkError`] when nothing of the batch may be assumed; sending it again is safe.
    async fn append(&self, events: Vec<UsageEvent>) -> Result<Vec<Verdict>, SinkError>;
}
