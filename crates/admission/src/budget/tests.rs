//! The arithmetic of budgets, by example, by history and by threads.

use diamond_domain::{BudgetName, OnUnbounded, Period, ServiceId, TokenId, UserId};
use proptest::prelude::*;

use super::*;

fn dollars(amount: &str) -> Money {
    amount.parse().unwrap()
}

fn zaxon() -> TenantId {
    "zaxon".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-12-01T12:00:00Z")
}

fn rule(name: &str, limit: Money) -> BudgetRule {
    BudgetRule {
        name: name.parse().unwrap(),
        user: None,
        token: None,
        service: None,
        model: None,
        period: Period::Daily,
        limit,
        counted: Counted::default(),
        on_unbounded: OnUnbounded::Refuse,
    }
}

/// The tenant's budgets, with this much spent in each.
fn with(rules: Vec<BudgetRule>, spent: Money) -> Budgets {
    let budgets = Budgets::default();
    budgets.set_rules(&zaxon(), rules, noon(), false);
    read(&budgets, spent);
    budgets
}

fn read(budgets: &Budgets, spent: Money) {
    for reading in budgets.begin_reading(None, noon()) {
        budgets.finish_reading(&reading, spent);
    }
}

struct Call {
    service: ServiceId,
    user: UserId,
    model: &'static str,
    token: TokenId,
    estimate: Option<Money>,
    at: Timestamp,
}

fn call(estimate: Money) -> Call {
    Call {
        service: "openai".parse().unwrap(),
        user: "u-1".parse().unwrap(),
        model: "gpt-4o-mini",
        token: TokenId::from_bits(1),
        estimate: Some(estimate),
        at: noon(),
    }
}

impl Call {
    fn reserve(&self, budgets: &Budgets) -> Result<Reservation, Refusal> {
        let request = ReserveRequest {
            service: &self.service,
            model: self.model,
            user: &self.user,
            token: self.token,
            estimate: self.estimate,
            at: self.at,
        };
        budgets.reserve(&zaxon(), request)
    }
}

fn reserve(budgets: &Budgets, estimate: Money) -> Result<Reservation, Refusal> {
    call(estimate).reserve(budgets)
}

fn state(budgets: &Budgets, name: &str) -> BudgetState {
    let name: BudgetName = name.parse().unwrap();
    let states = budgets.states(&zaxon(), noon());
    states.into_iter().find(|(one, _)| *one == name).unwrap().1
}

#[test]
fn without_a_budget_everything_is_granted_and_what_runs_is_known() {
    let budgets = Budgets::default();
    let one = reserve(&budgets, dollars("1000000")).unwrap();
    let other = reserve(&budgets, dollars("0.5")).unwrap();
    assert_eq!(budgets.reserved(&zaxon()), dollars("1000000.5"));
    drop(one);
    other.settle(dollars("0.4"));
    assert_eq!(budgets.reserved(&zaxon()), Money::ZERO);
    assert!(budgets.states(&zaxon(), noon()).is_empty());
}

#[test]
fn spent_and_reserved_count_against_the_limit_to_the_nano_dollar() {
    let budgets = with(vec![rule("all", dollars("10"))], dollars("4"));
    let under_way = reserve(&budgets, dollars("5.999999999")).unwrap();
    let refusal = reserve(&budgets, dollars("0.000000002")).unwrap_err();
    assert_eq!(refusal.code(), "budget_exceeded");
    let text = refusal.to_string();
    assert!(text.contains("openai/gpt-4o-mini"), "{text}");
    assert!(text.contains("left until 2026-12-02T00:00:00Z"), "{text}");
    assert!(!text.contains('$'), "who calls may not know costs: {text}");
    let last = reserve(&budgets, dollars("0.000000001")).unwrap();
    // The call cost less than feared; the rest is there again.
    under_way.settle(dollars("1"));
    drop(last);
    assert_eq!(state(&budgets, "all").left(), dollars("5"));
}

