use diamond_db::{Activation, Db, KeyVersionRow, key_versions, operator, system};
use diamond_domain::VersionState::{Active, Retiring, Revoked};

use crate::support::{Place, at, key, name, tenant_id, version, with_two_tenants};

const SECRET: &str = "ai-openai-coaching";

on_both!(
    a_version_reads_back_as_written,
    activating_retires_the_former,
    repeating_an_activation_changes_nothing,
    a_late_activation_does_not_displace_a_newer_version,
    concurrent_activations_leave_one_active,
    revoking_is_final,
    a_reveal_is_noted_once,
    a_stranger_touches_nothing,
    the_platforms_secrets_are_apart,
    pages_hold_every_version_once,
);

async fn versions(db: &Db, secret: &str) -> Vec<KeyVersionRow> {
    system::load_key_versions_of(db, &name(secret))
        .await
        .unwrap()
}

async fn a_version_reads_back_as_written(place: &Place) {
    let db = with_two_tenants(place).await;
    let written = key(SECRET, 2);
    key_versions::activate(&db, &written).await.unwrap();
    assert_eq!(versions(&db, SECRET).await, [written]);
}

async fn activating_retires_the_former(place: &Place) {
    let db = with_two_tenants(place).await;
    let first = key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    assert_eq!(first, Activation::Activated { former: None });
    let second = key_versions::activate(&db, &key(SECRET, 2)).await.unwrap();
    let former = Some(version(1));
    assert_eq!(second, Activation::Activated { former });
    let [old, new] = &versions(&db, SECRET).await[..] else {
        panic!("two versions")
    };
    assert_eq!((old.state, old.retired_at), (Retiring, Some(at(2))));
    assert_eq!((new.state, new.retired_at), (Active, None));
}

async fn repeating_an_activation_changes_nothing(place: &Place) {
    let db = with_two_tenants(place).await;
    for number in [1, 2] {
        key_versions::activate(&db, &key(SECRET, number))
            .await
            .unwrap();
    }
    let (before, sequence) = (
        versions(&db, SECRET).await,
        system::last_change(&db).await.unwrap(),
    );
    for (number, state) in [(1, Retiring), (2, Active)] {
        let repeated = key_versions::activate(&db, &key(SECRET, number))
            .await
            .unwrap();
        assert_eq!(repeated, Activation::Already(state));
    }
    assert_eq!(versions(&db, SECRET).await, before);
    assert_eq!(system::last_change(&db).await.unwrap(), sequence);
}

async fn a_late_activation_does_not_displace_a_newer_version(place: &Place) {
    let db = with_two_tenants(place).await;
    key_versions::activate(&db, &key(SECRET, 2)).await.unwrap();
    let late = key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    assert_eq!(late, Activation::Superseded { by: version(2) });
    let states: Vec<_> = versions(&db, SECRET)
        .await
        .iter()
        .map(|row| row.state)
        .collect();
    assert_eq!(states, [Retiring, Active]);
}

async fn concurrent_activations_leave_one_active(place: &Place) {
    let db = with_two_tenants(place).await;
    let other_node = crate::support::open(place).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=12 {
        let db = if number % 2 == 0 {
            db.clone()
        } else {
            other_node.clone()
        };
        tasks.spawn(async move {
            key_versions::activate(&db, &key(SECRET, number))
                .await
                .unwrap()
        });
    }
    assert_eq!(tasks.join_all().await.len(), 12);
    let rows = versions(&db, SECRET).await;
    assert_eq!(rows.len(), 12);
    for row in rows {
        let expected = if row.version == version(12) {
            Active
        } else {
            Retiring
        };
        assert_eq!(row.state, expected, "{:?}", row.version);
    }
}

async fn revoking_is_final(place: &Place) {
    let db = with_two_tenants(place).await;
    let tenant = tenant_id("coaching");
    key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    let revoke = |number, second| {
        let (db, tenant) = (&db, &tenant);
        async move {
            let name = name(SECRET);
            key_versions::revoke(db, tenant, &name, version(number), at(second))
                .await
                .unwrap()
        }
    };
    assert!(revoke(1, 30).await);
    assert!(!revoke(1, 31).await);
    assert!(!revoke(7, 31).await, "there is no version 7");
    let again = key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    assert_eq!(again, Activation::Already(Revoked));
    assert_eq!(versions(&db, SECRET).await[0].revoked_at, Some(at(30)));
}

