use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use async_trait::async_trait;
use diamond_secrets::{
    KeyWrapper, MasterKeyError, MasterKeyId, MasterKeySource, OpenError, Precondition, SealedStore,
    SecretError, SecretKey, SecretStore as _, WrapError,
};
use zeroize::Zeroizing;

use crate::support::{Place, master, name, number, store, try_open, try_store, value};

on_both!(
    another_master_key_is_refused_at_open,
    a_passphrase_opens_what_it_sealed,
    a_keeper_that_is_away_is_an_outage_and_not_damage,
);

async fn another_master_key_is_refused_at_open(place: &Place) {
    let db = place.open().await;
    drop(store(&db).await);
    let refused = try_store(&db, master(2)).await;
    assert!(
        matches!(refused, Err(SecretError::WrongMasterKey { .. })),
        "{refused:?}"
    );
    store(&db).await;
}

async fn a_passphrase_opens_what_it_sealed(place: &Place) {
    let db = place.open().await;
    let source = |text: &str| MasterKeySource::Passphrase(Zeroizing::new(text.to_owned()));
    let secret = name("ai-openai-zaxon");
    let sealed = try_store(&db, source("correct horse battery"))
        .await
        .unwrap();
    sealed
        .put(&secret, &value("sk-1"), Precondition::None, "r")
        .await
        .unwrap();
    // Another node, another start.
    let db = place.open().await;
    let opened = try_store(&db, source("correct horse battery"))
        .await
        .unwrap();
    assert_eq!(
        opened.get(&secret, number(1)).await.unwrap().expose(),
        "sk-1"
    );
    let refused = try_store(&db, source("correct horse batterz")).await;
    assert!(
        matches!(refused, Err(SecretError::WrongMasterKey { .. })),
        "{refused:?}"
    );
    let short = try_open(&db, source("hunter2")).await;
    assert!(
        matches!(short, Err(OpenError::Key(MasterKeyError::Short { .. }))),
        "{short:?}"
    );
}

/// A KMS behind a cut line.
struct Away(MasterKeyId);

#[async_trait]
impl KeyWrapper for Away {
    fn id(&self) -> &MasterKeyId {
        &self.0
    }

    async fn wrap(&self, _: &SecretKey, _: &[u8]) -> Result<Vec<u8>, WrapError> {
        Err(WrapError::Unavailable("the line is cut".into()))
    }

    async fn unwrap(&self, _: &[u8], _: &[u8]) -> Result<SecretKey, WrapError> {
        Err(WrapError::Unavailable("the line is cut".into()))
    }
}

async fn a_keeper_that_is_away_is_an_outage_and_not_damage(place: &Place) {
    let db = place.open().await;
    for _ in ["the first start", "a later one"] {
        let away = Arc::new(Away(MasterKeyId::named("kms".into())));
        let away: Arc<dyn KeyWrapper> = away;
        let away = try_store(&db, away).await;
        assert!(matches!(away, Err(SecretError::Unavailable(_))), "{away:?}");
        store(&db).await;
    }
}

fn key_file(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let file = folder.path().join("master.key");
    MasterKeySource::create_file(&file).unwrap();
    file
}

async fn load(file: &Path) -> Result<SealedStore, MasterKeyError> {
    let place = Place::sqlite();
    let db = place.open().await;
    let opened = try_open(&db, MasterKeySource::File(file.to_owned())).await;
    opened.map_err(|error| match error {
        OpenError::Key(error) => error,
        OpenError::Store(error) => unreachable!("{error}"),
    })
}

#[tokio::test]
async fn a_key_file_is_private_and_opens_what_it_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(&folder);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let place = Place::sqlite();
    let db = place.open().await;
    try_store(&db, MasterKeySource::File(file.clone()))
        .await
        .unwrap();
    try_store(&db, MasterKeySource::File(file.clone()))
        .await
        .unwrap();
    let other = tempfile::tempdir().unwrap();
    let refused = try_store(&db, MasterKeySource::File(key_file(&other))).await;
    assert!(
        matches!(refused, Err(SecretError::WrongMasterKey { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_key_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(&folder);
    let before = std::fs::read(&file).unwrap();
    let again = MasterKeySource::create_file(&file);
    assert!(
        matches!(again, Err(MasterKeyError::File { .. })),
        "{again:?}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(&folder);
    for mode in [0o640, 0o604, 0o620, 0o601, 0o777] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let Err(refused) = load(&file).await else {
            unreachable!("mode {mode:o} was taken")
        };
        assert!(
            matches!(refused, MasterKeyError::Exposed { .. }),
            "{refused}"
        );
        assert!(
            refused.to_string().contains(&format!("{mode:04o}")),
            "{refused}"
        );
        assert!(refused.to_string().contains("chmod 0600"), "{refused}");
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(load(&file).await.is_ok());
}

#[tokio::test]
async fn a_file_that_is_no_key_is_refused_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(&folder);
    let good = std::fs::read_to_string(&file).unwrap();
    let cut = &good[..good.len() - 6];
    let doubled = good.repeat(2);
    let unlabelled = good.split_once(':').unwrap().1;
    for text in ["", "canary", cut, &doubled, unlabelled, &"x".repeat(10_000)] {
        std::fs::write(&file, text).unwrap();
        let Err(refused) = load(&file).await else {
            unreachable!("{text} was taken")
        };
        assert!(
            matches!(refused, MasterKeyError::Malformed { .. }),
            "{refused}"
        );
        let shown = format!("{refused} {refused:?}");
        assert!(!shown.contains("canary") && !shown.contains(unlabelled.trim()));
    }
    let missing = load(&folder.path().join("none")).await;
    assert!(matches!(missing, Err(MasterKeyError::File { .. })));
    let a_folder = load(folder.path()).await;
    assert!(a_folder.is_err());
}