#[test]
fn a_dropped_reservation_books_nothing_before_and_everything_after_forwarding() {
    let budgets = with(vec![rule("all", dollars("10"))], Money::ZERO);
    let spent = || state(&budgets, "all").spent;
    drop(reserve(&budgets, dollars("3")).unwrap());
    assert_eq!(spent(), Money::ZERO);
    let mut call = reserve(&budgets, dollars("3")).unwrap();
    call.forwarded();
    drop(call);
    assert_eq!(spent(), dollars("3"));
    let mut call = reserve(&budgets, dollars("3")).unwrap();
    call.forwarded();
    call.settle(dollars("0.25"));
    assert_eq!(spent(), dollars("3.25"));
    assert_eq!(budgets.reserved(&zaxon()), Money::ZERO);
}

#[test]
fn a_panic_in_a_call_gives_its_money_back() {
    let budgets = with(vec![rule("all", dollars("10"))], Money::ZERO);
    let call = std::panic::AssertUnwindSafe(|| {
        let _reservation = reserve(&budgets, dollars("3")).unwrap();
        panic!("the call dies");
    });
    std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(state(&budgets, "all").reserved, Money::ZERO);
}

#[test]
fn what_the_ledger_says_is_set_and_what_came_meanwhile_is_kept() {
    let budgets = with(vec![rule("all", dollars("10"))], Money::ZERO);
    reserve(&budgets, dollars("1"))
        .unwrap()
        .settle(dollars("1"));
    let under_way = reserve(&budgets, dollars("2")).unwrap();
    let readings = budgets.begin_reading(Some(&zaxon()), noon());
    // While the ledger is asked, one call ends.
    under_way.settle(dollars("2"));
    budgets.finish_reading(&readings[0], dollars("7"));
    assert_eq!(state(&budgets, "all").spent, dollars("9"));
    // Hearing it again changes nothing that was not spent since.
    read(&budgets, dollars("9"));
    read(&budgets, dollars("9"));
    assert_eq!(state(&budgets, "all").spent, dollars("9"));
}

#[test]
fn a_new_budget_waits_to_be_read_and_a_new_limit_does_not() {
    let budgets = Budgets::default();
    budgets.set_rules(&zaxon(), vec![rule("all", dollars("10"))], noon(), false);
    assert_eq!(budgets.take_unread(), [zaxon()]);
    assert!(budgets.take_unread().is_empty());
    read(&budgets, dollars("6"));
    budgets.set_rules(&zaxon(), vec![rule("all", dollars("5"))], noon(), false);
    assert!(budgets.take_unread().is_empty());
    assert_eq!(state(&budgets, "all").spent, dollars("6"));
    assert!(reserve(&budgets, dollars("0.1")).is_err());
    let mut other = rule("all", dollars("5"));
    other.period = Period::Monthly;
    budgets.set_rules(&zaxon(), vec![other], noon(), false);
    assert_eq!(budgets.take_unread(), [zaxon()]);
}

#[test]
fn a_period_ends_and_takes_its_spending_with_it() {
    let budgets = with(vec![rule("all", dollars("10"))], dollars("9"));
    let late = reserve(&budgets, dollars("1")).unwrap();
    assert!(reserve(&budgets, dollars("1")).is_err());
    let mut tomorrow = call(dollars("10"));
    tomorrow.at = at("2026-12-02T00:00:00Z");
    let held = tomorrow.reserve(&budgets).unwrap();
    // The call of yesterday is over and counts for yesterday.
    late.settle(dollars("1"));
    assert!(tomorrow.reserve(&budgets).is_err());
    held.settle(dollars("4"));
    let states = budgets.states(&zaxon(), tomorrow.at);
    assert_eq!(states[0].1.spent, dollars("4"));
}

