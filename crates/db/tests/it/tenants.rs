use diamond_db::{TenantStatus, operator, tenants};
use diamond_domain::Tier;

use crate::support::{Place, at, open, tenant, tenant_id};

on_both!(
    a_tenant_reads_back_as_written,
    creating_twice_keeps_the_first,
    an_update_changes_its_tenant_only,
    pages_hold_every_tenant_once,
);

async fn a_tenant_reads_back_as_written(place: &Place) {
    let db = open(place).await;
    let limited = tenant("zaxon");
    let mut unlimited = tenant("coaching");
    unlimited.services = None;
    unlimited.display_name = "Ünïcode 'quoted'; DROP TABLE tenants; --".into();
    for written in [&limited, &unlimited] {
        assert!(tenants::create(&db, written).await.unwrap());
        let read = tenants::get(&db, &written.id).await.unwrap().unwrap();
        assert_eq!(&read, written);
    }
    assert_eq!(tenants::get(&db, &tenant_id("nobody")).await.unwrap(), None);
}

async fn creating_twice_keeps_the_first(place: &Place) {
    let db = open(place).await;
    let first = tenant("zaxon");
    assert!(tenants::create(&db, &first).await.unwrap());
    let mut second = first.clone();
    second.tier = Tier::CustomerProvided;
    assert!(!tenants::create(&db, &second).await.unwrap());
    let read = tenants::get(&db, &first.id).await.unwrap();
    assert_eq!(read, Some(first));
}

async fn an_update_changes_its_tenant_only(place: &Place) {
    let db = open(place).await;
    let (one, other) = (tenant("coaching"), tenant("coaching-eu"));
    tenants::create(&db, &one).await.unwrap();
    tenants::create(&db, &other).await.unwrap();
    let mut changed = one.clone();
    changed.status = TenantStatus::Suspended;
    changed.services = Some(vec![]);
    changed.reveal = false;
    changed.updated_at = at(50);
    changed.created_at = at(99); // never changes
    let seen = one.updated_at;
    assert!(tenants::update(&db, &changed, seen).await.unwrap());
    // Whoever saw it before that change does not undo it.
    let mut late = one.clone();
    late.updated_at = at(60);
    assert!(!tenants::update(&db, &late, seen).await.unwrap());
    changed.created_at = one.created_at;
    assert_eq!(tenants::get(&db, &one.id).await.unwrap(), Some(changed));
    assert_eq!(tenants::get(&db, &other.id).await.unwrap(), Some(other));
    let absent = tenant("nobody");
    assert!(
        !tenants::update(&db, &absent, absent.updated_at)
            .await
            .unwrap()
    );
}

async fn pages_hold_every_tenant_once(place: &Place) {
    let db = open(place).await;
    // Hyphens and digits are where languages and bytes order differently.
    let mut ids = ["ab-c", "abc", "a-bd", "ab1", "ab-1", "b2b", "abd"].map(tenant_id);
    for id in &ids {
        tenants::create(&db, &tenant(id.as_str())).await.unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let page = operator::list_tenants(&db, seen.last(), 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        seen.extend(page.into_iter().map(|tenant| tenant.id));
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}
