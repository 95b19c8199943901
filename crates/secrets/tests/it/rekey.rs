//! Changing the master key, step by step: a process may die between any two.

use std::path::{Path, PathBuf};

use diamond_domain::NodeId;
use diamond_secrets::{
    Custody as _, CustodyStep, MasterKeySource, Precondition, RekeyPhase, SealedStore, SecretError,
    SecretStore as _,
};
use sqlx::Row as _;

use crate::support::{Place, name, number, try_open, value};

on_both!(
    a_process_may_die_after_any_step,
    a_data_key_that_was_made_meanwhile_goes_over_too,
    a_damaged_data_key_is_passed_by_and_counted,
    a_node_without_the_next_key_does_not_start_while_keys_go_over,
    a_store_of_the_release_before_opens_and_changes,
);

/// More than one batch.
const OWNERS: usize = 230;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        MasterKeySource::create_file(&files.key()).unwrap();
        files
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    async fn open(&self, place: &Place) -> SealedStore {
        let db = place.open().await;
        try_open(&db, MasterKeySource::File(self.key()))
            .await
            .unwrap()
    }
}

fn node() -> NodeId {
    NodeId::from_bits(7)
}

async fn put(store: &SealedStore, secret: &str) {
    let (secret, text) = (name(secret), value(&format!("value of {secret}")));
    let put = store.put(&secret, &text, Precondition::None, "r").await;
    assert_eq!(put.unwrap(), number(1));
}

async fn holds(store: &SealedStore, secret: &str) {
    let read = store.get(&name(secret), number(1)).await.unwrap();
    assert_eq!(read.expose(), format!("value of {secret}"));
}

/// Goes on to the end.
async fn finish(store: &SealedStore) {
    loop {
        match store.advance(node()).await.unwrap() {
            CustodyStep::Moved => {}
            CustodyStep::Ended(_) => store.written_down().await.unwrap(),
            CustodyStep::Idle => return,
            waiting @ CustodyStep::Waiting { .. } => panic!("{waiting:?}"),
        }
    }
}

async fn under(store: &SealedStore) -> Vec<(Option<String>, bool, u64)> {
    let status = store.status().await.unwrap();
    let counts = status.data_keys.into_iter();
    counts
        .map(|keys| (keys.master, keys.unreadable, keys.count))
        .collect()
}

async fn a_process_may_die_after_any_step(place: &Place) {
    let files = Files::new();
    let store = files.open(place).await;
    let secrets: Vec<_> = (0..OWNERS)
        .map(|owner| format!("ai-openai-t{owner}x"))
        .collect();
    for secret in &secrets {
        put(&store, secret).await;
    }
    let derived = store.derive("audit chain");
    let begun = store.begin().await.unwrap();
    assert!(
        store.begin().await.unwrap().already,
        "there is one change at a time"
    );
    drop(store);
    let mut phases = Vec::new();
    for _ in 0..20 {
        // Each step in a process of its own, which remembers nothing.
        let store = files.open(place).await;
        assert_eq!(
            store.derive("audit chain"),
            derived,
            "the root outlives the master key"
        );
        holds(&store, &secrets[0]).await;
        holds(&store, &secrets[OWNERS - 1]).await;
        let status = store.status().await.unwrap();
        phases.push(status.rekey.map(|rekey| (rekey.phase, rekey.done)));
        match store.advance(node()).await.unwrap() {
            CustodyStep::Moved => {}
            CustodyStep::Ended(end) => {
                assert_eq!((&end.from, &end.to), (&begun.from, &begun.to));
                // Not written down: it is told again.
                let again = files.open(place).await.advance(node()).await.unwrap();
                assert_eq!(again, CustodyStep::Ended(end));
                store.written_down().await.unwrap();
            }
            CustodyStep::Idle => break,
            waiting @ CustodyStep::Waiting { .. } => panic!("{waiting:?}"),
        }
    }
    use RekeyPhase::{Preparing, Rewrapping};
    let total = OWNERS as u64;
    assert_eq!(
        phases,
        [
            Some((Preparing, 0)),
            Some((Rewrapping, 0)),
            Some((Rewrapping, 200)),
            Some((Rewrapping, total)),
            None,
            None
        ]
    );
    let store = files.open(place).await;
    assert_eq!(under(&store).await, [(Some(begun.to), false, total)]);
    for secret in &secrets {
        holds(&store, secret).await;
    }
    assert_eq!(retired(files.folder.path()), 1);
}

fn retired(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().contains(".retired-")
        })
        .count()
}

