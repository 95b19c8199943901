//! Whether this node can do its work.

use diamond_db::Db;

use crate::App;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// What is wrong, for a person.
    pub detail: Option<String>,
}

/// Whether requests should be sent here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether keys and the gateway work. A lost database alone does not make a node unready: it
    /// goes on with what it has in memory, up to the permitted staleness.
    pub ready: bool,
    /// What was looked at.
    pub checks: Vec<Check>,
}

impl App {
    /// Looks at what the node's work depends on.
    pub async fn readiness(&self) -> Readiness {
        let parts = self.parts();
        let database = database(self.database().answers() && ping(&parts.db).await);
        let staleness = parts.snapshot.staleness();
        let fresh = staleness.is_some_and(|age| age <= parts.settings.snapshot_staleness);
        let snapshot = Check {
            name: "snapshot",
            ok: fresh,
            detail: match staleness {
                None => Some("the tables in memory are not loaded yet".into()),
                Some(age) if !fresh => Some(format!(
                    "the tables in memory were last known to be current {} s ago",
                    age.as_secs()
                )),
                Some(_) => None,
            },
        };
        let journal = check("journal", parts.sink.check());
        let audit = check("audit", parts.audit.check());
        Readiness {
            ready: fresh && journal.ok && audit.ok,
            checks: vec![database, snapshot, journal, audit],
        }
    }
}

fn check(name: &'static str, found: Result<(), impl std::fmt::Display>) -> Check {
    Check {
        name,
        ok: found.is_ok(),
        detail: found.err().map(|error| error.to_string()),
    }
}

async fn ping(db: &Db) -> bool {
    crate::background::bounded(db.ping()).await.is_ok()
}

fn database(answers: bool) -> Check {
    let detail = match answers {
        true => None,
        false => Some("the control database cannot be reached; administration waits".to_owned()),
    };
    Check {
        name: "database",
        ok: detail.is_none(),
        detail,
    }
}
