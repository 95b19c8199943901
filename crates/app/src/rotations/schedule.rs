//! What is begun without anybody asking: keys that are old or about to end, and sweeps.

use std::time::Duration;

use diamond_db::{RotationCause, system};
use diamond_domain::SecretKind;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Rotations, Rounds};
use crate::AppError;

/// How often it is looked what is old.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How many are begun at a time: the rest is as old a moment later.
const AT_ONCE: u32 = 200;

impl Rotations {
    /// Begins what is due, until `stop`.
    pub(crate) async fn schedule(self, stop: CancellationToken) {
        let mut rounds = Rounds::of("schedule");
        let mut swept_at: Option<Timestamp> = None;
        while !stop.is_cancelled() {
            rounds.ended(self.begin_due(&mut swept_at).await);
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn begin_due(&self, swept_at: &mut Option<Timestamp>) -> Result<(), AppError> {
        if self.in_quarantine().await? {
            return Ok(());
        }
        let before = self
            .settings
            .age
            .map_or(Timestamp::MIN, |age| self.earlier(age));
        let ending = self.later(self.settings.ahead_of_end);
        let due = system::keys_to_rotate(&self.db, before, ending, AT_ONCE).await?;
        for key in due {
            let expiring = key.at_provider.as_ref().and_then(|there| there.expires_at);
            let ends = expiring.is_some_and(|at| at < ending);
            let cause = match ends {
                true => RotationCause::Expiry,
                false => RotationCause::Age,
            };
            // A customer's key is as old as the customer lets it be.
            if let (Some(tenant), SecretKind::Dedicated) = (key.name.tenant(), key.name.kind()) {
                let former = Some(key.version);
                self.begin(tenant, &key.name, cause, former, None).await?;
            }
        }
        self.sweep_when_due(swept_at).await
    }

    /// The first sweep is one period after the start: a server that starts again and again does
    /// not ask the providers each time.
    async fn sweep_when_due(&self, swept_at: &mut Option<Timestamp>) -> Result<(), AppError> {
        let Some(every) = self.settings.sweep_every else {
            return Ok(());
        };
        let now = self.clock.now();
        let last = *swept_at.get_or_insert(now);
        let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
        if now.duration_since(last) < every {
            return Ok(());
        }
        *swept_at = Some(now);
        for service in self.providers.services() {
            self.sweep(service).await?;
        }
        Ok(())
    }

    /// When a version is replaced at the latest without anybody asking.
    pub(crate) fn replaced_at(
        &self,
        kind: SecretKind,
        activated_at: Option<Timestamp>,
        ends_at: Option<Timestamp>,
    ) -> Option<Timestamp> {
        if kind != SecretKind::Dedicated {
            return None;
        }
        let by = |duration| SignedDuration::try_from(duration).ok();
        let by_age = self.settings.age.and_then(by);
        let by_age = activated_at
            .zip(by_age)
            .and_then(|(at, age)| at.checked_add(age).ok());
        let by_end = ends_at.zip(by(self.settings.ahead_of_end));
        let by_end = by_end.and_then(|(at, ahead)| at.checked_sub(ahead).ok());
        by_age.into_iter().chain(by_end).min()
    }
}
