//! Keeps the tables in memory as the control database says: everything once at the start
//! (`loading.rs`), then change after change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use diamond_admission::{Admission, CutTarget, TenantPolicy, TokenHash, TokenRecord};
use diamond_billing::Overheads;
use diamond_db::{
    BudgetRow, ChangeSubject, Db, KeyVersionState, Revocation, RevocationAcknowledgement,
    RevocationTarget, Tenant, TenantStatus, TokenRow, system,
};
use diamond_domain::{
    Alarm, AlarmCode, AlarmSink, Clock, KeyHealth, NodeId, RevocationId, SecretKind, SecretName,
    SecretValue, TenantId, VersionState,
};
use diamond_keyring::{KeyEntry, Keyring};
use diamond_secrets::{SecretError, SecretStore};
use tokio::sync::Mutex;

use crate::{AlarmRecorder, AppError, budgets::budget_rule};

/// How many changes are read at a time.
const PAGE: u32 = 1_000;

/// Feeds admission and keyring from the change log.
pub struct Snapshot {
    pub(crate) db: Db,
    pub(crate) secrets: Arc<dyn SecretStore>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) alarms: Arc<AlarmRecorder>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    /// What goes on top of a cost to make a charge.
    overheads: Overheads,
    /// The lock makes one reader of the log at a time, so changes are applied in their order.
    followed: Mutex<Followed>,
    /// When the tables were last known to be current, in monotonic nanoseconds; 0 for never.
    current_at: AtomicU64,
}

/// How far the log was followed.
#[derive(Debug, Default)]
struct Followed {
    /// The last change that the tables contain; `None` until they are loaded.
    applied: Option<u64>,
    /// What was cut here, as long as the database does not know.
    unacknowledged: Vec<(RevocationId, RevocationAcknowledgement)>,
}

