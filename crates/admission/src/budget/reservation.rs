//! Money set aside for one call.

use std::sync::Arc;

use diamond_domain::Money;
use jiff::Timestamp;

use super::TenantBudgets;

/// What one budget has set aside for a call.
#[derive(Debug)]
pub(super) struct Hold {
    /// In which account.
    pub serial: u64,
    /// In which period of it: one that is over takes nothing back.
    pub window_from: Timestamp,
    pub amount: Money,
}

/// Money set aside for one call. However the call ends, it comes back exactly once: by
/// [`settle`](Self::settle) with what was spent, or when this is dropped.
///
/// Dropped before [`forwarded`](Self::forwarded) nothing can have been spent, and nothing is
/// booked; dropped after it nobody knows, and the whole amount is booked until the ledger says
/// better.
#[derive(Debug)]
#[must_use = "a reservation that is dropped at once reserves nothing"]
pub struct Reservation {
    budgets: Arc<TenantBudgets>,
    amount: Money,
    holds: Vec<Hold>,
    /// What is booked at the end; `None` for all that is set aside.
    spent: Option<Money>,
}

impl Reservation {
    pub(super) const fn new(budgets: Arc<TenantBudgets>, amount: Money, holds: Vec<Hold>) -> Self {
        Self {
            budgets,
            amount,
            holds,
            spent: Some(Money::ZERO),
        }
    }

    /// The most that the call can cost; nothing when that could not be told.
    #[must_use]
    pub const fn amount(&self) -> Money {
        self.amount
    }

    /// Says that the call is on its way: from here on it may cost money.
    pub fn forwarded(&mut self) {
        self.spent = None;
    }

    /// Ends the reservation with what the call has cost.
    pub fn settle(mut self, actual: Money) {
        self.spent = Some(actual);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budgets.settle(self.amount, &self.holds, self.spent);
    }
}
