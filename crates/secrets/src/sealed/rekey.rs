//! Changing the master key while the store is in use.

use std::sync::{
    PoisonError,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use diamond_db::{
    DbError,
    sealed::{
        self, CustodyChange, CustodyRow, RekeyEnd, RekeyPhase, RekeyRow, Rewrapped, SealedNode,
        WrappedKey,
    },
};
use diamond_domain::NodeId;
use jiff::{SignedDuration, Timestamp};

use super::{
    SealedStore, binding, from_db,
    opening::{self, CHECK, NEXT_CHECK, NEXT_PASSPHRASE, NEXT_ROOT, PASSPHRASE, ROOT},
};
use crate::{
    Custody, CustodyError, CustodyStatus, CustodyStep, KeyWrapper, MasterKeyError, RekeyBegun,
    RekeyProgress, SecretError, SecretKey, WrapError,
};

/// How many data keys go over in one transaction.
const BATCH: u32 = 200;
/// A node says this often what it holds.
const SAY_EVERY: SignedDuration = SignedDuration::from_secs(20);
/// A node that was silent for so long is gone. When it comes back it looks before it serves.
const GONE_AFTER: SignedDuration = SignedDuration::from_secs(90);
/// A passphrase is derived again only at every so many steps.
const COSTLY_STEPS: u32 = 15;

const WHAT: &str = "the record of the master key";

/// What this process remembers between steps.
#[derive(Default)]
pub(super) struct Progress {
    /// When this node last said what it holds, in microseconds, and what that was.
    said_at: AtomicI64,
    said: std::sync::Mutex<Vec<String>>,
    /// Steps since keys were last looked for.
    looked: AtomicU32,
}

#[async_trait]
impl Custody for SealedStore {
    async fn status(&self) -> Result<CustodyStatus, CustodyError> {
        let state = sealed::custody_state(&self.db).await.map_err(of_db)?;
        let now = self.clock.now();
        let rekey = state.row.rekey.as_ref().map(|rekey| {
            let readable = || state.counts.iter().filter(|count| !count.unreadable);
            let done = readable().filter(|count| count.master.as_ref() == Some(&rekey.to));
            RekeyProgress {
                from: rekey.from.clone(),
                to: rekey.to.clone(),
                phase: rekey.phase,
                started_at: rekey.started_at,
                done: done.map(|count| count.count).sum(),
                total: readable().map(|count| count.count).sum(),
                waiting_for: without(&state.nodes, &rekey.to, now),
            }
        });
        Ok(CustodyStatus {
            source: self.keys.kind(),
            path: self.keys.path().map(ToOwned::to_owned),
            held: self.keys.ids(),
            made_at: state.row.made_at,
            rotated_at: state.row.rotated_at,
            data_keys: state.counts,
            rekey,
            retired_files: self.keys.retired(),
            present_in_next: self.keys.is_from_next(&state.row.master),
            master: state.row.master,
        })
    }

    async fn begin(&self) -> Result<RekeyBegun, CustodyError> {
        let row = self.custody_row().await?;
        if let Some(rekey) = row.rekey {
            return Ok(begun(&rekey, true));
        }
        let next = self.keys.next().await?;
        let to = next.wrapper.id().to_string();
        if to == row.master {
            let id = next.wrapper.id().clone();
            return Err(MasterKeyError::SameKey { id }.into());
        }
        let context = binding::of_root(self.installation);
        let root = opening::wrap(&*next.wrapper, &self.root, &context).await?;
        let mut put = vec![
            (NEXT_ROOT, root),
            (NEXT_CHECK, opening::wrapped_check(&*next.wrapper).await?),
        ];
        if let Some(derivation) = &next.derivation {
            put.push((NEXT_PASSPHRASE, derivation.text()?));
        }
        let started_at = self.clock.now();
        let begun = sealed::change_custody(&self.db, |state| {
            // Another node may have begun, or ended, one.
            if let Some(rekey) = &state.row.rekey {
                return (CustodyChange::default(), Some(begun(rekey, true)));
            }
            if state.row.master != row.master {
                return (CustodyChange::default(), None);
            }
            let rekey = RekeyRow {
                from: row.master.clone(),
                to: to.clone(),
                phase: RekeyPhase::Preparing,
                started_at,
            };
            let answer = begun(&rekey, false);
            let change = CustodyChange {
                row: Some(CustodyRow {
                    rekey: Some(rekey),
                    ..state.row
                }),
                put,
                remove: vec![NEXT_CHECK, NEXT_ROOT, NEXT_PASSPHRASE],
            };
            (change, Some(answer))
        })
        .await
        .map_err(of_db)?;
        let begun = begun.ok_or_else(|| {
            SecretError::Unavailable("the master key was changed by another node".into())
        })?;
        if begun.to == to {
            self.keys.hold(next.wrapper);
        }
        Ok(begun)
    }

    async fn cancel(&self) -> Result<Option<RekeyBegun>, CustodyError> {
        let cancelled = sealed::change_custody(&self.db, |state| match &state.row.rekey {
            None => (CustodyChange::default(), Ok(None)),
            Some(rekey) if rekey.phase == RekeyPhase::Rewrapping => {
                (CustodyChange::default(), Err(CustodyError::TooLate))
            }
            Some(rekey) => {
                let answer = begun(rekey, true);
                let change = CustodyChange {
                    row: Some(CustodyRow {
                        rekey: None,
                        ..state.row
                    }),
                    put: Vec::new(),
                    remove: vec![NEXT_CHECK, NEXT_ROOT, NEXT_PASSPHRASE],
                };
                (change, Ok(Some(answer)))
            }
        });
        cancelled.await.map_err(of_db)?
    }

    async fn advance(&self, node: NodeId) -> Result<CustodyStep, CustodyError> {
        let row = self.custody_row().await?;
        let wanted = wanted(&row);
        if let Some(missing) = wanted.iter().find(|id| self.keys.get(id).is_none()) {
            self.look_again(&wanted).await?;
            if self.keys.get(missing).is_none() {
                self.say(node).await?;
                return Ok(CustodyStep::Waiting {
                    master: (*missing).to_owned(),
                    nodes: vec![node.to_string()],
                });
            }
        }
        self.say(node).await?;
        match row.rekey {
            None => {
                self.keys.promote(&row.master)?;
                self.keys.keep_only(&row.master);
                Ok(row.ended.map_or(CustodyStep::Idle, CustodyStep::Ended))
            }
            Some(rekey) if rekey.phase == RekeyPhase::Preparing => self.start(&rekey).await,
            Some(rekey) => self.rewrap(&rekey).await,
        }
    }

    async fn written_down(&self) -> Result<(), CustodyError> {
        let written = sealed::change_custody(&self.db, |state| {
            let change = CustodyChange {
                row: Some(CustodyRow {
                    ended: None,
                    ..state.row
                }),
                ..CustodyChange::default()
            };
            (change, ())
        });
        Ok(written.await.map_err(of_db)?)
    }

    async fn leave(&self, node: NodeId) -> Result<(), CustodyError> {
        let left = sealed::forget_node(&self.db, &node.to_string()).await;
        Ok(left.map_err(of_db)?)
    }
}

impl SealedStore {
    /// Makes this node known before it serves.
    ///
    /// # Errors
    /// [`SecretError::WrongMasterKey`] when data keys are going over to a master key that this
    /// node lacks.
    pub async fn join(&self, node: NodeId) -> Result<(), SecretError> {
        let now = self.clock.now();
        let row = SealedNode {
            node: node.to_string(),
            masters: self.keys.ids(),
            seen_at: now,
        };
        let row = sealed::register_node(&self.db, &row).await.map_err(of_db)?;
        let lacks = |id: &&str| self.keys.get(id).is_none();
        let going = row.sealing != row.master;
        match wanted(&row).into_iter().find(lacks) {
            Some(needed) if going || needed == row.master => Err(SecretError::WrongMasterKey {
                needed: needed.to_owned(),
                held: self.keys.ids().join(", "),
            }),
            _ => Ok(()),
        }
    }

    async fn custody_row(&self) -> Result<CustodyRow, SecretError> {
        let row = sealed::custody(&self.db).await.map_err(of_db)?;
        row.ok_or(SecretError::Damaged { what: WHAT })
    }

    /// Reads the sources again: the operator may have brought a key.
    async fn look_again(&self, wanted: &[&str]) -> Result<(), CustodyError> {
        let step = self.progress.looked.fetch_add(1, Ordering::Relaxed);
        if self.keys.is_cheap() || step.is_multiple_of(COSTLY_STEPS) {
            self.load_keys(wanted).await?;
        }
        Ok(())
    }

    pub(super) async fn load_keys(&self, wanted: &[&str]) -> Result<(), SecretError> {
        let settings = sealed::settings(&self.db).await.map_err(of_db)?;
        let loaded = self
            .keys
            .load(&opening::derivations(&settings), wanted)
            .await;
        loaded.map_err(|error| SecretError::Unavailable(Box::new(error)))
    }

    /// Says which keys this node holds, when that has changed or was long ago.
    async fn say(&self, node: NodeId) -> Result<(), CustodyError> {
        let (now, masters) = (self.clock.now(), self.keys.ids());
        let said_at = self.progress.said_at.load(Ordering::Relaxed);
        let recent = said_at > 0
            && now.as_microsecond().saturating_sub(said_at).unsigned_abs()
                < SAY_EVERY.as_micros().unsigned_abs() as u64;
        let same = *self.said() == masters;
        if recent && same {
            return Ok(());
        }
        let row = SealedNode {
            node: node.to_string(),
            masters: masters.clone(),
            seen_at: now,
        };
        sealed::register_node(&self.db, &row).await.map_err(of_db)?;
        *self.said() = masters;
        self.progress
            .said_at
            .store(now.as_microsecond(), Ordering::Relaxed);
        Ok(())
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.progress
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on data keys go over, if every live node holds the next key.
    async fn start(&self, rekey: &RekeyRow) -> Result<CustodyStep, CustodyError> {
        let now = self.clock.now();
        let missing = sealed::change_custody(&self.db, |state| {
            let missing = without(&state.nodes, &rekey.to, now);
            let unchanged = state.row.rekey.as_ref() == Some(rekey);
            if !missing.is_empty() || !unchanged {
                return (CustodyChange::default(), missing);
            }
            let change = CustodyChange {
                row: Some(CustodyRow {
                    sealing: rekey.to.clone(),
                    rekey: Some(RekeyRow {
                        phase: RekeyPhase::Rewrapping,
                        ..rekey.clone()
                    }),
                    ..state.row
                }),
                ..CustodyChange::default()
            };
            (change, missing)
        })
        .await
        .map_err(of_db)?;
        if missing.is_empty() {
            return Ok(CustodyStep::Moved);
        }
        Ok(CustodyStep::Waiting {
            master: rekey.to.clone(),
            nodes: missing,
        })
    }

    /// One batch, or the end when there is nothing left.
    async fn rewrap(&self, rekey: &RekeyRow) -> Result<CustodyStep, CustodyError> {
        let next = self.keys.get(&rekey.to);
        let next = next.ok_or_else(|| SecretError::Unavailable("the next key is gone".into()))?;
        let keys = sealed::keys_under_others(&self.db, &rekey.to, "", BATCH);
        let keys = keys.await.map_err(of_db)?;
        if keys.is_empty() {
            return self.end(rekey).await;
        }
        let mut batch = Vec::with_capacity(keys.len());
        for key in keys {
            batch.push(self.rewrapped(&*next, key).await?);
        }
        sealed::rewrap(&self.db, &rekey.to, &batch)
            .await
            .map_err(of_db)?;
        Ok(CustodyStep::Moved)
    }

    async fn rewrapped(
        &self,
        next: &dyn KeyWrapper,
        key: WrappedKey,
    ) -> Result<Rewrapped, SecretError> {
        let context = binding::of_data_key(self.installation, &key.owner);
        let opened = self.unwrap_any(&key.wrapped, &context).await?;
        let after = match opened {
            Some(opened) => Some(opening::wrap(next, &opened, &context).await?),
            None => None,
        };
        Ok(Rewrapped {
            owner: key.owner,
            before: key.wrapped,
            after,
        })
    }

    /// The key, with whichever master key opens it; `None` when none does.
    pub(super) async fn unwrap_any(
        &self,
        text: &str,
        context: &[u8],
    ) -> Result<Option<SecretKey>, SecretError> {
        let Ok(wrapped) = STANDARD.decode(text) else {
            return Ok(None);
        };
        for master in self.keys.all() {
            match master.unwrap(&wrapped, context).await {
                Ok(key) => return Ok(Some(key)),
                Err(WrapError::Refused) => {}
                Err(WrapError::Unavailable(source)) => {
                    return Err(SecretError::Unavailable(source));
                }
            }
        }
        Ok(None)
    }

    /// The next key becomes the present one, unless a data key came under the former meanwhile.
    async fn end(&self, rekey: &RekeyRow) -> Result<CustodyStep, CustodyError> {
        let settings = sealed::settings(&self.db).await.map_err(of_db)?;
        let taken = |name| settings.get(name).cloned();
        let mut put = Vec::new();
        for (name, next) in [
            (CHECK, NEXT_CHECK),
            (ROOT, NEXT_ROOT),
            (PASSPHRASE, NEXT_PASSPHRASE),
        ] {
            if let Some(value) = taken(next) {
                put.push((name, value));
            }
        }
        let ended_at = self.clock.now();
        sealed::change_custody(&self.db, |state| {
            let left = state
                .counts
                .iter()
                .any(|count| !count.unreadable && count.master.as_ref() != Some(&rekey.to));
            if left || state.row.rekey.as_ref() != Some(rekey) || put.len() < 2 {
                return (CustodyChange::default(), ());
            }
            let end = RekeyEnd {
                from: rekey.from.clone(),
                to: rekey.to.clone(),
                ended_at,
            };
            let change = CustodyChange {
                row: Some(CustodyRow {
                    master: rekey.to.clone(),
                    sealing: rekey.to.clone(),
                    rotated_at: Some(ended_at),
                    rekey: None,
                    ended: Some(end),
                    ..state.row
                }),
                remove: vec![
                    CHECK,
                    ROOT,
                    PASSPHRASE,
                    NEXT_CHECK,
                    NEXT_ROOT,
                    NEXT_PASSPHRASE,
                ],
                put,
            };
            (change, ())
        })
        .await
        .map_err(of_db)?;
        // Whether it was this node or another: the next step sees it.
        Ok(CustodyStep::Moved)
    }
}

/// The master keys that a node needs now.
pub(super) fn wanted(row: &CustodyRow) -> Vec<&str> {
    let next = row.rekey.as_ref().map(|rekey| rekey.to.as_str());
    std::iter::once(row.master.as_str()).chain(next).collect()
}

/// The live nodes that do not hold the key.
fn without(nodes: &[SealedNode], master: &str, now: Timestamp) -> Vec<String> {
    nodes
        .iter()
        .filter(|node| now.duration_since(node.seen_at) < GONE_AFTER)
        .filter(|node| !node.masters.iter().any(|held| held == master))
        .map(|node| node.node.clone())
        .collect()
}

fn begun(rekey: &RekeyRow, already: bool) -> RekeyBegun {
    RekeyBegun {
        from: rekey.from.clone(),
        to: rekey.to.clone(),
        already,
    }
}

fn of_db(error: DbError) -> SecretError {
    from_db(error, WHAT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diamond_db::Db;
    use diamond_domain::{ManualClock, SecretValue};

    use super::*;
    use crate::{MasterKeySource, Precondition, SecretStore as _};

    #[tokio::test]
    async fn a_change_does_not_end_before_the_last_data_key_has_gone_over() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        MasterKeySource::create_file(&key).unwrap();
        let file = folder.path().join("control.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let clock = ManualClock::new(Timestamp::from_second(1_767_225_600).unwrap());
        let store = SealedStore::open(
            Db::connect(&url).await.unwrap(),
            MasterKeySource::File(key),
            Arc::new(clock),
        );
        let store = store.await.unwrap();
        let (name, value) = (
            "ai-openai-zaxon".parse().unwrap(),
            SecretValue::new("value".to_owned()),
        );
        let put = store.put(&name, &value, Precondition::None, "r").await;
        put.unwrap();
        store.begin().await.unwrap();
        let node = NodeId::from_bits(7);
        assert_eq!(store.advance(node).await.unwrap(), CustodyStep::Moved);
        let rekey = store.custody_row().await.unwrap().rekey.unwrap();
        assert_eq!(rekey.phase, RekeyPhase::Rewrapping);
        // As for a node that looked before the data key was there.
        store.end(&rekey).await.unwrap();
        let row = store.custody_row().await.unwrap();
        assert_eq!(row.rekey.as_ref(), Some(&rekey));
        while store.custody_row().await.unwrap().rekey.is_some() {
            store.advance(node).await.unwrap();
        }
        let row = store.custody_row().await.unwrap();
        assert_eq!(row.master, rekey.to);
    }
}
