//! Takes a rotation from step to step.

use std::time::Duration;

use diamond_db::{
    Activation, KeyVersionRow, RotationChange, RotationRow, RotationState, VersionChange,
    rotations, system,
};
use diamond_domain::{AlarmCode, SecretVersion, VersionState};
use diamond_providers::KeyVerdict;
use diamond_usage::AuditAction;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Rotations, Rounds, mint::lost_key};
use crate::AppError;

/// How long whoever takes a rotation holds it. Longer than a step takes; who takes longer finds its
/// fence gone and changes nothing.
const HOLD: Duration = Duration::from_secs(60);
/// How often it is looked whether something is due that nobody rang for: another node's, or what
/// a node left that died.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pauses between tries.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// How often a new key is tried while its provider may not know it yet.
const TEST_EVERY_MAX: Duration = Duration::from_secs(10);
/// After how many failures in a row people are told.
const TELL_AFTER: u32 = 3;

/// What follows a step.
pub(super) enum Next {
    /// The next step, at once.
    Go,
    /// Nothing now: the row is written down and let go of.
    Rest,
}

/// Why a step was not made.
pub(super) enum Stumble {
    /// Another holds the rotation.
    Lost,
    /// It did not get on; it is tried again.
    Failed {
        /// Why, for people.
        reason: String,
        /// Not before then.
        until: Option<Timestamp>,
    },
    /// Something of our own does not work: it is tried again and nothing is held against it.
    Ours(AppError),
}

impl From<AppError> for Stumble {
    fn from(error: AppError) -> Self {
        Self::Ours(error)
    }
}

impl From<diamond_db::DbError> for Stumble {
    fn from(error: diamond_db::DbError) -> Self {
        Self::Ours(error.into())
    }
}

impl From<diamond_secrets::SecretError> for Stumble {
    fn from(error: diamond_secrets::SecretError) -> Self {
        Self::Ours(error.into())
    }
}