impl Snapshot {
    /// Empty tables over these stores; nothing is read yet.
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one thing that it feeds or reads"
    )]
    pub fn new(
        db: Db,
        secrets: Arc<dyn SecretStore>,
        admission: Arc<Admission>,
        keyring: Arc<Keyring>,
        alarms: Arc<AlarmRecorder>,
        clock: Arc<dyn Clock>,
        node: NodeId,
        overheads: Overheads,
    ) -> Self {
        Self {
            db,
            secrets,
            admission,
            keyring,
            alarms,
            clock,
            node,
            overheads,
            followed: Mutex::default(),
            current_at: AtomicU64::new(0),
        }
    }

    /// Applies every change that was committed before the call. The first call loads everything.
    ///
    /// # Errors
    /// When a store cannot be read; what was applied stays, and the next call goes on from there.
    pub async fn catch_up(&self) -> Result<(), AppError> {
        let mut followed = self.followed.lock().await;
        let mut sequence = match followed.applied {
            Some(sequence) => sequence,
            None => {
                // Changes made while we load are applied again afterwards, which does no harm.
                let start = system::last_change(&self.db).await?;
                self.load().await?;
                followed.applied = Some(start);
                start
            }
        };
        loop {
            let asked_at = self.clock.monotonic_nanos().max(1);
            let changes = system::changes_after(&self.db, sequence, PAGE).await?;
            let Some(last) = changes.last().map(|change| change.sequence) else {
                self.current_at.store(asked_at, Ordering::Release);
                self.admission.mark_current(asked_at);
                return self.acknowledge(&mut followed).await;
            };
            let revocations = system::revocations_between(&self.db, sequence, last).await?;
            for change in changes {
                self.apply(change.subject).await?;
            }
            // From here on nothing new of them is admitted: what runs can be ended.
            for revocation in revocations {
                let cut = self.cut(&revocation);
                followed.unacknowledged.push((revocation.id, cut));
            }
            sequence = last;
            followed.applied = Some(sequence);
            self.acknowledge(&mut followed).await?;
        }
    }

    /// The last change that the tables contain.
    pub(crate) async fn applied(&self) -> Option<u64> {
        self.followed.lock().await.applied
    }

    /// Ends what runs of something that was revoked.
    fn cut(&self, revocation: &Revocation) -> RevocationAcknowledgement {
        let target = match revocation.target.clone() {
            RevocationTarget::Tenant(tenant) => CutTarget::Tenant(tenant),
            RevocationTarget::Token(token) => CutTarget::Token(token),
            RevocationTarget::Key(name, version) => CutTarget::Key(name, version),
        };
        let calls_cut = self.admission.calls().cut(&target);
        let at = self.clock.now();
        tracing::warn!(
            revocation.id = %revocation.id,
            calls.cut = calls_cut,
            "what was revoked is refused from now on"
        );
        metrics::counter!("diamond_calls_cut_total").increment(calls_cut);
        RevocationAcknowledgement {
            node: self.node,
            at,
            calls_cut,
        }
    }

    /// Tells the database what was cut here.
    async fn acknowledge(&self, followed: &mut Followed) -> Result<(), AppError> {
        while let Some((id, acknowledgement)) = followed.unacknowledged.first() {
            system::acknowledge_revocation(&self.db, *id, acknowledgement).await?;
            followed.unacknowledged.remove(0);
        }
        Ok(())
    }

    /// How long ago the tables were known to be current; `None` before the first load.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        let at = self.current_at.load(Ordering::Acquire);
        (at > 0).then(|| Duration::from_nanos(self.clock.monotonic_nanos().saturating_sub(at)))
    }

    async fn apply(&self, subject: ChangeSubject) -> Result<(), AppError> {
        match subject {
            ChangeSubject::Tenant(id) => match diamond_db::tenants::get(&self.db, &id).await? {
                Some(tenant) => {
                    let new = !self.admission.knows_tenant(&id);
                    let rows = diamond_db::budgets::list(&self.db, &id).await?;
                    // Before the tenant itself: it calls nothing without its budgets.
                    self.take_budgets(&id, rows, new);
                    self.admission.upsert_tenant(policy(&tenant));
                }
                None => self.admission.remove_tenant(&id),
            },
            ChangeSubject::Token(id) => match system::load_token(&self.db, id).await? {
                Some(token) => take_token(&self.admission, &token),
                None => self.admission.remove_token(id),
            },
            ChangeSubject::Key(name) => {
                for version in system::load_key_versions_of(&self.db, &name).await? {
                    self.take_key(&KeyVersionState {
                        name: version.name,
                        version: version.version,
                        state: version.state,
                        payer: version.payer,
                    })
                    .await?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn take_budgets(&self, tenant: &TenantId, rows: Vec<BudgetRow>, new: bool) {
        let rules = rows
            .into_iter()
            .map(|row| budget_rule(row, self.overheads))
            .collect();
        let budgets = self.admission.budgets();
        budgets.set_rules(tenant, rules, self.clock.now(), new);
    }

    /// Brings one version into the keyring. Management credentials never enter it: nothing on the
    /// hot path may use them.
    pub(crate) async fn take_key(&self, row: &KeyVersionState) -> Result<(), AppError> {
        if !is_hot(&row.name) {
            return Ok(());
        }
        match row.state {
            VersionState::Pending => Ok(()),
            VersionState::Revoked => {
                self.keyring
                    .set_state(&row.name, row.version, VersionState::Revoked);
                Ok(())
            }
            VersionState::Active | VersionState::Retiring => {
                if self.keyring.health(&row.name, row.version).is_some() {
                    self.keyring.set_state(&row.name, row.version, row.state);
                    return Ok(());
                }
                let value = match self.secrets.get(&row.name, row.version).await {
                    Ok(value) => Some(value),
                    Err(error @ SecretError::Unavailable(_)) => return Err(error.into()),
                    // One damaged value must not take down the other 50,000.
                    Err(error) => {
                        raise_unreadable(&self.alarms, &row.name, &error);
                        None
                    }
                };
                // It takes its place all the same, as a key that does not work: were it left
                // out, the version before it would be handed out in silence.
                let readable = value.is_some();
                self.keyring.upsert(KeyEntry {
                    name: row.name.clone(),
                    version: row.version,
                    value: value.unwrap_or_else(|| SecretValue::new(String::new())),
                    state: row.state,
                    payer: row.payer,
                });
                if !readable {
                    self.keyring
                        .report(&row.name, row.version, KeyHealth::Invalid);
                }
                Ok(())
            }
        }
    }
}

pub(crate) fn take_token(admission: &Admission, row: &TokenRow) {
    match record(row) {
        Ok(record) => admission.upsert_token(record),
        Err(reason) => {
            // A restriction that cannot be read must not become no restriction.
            tracing::error!(token.id = %row.id, %reason, "an access token is left out");
            admission.remove_token(row.id);
        }
    }
}

/// Management credentials are not: nothing on the hot path may use them.
pub(crate) fn is_hot(name: &SecretName) -> bool {
    matches!(name.kind(), SecretKind::Dedicated | SecretKind::Customer)
}

pub(crate) fn raise_unreadable(alarms: &AlarmRecorder, name: &SecretName, error: &SecretError) {
    alarms.raise(Alarm {
        code: AlarmCode::UnreadableSecret,
        tenant: name.tenant().cloned(),
        subject: name.to_string(),
        detail: format!("{error}; put the key again, and look for who changed the store"),
    });
}

pub(crate) fn policy(tenant: &Tenant) -> TenantPolicy {
    TenantPolicy {
        id: tenant.id.clone(),
        tier: tenant.tier,
        suspended: tenant.status == TenantStatus::Suspended,
        services: tenant.services.clone(),
        reveal: tenant.reveal,
    }
}

fn record(row: &TokenRow) -> Result<TokenRecord, String> {
    let addresses = row
        .addresses
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| format!("`{text}` is not an address range"))
        })
        .collect::<Result<_, _>>()?;
    Ok(TokenRecord {
        id: row.id,
        hash: TokenHash::from_bytes(row.hash),
        tenant: row.tenant.clone(),
        name: row.name.clone(),
        owner: row.owner.clone(),
        purpose: row.purpose.clone(),
        scopes: row.scopes,
        user: row.user.clone(),
        services: row.services.clone(),
        addresses,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
    })
}
