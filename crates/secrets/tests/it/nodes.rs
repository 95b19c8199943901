//! Several nodes on one database.

use diamond_secrets::{Precondition, SecretStore as _};

use crate::support::{Place, name, number, store, value};

on_both!(
    nodes_that_open_at_once_share_one_store,
    what_one_node_puts_another_reads,
    nodes_that_seal_for_a_new_tenant_at_once_share_its_data_key,
    derived_keys_are_the_same_at_every_start,
);

async fn nodes_that_open_at_once_share_one_store(place: &Place) {
    let (one, other) = (place.open().await, place.open().await);
    let stores = tokio::join!(store(&one), store(&other), store(&one), store(&other));
    let keys = [stores.0, stores.1, stores.2, stores.3].map(|store| store.derive("x"));
    assert!(keys.iter().all(|key| *key == keys[0]));
}

async fn what_one_node_puts_another_reads(place: &Place) {
    let (one, other) = (
        store(&place.open().await).await,
        store(&place.open().await).await,
    );
    let secret = name("ai-openai-zaxon");
    let put = one
        .put(&secret, &value("sk-1"), Precondition::Absent, "r")
        .await;
    assert_eq!(put.unwrap(), number(1));
    assert_eq!(
        other.get(&secret, number(1)).await.unwrap().expose(),
        "sk-1"
    );
    let repeated = other
        .put(&secret, &value("sk-1"), Precondition::Absent, "r")
        .await;
    assert_eq!(repeated.unwrap(), number(1));
}

async fn nodes_that_seal_for_a_new_tenant_at_once_share_its_data_key(place: &Place) {
    let (one, other) = (
        store(&place.open().await).await,
        store(&place.open().await).await,
    );
    let (left, right) = (name("ai-openai-zaxon"), name("ai-hume-zaxon"));
    let (sk_left, sk_right) = (value("left"), value("right"));
    let (a, b) = tokio::join!(
        one.put(&left, &sk_left, Precondition::None, "a"),
        other.put(&right, &sk_right, Precondition::None, "b"),
    );
    a.unwrap();
    b.unwrap();
    let fresh = store(&place.open().await).await;
    assert_eq!(fresh.get(&left, number(1)).await.unwrap().expose(), "left");
    assert_eq!(
        fresh.get(&right, number(1)).await.unwrap().expose(),
        "right"
    );
}

async fn derived_keys_are_the_same_at_every_start(place: &Place) {
    let first = store(&place.open().await).await;
    let second = store(&place.open().await).await;
    assert_eq!(first.derive("audit"), second.derive("audit"));
    assert_ne!(first.derive("audit"), first.derive("tokens"));
    let elsewhere = store(&Place::sqlite().open().await).await;
    assert_ne!(first.derive("audit"), elsewhere.derive("audit"));
}
