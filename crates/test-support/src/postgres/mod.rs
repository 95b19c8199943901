//! A fresh PostgreSQL database for a test.

mod cluster;
mod server;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::sync::OnceCell;

use cluster::Cluster;
pub use server::PostgresServer;

/// The throwaway cluster of this test process, once somebody asked for it.
static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// A database of its own, empty. It is dropped when this is.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// Its address, `postgres://…`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// A fresh database on the server of `TEST_DATABASE_URL`, or else in a throwaway PostgreSQL 15
/// that this test process starts for itself and that dies with it.
///
/// # Panics
/// When there is no such server, and none can be started.
pub async fn postgres() -> PostgresDatabase {
    let server = match std::env::var_os("TEST_DATABASE_URL") {
        Some(url) => url.into_string().expect("TEST_DATABASE_URL is UTF-8"),
        None => CLUSTER.get_or_init(Cluster::start).await.url().to_owned(),
    };
    // A fresh folder has an unused name; its letters are what PostgreSQL's names allow.
    let unique = tempfile::Builder::new()
        .prefix("diamond_test_")
        .rand_bytes(12)
        .tempdir()
        .expect("a temporary folder");
    let name = unique.path().file_name().unwrap().to_str().unwrap();
    let name = format!("{}_{}", name.to_lowercase(), std::process::id());
    run(&server, format!("CREATE DATABASE {name}"))
        .await
        .unwrap_or_else(|error| panic!("cannot create a database for the test: {error}"));
    let url = with_database(&server, &name);
    PostgresDatabase { server, name, url }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A test's own runtime may be going away; and blocking it here would be wrong anyway.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(run(
                    &server,
                    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
                ))
        });
        let result = dropped.join().expect("dropping does not panic");
        // A second panic while a test fails would hide the first.
        if !std::thread::panicking() {
            result.expect("the test's database can be dropped");
        }
    }
}

async fn run(server: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}

/// The same server's address with another database.
fn with_database(server: &str, name: &str) -> String {
    let (address, query) = match server.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (server, String::new()),
    };
    let scheme_end = address.find("://").map_or(0, |at| at + 3);
    let host_end = address[scheme_end..]
        .find('/')
        .map_or(address.len(), |at| at + scheme_end);
    format!("{}/{name}{query}", &address[..host_end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_changes() {
        for (server, expected) in [
            ("postgres://u:p@h:1", "postgres://u:p@h:1/d"),
            ("postgres://u@h/old", "postgres://u@h/d"),
            ("postgres://h/old?a=/b", "postgres://h/d?a=/b"),
        ] {
            assert_eq!(with_database(server, "d"), expected);
        }
    }

    #[tokio::test]
    async fn two_calls_give_two_databases_and_dropping_removes_them() {
        let (one, two) = tokio::join!(postgres(), postgres());
        run(one.url(), "CREATE TABLE t (n BIGINT)".into())
            .await
            .unwrap();
        run(two.url(), "CREATE TABLE t (n BIGINT)".into())
            .await
            .unwrap();
        let url = one.url().to_owned();
        drop(one);
        assert!(PgConnection::connect(&url).await.is_err());
        assert!(PgConnection::connect(two.url()).await.is_ok());
    }
}
