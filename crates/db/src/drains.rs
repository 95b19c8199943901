//! Who has let go of a version that retires. Written and read through [`crate::system`].

use std::collections::HashMap;

use diamond_domain::{NodeId, RevocationId, SecretName, SecretVersion};
use jiff::Timestamp;

use crate::{
    ChangeSubject, Db, DbError, KeyVersionRow, RevocationTarget, key_versions,
    reading::Reading,
    revocations,
    transaction::{Changing, Writing},
};

/// A node's word that it takes no new pins on a version and has none left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainRow {
    /// Which node.
    pub node: NodeId,
    /// Since when.
    pub at: Timestamp,
    /// When the last lease that it gave of this version ends.
    pub leased_until: Option<Timestamp>,
}

/// A version that retires, and who has let go of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiringKey {
    /// The version.
    pub key: KeyVersionRow,
    /// The nodes that have let go.
    pub drains: Vec<DrainRow>,
}

pub(crate) async fn note(
    db: &Db,
    name: &SecretName,
    version: SecretVersion,
    drain: &DrainRow,
) -> Result<(), DbError> {
    let mut writing = Writing::begin(db).await?;
    sqlx::query(
        "INSERT INTO key_drains (secret, version, node, at, leased_until)
         SELECT $1, $2, $3, $4, $5 FROM key_versions
         WHERE name = $1 AND version = $2 AND state = 'retiring'
         ON CONFLICT (secret, version, node) DO UPDATE
             SET at = excluded.at, leased_until = excluded.leased_until",
    )
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(drain.node.to_string())
    .bind(drain.at.as_microsecond())
    .bind(drain.leased_until.map(|until| until.as_microsecond()))
    .execute(writing.connection())
    .await?;
    writing.commit().await
}

/// The versions that have been retiring longest.
pub(crate) async fn retiring(db: &Db, limit: u32) -> Result<Vec<RetiringKey>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM key_versions WHERE state = 'retiring' ORDER BY retired_at LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let words = sqlx::query(
        "SELECT d.* FROM key_drains d
         JOIN key_versions k ON k.name = d.secret AND k.version = d.version
         WHERE k.state = 'retiring'",
    )
    .fetch_all(&db.pool)
    .await?;
    let mut drains: HashMap<(String, u32), Vec<DrainRow>> = HashMap::new();
    for word in &words {
        let word = Reading(word);
        let of = (word.text("secret")?, word.number("version")?);
        let drain = DrainRow {
            node: word.parsed("node")?,
            at: word.time("at")?,
            leased_until: word.optional_time("leased_until")?,
        };
        drains.entry(of).or_default().push(drain);
    }
    let mut retiring = |row| {
        let key = key_versions::read(row)?;
        let of = (key.name.to_string(), key.version.get());
        let drains = drains.remove(&of).unwrap_or_default();
        Ok(RetiringKey { key, drains })
    };
    rows.iter().map(&mut retiring).collect()
}

/// Ends a version that retires; with `cut`, everything that still uses it is ended too. `false`
/// when it does not retire.
pub(crate) async fn end(
    db: &Db,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
    cut: Option<RevocationId>,
) -> Result<bool, DbError> {
    let mut changing = Changing::begin(db).await?;
    let ended = sqlx::query(
        "UPDATE key_versions SET state = 'revoked', revoked_at = $3
         WHERE name = $1 AND version = $2 AND state = 'retiring'",
    )
    .bind(name.to_string())
    .bind(i64::from(version.get()))
    .bind(at.as_microsecond())
    .execute(changing.connection())
    .await?
    .rows_affected()
        == 1;
    if !ended {
        return Ok(false);
    }
    key_versions::ended(changing.connection(), name, version, at).await?;
    sqlx::query("DELETE FROM key_drains WHERE secret = $1 AND version = $2")
        .bind(name.to_string())
        .bind(i64::from(version.get()))
        .execute(changing.connection())
        .await?;
    if let Some(id) = cut {
        let target = RevocationTarget::Key(name.clone(), version);
        revocations::enter(changing.connection(), id, &target, name.tenant(), at).await?;
    }
    changing.commit(&ChangeSubject::Key(name.clone())).await?;
    Ok(true)
}
