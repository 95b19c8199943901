//! Who may call a service through the gateway, and for whom.

use diamond_admission::RefusalKind;
use diamond_domain::Scope;

use crate::{House, policy, service, tenant};

#[test]
fn a_tenants_token_calls_for_its_tenant() {
    let house = House::new();
    let caller = house.caller(Some("zaxon"), &[Scope::Gateway]);
    let openai = service("openai");
    let admission = &house.admission;
    let zaxon = tenant("zaxon");
    for named in [None, Some(&zaxon)] {
        let access = admission.gateway_access(&caller, named, &openai).unwrap();
        assert_eq!(access.tenant(), &zaxon);
    }
    let other = admission.gateway_access(&caller, Some(&tenant("coaching")), &openai);
    assert_eq!(other.unwrap_err().code(), "tenant_not_found");
}

#[test]
fn an_operators_token_has_to_name_the_tenant() {
    let house = House::new();
    let operator = house.caller(None, &[Scope::Operator, Scope::Gateway]);
    let openai = service("openai");
    let refusal = house
        .admission
        .gateway_access(&operator, None, &openai)
        .unwrap_err();
    assert_eq!(refusal.code(), "tenant_required");
    assert_eq!(refusal.kind(), RefusalKind::Invalid);
    let access = house
        .admission
        .gateway_access(&operator, Some(&tenant("coaching")), &openai)
        .unwrap();
    assert_eq!(access.tenant().as_str(), "coaching");
}

#[test]
fn the_gateway_needs_its_scope() {
    let house = House::new();
    let caller = house.caller(Some("zaxon"), &[Scope::KeysRead, Scope::UsageWrite]);
    let refused = house
        .admission
        .gateway_access(&caller, None, &service("openai"));
    assert_eq!(refused.unwrap_err().code(), "missing_scope");
}

#[test]
fn a_service_must_be_on_both_lists() {
    let house = House::new();
    let mut narrow = policy("zaxon");
    narrow.services = Some(vec![service("openai"), service("hume")]);
    house.admission.upsert_tenant(narrow);
    let (token, _) = house.token(Some("zaxon"), &[Scope::Gateway], |record| {
        record.services = Some(vec![service("openai"), service("deepgram")]);
    });
    let caller = house.authenticate(&token).unwrap();
    let ask = |name| {
        house
            .admission
            .gateway_access(&caller, None, &service(name))
            .map(|_| ())
            .map_err(|refusal| (refusal.code(), refusal.to_string()))
    };
    assert_eq!(ask("openai"), Ok(()));
    for (name, fence) in [
        ("hume", "this access token"),
        ("deepgram", "this tenant"),
        ("anthropic", "this access token"),
    ] {
        let (code, text) = ask(name).unwrap_err();
        assert_eq!(code, "service_not_allowed", "{name}");
        assert!(text.contains(fence), "{text}");
    }
}
