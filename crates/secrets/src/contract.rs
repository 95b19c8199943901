//! What every [`SecretStore`] must do, as a suite that each adapter runs.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the suite is for tests, and a test ends by panicking"
)]

use diamond_domain::{SecretName, SecretValue, SecretVersion};
use futures_util::future::join_all;

use crate::{Precondition, SecretError, SecretStore};

/// Runs the suite on a store that holds none of the secrets `ai-*-contract…`.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn run(store: &dyn SecretStore) {
    values_read_back_by_number(store).await;
    what_is_not_there_is_missing(store).await;
    what_is_kept_is_what_is_read(store).await;
    preconditions_are_kept(store).await;
    a_request_makes_one_version(store).await;
    a_request_of_another_tenant_is_another_request(store).await;
    destroying_removes_the_value_and_keeps_the_number(store).await;
    names_that_resemble_each_other_are_apart(store).await;
    of_racing_puts_one_succeeds(store).await;
    racing_puts_without_precondition_all_succeed(store).await;
    a_racing_request_makes_one_version(store).await;
}

async fn what_is_kept_is_what_is_read(store: &dyn SecretStore) {
    let (one, other) = (
        name("ai-openai-contract-kept"),
        name("ai-hume-contract-kept"),
    );
    for (secret, text) in [(&one, "first"), (&one, "second"), (&other, "another")] {
        let (value, request) = (value(text), format!("kept/{text}"));
        let put = store.put(secret, &value, Precondition::None, &request);
        put.await.unwrap();
    }
    store.destroy(&one, number(1)).await.unwrap();
    let Some(kept) = store.keep_all().await.unwrap() else {
        return;
    };
    let mut index = kept.index();
    for (secret, version, text) in [(&one, 2, "second"), (&other, 1, "another")] {
        let kept = index.get(secret, number(version)).unwrap();
        let opened = kept.open(secret, number(version));
        assert_eq!(opened.unwrap().expose(), text);
    }
    for (secret, version) in [(&one, 1), (&one, 3), (&other, 2)] {
        assert!(
            index.get(secret, number(version)).is_none(),
            "{secret} {version}"
        );
    }
    // It opens as nothing else than what it was sealed for.
    let kept = index.get(&one, number(2)).unwrap();
    for (secret, version) in [(&one, 3), (&other, 2)] {
        let opened = kept.open(secret, number(version));
        assert!(
            matches!(opened, Err(SecretError::Tampered { .. })),
            "{secret} {version}"
        );
    }
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned())
}

fn number(number: u32) -> SecretVersion {
    SecretVersion::new(number).unwrap()
}

async fn put(
    store: &dyn SecretStore,
    name: &SecretName,
    text: &str,
    precondition: Precondition,
    request: &str,
) -> Result<SecretVersion, SecretError> {
    let request = format!("{request} of {name}");
    store.put(name, &value(text), precondition, &request).await
}

async fn read(store: &dyn SecretStore, name: &SecretName, version: u32) -> String {
    let value = store.get(name, number(version)).await.unwrap();
    value.expose().to_owned()
}