#[test]
fn each_budget_counts_its_own_calls() {
    let mut by_user = rule("by-user", dollars("1"));
    by_user.user = Some("u-1".parse().unwrap());
    let mut by_token = rule("by-token", dollars("1"));
    by_token.token = Some(TokenId::from_bits(1));
    let mut by_service = rule("by-service", dollars("1"));
    by_service.service = Some("openai".parse().unwrap());
    let mut by_model = rule("by-model", dollars("1"));
    by_model.model = Some("gpt-4o-mini".into());
    for rule in [by_user, by_token, by_service, by_model] {
        let name = rule.name.clone();
        let budgets = with(vec![rule], Money::ZERO);
        let usual = call(dollars("1"));
        let held = usual.reserve(&budgets).unwrap();
        assert!(usual.reserve(&budgets).is_err(), "{name}");
        let mut other = call(dollars("1"));
        other.user = "u-2".parse().unwrap();
        other.token = TokenId::from_bits(2);
        other.service = "hume".parse().unwrap();
        other.model = "gpt-4o";
        drop(other.reserve(&budgets).unwrap());
        let mut edition = call(dollars("1"));
        edition.model = "gpt-4o-mini-2024-07-18";
        assert!(edition.reserve(&budgets).is_err(), "{name}");
        drop(held);
    }
}

#[test]
fn a_call_is_set_aside_in_all_of_its_budgets_or_in_none() {
    let mut small = rule("small", dollars("1"));
    small.user = Some("u-1".parse().unwrap());
    let budgets = with(vec![rule("all", dollars("10")), small], Money::ZERO);
    let refusal = reserve(&budgets, dollars("2")).unwrap_err();
    assert!(refusal.to_string().contains("`small`"), "{refusal}");
    assert_eq!(state(&budgets, "all").reserved, Money::ZERO);
    reserve(&budgets, dollars("1"))
        .unwrap()
        .settle(dollars("0.5"));
    assert_eq!(state(&budgets, "all").spent, dollars("0.5"));
    assert_eq!(state(&budgets, "small").spent, dollars("0.5"));
}

#[test]
fn a_charge_is_counted_on_the_whole() {
    let mut charge = rule("charge", dollars("1.15"));
    // Fifteen percent more than the cost.
    charge.counted = Counted::by(|cost| Money::from_nanos(cost.nanos() * 115 / 100));
    let budgets = with(vec![charge], Money::ZERO);
    let held = reserve(&budgets, dollars("1")).unwrap();
    let state = state(&budgets, "charge");
    assert_eq!(state.reserved, dollars("1.15"));
    assert_eq!(state.left(), Money::ZERO);
    drop(held);
    let refusal = reserve(&budgets, dollars("1.000000001")).unwrap_err();
    let text = refusal.to_string();
    assert!(
        text.contains("come to $1.150000001, and of $1.150000000 there are $1.150000000 left"),
        "{text}"
    );
}

#[test]
fn a_tenant_that_was_just_made_has_spent_nothing_until_it_calls() {
    let budgets = Budgets::default();
    budgets.set_rules(&zaxon(), Vec::new(), noon(), true);
    budgets.set_rules(&zaxon(), vec![rule("all", dollars("10"))], noon(), false);
    assert!(budgets.take_unread().is_empty());
    drop(reserve(&budgets, dollars("1")).unwrap());
    let both = vec![rule("all", dollars("10")), rule("more", dollars("10"))];
    budgets.set_rules(&zaxon(), both, noon(), false);
    assert_eq!(budgets.take_unread(), [zaxon()]);
}

