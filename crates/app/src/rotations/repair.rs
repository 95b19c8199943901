//! Repairs: whoever finds a key dead, or none, waits here for a new one.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use diamond_db::{NewRotation, RotationCause, RotationRow, RotationState, rotations, system};
use diamond_domain::{RotationId, SecretName, SecretVersion, ServiceId, TenantId, Tier};
use diamond_keyring::{KeyRepair, RepairError};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;

use super::Rotations;
use crate::AppError;

/// For how long nobody asks again after it did not work.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// How often it is looked how far the rotation is, when nobody rings: another node may do it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Which repair: of this version, or of a key that is not there.
type Subject = (SecretName, Option<SecretVersion>);
type Repair = Shared<BoxFuture<'static, Result<(), Refused>>>;

/// Why there is no new key.
#[derive(Debug, Clone)]
struct Refused {
    /// Whether trying again may help.
    possible: bool,
    reason: String,
}

/// The repairs under way, and those that did not work a moment ago.
#[derive(Default)]
pub(super) struct Repairs {
    running: Mutex<HashMap<Subject, Repair>>,
    refused: Mutex<HashMap<Subject, (u64, Refused)>>,
}

#[async_trait]
impl KeyRepair for Rotations {
    async fn replace(&self, name: &SecretName, failed: SecretVersion) -> Result<(), RepairError> {
        self.repair((name.clone(), Some(failed))).await
    }

    async fn provide(
        &self,
        service: &ServiceId,
        tenant: &TenantId,
        tier: Tier,
    ) -> Result<(), RepairError> {
        let name = SecretName::Dedicated {
            service: service.clone(),
            tenant: tenant.clone(),
        };
        if let Err(reason) = self.may_provide(&name, tier) {
            return Err(RepairError::NotPossible {
                name,
                reason: reason.to_owned(),
            });
        }
        self.repair((name, None)).await
    }
}

