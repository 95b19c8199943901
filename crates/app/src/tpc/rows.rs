//! Folding the ledger's totals, where the two payers are separate rows.

use diamond_domain::{Money, Payer};
use diamond_usage::TotalsRow;

/// Both payers' totals of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    pub direct: Money,
    pub tenant_paid: Money,
    pub calls: u64,
    pub unpriced: u64,
    pub partial: u64,
}

impl Totals {
    pub(super) fn of<'a>(rows: impl IntoIterator<Item = &'a TotalsRow>) -> Self {
        let mut totals = Self::default();
        for row in rows {
            totals.add(row);
        }
        totals
    }

    pub(super) fn add(&mut self, row: &TotalsRow) {
        match row.payer {
            Payer::Platform => self.direct = self.direct + row.cost,
            Payer::Tenant => self.tenant_paid = self.tenant_paid + row.cost,
        }
        self.calls = self.calls.saturating_add(row.calls);
        self.unpriced = self.unpriced.saturating_add(row.unpriced);
        self.partial = self.partial.saturating_add(row.partial);
    }
}