async fn a_data_key_that_was_made_meanwhile_goes_over_too(place: &Place) {
    let files = Files::new();
    let (one, other) = (files.open(place).await, files.open(place).await);
    put(&one, "ai-openai-zaxon").await;
    let begun = one.begin().await.unwrap();
    // The other node knows of nothing.
    put(&other, "ai-openai-before").await;
    assert_eq!(one.advance(node()).await.unwrap(), CustodyStep::Moved);
    put(&other, "ai-openai-within").await;
    finish(&one).await;
    put(&other, "ai-openai-after").await;
    assert_eq!(under(&one).await, [(Some(begun.to), false, 4)]);
    for tenant in ["zaxon", "before", "within", "after"] {
        let fresh = files.open(place).await;
        for store in [&one, &other, &fresh] {
            holds(store, &format!("ai-openai-{tenant}")).await;
        }
    }
}

async fn a_damaged_data_key_is_passed_by_and_counted(place: &Place) {
    let files = Files::new();
    let store = files.open(place).await;
    put(&store, "ai-openai-zaxon").await;
    put(&store, "ai-openai-coaching").await;
    let mut intruder = place.intruder().await;
    let statement = "UPDATE sealed_data_keys SET wrapped = $1 WHERE owner = $2";
    intruder.change(statement, &["AAAA", "tenant:zaxon"]).await;
    let begun = store.begin().await.unwrap();
    finish(&store).await;
    let mut counts = under(&store).await;
    counts.sort();
    let mut expected = [(Some(begun.from), true, 1), (Some(begun.to), false, 1)];
    expected.sort();
    assert_eq!(counts, expected);
    let store = files.open(place).await;
    holds(&store, "ai-openai-coaching").await;
    let damaged = store.get(&name("ai-openai-zaxon"), number(1)).await;
    assert!(
        matches!(damaged, Err(SecretError::Tampered { .. })),
        "{damaged:?}"
    );
}

async fn a_node_without_the_next_key_does_not_start_while_keys_go_over(place: &Place) {
    let files = Files::new();
    let store = files.open(place).await;
    put(&store, "ai-openai-zaxon").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("key");
    std::fs::copy(files.key(), &copy).unwrap();
    let open = async || {
        let db = place.open().await;
        try_open(&db, MasterKeySource::File(copy.clone())).await
    };
    let begun = store.begin().await.unwrap();
    // Before anything goes over the present key is enough, and the change waits for the node.
    let lacking = open().await.unwrap();
    let other = NodeId::from_bits(8);
    let waiting = lacking.advance(other).await.unwrap();
    assert!(matches!(&waiting, CustodyStep::Waiting { master, .. } if *master == begun.to));
    let waits = store.advance(node()).await.unwrap();
    assert!(
        matches!(&waits, CustodyStep::Waiting { nodes, .. } if *nodes == [other.to_string()]),
        "{waits:?}"
    );
    // It goes: now nobody is waited for, and it may not come back without the key.
    lacking.leave(other).await.unwrap();
    assert_eq!(store.advance(node()).await.unwrap(), CustodyStep::Moved);
    assert!(store.cancel().await.is_err(), "only forward is left");
    let refused = open().await.unwrap_err().to_string();
    assert!(refused.contains(&begun.to), "{refused}");
    let late = lacking.join(other).await;
    assert!(
        matches!(late, Err(SecretError::WrongMasterKey { .. })),
        "{late:?}"
    );
    finish(&store).await;
    assert!(open().await.is_err());
    std::fs::copy(files.key(), &copy).unwrap();
    holds(&open().await.unwrap(), "ai-openai-zaxon").await;
}

async fn a_store_of_the_release_before_opens_and_changes(place: &Place) {
    let files = Files::new();
    let store = files.open(place).await;
    put(&store, "ai-openai-zaxon").await;
    let derived = store.derive("audit chain");
    drop(store);
    let mut intruder = place.intruder().await;
    intruder.change("DELETE FROM sealed_custody", &[]).await;
    intruder
        .change("UPDATE sealed_data_keys SET master = NULL", &[])
        .await;
    let store = files.open(place).await;
    assert_eq!(store.derive("audit chain"), derived);
    let before = under(&store).await;
    assert!(before[0].0.is_some(), "the key is noted: {before:?}");
    store.begin().await.unwrap();
    finish(&store).await;
    assert_eq!(store.derive("audit chain"), derived);
    holds(&files.open(place).await, "ai-openai-zaxon").await;
    let rows = intruder
        .rows("SELECT name FROM sealed_settings ORDER BY name")
        .await;
    let names: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
    assert_eq!(
        names,
        ["check", "root"],
        "nothing is left of the former key"
    );
}
