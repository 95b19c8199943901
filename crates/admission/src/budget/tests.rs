//! The arithmetic of budgets, by example, by history and by threads.

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