async fn values_read_back_by_number(store: &dyn SecretStore) {
    let name = name("ai-openai-contract-values");
    let long = "long ".repeat(4_000);
    let values = ["sk-one", "", "zwölf Schlüssel \u{1f511}\n\0", &long];
    for (place, text) in (1..).zip(values) {
        let version = put(store, &name, text, Precondition::None, &format!("r{place}")).await;
        assert_eq!(version.unwrap(), number(place));
    }
    for (place, text) in (1..).zip(values) {
        assert_eq!(read(store, &name, place).await, text);
    }
    let versions = store.versions(&name).await.unwrap();
    let numbers: Vec<_> = versions.iter().map(|stored| stored.version.get()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(versions.iter().all(|stored| !stored.destroyed));
}

async fn what_is_not_there_is_missing(store: &dyn SecretStore) {
    let name = name("ai-openai-contract-missing");
    assert_eq!(store.versions(&name).await.unwrap(), []);
    let is_missing = |result: Result<(), SecretError>, version| {
        assert!(
            matches!(&result, Err(SecretError::Missing { name: n, version: v })
                if *n == name && *v == number(version)),
            "{result:?}"
        );
    };
    is_missing(store.get(&name, number(1)).await.map(drop), 1);
    is_missing(store.destroy(&name, number(1)).await, 1);
    put(store, &name, "one", Precondition::None, "r")
        .await
        .unwrap();
    is_missing(store.get(&name, number(2)).await.map(drop), 2);
    is_missing(store.destroy(&name, number(2)).await, 2);
}

async fn preconditions_are_kept(store: &dyn SecretStore) {
    let name = name("ai-openai-contract-cas");
    let is_conflict = |result: Result<SecretVersion, SecretError>, newest: Option<u32>| {
        assert!(
            matches!(&result, Err(SecretError::Conflict { newest: n, .. })
                if *n == newest.map(number)),
            "{result:?}"
        );
    };
    let newest = |version| Precondition::Newest(number(version));
    is_conflict(put(store, &name, "x", newest(1), "a").await, None);
    let first = put(store, &name, "one", Precondition::Absent, "b").await;
    assert_eq!(first.unwrap(), number(1));
    is_conflict(
        put(store, &name, "x", Precondition::Absent, "c").await,
        Some(1),
    );
    is_conflict(put(store, &name, "x", newest(2), "d").await, Some(1));
    assert_eq!(
        put(store, &name, "two", newest(1), "e").await.unwrap(),
        number(2)
    );
    is_conflict(put(store, &name, "x", newest(1), "f").await, Some(2));
    // A put that was refused has not used up its request.
    assert_eq!(
        put(store, &name, "three", newest(2), "f").await.unwrap(),
        number(3)
    );
    assert_eq!(read(store, &name, 2).await, "two");
}

async fn a_request_makes_one_version(store: &dyn SecretStore) {
    let (one, other) = (
        name("ai-openai-contract-once"),
        name("ai-openai-contract-once-customer"),
    );
    let put = async |name: &SecretName, text: &str, precondition| {
        store
            .put(name, &value(text), precondition, "the request")
            .await
    };
    let first = put(&one, "one", Precondition::Absent).await.unwrap();
    // The precondition was judged the first time; the repeat only asks what came of it.
    assert_eq!(put(&one, "one", Precondition::Absent).await.unwrap(), first);
    assert_eq!(put(&one, "one", Precondition::None).await.unwrap(), first);
    for (name, text) in [(&one, "other"), (&one, ""), (&other, "one")] {
        let reused = put(name, text, Precondition::None).await;
        assert!(
            matches!(reused, Err(SecretError::RequestReused)),
            "{reused:?}"
        );
    }
    assert_eq!(store.versions(&one).await.unwrap().len(), 1);
    assert_eq!(store.versions(&other).await.unwrap(), []);
}

async fn a_request_of_another_tenant_is_another_request(store: &dyn SecretStore) {
    for tenant in ["contract-left", "contract-right"] {
        let name = name(&format!("ai-openai-{tenant}"));
        let made = store
            .put(&name, &value(tenant), Precondition::None, "same id")
            .await;
        assert_eq!(made.unwrap(), number(1));
        assert_eq!(read(store, &name, 1).await, tenant);
    }
}

async fn destroying_removes_the_value_and_keeps_the_number(store: &dyn SecretStore) {
    let name = name("ai-openai-contract-gone");
    for text in ["one", "two"] {
        put(store, &name, text, Precondition::None, text)
            .await
            .unwrap();
    }
    for _ in 0..2 {
        store.destroy(&name, number(2)).await.unwrap();
        let gone = store.get(&name, number(2)).await;
        assert!(
            matches!(&gone, Err(SecretError::Destroyed { version, .. }) if *version == number(2)),
            "{gone:?}"
        );
    }
    assert_eq!(read(store, &name, 1).await, "one");
    let newest = Precondition::Newest(number(2));
    assert_eq!(
        put(store, &name, "three", newest, "three").await.unwrap(),
        number(3)
    );
    let versions = store.versions(&name).await.unwrap();
    let destroyed: Vec<_> = versions.iter().map(|stored| stored.destroyed).collect();
    assert_eq!(destroyed, [false, true, false]);
    let repeated = put(store, &name, "two", Precondition::None, "two").await;
    assert_eq!(repeated.unwrap(), number(2), "the request is still known");
}

async fn names_that_resemble_each_other_are_apart(store: &dyn SecretStore) {
    let names = [
        "ai-openai-contract",
        "ai-openai-contract-customer",
        "ai-openai-contract-admin",
        "ai-openai-contract-x",
        "ai-contract-admin",
        "ai-hume-contract",
    ]
    .map(name);
    for name in &names {
        let text = format!("the value of {name}");
        let version = put(store, name, &text, Precondition::Absent, "r").await;
        assert_eq!(version.unwrap(), number(1));
    }
    for name in &names {
        assert_eq!(read(store, name, 1).await, format!("the value of {name}"));
    }
    store.destroy(&names[0], number(1)).await.unwrap();
    assert_eq!(
        read(store, &names[1], 1).await,
        format!("the value of {}", names[1])
    );
}

async fn of_racing_puts_one_succeeds(store: &dyn SecretStore) {
    let name = name("ai-openai-contract-race");
    for (precondition, expected) in [
        (Precondition::Absent, 1),
        (Precondition::Newest(number(1)), 2),
    ] {
        let puts = (0..8).map(|place| {
            let (name, text) = (&name, format!("{expected}/{place}"));
            async move { (put(store, name, &text, precondition, &text).await, text) }
        });
        let mut won = Vec::new();
        for (result, text) in join_all(puts).await {
            match result {
                Ok(version) => won.push((version, text)),
                Err(SecretError::Conflict { .. }) => {}
                Err(other) => panic!("no other error is right in a race: {other:?}"),
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(won[0].0, number(expected));
        assert_eq!(read(store, &name, expected).await, won[0].1);
    }
}

async fn racing_puts_without_precondition_all_succeed(store: &dyn SecretStore) {
    let name = name("ai-openai-contract-crowd");
    let puts = (0..8).map(|place| {
        let (name, text) = (&name, format!("value {place}"));
        async move {
            let version = put(store, name, &text, Precondition::None, &text).await;
            (version.unwrap().get(), text)
        }
    });
    let mut made = join_all(puts).await;
    made.sort();
    let numbers: Vec<_> = made.iter().map(|(version, _)| *version).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    for (version, text) in made {
        assert_eq!(read(store, &name, version).await, text);
    }
}

async fn a_racing_request_makes_one_version(store: &dyn SecretStore) {
    let name = name("ai-openai-contract-retry");
    let puts = (0..8).map(|_| put(store, &name, "one", Precondition::None, "r"));
    for version in join_all(puts).await {
        assert_eq!(version.unwrap(), number(1));
    }
    assert_eq!(store.versions(&name).await.unwrap().len(), 1);
}
