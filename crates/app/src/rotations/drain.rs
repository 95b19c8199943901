//! Letting go of versions that retire: each node says when it has, and when all have, the version
//! ends.

use std::time::Duration;

use diamond_db::{DrainRow, NodeRow, RetiringKey, system};
use diamond_domain::{AlarmCode, RevocationId};
use diamond_usage::AuditAction;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Rotations, Rounds};
use crate::AppError;

/// How often a node looks what it has let go of.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many versions are looked at in a round; the oldest first.
const AT_ONCE: u32 = 1_000;
/// After how long without all words people are told who keeps a version.
const TELL_AFTER: SignedDuration = SignedDuration::from_mins(15);

impl Rotations {
    /// Says what this node has let go of, and ends what all have, until `stop`.
    pub(crate) async fn watch_drains(self, stop: CancellationToken) {
        let mut rounds = Rounds::of("drains");
        while !stop.is_cancelled() {
            let round = async {
                self.let_go().await?;
                self.end_drained().await
            };
            rounds.ended(round.await);
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Says which versions this node has let go of.
    async fn let_go(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let retiring = self.keyring.retiring();
        {
            let still = |known: &(_, _)| {
                let mut all = retiring.iter();
                all.any(|found| (&found.name, found.version) == (&known.0, known.1))
            };
            self.0.let_go.lock().retain(still);
        }
        for found in retiring {
            let since = found.retired_at.map(|at| now.duration_since(at));
            // As long as calls may fall back to it, nobody lets go of it.
            if since.is_some_and(|since| {
                since.is_negative() || since.unsigned_abs() < self.settings.propagation
            }) {
                continue;
            }
            self.keyring.shut(&found.name, found.version);
            let known = (found.name.clone(), found.version);
            if self.keyring.pins(&found.name, found.version) > 0
                || self.0.let_go.lock().contains(&known)
            {
                continue;
            }
            let longest = self.settings.lease;
            let drain = DrainRow {
                node: self.node,
                at: now,
                leased_until: self
                    .keyring
                    .leased_until(&found.name, found.version, longest),
            };
            system::note_drain(&self.db, &found.name, found.version, &drain).await?;
            self.0.let_go.lock().insert(known);
        }
        Ok(())
    }

    /// Ends the versions that everybody has let go of, and those whose time is over.
    async fn end_drained(&self) -> Result<(), AppError> {
        let retiring = system::retiring_keys(&self.db, AT_ONCE).await?;
        if retiring.is_empty() {
            return Ok(());
        }
        let nodes = system::serving_nodes(&self.db).await?;
        for key in retiring {
            self.end_if_drained(&key, &nodes).await?;
        }
        Ok(())
    }

    async fn end_if_drained(&self, key: &RetiringKey, nodes: &[NodeRow]) -> Result<(), AppError> {
        let now = self.clock.now();
        let (name, version) = (&key.key.name, key.key.version);
        let retired_at = key.key.retired_at.unwrap_or(key.key.created_at);
        let age = now.duration_since(retired_at);
        let missing: Vec<&NodeRow> = nodes
            .iter()
            .filter(|node| !key.drains.iter().any(|word| word.node == node.id))
            .collect();
        let drained = !nodes.is_empty() && missing.is_empty();
        let leased_until = key.drains.iter().filter_map(|word| word.leased_until).max();
        let leased = leased_until.is_some_and(|until| until > now);
        let deadline = SignedDuration::try_from(self.settings.drain_deadline);
        let over = deadline.is_ok_and(|deadline| age >= deadline);
        if drained && !leased {
            let detail = format!("{name}: everybody has let go of it");
            self.record(AuditAction::KeyRevoke, name, Some(version), detail)
                .await?;
            system::end_retiring(&self.db, name, version, now, None).await?;
        } else if over {
            self.force(key, &missing, leased_until).await?;
        } else {
            if !missing.is_empty() && age > TELL_AFTER {
                self.tell_held(key, &missing, retired_at);
            }
            return Ok(());
        }
        self.snapshot.catch_up().await?;
        self.got_on();
        self.ring();
        Ok(())
    }

    /// Ends a version that somebody still holds.
    async fn force(
        &self,
        key: &RetiringKey,
        missing: &[&NodeRow],
        leased_until: Option<Timestamp>,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let (name, version) = (&key.key.name, key.key.version);
        let id = RevocationId::generate(now);
        let detail = format!("{name}: its time was over: {id}");
        self.record(AuditAction::KeyRevoke, name, Some(version), detail)
            .await?;
        if system::end_retiring(&self.db, name, version, now, Some(id)).await? {
            let who: Vec<String> = missing.iter().map(|node| node.id.to_string()).collect();
            let leased = leased_until.map_or_else(String::new, |until| {
                format!("; it was leased until {until}")
            });
            self.raise(
                AlarmCode::DrainForced,
                name,
                format!(
                    "version {version} was ended although these nodes had not let go of it: [{}]\
                     {leased}. `diamond admin revocation:show {id}` says how many calls were cut.",
                    who.join(", ")
                ),
            );
        }
        Ok(())
    }

    fn tell_held(&self, key: &RetiringKey, missing: &[&NodeRow], retired_at: Timestamp) {
        let subject = (key.key.name.clone(), key.key.version);
        if !self.0.held.lock().insert(subject) {
            return;
        }
        let who: Vec<String> = missing.iter().map(|node| node.id.to_string()).collect();
        self.raise(
            AlarmCode::DrainHeld,
            &key.key.name,
            format!(
                "version {} has been retiring since {retired_at}, and these nodes have not let go \
                 of it: [{}]. It ends by force {} hours after it retired.",
                key.key.version,
                who.join(", "),
                self.settings.drain_deadline.as_secs() / 3_600
            ),
        );
    }
}
