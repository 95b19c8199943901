//! Money is set aside before a call and comes back after it.

use diamond_admission::{BudgetRule, Counted, RefusalKind, ReserveRequest};
use diamond_domain::{Clock as _, Money, OnUnbounded, Period, Scope, TokenId, UserId};

use crate::{House, service, tenant};

#[test]
fn a_tenants_budget_bounds_its_calls_and_nobody_elses() {
    let house = House::new();
    let openai = service("openai");
    let admission = &house.admission;
    let access = |name| {
        let caller = house.caller(Some(name), &[Scope::Gateway]);
        admission.gateway_access(&caller, None, &openai).unwrap()
    };
    let (zaxon, coaching) = (access("zaxon"), access("coaching"));
    let dollar: Money = "1".parse().unwrap();
    let (user, now) = (UserId::unknown(), house.clock.now());
    let request = ReserveRequest {
        service: &openai,
        model: "",
        user: &user,
        token: TokenId::from_bits(1),
        estimate: Some(dollar),
        at: now,
    };
    let rule = BudgetRule {
        name: "all".parse().unwrap(),
        user: None,
        token: None,
        service: None,
        model: None,
        period: Period::Daily,
        limit: dollar,
        counted: Counted::default(),
        on_unbounded: OnUnbounded::Refuse,
    };
    admission
        .budgets()
        .set_rules(&tenant("zaxon"), vec![rule], now, false);
    let held = admission.reserve(&zaxon, request).unwrap();
    let refusal = admission.reserve(&zaxon, request).unwrap_err();
    assert_eq!(refusal.code(), "budget_exceeded");
    assert_eq!(refusal.kind(), RefusalKind::Limited);
    drop(admission.reserve(&coaching, request).unwrap());
    drop(held);
    admission
        .reserve(&zaxon, request)
        .unwrap()
        .settle(Money::ZERO);
    for name in ["zaxon", "coaching"] {
        assert_eq!(admission.budgets().reserved(&tenant(name)), Money::ZERO);
    }
}