impl Rotations {
    /// Whether keys of this kind are made here at all, for tenants of this tier.
    pub(super) fn may_provide(&self, name: &SecretName, tier: Tier) -> Result<(), &'static str> {
        if tier == Tier::CustomerProvided {
            return Err("tenants of its tier bring their own keys: put the customer's key");
        }
        self.minting(name.service()).map(drop)
    }

    /// Does a repair, or waits for the one under way.
    async fn repair(&self, subject: Subject) -> Result<(), RepairError> {
        let now = self.clock.monotonic_nanos();
        let refused = {
            let mut refused = self.0.repairs.refused.lock();
            refused.retain(|_, (until, _)| *until > now);
            refused.get(&subject).map(|(_, refused)| refused.clone())
        };
        let outcome = match refused {
            Some(refused) => Err(refused),
            None => self.running(&subject).await,
        };
        let (name, _) = subject;
        outcome.map_err(|refused| {
            if refused.possible {
                RepairError::Unavailable {
                    name,
                    source: refused.reason.into(),
                }
            } else {
                RepairError::NotPossible {
                    name,
                    reason: refused.reason,
                }
            }
        })
    }

    /// The repair of this subject that is under way, begun now if there is none.
    fn running(&self, subject: &Subject) -> Repair {
        let mut running = self.0.repairs.running.lock();
        if let Some(repair) = running.get(subject) {
            return repair.clone();
        }
        let rotations = self.clone();
        let mine = subject.clone();
        let repair = async move {
            let outcome = rotations.see_repaired(&mine).await;
            let repairs = &rotations.0.repairs;
            if let Err(refused) = &outcome {
                let pause = u64::try_from(REFUSED_FOR.as_nanos()).unwrap_or(u64::MAX);
                let until = rotations.clock.monotonic_nanos().saturating_add(pause);
                let refused = (until, refused.clone());
                repairs.refused.lock().insert(mine.clone(), refused);
            }
            repairs.running.lock().remove(&mine);
            outcome
        };
        let repair = repair.boxed().shared();
        running.insert(subject.clone(), repair.clone());
        repair
    }

    async fn see_repaired(&self, subject: &Subject) -> Result<(), Refused> {
        let (name, failed) = subject;
        let Some(tenant) = name.tenant() else {
            return Err(Refused {
                possible: false,
                reason: "a management credential is put by a person".to_owned(),
            });
        };
        self.snapshot.catch_up().await.map_err(Refused::ours)?;
        if self.is_repaired(subject) {
            return Ok(());
        }
        if failed.is_none() {
            // Nobody is asked to paste a key because somebody made a call.
            let credential = self.credential_for(name.service(), tenant).await;
            if credential.map_err(Refused::ours)?.is_none() {
                return Err(Refused {
                    possible: false,
                    reason: "there is no management credential for this service: an operator puts \
                             one (`diamond admin credential:put`) or a key"
                        .to_owned(),
                });
            }
        }
        let cause = match failed {
            Some(_) => RotationCause::Repair,
            None => RotationCause::Provision,
        };
        let begun = self.begin(tenant, name, cause, *failed, None).await;
        let row = begun.map_err(Refused::ours)?;
        let row = self.see_through(row.id, self.settings.repair_wait).await;
        let row = row.map_err(Refused::ours)?;
        self.snapshot.catch_up().await.map_err(Refused::ours)?;
        if self.is_repaired(subject) {
            return Ok(());
        }
        Err(Refused {
            possible: !row.waits && row.state != RotationState::Failed,
            reason: row
                .reason
                .unwrap_or_else(|| "the new key is not ready yet".to_owned()),
        })
    }

    /// Whether there is a key now that is not the failed one.
    fn is_repaired(&self, (name, failed): &Subject) -> bool {
        let Some(tenant) = name.tenant() else {
            return false;
        };
        let pinned = self.keyring.pin(name.service(), tenant);
        pinned.is_ok_and(|key| key.name() != name || Some(key.version()) != *failed)
    }

    /// Begins a rotation, or finds the one under way.
    pub(super) async fn begin(
        &self,
        tenant: &TenantId,
        secret: &SecretName,
        cause: RotationCause,
        former: Option<SecretVersion>,
        requested_by: Option<diamond_domain::TokenId>,
    ) -> Result<RotationRow, AppError> {
        let now = self.clock.now();
        let new = NewRotation {
            id: RotationId::generate(now),
            secret: secret.clone(),
            cause,
            former,
            requested_by,
        };
        let begun = rotations::begin(&self.db, tenant, &new, now).await?;
        self.ring();
        Ok(begun.into_row())
    }

    /// Waits, at most so long, until a rotation has a new key in use, or nobody but a person or
    /// time can help it.
    pub(super) async fn see_through(
        &self,
        id: RotationId,
        wait: Duration,
    ) -> Result<RotationRow, AppError> {
        let begun = self.clock.monotonic_nanos();
        loop {
            let progress = self.0.progress.notified();
            let mut progress = std::pin::pin!(progress);
            // Registered before the look: what happens in between is not missed.
            progress.as_mut().enable();
            let row = system::get_rotation(&self.db, id).await?;
            let row = row.ok_or_else(|| AppError::internal("a rotation that was begun is gone"))?;
            let waited = self.clock.monotonic_nanos().saturating_sub(begun);
            let left = wait.saturating_sub(Duration::from_nanos(waited));
            let soon = |at| at <= self.later(left);
            let stuck = row.waits || row.held_by.is_none() && !row.next_at.is_some_and(soon);
            if !row.state.is_open() || left.is_zero() || stuck {
                return Ok(row);
            }
            // Either way it looks again.
            let _ = tokio::time::timeout(LOOK_EVERY, progress).await;
        }
    }

    /// A person put a key: a rotation that waited for one has it.
    pub(crate) async fn supplied(
        &self,
        tenant: &TenantId,
        secret: &SecretName,
        version: SecretVersion,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        if rotations::supplied(&self.db, tenant, secret, version, now).await? {
            tracing::info!(%secret, %version, "a rotation has the key that it waited for");
        }
        self.got_on();
        Ok(())
    }
}

impl Refused {
    fn ours(error: AppError) -> Self {
        Self {
            possible: true,
            reason: error.to_string(),
        }
    }
}
