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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dollars(amount: &str) -> Money {
        amount.parse().unwrap()
    }

    fn zaxon() -> TenantId {
        "zaxon".parse().unwrap()
    }

    fn reserve(budgets: &Budgets, estimate: Money) -> Result<Reservation, Refusal> {
        let service: ServiceId = "openai".parse().unwrap();
        let request = ReserveRequest {
            service: &service,
            model: "gpt-4o-mini",
            estimate,
        };
        budgets.reserve(&zaxon(), request)
    }

    #[test]
    fn without_a_budget_everything_is_granted_and_counted() {
        let budgets = Budgets::default();
        let one = reserve(&budgets, dollars("1000000")).unwrap();
        let other = reserve(&budgets, dollars("0.5")).unwrap();
        assert_eq!(budgets.state(&zaxon()).reserved, dollars("1000000.5"));
        drop(one);
        other.settle(dollars("0.4"));
        let after = BudgetState {
            spent: dollars("0.4"),
            ..BudgetState::default()
        };
        assert_eq!(budgets.state(&zaxon()), after);
    }

    #[test]
    fn spent_and_reserved_count_against_the_limit_to_the_nano_dollar() {
        let budgets = Budgets::default();
        budgets.set(&zaxon(), Some(dollars("10")), dollars("4"));
        let under_way = reserve(&budgets, dollars("5.999999999")).unwrap();
        let refusal = reserve(&budgets, dollars("0.000000002")).unwrap_err();
        assert_eq!(refusal.code(), "budget_exceeded");
        let text = refusal.to_string();
        assert!(text.contains("openai/gpt-4o-mini"), "{text}");
        assert!(
            text.contains("of $10.000000000 there are $0.000000001 left"),
            "{text}"
        );
        let last = reserve(&budgets, dollars("0.000000001")).unwrap();
        // The call cost less than feared; the rest is there again.
        under_way.settle(dollars("1"));
        drop(last);
        assert_eq!(budgets.state(&zaxon()).left(), Some(dollars("5")));
    }

    #[test]
    fn a_dropped_reservation_books_nothing_before_and_everything_after_forwarding() {
        let budgets = Budgets::default();
        budgets.set(&zaxon(), Some(dollars("10")), Money::ZERO);
        drop(reserve(&budgets, dollars("3")).unwrap());
        assert_eq!(budgets.state(&zaxon()).spent, Money::ZERO);
        let mut call = reserve(&budgets, dollars("3")).unwrap();
        call.forwarded();
        drop(call);
        assert_eq!(budgets.state(&zaxon()).spent, dollars("3"));
        let mut call = reserve(&budgets, dollars("3")).unwrap();
        call.forwarded();
        call.settle(dollars("0.25"));
        assert_eq!(budgets.state(&zaxon()).spent, dollars("3.25"));
        assert_eq!(budgets.state(&zaxon()).reserved, Money::ZERO);
    }

    #[test]
    fn a_panic_in_a_call_gives_its_money_back() {
        let budgets = Budgets::default();
        let call = std::panic::AssertUnwindSafe(|| {
            let _reservation = reserve(&budgets, dollars("3")).unwrap();
            panic!("the call dies");
        });
        std::panic::catch_unwind(call).unwrap_err();
        assert_eq!(budgets.state(&zaxon()).reserved, Money::ZERO);
    }

    #[test]
    fn setting_the_spend_from_the_ledger_keeps_reservations() {
        let budgets = Budgets::default();
        let under_way = reserve(&budgets, dollars("2")).unwrap();
        budgets.set(&zaxon(), Some(dollars("10")), dollars("7"));
        assert_eq!(budgets.state(&zaxon()).left(), Some(dollars("1")));
        under_way.settle(dollars("2"));
        assert_eq!(budgets.state(&zaxon()).left(), Some(dollars("1")));
    }

    #[test]
    fn absurd_amounts_are_refused_not_wrapped() {
        let budgets = Budgets::default();
        let huge = Money::from_nanos(i128::MAX);
        let first = reserve(&budgets, huge).unwrap();
        assert!(reserve(&budgets, huge).is_err());
        drop(first);
        assert_eq!(budgets.state(&zaxon()).reserved, Money::ZERO);
        drop(reserve(&budgets, Money::from_nanos(-5)).unwrap());
        assert_eq!(budgets.state(&zaxon()), BudgetState::default());
    }

    #[test]
    fn many_threads_never_get_more_than_the_limit() {
        let budgets = Budgets::default();
        // 8 threads ask 500 times for 7 nano-dollars each, settling for 7; 1,000 fit 142 times.
        budgets.set(&zaxon(), Some(Money::from_nanos(1_000)), Money::ZERO);
        let granted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mut granted = 0;
                        for _ in 0..500 {
                            if let Ok(reservation) = reserve(&budgets, Money::from_nanos(7)) {
                                let state = budgets.state(&zaxon());
                                assert!(state.spent + state.reserved <= Money::from_nanos(1_000));
                                reservation.settle(Money::from_nanos(7));
                                granted += 1;
                            }
                        }
                        granted
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(granted, 142);
        assert_eq!(budgets.state(&zaxon()).spent, Money::from_nanos(994));
        assert_eq!(budgets.state(&zaxon()).reserved, Money::ZERO);
    }

    /// One step of the life of a budget.
    #[derive(Debug, Clone)]
    enum Step {
        Reserve(i64),
        Forward(usize),
        Settle(usize, i64),
        Drop(usize),
        Set(Option<i64>, i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let amount = 0_i64..1_000;
        prop_oneof![
            4 => amount.clone().prop_map(Step::Reserve),
            1 => any::<usize>().prop_map(Step::Forward),
            2 => (any::<usize>(), amount.clone()).prop_map(|(n, a)| Step::Settle(n, a)),
            2 => any::<usize>().prop_map(Step::Drop),
            1 => (proptest::option::of(amount.clone()), amount)
                .prop_map(|(limit, spent)| Step::Set(limit, spent)),
        ]
    }

    proptest! {
        /// Against a plain list of what is out and a plain sum of what was booked.
        #[test]
        fn arithmetic_holds_over_any_history(steps in proptest::collection::vec(step(), 0..80)) {
            let nanos = |amount: i64| Money::from_nanos(i128::from(amount));
            let budgets = Budgets::default();
            let mut open: Vec<(Reservation, bool)> = Vec::new();
            let (mut limit, mut spent) = (None, Money::ZERO);
            for step in steps {
                match step {
                    Step::Reserve(amount) => {
                        let out: Money = open.iter().map(|(held, _)| held.amount()).sum();
                        let fits = limit.is_none_or(|l| spent + out + nanos(amount) <= l);
                        let granted = reserve(&budgets, nanos(amount));
                        prop_assert_eq!(granted.is_ok(), fits);
                        open.extend(granted.ok().map(|held| (held, false)));
                    }
                    Step::Forward(n) if !open.is_empty() => {
                        let index = n % open.len();
                        open[index].0.forwarded();
                        open[index].1 = true;
                    }
                    Step::Settle(n, actual) if !open.is_empty() => {
                        open.swap_remove(n % open.len()).0.settle(nanos(actual));
                        spent = spent + nanos(actual);
                    }
                    Step::Drop(n) if !open.is_empty() => {
                        let (held, forwarded) = open.swap_remove(n % open.len());
                        if forwarded {
                            spent = spent + held.amount();
                        }
                    }
                    Step::Set(new_limit, new_spent) => {
                        limit = new_limit.map(nanos);
                        spent = nanos(new_spent);
                        budgets.set(&zaxon(), limit, spent);
                    }
                    Step::Forward(_) | Step::Settle(..) | Step::Drop(_) => {}
                }
                let reserved = open.iter().map(|(held, _)| held.amount()).sum();
                prop_assert_eq!(budgets.state(&zaxon()), BudgetState { limit, spent, reserved });
            }
            open.clear();
            prop_assert_eq!(budgets.state(&zaxon()).reserved, Money::ZERO);
        }
    }
}
