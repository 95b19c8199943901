//! Stores for tests, and a way to their rows behind their back.

use std::sync::Arc;

use diamond_db::Db;
use diamond_domain::{ManualClock, SecretName, SecretValue, SecretVersion};
use diamond_secrets::{
    KeyWrapper, MasterKey, MasterKeys, OpenError, SealedStore, SecretError, SecretKey,
};
use diamond_test_support::PostgresDatabase;
use jiff::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, any::AnyRow};

/// What must live as long as a database under test.
pub enum Place {
    Folder(tempfile::TempDir),
    Postgres(PostgresDatabase),
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    pub async fn postgres() -> Self {
        Self::Postgres(diamond_test_support::postgres().await)
    }

    pub fn url(&self) -> String {
        match self {
            Self::Folder(folder) => {
                format!(
                    "sqlite://{}?mode=rwc",
                    folder.path().join("control.db").display()
                )
            }
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    pub async fn open(&self) -> Db {
        Db::connect(&self.url()).await.unwrap()
    }

    /// A connection that knows nothing of seals.
    pub async fn intruder(&self) -> Intruder {
        Intruder(AnyConnection::connect(&self.url()).await.unwrap())
    }
}

/// Somebody with write access to the database and without the master key.
pub struct Intruder(AnyConnection);

impl Intruder {
    pub async fn rows(&mut self, query: &str) -> Vec<AnyRow> {
        sqlx::query(AssertSqlSafe(query))
            .fetch_all(&mut self.0)
            .await
            .unwrap()
    }

    /// Runs a statement with text parameters that must change exactly one row.
    pub async fn change(&mut self, statement: &str, parameters: &[&str]) {
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for parameter in parameters {
            query = query.bind(*parameter);
        }
        let changed = query.execute(&mut self.0).await.unwrap().rows_affected();
        assert_eq!(changed, 1, "{statement}");
    }
}

/// Runs each named `async fn(&Place)` on both engines.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&crate::support::Place::sqlite()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&crate::support::Place::postgres().await).await;
                }
            )*
        }
    };
}

pub fn master(byte: u8) -> Arc<dyn KeyWrapper> {
    Arc::new(MasterKey::new(SecretKey::from_slice(&[byte; 32]).unwrap()))
}

pub async fn try_store(
    db: &Db,
    keys: impl Into<MasterKeys> + Send,
) -> Result<SealedStore, SecretError> {
    let opened = try_open(db, keys).await;
    opened.map_err(|error| match error {
        OpenError::Store(error) => error,
        OpenError::Key(error) => panic!("no master key: {error}"),
    })
}

pub async fn try_open(
    db: &Db,
    keys: impl Into<MasterKeys> + Send,
) -> Result<SealedStore, OpenError> {
    let clock = ManualClock::new(Timestamp::from_second(1_767_225_600).unwrap());
    SealedStore::open(db.clone(), keys, Arc::new(clock)).await
}

pub async fn store(db: &Db) -> SealedStore {
    try_store(db, master(1)).await.unwrap()
}

pub fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned())
}

pub fn number(number: u32) -> SecretVersion {
    SecretVersion::new(number).unwrap()
}