#[test]
fn a_call_without_a_bound_is_refused_or_takes_what_is_set_for_it() {
    let mut unbounded = call(Money::ZERO);
    unbounded.estimate = None;
    let budgets = with(vec![rule("all", dollars("10"))], Money::ZERO);
    let refusal = unbounded.reserve(&budgets).unwrap_err();
    assert_eq!(refusal.code(), "budget_unbounded");
    assert_eq!(budgets.reserved(&zaxon()), Money::ZERO);
    let mut lenient = rule("all", dollars("10"));
    lenient.on_unbounded = OnUnbounded::Reserve(dollars("6"));
    let budgets = with(vec![lenient], Money::ZERO);
    let held = unbounded.reserve(&budgets).unwrap();
    assert_eq!(state(&budgets, "all").reserved, dollars("6"));
    assert_eq!(held.amount(), Money::ZERO, "nobody knows what it can cost");
    assert!(unbounded.reserve(&budgets).is_err());
    held.settle(dollars("0.2"));
    assert_eq!(state(&budgets, "all").spent, dollars("0.2"));
}

#[test]
fn absurd_amounts_are_refused_not_wrapped() {
    let budgets = with(vec![rule("all", Money::from_nanos(i128::MAX))], Money::ZERO);
    let huge = Money::from_nanos(i128::MAX);
    let first = reserve(&budgets, huge).unwrap();
    assert!(reserve(&budgets, huge).is_err());
    drop(first);
    assert_eq!(budgets.reserved(&zaxon()), Money::ZERO);
    drop(reserve(&budgets, Money::from_nanos(-5)).unwrap());
    assert_eq!(state(&budgets, "all").spent, Money::ZERO);
}

#[test]
fn many_threads_never_get_more_than_the_limit() {
    // 8 threads ask 500 times for 7 nano-dollars each, settling for 7; 1,000 fit 142 times.
    let budgets = with(vec![rule("all", Money::from_nanos(1_000))], Money::ZERO);
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut granted = 0;
                    for _ in 0..500 {
                        if let Ok(reservation) = reserve(&budgets, Money::from_nanos(7)) {
                            let state = state(&budgets, "all");
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
    assert_eq!(state(&budgets, "all").spent, Money::from_nanos(994));
    assert_eq!(budgets.reserved(&zaxon()), Money::ZERO);
}

/// One step of the life of a budget.
#[derive(Debug, Clone)]
enum Step {
    Reserve(i64),
    Forward(usize),
    Settle(usize, i64),
    Drop(usize),
    Limit(i64),
    Read(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let amount = 0_i64..1_000;
    prop_oneof![
        4 => amount.clone().prop_map(Step::Reserve),
        1 => any::<usize>().prop_map(Step::Forward),
        2 => (any::<usize>(), amount.clone()).prop_map(|(n, a)| Step::Settle(n, a)),
        2 => any::<usize>().prop_map(Step::Drop),
        1 => amount.clone().prop_map(Step::Limit),
        1 => amount.prop_map(Step::Read),
    ]
}

proptest! {
    /// Against a plain list of what is out and a plain sum of what was booked.
    #[test]
    fn arithmetic_holds_over_any_history(steps in proptest::collection::vec(step(), 0..80)) {
        let nanos = |amount: i64| Money::from_nanos(i128::from(amount));
        let (mut limit, mut spent) = (nanos(500), Money::ZERO);
        let budgets = with(vec![rule("all", limit)], spent);
        let mut open: Vec<(Reservation, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve(amount) => {
                    let out: Money = open.iter().map(|(held, _)| held.amount()).sum();
                    let granted = reserve(&budgets, nanos(amount));
                    prop_assert_eq!(granted.is_ok(), spent + out + nanos(amount) <= limit);
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
                Step::Limit(new) => {
                    limit = nanos(new);
                    budgets.set_rules(&zaxon(), vec![rule("all", limit)], noon(), false);
                }
                Step::Read(new) => {
                    spent = nanos(new);
                    read(&budgets, spent);
                }
                Step::Forward(_) | Step::Settle(..) | Step::Drop(_) => {}
            }
            let out: Money = open.iter().map(|(held, _)| held.amount()).sum();
            let state = state(&budgets, "all");
            prop_assert_eq!((state.limit, state.spent, state.reserved), (limit, spent, out));
        }
        open.clear();
        prop_assert_eq!(budgets.reserved(&zaxon()), Money::ZERO);
    }
}
