//! An intruder writes to the database. Whatever is written: the right value or a clear error.

use diamond_db::Db;
use diamond_domain::{SecretName, SecretVersion};
use diamond_secrets::{Precondition, SecretError, SecretStore as _};
use proptest::{
    sample::Index,
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use sqlx::Row as _;

use crate::support::{Intruder, Place, master, name, number, store, try_store, value};

on_both!(
    any_altered_letter_is_noticed,
    random_alterations_never_give_a_wrong_value,
    swapped_rows_are_noticed,
    a_row_of_another_installation_is_noticed,
    an_altered_request_never_names_another_version,
    lost_rows_are_noticed,
);

/// Every version that is there, with its value.
const SECRETS: [(&str, u32, &str); 5] = [
    ("ai-hume-coaching", 1, "hume-coaching-one"),
    ("ai-openai-coaching", 1, "sk-coaching-one"),
    ("ai-openai-coaching", 2, "sk-coaching-two"),
    ("ai-openai-coaching-eu", 1, "sk-coaching-europe"),
    ("ai-openai-admin", 1, "sk-the-platform"),
];

async fn filled(place: &Place) -> Db {
    let db = place.open().await;
    let store = store(&db).await;
    for (secret, version, text) in SECRETS {
        let request = format!("request {version} of {secret}");
        let put = store
            .put(&name(secret), &value(text), Precondition::None, &request)
            .await;
        assert_eq!(put.unwrap(), number(version));
    }
    db
}

/// One sealed text of the database.
#[derive(Debug, Clone)]
struct Cell {
    table: &'static str,
    column: &'static str,
    /// What finds the row again.
    key: String,
    text: String,
    /// The versions that cannot be read without it.
    needed_by: Vec<(SecretName, SecretVersion)>,
}

impl Cell {
    async fn write(&self, intruder: &mut Intruder, text: &str) {
        let Self {
            table, column, key, ..
        } = self;
        let statement = format!("UPDATE {table} SET {column} = $1 WHERE {key}");
        intruder.change(&statement, &[text]).await;
    }
}

async fn cells(intruder: &mut Intruder) -> Vec<Cell> {
    let all: Vec<_> = SECRETS
        .iter()
        .map(|&(secret, v, _)| (name(secret), number(v)))
        .collect();
    let mut cells = Vec::new();
    for row in intruder
        .rows("SELECT name, value FROM sealed_settings")
        .await
    {
        let setting: String = row.get("name");
        cells.push(Cell {
            table: "sealed_settings",
            column: "value",
            key: format!("name = '{setting}'"),
            text: row.get("value"),
            needed_by: all.clone(),
        });
    }
    for row in intruder
        .rows("SELECT owner, wrapped FROM sealed_data_keys")
        .await
    {
        let owner: String = row.get("owner");
        let tenant = owner.strip_prefix("tenant:");
        let mine = |name: &SecretName| name.tenant().map(|id| id.as_str()) == tenant;
        cells.push(Cell {
            table: "sealed_data_keys",
            column: "wrapped",
            key: format!("owner = '{owner}'"),
            text: row.get("wrapped"),
            needed_by: all.iter().filter(|(name, _)| mine(name)).cloned().collect(),
        });
    }
    for row in intruder
        .rows("SELECT name, version, sealed FROM sealed_versions")
        .await
    {
        let (secret, version): (String, i64) = (row.get("name"), row.get("version"));
        cells.push(Cell {
            table: "sealed_versions",
            column: "sealed",
            key: format!("name = '{secret}' AND version = {version}"),
            text: row.get("sealed"),
            needed_by: vec![(name(&secret), number(version.try_into().unwrap()))],
        });
    }
    assert_eq!(cells.len(), 2 + 3 + 5);
    cells
}

/// Reads everything in a fresh store, which remembers nothing, and holds that exactly the named
/// versions are refused and all others are right.
async fn check(db: &Db, refused: &[(SecretName, SecretVersion)], what: &str) {
    let store = match try_store(db, master(1)).await {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(refused.len(), SECRETS.len(), "{what}: {error:?}");
            let clear = matches!(&error, SecretError::Damaged { .. });
            assert!(clear, "{what}: {error:?}");
            return;
        }
    };
    for (secret, version, text) in SECRETS {
        let (secret, version) = (name(secret), number(version));
        let read = store.get(&secret, version).await;
        if refused.contains(&(secret.clone(), version)) {
            assert!(
                matches!(&read, Err(SecretError::Tampered { name, version: v })
                    if *name == secret && *v == version),
                "{what}: {read:?}"
            );
        } else {
            assert_eq!(read.unwrap().expose(), text, "{what}");
        }
    }
}

/// Each letter of each sealed text, once.
async fn any_altered_letter_is_noticed(place: &Place) {
    let db = filled(place).await;
    let mut intruder = place.intruder().await;
    check(&db, &[], "untouched").await;
    for cell in cells(&mut intruder).await {
        // The long tail of a text is all alike; its ends and a stride through it keep this short.
        let length = cell.text.len();
        for place in (0..length).filter(|at| *at < 20 || at % 3 == 0 || at + 4 > length) {
            let mut letters = cell.text.clone().into_bytes();
            letters[place] = if letters[place] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(letters).unwrap();
            cell.write(&mut intruder, &altered).await;
            check(&db, &cell.needed_by, &format!("{cell:?} at {place}")).await;
        }
        cell.write(&mut intruder, &cell.text).await;
    }
    check(&db, &[], "put right").await;
}

