//! Money is set aside before a call and comes back after it.

use diamond_admission::{RefusalKind, ReserveRequest};
use diamond_domain::{Money, Scope};

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
    let request = ReserveRequest {
        service: &openai,
        model: "",
        estimate: dollar,
    };
    admission.set_budget(&tenant("zaxon"), Some(dollar), Money::ZERO);
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
        assert_eq!(admission.budget(&tenant(name)).reserved, Money::ZERO);
    }
}
