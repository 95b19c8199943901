//! How much a tenant may spend: limits, what was spent, what calls under way can still spend.

mod account;
mod reservation;
mod rule;

pub use account::{BudgetReading, BudgetState};
pub use reservation::Reservation;
pub use rule::{BudgetRule, Counted, ReserveRequest};

use std::{fmt, sync::Arc};

use diamond_domain::{BudgetName, Money, TenantId};
use jiff::Timestamp;
use papaya::HashMap;
use parking_lot::Mutex;

use crate::Refusal;
use account::Account;
use reservation::Hold;

/// The hard limits of every tenant. What is granted can pass a limit only by as much as calls cost
/// more than was reserved for them, and calls whose most can be told never do.
///
/// The locks are one a tenant and held for a few additions, never over an await.
#[derive(Default)]
pub struct Budgets {
    tenants: HashMap<TenantId, Arc<TenantBudgets>>,
    /// Tenants with a budget whose spend was never read.
    unread: Mutex<Vec<TenantId>>,
}

/// One tenant's.
#[derive(Default)]
struct TenantBudgets(Mutex<Accounts>);

#[derive(Default)]
struct Accounts {
    accounts: Vec<Account>,
    /// What all calls under way can still cost, whether a budget counts them or not.
    reserved: Money,
    /// Numbers given to accounts.
    last_serial: u64,
    /// It was made while we looked and has called nothing yet.
    untouched: bool,
}

impl Budgets {
    /// Sets the tenant's budgets. One whose limit alone changed keeps what was spent and reserved;
    /// another that counts something else begins unread, unless the tenant is `new`: it was just
    /// made, and what it spends is seen from the first call on.
    pub fn set_rules(&self, tenant: &TenantId, rules: Vec<BudgetRule>, now: Timestamp, new: bool) {
        if rules.is_empty() && !new && !self.tenants.pin().contains_key(tenant) {
            return;
        }
        let budgets = self.of(tenant);
        let mut inner = budgets.0.lock();
        inner.untouched |= new;
        let untouched = inner.untouched;
        let mut former = std::mem::take(&mut inner.accounts);
        for rule in rules {
            let same = former.iter().position(|account| account.counts_as(&rule));
            let account = match same {
                Some(place) => former.swap_remove(place).with_rule(rule),
                None => {
                    inner.last_serial += 1;
                    match Account::new(inner.last_serial, rule, now) {
                        Some(account) if untouched => account.with_nothing_spent(),
                        Some(account) => account,
                        // Beyond the calendar nothing is called either.
                        None => continue,
                    }
                }
            };
            inner.accounts.push(account);
        }
        if inner.accounts.iter().any(|account| !account.is_read()) {
            self.unread.lock().push(tenant.clone());
        }
    }

    /// The tenants that got a budget whose spend nobody has read yet, since this was last asked.
    #[must_use]
    pub fn take_unread(&self) -> Vec<TenantId> {
        let mut unread = std::mem::take(&mut *self.unread.lock());
        unread.sort_unstable();
        unread.dedup();
        unread
    }

    /// Begins to read what was spent in the present windows: the ledger is asked after this, and
    /// the answer goes to [`finish_reading`](Self::finish_reading). `None` is every tenant.
    #[must_use]
    pub fn begin_reading(&self, tenant: Option<&TenantId>, now: Timestamp) -> Vec<BudgetReading> {
        let tenants = self.tenants.pin();
        let mut readings = Vec::new();
        let mut read = |id: &TenantId, budgets: &TenantBudgets| {
            let mut inner = budgets.0.lock();
            let accounts = inner.accounts.iter_mut();
            readings.extend(accounts.map(|account| account.begin_reading(id, now)));
        };
        match tenant {
            Some(id) => {
                if let Some(budgets) = tenants.get(id) {
                    read(id, budgets);
                }
            }
            None => tenants.iter().for_each(|(id, budgets)| read(id, budgets)),
        }
        readings
    }

    /// Takes what the ledger says was spent. The figure is set, never added; what calls have spent
    /// since the reading began comes on top, so that nothing is left out. (What was in both counts
    /// twice until the next reading: too much rather than too little.)
    pub fn finish_reading(&self, reading: &BudgetReading, spent: Money) {
        if let Some(budgets) = self.tenants.pin().get(&reading.tenant) {
            for account in &mut budgets.0.lock().accounts {
                account.finish_reading(reading, spent);
            }
        }
    }

    /// Where the tenant's budgets stand, by name.
    #[must_use]
    pub fn states(&self, tenant: &TenantId, now: Timestamp) -> Vec<(BudgetName, BudgetState)> {
        let tenants = self.tenants.pin();
        let Some(budgets) = tenants.get(tenant) else {
            return Vec::new();
        };
        let mut inner = budgets.0.lock();
        let states = inner.accounts.iter_mut();
        states.map(|account| account.state(now)).collect()
    }

    /// What all calls of the tenant under way can still cost.
    #[must_use]
    pub fn reserved(&self, tenant: &TenantId) -> Money {
        let tenants = self.tenants.pin();
        let budgets = tenants.get(tenant);
        budgets.map_or(Money::ZERO, |budgets| budgets.0.lock().reserved)
    }

    /// Sets the most that the call can cost aside in every budget that counts it, or says which
    /// has no room for it; then nothing is set aside.
    pub fn reserve(
        &self,
        tenant: &TenantId,
        request: ReserveRequest<'_>,
    ) -> Result<Reservation, Refusal> {
        let budgets = self.of(tenant);
        let amount = request.estimate.unwrap_or_default().max(Money::ZERO);
        let mut holds = Vec::new();
        {
            let mut inner = budgets.0.lock();
            inner.untouched = false;
            let Accounts {
                accounts, reserved, ..
            } = &mut *inner;
            let total = reserved.checked_add(amount);
            let total = total.ok_or_else(|| Refusal::AbsurdEstimate {
                call: request.words(),
            })?;
            for account in accounts.iter_mut() {
                if account.rule().counts(&request) {
                    holds.push(account.fits(&request)?);
                }
            }
            for hold in &holds {
                for account in accounts.iter_mut() {
                    account.hold(hold);
                }
            }
            *reserved = total;
        }
        Ok(Reservation::new(budgets, amount, holds))
    }

    /// Drops the tenant's budgets. Reservations under way settle into nothing.
    pub fn forget(&self, tenant: &TenantId) {
        self.tenants.pin().remove(tenant);
    }

    fn of(&self, tenant: &TenantId) -> Arc<TenantBudgets> {
        let tenants = self.tenants.pin();
        if let Some(budgets) = tenants.get(tenant) {
            return Arc::clone(budgets);
        }
        Arc::clone(tenants.get_or_insert_with(tenant.clone(), Arc::default))
    }
}

impl TenantBudgets {
    /// Ends a reservation; `spent` is `None` when nobody knows, and then all that was set aside
    /// is booked.
    fn settle(&self, amount: Money, holds: &[Hold], spent: Option<Money>) {
        let mut inner = self.0.lock();
        inner.reserved = inner.reserved - amount;
        for hold in holds {
            for account in &mut inner.accounts {
                account.settle(hold, spent);
            }
        }
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budgets of {} tenants", self.tenants.pin().len())
    }
}

impl fmt::Debug for TenantBudgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantBudgets")
    }
}

#[cfg(test)]
mod tests;