async fn random_alterations_never_give_a_wrong_value(place: &Place) {
    const CASES: usize = 60;
    let db = filled(place).await;
    let mut intruder = place.intruder().await;
    let cells = cells(&mut intruder).await;
    let mut runner = TestRunner::default();
    let strategy = (
        proptest::arbitrary::any::<Index>(),
        proptest::arbitrary::any::<Index>(),
        "[A-Za-z0-9+/=é ]{0,6}",
        0_usize..8,
    );
    for _ in 0..CASES {
        let (cell, place, inserted, removed) = strategy.new_tree(&mut runner).unwrap().current();
        let cell = cell.get(&cells);
        let from = place.index(cell.text.len());
        let to = (from + removed).min(cell.text.len());
        let altered = format!("{}{inserted}{}", &cell.text[..from], &cell.text[to..]);
        cell.write(&mut intruder, &altered).await;
        let refused = if altered == cell.text {
            &[][..]
        } else {
            &cell.needed_by
        };
        check(&db, refused, &format!("{cell:?} as {altered}")).await;
        cell.write(&mut intruder, &cell.text).await;
    }
}

async fn swapped_rows_are_noticed(place: &Place) {
    let db = filled(place).await;
    let mut intruder = place.intruder().await;
    let cells = cells(&mut intruder).await;
    for (place, one) in cells.iter().enumerate() {
        for other in &cells[place + 1..] {
            one.write(&mut intruder, &other.text).await;
            other.write(&mut intruder, &one.text).await;
            let mut refused = one.needed_by.clone();
            refused.extend(other.needed_by.iter().cloned());
            if one.table == "sealed_settings" && other.table == "sealed_settings" {
                // Neither opens: to the store this is another master key.
                let opened = try_store(&db, master(1)).await;
                assert!(
                    matches!(opened, Err(SecretError::WrongMasterKey { .. })),
                    "{opened:?}"
                );
            } else {
                refused.sort();
                refused.dedup();
                check(&db, &refused, &format!("{one:?} and {other:?}")).await;
            }
            one.write(&mut intruder, &one.text).await;
            other.write(&mut intruder, &other.text).await;
        }
    }
    check(&db, &[], "put right").await;
}

/// The same master key, the same names: still not the same installation.
async fn a_row_of_another_installation_is_noticed(place: &Place) {
    let db = filled(place).await;
    let elsewhere = Place::sqlite();
    filled(&elsewhere).await;
    let theirs = cells(&mut elsewhere.intruder().await).await;
    let mut intruder = place.intruder().await;
    for (mine, theirs) in cells(&mut intruder).await.iter().zip(theirs) {
        assert_eq!((mine.table, &mine.key), (theirs.table, &theirs.key));
        if mine.key == "name = 'check'" {
            continue; // tells of the master key alone, and that is the same
        }
        mine.write(&mut intruder, &theirs.text).await;
        check(&db, &mine.needed_by, &format!("{mine:?} of elsewhere")).await;
        mine.write(&mut intruder, &mine.text).await;
    }
}

async fn an_altered_request_never_names_another_version(place: &Place) {
    let db = filled(place).await;
    let mut intruder = place.intruder().await;
    let statement = "UPDATE sealed_requests SET version = 1 WHERE request_id = $1";
    let request = "request 2 of ai-openai-coaching";
    intruder.change(statement, &[request]).await;
    let (secret, text) = (name("ai-openai-coaching"), value("sk-coaching-two"));
    let store = store(&db).await;
    let again = store.put(&secret, &text, Precondition::None, request).await;
    assert!(
        matches!(again, Err(SecretError::RequestReused)),
        "{again:?}"
    );
}

async fn lost_rows_are_noticed(place: &Place) {
    let db = filled(place).await;
    let mut intruder = place.intruder().await;
    intruder
        .change(
            "DELETE FROM sealed_versions WHERE name = $1",
            &["ai-openai-admin"],
        )
        .await;
    let gone = store(&db)
        .await
        .get(&name("ai-openai-admin"), number(1))
        .await;
    assert!(matches!(gone, Err(SecretError::Missing { .. })), "{gone:?}");
    for setting in ["root", "check"] {
        let kept = cells_of_settings(&mut intruder, setting).await;
        intruder
            .change("DELETE FROM sealed_settings WHERE name = $1", &[setting])
            .await;
        let opened = try_store(&db, master(1)).await;
        assert!(
            matches!(opened, Err(SecretError::Damaged { .. })),
            "{opened:?}"
        );
        let statement = "INSERT INTO sealed_settings (name, value) VALUES ($1, $2)";
        intruder.change(statement, &[setting, &kept]).await;
    }
    store(&db).await;
}

async fn cells_of_settings(intruder: &mut Intruder, setting: &str) -> String {
    let query = format!("SELECT value FROM sealed_settings WHERE name = '{setting}'");
    intruder.rows(&query).await[0].get("value")
}
