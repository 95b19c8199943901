//! The reader itself: carries each question to a thread that may wait for the disk.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use diamond_domain::{ServiceId, TenantId, TimeRange};
use diamond_journal::JournalError;
use diamond_usage::{
    ErasureSubject, EventFilter, EventPage, GroupBy, LedgerCursor, ReadError, SequenceSum,
    SeriesPoint, TenantScope, TotalsRow, UsageJournal, UsageReader, UserTotal,
};
use jiff::SignedDuration;

use crate::{events, per_user, series, sums, totals};

/// Answers from a usage journal, which it reads anew for each question: exact, and as fresh as the
/// last acknowledged event. The cost of a question grows with the journal.
pub struct ScanLedger {
    journal: Arc<UsageJournal>,
}

impl ScanLedger {
    /// A reader of this journal.
    #[must_use]
    pub const fn new(journal: Arc<UsageJournal>) -> Self {
        Self { journal }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&UsageJournal) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let journal = self.journal.clone();
        tokio::task::spawn_blocking(move || read(&journal))
            .await
            .map_err(|error| ReadError::Unavailable(Box::new(error)))?
    }
}

#[async_trait]
impl UsageReader for ScanLedger {
    async fn watermark(&self) -> Result<u64, ReadError> {
        Ok(self.journal.watermark())
    }

    async fn events(
        &self,
        scope: &TenantScope,
        filter: &EventFilter,
        after: LedgerCursor,
        limit: usize,
    ) -> Result<EventPage, ReadError> {
        let (scope, filter) = (scope.clone(), filter.clone());
        self.blocking(move |journal| events::page(journal, &scope, &filter, after, limit))
            .await
    }

    async fn totals(
        &self,
        scope: &TenantScope,
        range: TimeRange,
        group_by: GroupBy,
    ) -> Result<Vec<TotalsRow>, ReadError> {
        let scope = scope.clone();
        self.blocking(move |journal| totals::rows(journal, &scope, range, group_by))
            .await
    }

    async fn per_user(
        &self,
        tenant: &TenantId,
        range: TimeRange,
    ) -> Result<Vec<UserTotal>, ReadError> {
        let tenant = tenant.clone();
        self.blocking(move |journal| per_user::totals(journal, tenant, range))
            .await
    }

    async fn series(
        &self,
        tenant: &TenantId,
        range: TimeRange,
        step: SignedDuration,
        service: Option<&ServiceId>,
    ) -> Result<Vec<SeriesPoint>, ReadError> {
        let (tenant, service) = (tenant.clone(), service.cloned());
        self.blocking(move |journal| series::points(journal, tenant, range, step, service.as_ref()))
            .await
    }

    async fn sums_by_sequence(
        &self,
        scope: &TenantScope,
        from: u64,
        to: u64,
    ) -> Result<Vec<SequenceSum>, ReadError> {
        let scope = scope.clone();
        self.blocking(move |journal| sums::by_sequence(journal, &scope, from, to))
            .await
    }

    async fn erase(&self, subject: &ErasureSubject) -> Result<u64, ReadError> {
        let subject = subject.clone();
        self.blocking(move |journal| journal.erase_blocking(&subject).map_err(unavailable))
            .await
    }
}

impl fmt::Debug for ScanLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanLedger").finish_non_exhaustive()
    }
}

pub(crate) fn unavailable(error: JournalError) -> ReadError {
    ReadError::Unavailable(Box::new(error))
}
