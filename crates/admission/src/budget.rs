//! How much a tenant may spend: limit, spent, reserved.

use std::{fmt, sync::Arc};

use diamond_domain::{Money, ServiceId, TenantId};
use papaya::HashMap;
use parking_lot::Mutex;

use crate::Refusal;

/// What is about to be spent.
#[derive(Debug, Clone, Copy)]
pub struct ReserveRequest<'a> {
    /// At which service.
    pub service: &'a ServiceId,
    /// With which model; empty when the route has none.
    pub model: &'a str,
    /// The most that it can cost. Less than nothing counts as nothing.
    pub estimate: Money,
}

/// Where a tenant's budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetState {
    /// The most that may be spent; `None` for no limit.
    pub limit: Option<Money>,
    /// What calls have cost so far.
    pub spent: Money,
    /// What calls under way can still cost.
    pub reserved: Money,
}

impl BudgetState {
    /// What is neither spent nor reserved; `None` without a limit, never less than nothing.
    #[must_use]
    pub fn left(&self) -> Option<Money> {
        let limit = self.limit?;
        Some((limit - self.spent - self.reserved).max(Money::ZERO))
    }

    /// Sets the amount aside if it fits; whether it did.
    fn reserve(&mut self, amount: Money) -> bool {
        let Some(reserved) = self.reserved.checked_add(amount) else {
            return false;
        };
        let fits = match (self.limit, self.spent.checked_add(reserved)) {
            (None, _) => true,
            (Some(limit), Some(total)) => total <= limit,
            (Some(_), None) => false,
        };
        if fits {
            self.reserved = reserved;
        }
        fits
    }

    /// Gives the reserved amount back and books what was really spent.
    fn settle(&mut self, reserved: Money, actual: Money) {
        self.reserved = self.reserved - reserved;
        self.spent = self.spent + actual;
    }
}

/// One hard limit a tenant. What is granted can pass the limit only by as much as calls cost more
/// than was reserved for them.
///
/// The locks are one a tenant and held for a few additions, never over an await.
#[derive(Default)]
pub struct Budgets {
    tenants: HashMap<TenantId, Arc<Mutex<BudgetState>>>,
}

impl Budgets {
    /// Sets the limit and what was spent so far, as the ledger has it; reservations stay.
    pub fn set(&self, tenant: &TenantId, limit: Option<Money>, spent: Money) {
        let budget = self.of(tenant);
        let mut state = budget.lock();
        state.limit = limit;
        state.spent = spent;
    }

    /// Where the tenant stands; the empty state for one that never spent.
    #[must_use]
    pub fn state(&self, tenant: &TenantId) -> BudgetState {
        let tenants = self.tenants.pin();
        tenants
            .get(tenant)
            .map_or_else(BudgetState::default, |budget| *budget.lock())
    }

    /// Sets the estimate aside, or says that it does not fit.
    pub fn reserve(
        &self,
        tenant: &TenantId,
        request: ReserveRequest<'_>,
    ) -> Result<Reservation, Refusal> {
        let amount = request.estimate.max(Money::ZERO);
        let budget = self.of(tenant);
        let refused = {
            let mut state = budget.lock();
            (!state.reserve(amount)).then_some(*state)
        };
        match refused {
            None => Ok(Reservation {
                budget,
                amount,
                actual_on_drop: Money::ZERO,
            }),
            Some(state) => Err(Refusal::BudgetExceeded {
                call: match request.model {
                    "" => format!("a call to {}", request.service),
                    model => format!("a call to {}/{model}", request.service),
                },
                estimate: amount,
                limit: state.limit.unwrap_or_default(),
                left: state.left().unwrap_or_default(),
            }),
        }
    }

    /// Drops the tenant's budget. Reservations under way settle into nothing.
    pub fn forget(&self, tenant: &TenantId) {
        self.tenants.pin().remove(tenant);
    }

    fn of(&self, tenant: &TenantId) -> Arc<Mutex<BudgetState>> {
        let tenants = self.tenants.pin();
        if let Some(budget) = tenants.get(tenant) {
            return Arc::clone(budget);
        }
        Arc::clone(tenants.get_or_insert_with(tenant.clone(), Arc::default))
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budgets of {} tenants", self.tenants.pin().len())
    }
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
    budget: Arc<Mutex<BudgetState>>,
    amount: Money,
    actual_on_drop: Money,
}

impl Reservation {
    /// What is set aside.
    #[must_use]
    pub const fn amount(&self) -> Money {
        self.amount
    }

    /// Says that the call is on its way: from here on it may cost money.
    pub fn forwarded(&mut self) {
        self.actual_on_drop = self.amount;
    }

    /// Ends the reservation with what the call has cost.
    pub fn settle(mut self, actual: Money) {
        self.actual_on_drop = actual;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.lock().settle(self.amount, self.actual_on_drop);
    }
}

#[cfg(test)]
mod tests;