impl Rotations {
    /// Works until `stop`; what is under way then goes on to its next step.
    pub(crate) async fn work(self, stop: CancellationToken) {
        let mut rounds = Rounds::of("rotations");
        let mut released = false;
        while !stop.is_cancelled() {
            let round = async {
                if !released {
                    system::release_rotations(&self.db, self.node).await?;
                    released = true;
                }
                self.take().await?;
                self.end_keys().await
            };
            rounds.ended(round.await);
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.0.news.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Takes what is due and lets each go its way.
    async fn take(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let room = {
            let working = self.0.working.lock().len();
            self.settings.concurrency.saturating_sub(working)
        };
        let due = system::next_rotation_at(&self.db).await?;
        if room == 0 || due.is_none_or(|due| due > now) || self.in_quarantine().await? {
            return Ok(());
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let until = self.later(HOLD);
        for row in system::take_due_rotations(&self.db, self.node, now, until, limit).await? {
            let id = row.id;
            self.0.working.lock().insert(id);
            let rotations = self.clone();
            self.tasks.spawn(async move {
                rotations.advance(row).await;
                rotations.0.working.lock().remove(&id);
                rotations.got_on();
                rotations.ring();
            });
        }
        Ok(())
    }

    /// Goes from step to step as far as it gets.
    async fn advance(&self, mut row: RotationRow) {
        loop {
            let step = match row.state {
                RotationState::Planned => self.make(&mut row).await,
                RotationState::Created => self.test(&mut row).await,
                RotationState::Tested => self.promote(&mut row).await,
                RotationState::Promoted
                | RotationState::Draining
                | RotationState::Revoked
                | RotationState::Failed => return,
            };
            match step {
                Ok(Next::Go) => self.got_on(),
                Ok(Next::Rest) | Err(Stumble::Lost) => return,
                Err(Stumble::Failed { reason, until }) => {
                    self.stumbled(row, reason, until).await;
                    return;
                }
                Err(Stumble::Ours(error)) => {
                    tracing::warn!(
                        rotation = %row.id, error = %error, cause = ?error,
                        "a rotation could not go on and is tried again"
                    );
                    let pause = pause(row.failures.max(1));
                    row.reason = Some(error.to_string());
                    self.rest(&mut row, self.later(pause)).await;
                    return;
                }
            }
        }
    }

    /// Sees whether the provider lets the new key in.
    async fn test(&self, row: &mut RotationRow) -> Result<Next, Stumble> {
        let Some(version) = row.version else {
            return Err(no_version());
        };
        let service = row.secret.service().clone();
        let value = self.secrets.get(&row.secret, version).await?;
        let provider = self.providers.get(&service);
        let request = provider
            .as_ref()
            .and_then(|provider| provider.validation(&value));
        let (Some(provider), Some(request)) = (provider, request) else {
            return self.tested(row).await;
        };
        let answer = self.0.outbound.send(&service, request).await;
        let made_at = row.created_key_at.unwrap_or(row.created_at);
        let age = self.clock.now().duration_since(made_at);
        // A provider that is slow with its own news is given twice the time that it is known for.
        let patience = self.settings.propagation.saturating_mul(2);
        let young = SignedDuration::try_from(patience).is_ok_and(|patience| age < patience);
        let verdict = match answer {
            Ok(answer) => provider.read_validation(&answer.at(self.clock.now())),
            Err(error) => KeyVerdict::Unclear {
                reason: error.to_string(),
            },
        };
        match verdict {
            KeyVerdict::Valid
            | KeyVerdict::MissingScope { .. }
            | KeyVerdict::Limited { .. }
            | KeyVerdict::Crowded { .. }
            | KeyVerdict::Exhausted { .. }
            | KeyVerdict::BadRequest { .. } => self.tested(row).await,
            KeyVerdict::Invalid { reason } if young => {
                row.reason = Some(format!("{service} does not know the new key yet: {reason}"));
                let pause = Duration::from_secs(age.as_secs().unsigned_abs().max(1) / 2);
                let pause = pause.clamp(Duration::from_millis(500), TEST_EVERY_MAX);
                self.rest(row, self.later(pause)).await;
                Ok(Next::Rest)
            }
            KeyVerdict::Invalid { reason } | KeyVerdict::Blocked { reason } => {
                self.give_up_key(row, version).await?;
                Err(Stumble::Failed {
                    reason: format!("{service} does not let the new key in: {reason}"),
                    until: None,
                })
            }
            KeyVerdict::Overloaded { until } => Err(Stumble::Failed {
                reason: format!(
                    "{service} is overloaded and did not say whether the new key works"
                ),
                until,
            }),
            KeyVerdict::Unclear { reason } => Err(Stumble::Failed {
                reason: format!("{service} did not say whether the new key works: {reason}"),
                until: None,
            }),
        }
    }

    async fn tested(&self, row: &mut RotationRow) -> Result<Next, Stumble> {
        row.state = RotationState::Tested;
        row.failures = 0;
        row.reason = None;
        self.save(row).await?;
        Ok(Next::Go)
    }

    /// A key that does not work is ended, and the next attempt makes another.
    async fn give_up_key(
        &self,
        row: &mut RotationRow,
        version: SecretVersion,
    ) -> Result<(), Stumble> {
        row.state = RotationState::Planned;
        row.version = None;
        row.created_key_at = None;
        let secret = row.secret.clone();
        self.commit(row, VersionChange::GiveUp(&secret, version), None)
            .await?;
        self.ring();
        Ok(())
    }

    /// New requests use the new key from here on.
    async fn promote(&self, row: &mut RotationRow) -> Result<Next, Stumble> {
        let Some(version) = row.version else {
            return Err(no_version());
        };
        let versions = system::load_key_versions_of(&self.db, &row.secret).await?;
        let new = versions.iter().find(|found| found.version == version);
        let Some(new) = new.filter(|new| new.state != VersionState::Revoked) else {
            // Somebody revoked it before it was ever used: that is a wish not to have it.
            return self
                .fail(row, "the new key was revoked before it was in use")
                .await;
        };
        let former = versions
            .iter()
            .find(|found| found.state == VersionState::Active && found.version != version);
        let detail = format!("{} of {}: {}", row.id, row.secret, row.cause.as_str());
        self.record(AuditAction::KeyRotate, &row.secret, Some(version), detail)
            .await?;
        let now = self.clock.now();
        let key = KeyVersionRow {
            activated_at: Some(now),
            ..new.clone()
        };
        row.promoted_at = Some(now);
        row.former = former.map(|former| former.version);
        row.failures = 0;
        row.reason = None;
        row.next_at = None;
        row.held_by = None;
        if row.former.is_some() {
            row.state = RotationState::Draining;
        } else {
            row.state = RotationState::Promoted;
            row.ended_at = Some(now);
        }
        let done = self
            .commit(row, VersionChange::Activate(&key), None)
            .await?;
        if let Some(Activation::Superseded { by }) = done {
            tracing::info!(rotation = %row.id, %by, "a rotation was overtaken by a newer key");
        }
        tracing::info!(rotation = %row.id, secret = %row.secret, %version, "a key was rotated");
        metrics::counter!(
            "diamond_rotations_total",
            "service" => row.secret.service().to_string(), "cause" => row.cause.as_str()
        )
        .increment(1);
        self.snapshot.catch_up().await?;
        Ok(Next::Rest)
    }

    /// Ends a rotation without a new key.
    pub(super) async fn fail(&self, row: &mut RotationRow, reason: &str) -> Result<Next, Stumble> {
        row.state = RotationState::Failed;
        row.ended_at = Some(self.clock.now());
        row.next_at = None;
        row.held_by = None;
        row.reason = Some(reason.to_owned());
        let ending = row
            .asked
            .then(|| lost_key(self.installation, row, None))
            .flatten();
        let secret = row.secret.clone();
        let change = match row.version {
            Some(version) => VersionChange::GiveUp(&secret, version),
            None => VersionChange::None,
        };
        self.commit(row, change, ending).await?;
        self.raise(
            AlarmCode::RotationFailed,
            &secret,
            format!(
                "{} was given up: {reason}. The key before it is what it was.",
                row.id
            ),
        );
        Ok(Next::Rest)
    }

    /// It did not get on: later, or never.
    async fn stumbled(&self, mut row: RotationRow, reason: String, until: Option<Timestamp>) {
        row.failures = row.failures.saturating_add(1);
        if row.failures >= self.settings.failures_max {
            match self.fail(&mut row, &reason).await {
                Ok(_) | Err(Stumble::Lost) => {}
                Err(Stumble::Failed { reason, .. }) => {
                    tracing::warn!(rotation = %row.id, %reason, "a rotation cannot be given up");
                }
                // Its time will be over, and somebody else gives it up.
                Err(Stumble::Ours(error)) => {
                    tracing::warn!(rotation = %row.id, %error, "a rotation cannot be given up yet");
                }
            }
            return;
        }
        if row.failures == TELL_AFTER {
            self.raise(
                AlarmCode::RotationFailed,
                &row.secret,
                format!("{} does not get on: {reason}. It is tried again.", row.id),
            );
        }
        tracing::warn!(rotation = %row.id, failures = row.failures, %reason, "a rotation stumbled");
        let at = until
            .unwrap_or(Timestamp::MIN)
            .max(self.later(pause(row.failures)));
        row.reason = Some(reason);
        self.rest(&mut row, at).await;
    }

    /// Lets go of the row until then.
    pub(super) async fn rest(&self, row: &mut RotationRow, until: Timestamp) {
        row.next_at = Some(until);
        row.held_by = None;
        if let Err(error) = system::save_rotation(&self.db, row).await {
            // Its hold will be over.
            tracing::warn!(rotation = %row.id, %error, "how a rotation stands is not written down");
        }
    }

    /// Writes the row down and keeps it.
    pub(super) async fn save(&self, row: &RotationRow) -> Result<(), Stumble> {
        match system::save_rotation(&self.db, row).await? {
            true => Ok(()),
            false => Err(Stumble::Lost),
        }
    }

    /// Does a step with everything that belongs to it.
    pub(super) async fn commit(
        &self,
        row: &RotationRow,
        version: VersionChange<'_>,
        ending: Option<diamond_db::NewProviderRevocation>,
    ) -> Result<Option<Activation>, Stumble> {
        let change = RotationChange {
            row,
            version,
            ending,
        };
        let done = rotations::commit(&self.db, change, self.clock.now()).await?;
        done.ok_or(Stumble::Lost)
    }
}

fn no_version() -> Stumble {
    Stumble::Ours(AppError::internal("a rotation without its version"))
}

/// Twice as long each time.
pub(super) fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX)
}
