use std::{os::unix::fs::PermissionsExt as _, path::Path};

use diamond_db::{Db, DbError, installation, system, tenants};
use diamond_test_support::free_port;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::support::{Place, at, open, tenant, tenant_id};

on_both!(
    opening_again_keeps_everything,
    nodes_that_start_at_once_all_open,
    the_installation_has_one_name,
    a_newer_schema_is_left_alone,
    a_migration_that_was_edited_is_noticed,
    a_damaged_row_is_named_and_not_shown,
    a_closed_database_is_unavailable,
);

async fn execute(place: &Place, statement: &str) {
    let mut connection = AnyConnection::connect(&place.url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

async fn opening_again_keeps_everything(place: &Place) {
    let db = open(place).await;
    db.ping().await.unwrap();
    tenants::create(&db, &tenant("zaxon")).await.unwrap();
    db.close().await;
    let db = open(place).await;
    assert!(
        tenants::get(&db, &tenant_id("zaxon"))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(system::last_change(&db).await.unwrap(), 1);
}

async fn nodes_that_start_at_once_all_open(place: &Place) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = place.url();
        tasks.spawn(async move {
            let db = Db::connect(&url).await.unwrap();
            installation::get_or_create(&db, at(0)).await.unwrap()
        });
    }
    let mut names = tasks.join_all().await;
    names.dedup();
    assert_eq!(names.len(), 1);
}

async fn the_installation_has_one_name(place: &Place) {
    let db = open(place).await;
    let first = installation::get_or_create(&db, at(0)).await.unwrap();
    let second = installation::get_or_create(&db, at(99)).await.unwrap();
    assert_eq!(first, second);
}

async fn a_newer_schema_is_left_alone(place: &Place) {
    open(place).await.close().await;
    execute(
        place,
        "INSERT INTO schema_versions VALUES (999999, 'of tomorrow', 'x')",
    )
    .await;
    let refused = Db::connect(&place.url()).await;
    assert!(
        matches!(refused, Err(DbError::Schema { .. })),
        "{refused:?}"
    );
}

async fn a_migration_that_was_edited_is_noticed(place: &Place) {
    open(place).await.close().await;
    execute(
        place,
        "UPDATE schema_versions SET checksum = 'x' WHERE version = 1",
    )
    .await;
    let refused = Db::connect(&place.url()).await;
    assert!(
        matches!(refused, Err(DbError::Schema { .. })),
        "{refused:?}"
    );
}

async fn a_damaged_row_is_named_and_not_shown(place: &Place) {
    let db = open(place).await;
    tenants::create(&db, &tenant("zaxon")).await.unwrap();
    execute(place, "UPDATE tenants SET tier = 'canary-value'").await;
    let error = tenants::get(&db, &tenant_id("zaxon")).await.unwrap_err();
    assert!(matches!(&error, DbError::Corrupt { what } if what.contains("tier")));
    assert!(!format!("{error:?} {error}").contains("canary"));
}

async fn a_closed_database_is_unavailable(place: &Place) {
    let db = open(place).await;
    db.close().await;
    assert!(db.ping().await.unwrap_err().is_unavailable());
    let error = tenants::create(&db, &tenant("zaxon")).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}

#[tokio::test]
async fn addresses_of_other_kinds_are_refused_with_a_reason() {
    for url in [
        "mysql://h/d",
        "control.db",
        "",
        "sqlite::memory:",
        "sqlite://x?mode=memory",
    ] {
        let refused = Db::connect(url).await;
        assert!(
            matches!(refused, Err(DbError::Settings { .. })),
            "{url}: {refused:?}"
        );
    }
    let missing_folder = Db::connect("sqlite:///nowhere/at/all.db?mode=rwc").await;
    assert!(matches!(missing_folder, Err(DbError::Settings { .. })));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable() {
    let url = format!("postgres://nobody:hunter2@127.0.0.1:{}/none", free_port());
    let error = Db::connect(&url).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    let place = Place::sqlite();
    let Place::Folder(folder) = &place else {
        unreachable!()
    };
    let file = folder.path().join("control.db");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let db = open(&place).await;
    tenants::create(&db, &tenant("zaxon")).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 3, "the log and its index stand beside the file");
}

#[tokio::test]
async fn a_damaged_file_is_called_damaged() {
    let place = Place::sqlite();
    let Place::Folder(folder) = &place else {
        unreachable!()
    };
    let file = folder.path().join("control.db");
    open(&place).await.close().await;
    let whole = std::fs::read(&file).unwrap();
    let cut = whole[..whole.len() / 2].to_vec();
    let mut overwritten = whole;
    overwritten[..64].fill(0x2a);
    for damaged in [cut, overwritten] {
        std::fs::write(&file, damaged).unwrap();
        let error = Db::connect(&place.url()).await.unwrap_err();
        assert!(matches!(&error, DbError::Damaged { .. }), "{error:?}");
    }
}
