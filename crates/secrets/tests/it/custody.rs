//! Where a value must not be.

use diamond_secrets::{MasterKey, MasterKeySource, Precondition, SecretKey, SecretStore as _};
use sqlx::Row as _;
use zeroize::Zeroizing;

use crate::support::{Place, master, name, number, store, try_store, value};

on_both!(
    no_value_stands_in_the_database,
    nothing_public_shows_a_key,
    equal_values_look_different,
);

const CANARY: &str = "sk-canary-0123456789";

async fn no_value_stands_in_the_database(place: &Place) {
    let store = store(&place.open().await).await;
    let secret = name("ai-openai-zaxon");
    store
        .put(&secret, &value(CANARY), Precondition::None, "r")
        .await
        .unwrap();
    let mut intruder = place.intruder().await;
    for (table, columns) in [
        ("sealed_settings", "name || value"),
        ("sealed_data_keys", "owner || wrapped"),
        ("sealed_versions", "name || sealed"),
        ("sealed_requests", "request_id || digest"),
    ] {
        let rows = intruder
            .rows(&format!("SELECT {columns} AS all_text FROM {table}"))
            .await;
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            assert!(
                !row.get::<String, _>("all_text").contains("canary"),
                "{table}"
            );
        }
    }
    if let Place::Folder(folder) = place {
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"canary"));
        }
    }
}

async fn nothing_public_shows_a_key(place: &Place) {
    let key = || SecretKey::from_slice(b"key-canary-key-canary-key-canary").unwrap();
    let db = place.open().await;
    let master: std::sync::Arc<dyn diamond_secrets::KeyWrapper> =
        std::sync::Arc::new(MasterKey::new(key()));
    let store = try_store(&db, master).await.unwrap();
    let secret = name("ai-openai-zaxon");
    store
        .put(&secret, &value(CANARY), Precondition::None, "r")
        .await
        .unwrap();
    let got = store.get(&secret, number(1)).await.unwrap();
    assert_eq!(got.expose(), CANARY);
    let reused = store
        .put(&secret, &value("other canary"), Precondition::None, "r")
        .await;
    let conflict = store
        .put(&secret, &value(CANARY), Precondition::Absent, "r2")
        .await;
    let passphrase = MasterKeySource::Passphrase(Zeroizing::new("canary canary".into()));
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        key(),
        MasterKey::new(key()),
        passphrase,
        store,
        db,
        got,
        reused,
        conflict,
        store.versions(&secret).await.unwrap(),
    );
    assert!(!shown.contains("canary"), "{shown}");
    // As a list of numbers: `key-`.
    assert!(!shown.contains("107, 101, 121, 45"), "{shown}");
}

async fn equal_values_look_different(place: &Place) {
    let db = place.open().await;
    let store = try_store(&db, master(1)).await.unwrap();
    for (secret, request) in [("ai-openai-zaxon", "a"), ("ai-hume-zaxon", "b")] {
        let (secret, canary) = (name(secret), value(CANARY));
        let put = store.put(&secret, &canary, Precondition::None, request);
        put.await.unwrap();
    }
    let rows = place
        .intruder()
        .await
        .rows("SELECT sealed FROM sealed_versions")
        .await;
    let texts: Vec<String> = rows.iter().map(|row| row.get("sealed")).collect();
    assert_eq!(texts.len(), 2);
    assert_ne!(texts[0], texts[1]);
}
