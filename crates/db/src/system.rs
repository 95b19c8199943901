//! Background work across tenants: the snapshots and their change log, last uses, alarms, anchors.
//!
//! A node that starts reads [`last_change`], loads everything, and then applies what
//! [`changes_after`] tells, reading each subject again: a row that was loaded newer than its change
//! is read twice, never missed.

use diamond_domain::{Alarm, NodeId, RevocationId, SecretName, TokenId};
use jiff::Timestamp;

use crate::{
    AuditAnchor, Change, Db, DbError, KeyVersionRow, KeyVersionState, NodeRow, Revocation,
    RevocationAcknowledgement, SealedTexts, Tenant, TokenRow, alarms, anchors, key_versions, nodes,
    reading::{Reading, to_number},
    revocations, tokens, whole,
};

/// The changes behind `sequence`, in order, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn changes_after(db: &Db, sequence: u64, limit: u32) -> Result<Vec<Change>, DbError> {
    let rows = sqlx::query(
        "SELECT sequence, kind, subject FROM changes WHERE sequence > $1
         ORDER BY sequence LIMIT $2",
    )
    .bind(to_number(sequence)?)
    .bind(i64::from(limit))
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Change::read(&Reading(row))).collect()
}

/// The number of the newest committed change; 0 before the first.
///
/// # Errors
/// When the database does not answer.
pub async fn last_change(db: &Db) -> Result<u64, DbError> {
    let row = sqlx::query("SELECT sequence FROM change_head WHERE singleton = 1")
        .fetch_one(&db.pool)
        .await?;
    Reading(&row).number("sequence")
}

/// All tenants, in no order.
///
/// # Errors
/// When the database does not answer.
pub async fn load_tenants(db: &Db) -> Result<Vec<Tenant>, DbError> {
    whole::tenants(db).await
}

/// All tokens, in no order.
///
/// # Errors
/// When the database does not answer.
pub async fn load_tokens(db: &Db) -> Result<Vec<TokenRow>, DbError> {
    whole::tokens(db).await
}

/// All versions of all secrets, in no order.
///
/// # Errors
/// When the database does not answer.
pub async fn load_key_versions(db: &Db) -> Result<Vec<KeyVersionState>, DbError> {
    whole::key_versions(db).await
}

/// Every owner's wrapped data key, for the crate `secrets`.
///
/// # Errors
/// When the database does not answer.
pub async fn load_data_keys(db: &Db) -> Result<SealedTexts, DbError> {
    whole::data_keys(db).await
}

/// Every sealed value, for the crate `secrets`.
///
/// # Errors
/// When the database does not answer.
pub async fn load_sealed_values(db: &Db) -> Result<SealedTexts, DbError> {
    whole::sealed_values(db).await
}

/// The token that a change names.
///
/// # Errors
/// When the database does not answer.
pub async fn load_token(db: &Db, id: TokenId) -> Result<Option<TokenRow>, DbError> {
    tokens::get_of_any(db, id).await
}

/// The versions of the secret that a change names, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn load_key_versions_of(
    db: &Db,
    name: &SecretName,
) -> Result<Vec<KeyVersionRow>, DbError> {
    key_versions::list_of_owner(db, tokens::tenant_key(name.tenant()), name).await
}

/// Moves the last uses of tokens forward; a use that is older than the known one is ignored.
///
/// # Errors
/// When the database does not answer; then none of them is written.
pub async fn record_last_uses(db: &Db, uses: &[(TokenId, Timestamp)]) -> Result<(), DbError> {
    tokens::record_last_uses(db, uses).await
}

/// Raises an alarm. While one with the same code, tenant and subject is not closed it is counted
/// up and takes the new detail; else a new one begins. `true` when it is new.
///
/// # Errors
/// When the database does not answer.
pub async fn raise_alarm(
    db: &Db,
    alarm: &Alarm,
    count: u64,
    now: Timestamp,
) -> Result<bool, DbError> {
    alarms::raise(db, alarm, count, now).await
}

/// Anchors the head of an audit chain; `false` when the anchor stands at this sequence or further
/// on, and stays there.
///
/// # Errors
/// When the database does not answer.
pub async fn put_audit_anchor(
    db: &Db,
    chain: &str,
    sequence: u64,
    hash: &[u8; 32],
    at: Timestamp,
) -> Result<bool, DbError> {
    let hash = *hash;
    anchors::put(db, chain, &AuditAnchor { sequence, hash, at }).await
}

/// The anchor of an audit chain.
///
/// # Errors
/// When the database does not answer.
pub async fn get_audit_anchor(db: &Db, chain: &str) -> Result<Option<AuditAnchor>, DbError> {
    anchors::get(db, chain).await
}

/// Says that a node begins to serve, with tables that contain everything up to `acknowledged`.
///
/// # Errors
/// When the database does not answer.
pub async fn start_node(
    db: &Db,
    node: NodeId,
    acknowledged: u64,
    at: Timestamp,
) -> Result<(), DbError> {
    nodes::start(db, node, acknowledged, at).await
}

/// Says that a node lives, and how far it has followed the change log.
///
/// # Errors
/// When the database does not answer.
pub async fn report_node(
    db: &Db,
    node: NodeId,
    acknowledged: u64,
    at: Timestamp,
) -> Result<(), DbError> {
    nodes::report(db, node, acknowledged, at).await
}

/// Says that a node serves no longer: nobody waits for it.
///
/// # Errors
/// When the database does not answer.
pub async fn stop_node(db: &Db, node: NodeId, at: Timestamp) -> Result<(), DbError> {
    nodes::stop(db, node, at).await
}

/// The nodes that have not said that they stop, by id.
///
/// # Errors
/// When the database does not answer.
pub async fn serving_nodes(db: &Db) -> Result<Vec<NodeRow>, DbError> {
    nodes::serving(db).await
}

/// The revocations whose changes are behind `after` and not behind `through`, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn revocations_between(
    db: &Db,
    after: u64,
    through: u64,
) -> Result<Vec<Revocation>, DbError> {
    revocations::between(db, after, through).await
}

/// The revocations of a span of time, oldest first, at most 1,000.
///
/// # Errors
/// When the database does not answer.
pub async fn revocations_of_time(
    db: &Db,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Revocation>, DbError> {
    revocations::of_time(db, from, to).await
}

/// Notes since when a node refuses what was revoked and how many calls it cut; its first word
/// stands.
///
/// # Errors
/// When the database does not answer.
pub async fn acknowledge_revocation(
    db: &Db,
    id: RevocationId,
    acknowledgement: &RevocationAcknowledgement,
) -> Result<(), DbError> {
    revocations::acknowledge(db, id, acknowledgement).await
}

/// What the nodes have made of a revocation, by node.
///
/// # Errors
/// When the database does not answer.
pub async fn revocation_acknowledgements(
    db: &Db,
    id: RevocationId,
) -> Result<Vec<RevocationAcknowledgement>, DbError> {
    revocations::acknowledgements(db, id).await
}
