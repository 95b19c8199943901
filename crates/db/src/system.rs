//! Background work across tenants: the snapshots and their change log, last uses, alarms, anchors.
//!
//! A node that starts reads [`last_change`], loads everything, and then applies what
//! [`changes_after`] tells, reading each subject again: a row that was loaded newer than its change
//! is read twice, never missed.

use diamond_domain::{
    Alarm, NodeId, RevocationId, RotationId, SecretName, SecretVersion, ServiceId, TokenId,
};
use jiff::Timestamp;

use crate::{
    AuditAnchor, BudgetRow, Change, Db, DbError, DrainRow, KeyVersionRow, KeyVersionState,
    KnownNode, NewProviderRevocation, NodeRow, ProviderRevocationRow, RetiringKey, Revocation,
    RevocationAcknowledgement, RotationRow, SealedTexts, Tenant, TokenRow, alarms, anchors,
    budgets, drains, key_tags, key_versions, nodes, provider_revocations,
    reading::{Reading, to_number},
    revocations, rotations, tokens, whole,
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

/// All budgets of all tenants, by tenant.
///
/// # Errors
/// When the database does not answer.
pub async fn load_budgets(db: &Db) -> Result<Vec<BudgetRow>, DbError> {
    budgets::page_of_all(db, None, u32::MAX).await
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

/// The secrets that have a live version of the value with this tag.
///
/// # Errors
/// When the database does not answer.
pub async fn secrets_with_tag(db: &Db, tag: &[u8; 32]) -> Result<Vec<SecretName>, DbError> {
    key_tags::secrets_with(db, tag).await
}

/// Active and retiring versions whose tag was never noted.
///
/// # Errors
/// When the database does not answer.
pub async fn keys_without_tag(
    db: &Db,
    limit: u32,
) -> Result<Vec<(SecretName, SecretVersion)>, DbError> {
    key_tags::missing(db, limit).await
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

/// Says that a node lives, and how far it has followed the change log; `false` when another process
/// has begun to serve as this node since `started_at`.
///
/// # Errors
/// When the database does not answer.
pub async fn report_node(
    db: &Db,
    node: NodeId,
    started_at: Timestamp,
    acknowledged: u64,
    at: Timestamp,
) -> Result<bool, DbError> {
    nodes::report(db, node, started_at, acknowledged, at).await
}

/// Says that a node serves no longer: nobody waits for it. Changes nothing when another process has
/// begun to serve as this node.
///
/// # Errors
/// When the database does not answer.
pub async fn stop_node(
    db: &Db,
    node: NodeId,
    started_at: Timestamp,
    at: Timestamp,
) -> Result<(), DbError> {
    nodes::stop(db, node, started_at, at).await
}

/// Every node but this one that has served at some time, by id.
///
/// # Errors
/// When the database does not answer.
pub async fn other_nodes(db: &Db, node: NodeId) -> Result<Vec<KnownNode>, DbError> {
    nodes::others(db, node).await
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

/// Takes rotations that are due and that nobody holds, and holds them until `until`.
///
/// # Errors
/// When the database does not answer; then none is taken.
pub async fn take_due_rotations(
    db: &Db,
    node: NodeId,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<RotationRow>, DbError> {
    rotations::take_due(db, node, now, until, limit).await
}

/// Lets go of the rotations that a node held when its process ended.
///
/// # Errors
/// When the database does not answer.
pub async fn release_rotations(db: &Db, node: NodeId) -> Result<(), DbError> {
    rotations::release(db, node).await
}

/// Writes a rotation down; `false` when another holds it, and nothing changed. With `held_by`
/// taken out of the row it is let go.
///
/// # Errors
/// When the database does not answer.
pub async fn save_rotation(db: &Db, row: &RotationRow) -> Result<bool, DbError> {
    rotations::save(db, row).await
}

/// When the next rotation is due.
///
/// # Errors
/// When the database does not answer.
pub async fn next_rotation_at(db: &Db) -> Result<Option<Timestamp>, DbError> {
    rotations::next_at(db).await
}

/// The rotation of this id.
///
/// # Errors
/// When the database does not answer.
pub async fn get_rotation(db: &Db, id: RotationId) -> Result<Option<RotationRow>, DbError> {
    rotations::get_of_any(db, id).await
}

/// How many repairs of keys of a service began since then, and before this one.
///
/// # Errors
/// When the database does not answer.
pub async fn count_repairs(
    db: &Db,
    service: &ServiceId,
    since: Timestamp,
    before: RotationId,
) -> Result<u64, DbError> {
    rotations::count_repairs(db, service, since, before).await
}

/// Notes that a node has let go of a version that retires; its newest word stands.
///
/// # Errors
/// When the database does not answer.
pub async fn note_drain(
    db: &Db,
    name: &SecretName,
    version: SecretVersion,
    drain: &DrainRow,
) -> Result<(), DbError> {
    drains::note(db, name, version, drain).await
}

/// The versions that have been retiring longest, and who has let go of them.
///
/// # Errors
/// When the database does not answer.
pub async fn retiring_keys(db: &Db, limit: u32) -> Result<Vec<RetiringKey>, DbError> {
    drains::retiring(db, limit).await
}

/// Ends a version that retires, enters it to be ended at its provider if it was made there, and
/// ends the rotation that waited for it. With `cut`, everything that still uses it is ended too.
/// `false` when it does not retire.
///
/// # Errors
/// When the database does not answer.
pub async fn end_retiring(
    db: &Db,
    name: &SecretName,
    version: SecretVersion,
    at: Timestamp,
    cut: Option<RevocationId>,
) -> Result<bool, DbError> {
    drains::end(db, name, version, at, cut).await
}

/// Enters a key to be ended at its provider; one of the same id that is over begins again.
///
/// # Errors
/// When the database does not answer.
pub async fn enter_provider_revocation(
    db: &Db,
    work: &NewProviderRevocation,
    at: Timestamp,
) -> Result<(), DbError> {
    provider_revocations::enter_alone(db, work, at).await
}

/// Takes keys that are to be ended at their providers now, until `until`.
///
/// # Errors
/// When the database does not answer; then none is taken.
pub async fn take_provider_revocations(
    db: &Db,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<ProviderRevocationRow>, DbError> {
    provider_revocations::take_due(db, now, until, limit).await
}

/// Writes down how the ending of a key stands, and lets go of it.
///
/// # Errors
/// When the database does not answer.
pub async fn save_provider_revocation(db: &Db, row: &ProviderRevocationRow) -> Result<(), DbError> {
    provider_revocations::save(db, row).await
}

/// When the next key is to be ended at its provider.
///
/// # Errors
/// When the database does not answer.
pub async fn next_provider_revocation_at(db: &Db) -> Result<Option<Timestamp>, DbError> {
    provider_revocations::next_at(db).await
}

/// Whether a key at a provider is about to be ended.
///
/// # Errors
/// When the database does not answer.
pub async fn is_to_be_ended(db: &Db, service: &ServiceId, key_id: &str) -> Result<bool, DbError> {
    provider_revocations::is_entered(db, service, key_id).await
}

/// The version whose key a provider knows under this id.
///
/// # Errors
/// When the database does not answer.
pub async fn key_version_at_provider(
    db: &Db,
    service: &ServiceId,
    key_id: &str,
) -> Result<Option<KeyVersionRow>, DbError> {
    key_versions::at_provider(db, service, key_id).await
}

/// The versions in use that are older than `before`, or end by themselves before `ending`, and
/// have no rotation under way; oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn keys_to_rotate(
    db: &Db,
    before: Timestamp,
    ending: Timestamp,
    limit: u32,
) -> Result<Vec<KeyVersionRow>, DbError> {
    key_versions::to_rotate(db, before, ending, limit).await
}

/// The management credentials of a service that are in use: the platform's and the tenants'.
///
/// # Errors
/// When the database does not answer.
pub async fn management_credentials(
    db: &Db,
    service: &ServiceId,
) -> Result<Vec<SecretName>, DbError> {
    key_versions::management_credentials(db, service).await
}

/// The versions in use whose keys were made with this management credential.
///
/// # Errors
/// When the database does not answer.
pub async fn keys_at_provider(
    db: &Db,
    service: &ServiceId,
    admin: &SecretName,
) -> Result<Vec<KeyVersionRow>, DbError> {
    key_versions::made_with(db, service, admin).await
}

/// The dedicated keys of a service that are in use, by name.
///
/// # Errors
/// When the database does not answer.
pub async fn active_keys_of(
    db: &Db,
    service: &ServiceId,
    after: Option<(&SecretName, SecretVersion)>,
    limit: u32,
) -> Result<Vec<KeyVersionRow>, DbError> {
    key_versions::active_of_service(db, service, after, limit).await
}
