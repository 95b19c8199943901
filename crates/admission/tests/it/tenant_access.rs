//! Who may act for which tenant.

use diamond_admission::RefusalKind;
use diamond_domain::{Scope, ScopeSet};
use proptest::prelude::*;

use crate::{House, policy, service, tenant};

#[test]
fn a_strangers_tenant_and_none_at_all_cannot_be_told_apart() {
    let house = House::new();
    let caller = house.caller(Some("zaxon"), &[Scope::KeysRead]);
    let ask = |name| {
        house
            .admission
            .tenant_access(&caller, &tenant(name), Scope::KeysRead)
            .unwrap_err()
    };
    let missing = ask("enterprise-client");
    house.admission.upsert_tenant(policy("enterprise-client"));
    assert_eq!(ask("enterprise-client"), missing);
    let mut suspended = policy("enterprise-client");
    suspended.suspended = true;
    house.admission.upsert_tenant(suspended);
    assert_eq!(ask("enterprise-client"), missing);
    assert_eq!(missing.code(), "tenant_not_found");
    assert_eq!(missing.kind(), RefusalKind::NotFound);
}

#[test]
fn without_the_scope_nothing_is_learnt_about_tenants() {
    let house = House::new();
    let caller = house.caller(Some("zaxon"), &[Scope::KeysRead]);
    for name in ["zaxon", "coaching", "nobody-there"] {
        let asked = house
            .admission
            .tenant_access(&caller, &tenant(name), Scope::KeysWrite);
        assert_eq!(asked.unwrap_err().code(), "missing_scope", "{name}");
    }
}

#[test]
fn a_suspended_tenant_is_closed_to_its_own_and_open_to_operators() {
    let house = House::new();
    let own = house.caller(Some("zaxon"), &[Scope::KeysRead]);
    let scopes = [
        Scope::Operator,
        Scope::KeysRead,
        Scope::KeysReveal,
        Scope::Gateway,
    ];
    let operator = house.caller(None, &scopes);
    let mut suspended = policy("zaxon");
    suspended.suspended = true;
    house.admission.upsert_tenant(suspended);
    let zaxon = tenant("zaxon");
    let refusal = house
        .admission
        .tenant_access(&own, &zaxon, Scope::KeysRead)
        .unwrap_err();
    assert_eq!(refusal.code(), "tenant_suspended");
    assert_eq!(refusal.kind(), RefusalKind::Forbidden);
    let access = house
        .admission
        .tenant_access(&operator, &zaxon, Scope::KeysRead)
        .unwrap();
    let openai = service("openai");
    // What it may not do even so: spend for the tenant or take its key.
    assert_eq!(
        access.may_reveal(&openai).unwrap_err().code(),
        "tenant_suspended"
    );
    let gateway = house
        .admission
        .gateway_access(&operator, Some(&zaxon), &openai);
    assert_eq!(gateway.unwrap_err().code(), "tenant_suspended");
}

#[test]
fn a_forgotten_tenant_is_gone_for_everybody() {
    let house = House::new();
    let own = house.caller(Some("zaxon"), &[Scope::KeysRead]);
    let operator = house.caller(None, &[Scope::Operator, Scope::KeysRead]);
    house.admission.remove_tenant(&tenant("zaxon"));
    for caller in [own, operator] {
        let asked = house
            .admission
            .tenant_access(&caller, &tenant("zaxon"), Scope::KeysRead);
        assert_eq!(asked.unwrap_err().code(), "tenant_not_found");
    }
}

#[test]
fn revealing_needs_scope_service_and_policy() {
    let house = House::new();
    let openai = service("openai");
    let ask = |scopes: &[Scope]| {
        let caller = house.caller(Some("zaxon"), scopes);
        house
            .admission
            .tenant_access(&caller, &tenant("zaxon"), Scope::KeysRead)
            .unwrap()
            .may_reveal(&openai)
            .map_err(|refusal| refusal.code())
    };
    let both = [Scope::KeysRead, Scope::KeysReveal];
    assert_eq!(ask(&both), Ok(()));
    assert_eq!(ask(&[Scope::KeysRead]), Err("missing_scope"));
    let mut closed = policy("zaxon");
    closed.reveal = false;
    house.admission.upsert_tenant(closed);
    assert_eq!(ask(&both), Err("reveal_not_allowed"));
    let mut narrow = policy("zaxon");
    narrow.services = Some(vec![service("hume")]);
    house.admission.upsert_tenant(narrow);
    assert_eq!(ask(&both), Err("service_not_allowed"));
}

#[test]
fn operators_act_across_tenants_only_with_the_scopes_they_hold() {
    let house = House::new();
    let operator = house.caller(None, &[Scope::Operator, Scope::TenantsAdmin]);
    let admission = &house.admission;
    admission
        .operator_access(&operator, Scope::TenantsAdmin)
        .unwrap();
    let refusal = admission.operator_access(&operator, Scope::AuditRead);
    assert_eq!(refusal.unwrap_err().code(), "missing_scope");
    let own = house.caller(Some("zaxon"), &[Scope::TenantsAdmin]);
    let refusal = admission
        .operator_access(&own, Scope::TenantsAdmin)
        .unwrap_err();
    assert!(refusal.to_string().contains("`operator`"), "{refusal}");
    // A tenant's token that says it is an operator's is a tenant's token.
    let odd = house.caller(Some("zaxon"), &[Scope::Operator, Scope::TenantsAdmin]);
    admission
        .operator_access(&odd, Scope::TenantsAdmin)
        .unwrap_err();
    let other = admission.tenant_access(&odd, &tenant("coaching"), Scope::TenantsAdmin);
    assert_eq!(other.unwrap_err().code(), "tenant_not_found");
}

fn scopes() -> impl Strategy<Value = Vec<Scope>> {
    proptest::sample::subsequence(Scope::ALL, 0..=Scope::ALL.len())
}

proptest! {
    /// The whole rule in one line, against every combination.
    #[test]
    fn access_is_scope_and_tenant(
        held in scopes(),
        scope in proptest::sample::select(Scope::ALL),
        home in proptest::option::of(proptest::sample::select(vec!["zaxon", "coaching"])),
        asked in proptest::sample::select(vec!["zaxon", "coaching", "nobody-there"]),
    ) {
        let house = House::new();
        let caller = house.caller(home, &held);
        let set: ScopeSet = held.iter().copied().collect();
        let operator = home.is_none() && set.contains(Scope::Operator);
        let expected = if !set.contains(scope) {
            Err("missing_scope")
        } else if asked != "nobody-there" && (operator || home == Some(asked)) {
            Ok(asked.to_owned())
        } else {
            Err("tenant_not_found")
        };
        let found = house
            .admission
            .tenant_access(&caller, &tenant(asked), scope)
            .map(|access| access.tenant().to_string())
            .map_err(|refusal| refusal.code());
        prop_assert_eq!(found, expected);
    }
}