async fn a_reveal_is_noted_once(place: &Place) {
    let db = with_two_tenants(place).await;
    let tenant = tenant_id("coaching");
    key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    let name = name(SECRET);
    let reveal = || key_versions::mark_revealed(&db, &tenant, &name, version(1));
    assert!(reveal().await.unwrap());
    let sequence = system::last_change(&db).await.unwrap();
    assert!(!reveal().await.unwrap());
    assert_eq!(system::last_change(&db).await.unwrap(), sequence);
    assert!(versions(&db, SECRET).await[0].revealed);
}

async fn a_stranger_touches_nothing(place: &Place) {
    let db = with_two_tenants(place).await;
    let stranger = tenant_id("coaching-eu");
    let written = key(SECRET, 2);
    key_versions::activate(&db, &written).await.unwrap();
    let name = name(SECRET);
    let (first, now) = (version(2), at(60));
    assert_eq!(key_versions::list(&db, &stranger, &name).await.unwrap(), []);
    assert_eq!(
        key_versions::list_for_tenant(&db, &stranger, None, 9)
            .await
            .unwrap(),
        []
    );
    assert!(
        !key_versions::revoke(&db, &stranger, &name, first, now)
            .await
            .unwrap()
    );
    assert!(
        !key_versions::mark_revealed(&db, &stranger, &name, first)
            .await
            .unwrap()
    );
    assert_eq!(
        operator::list_platform_key_versions(&db, &name)
            .await
            .unwrap(),
        []
    );
    let revoked = operator::revoke_platform_key_version(&db, &name, first, now).await;
    assert!(!revoked.unwrap());
    assert_eq!(versions(&db, SECRET).await, [written]);
}

async fn the_platforms_secrets_are_apart(place: &Place) {
    let db = with_two_tenants(place).await;
    let admin = key("ai-openai-admin", 1);
    key_versions::activate(&db, &admin).await.unwrap();
    key_versions::activate(&db, &key(SECRET, 1)).await.unwrap();
    let listed = operator::list_platform_key_versions(&db, &admin.name)
        .await
        .unwrap();
    assert_eq!(listed, std::slice::from_ref(&admin));
    let tenant = tenant_id("coaching");
    assert_eq!(
        key_versions::list(&db, &tenant, &admin.name).await.unwrap(),
        []
    );
    let of_tenant = key_versions::list_for_tenant(&db, &tenant, None, 9)
        .await
        .unwrap();
    assert_eq!(of_tenant, [key(SECRET, 1)]);
    let revoke = operator::revoke_platform_key_version(&db, &admin.name, version(1), at(9)).await;
    assert!(revoke.unwrap());
    assert_eq!(versions(&db, "ai-openai-admin").await[0].state, Revoked);
}

async fn pages_hold_every_version_once(place: &Place) {
    let db = with_two_tenants(place).await;
    let mut expected = Vec::new();
    for secret in [
        "ai-hume-coaching",
        "ai-openai-coaching",
        "ai-openai-coaching-customer",
        "ai-openai-coaching-eu",
        "ai-openai-admin",
    ] {
        for number in 1..=3 {
            key_versions::activate(&db, &key(secret, number))
                .await
                .unwrap();
            expected.push((name(secret), version(number)));
        }
    }
    let all = system::load_key_versions(&db).await.unwrap();
    let retiring = |row: &&diamond_db::KeyVersionState| row.state == Retiring;
    assert_eq!(all.iter().filter(retiring).count(), 10);
    let mut seen: Vec<_> = all.into_iter().map(|row| (row.name, row.version)).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);

    let tenant = tenant_id("coaching");
    let mut seen = Vec::new();
    loop {
        let after = seen.last().map(|(name, version)| (name, *version));
        let page = key_versions::list_for_tenant(&db, &tenant, after, 2)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|row| (row.name, row.version)));
    }
    seen.sort();
    expected.retain(|(name, _)| name.tenant() == Some(&tenant));
    assert_eq!(seen, expected);
}
