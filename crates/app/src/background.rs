//! What goes on beside the requests: following the change log, writing down alarms, anchoring the
//! audit chain, keeping the last use of tokens.

use std::{sync::Arc, time::Duration};

use diamond_db::DbError;
use diamond_domain::{Alarm, AlarmCode};
use diamond_usage::AuditVerdict;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{App, AppError};

/// A revoked token must stop on every node within two seconds; this leaves room for a slow look.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// How long a round of following may take; what it applied stays.
const FOLLOW_LIMIT: Duration = Duration::from_secs(10);
/// How often the database is asked whether it is there.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// How long it may take to answer a small question.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// A cut tail longer than what was written in this time is found.
const ANCHOR_EVERY: Duration = Duration::from_millis(250);
/// Last uses are for people; they need not be exact to the second.
const LAST_USE_EVERY: Duration = Duration::from_secs(10);
/// How often a node says that it lives; see `revocations.rs` for what its silence means.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// How often a node looks whether the master key is being changed.
const SEAL_EVERY: Duration = Duration::from_secs(2);
/// How often keys are looked for that were stored without a tag: by an older release, or by a
/// process that died behind the key itself.
const TAG_EVERY: Duration = Duration::from_secs(60);
/// How soon a database that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long a node is left alone after its start, before it looks after itself. Longer than the
/// allocator keeps what was freed.
const SETTLE_AFTER: Duration = Duration::from_millis(1_500);
/// How often memory that is not needed any more is given back.
const RETURN_MEMORY_EVERY: Duration = Duration::from_secs(30);

impl App {
    /// Starts the background work on the task tracker; it ends when `stop` is cancelled, after a
    /// last round of each.
    pub fn start_background(&self, stop: &CancellationToken) {
        let tasks = &self.parts().tasks;
        tasks.spawn(watch_database(self.clone(), stop.clone()));
        tasks.spawn(follow_changes(self.clone(), stop.clone()));
        tasks.spawn(write_alarms(self.clone(), stop.clone()));
        tasks.spawn(announce_quarantine(self.clone()));
        self.start_witnesses(stop);
        tasks.spawn(anchor_audit(self.clone(), stop.clone()));
        tasks.spawn(keep_last_uses(self.clone(), stop.clone()));
        tasks.spawn(write_refusals(self.clone(), stop.clone()));
        tasks.spawn(keep_registered(self.clone(), stop.clone()));
        tasks.spawn(settle(self.clone(), stop.clone()));
        tasks.spawn(keep_seal(self.clone(), stop.clone()));
        tasks.spawn(keep_budgets(self.clone(), stop.clone()));
        tasks.spawn(keep_key_tags(self.clone(), stop.clone()));
        let rotations = &self.parts().rotations;
        tasks.spawn(rotations.clone().work(stop.clone()));
        tasks.spawn(rotations.clone().watch_drains(stop.clone()));
        tasks.spawn(rotations.clone().schedule(stop.clone()));
    }
}

/// Runs `round` at every tick and once more at the end.
async fn every<F, Fut>(period: Duration, stop: CancellationToken, name: &'static str, round: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), AppError>>,
{
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        let stopping = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        match round().await {
            Ok(()) if failing => {
                tracing::info!(task = name, "background work goes on");
                failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                if !failing {
                    tracing::warn!(task = name, error = %error, cause = ?error, "background work fails and is tried again");
                }
                failing = true;
            }
        }
        if stopping {
            return;
        }
        if failing {
            tokio::select! {
                () = tokio::time::sleep(RETRY_AFTER) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// An answer of the database, or that there is none: one that hangs must not hang us.
pub(crate) async fn bounded<T>(
    asked: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    match tokio::time::timeout(ANSWER_LIMIT, asked).await {
        Ok(answer) => answer,
        Err(late) => Err(DbError::Unavailable(Box::new(late))),
    }
}

/// Looks whether the control database answers, so that nobody has to find out by waiting.
async fn watch_database(app: App, stop: CancellationToken) {
    every(WATCH_EVERY, stop, "watch_database", || async {
        let answered = bounded(app.parts().db.ping()).await;
        app.database().set_answers(answered.is_ok());
        if let Err(error) = &answered {
            app.raise(Alarm {
                code: AlarmCode::DatabaseUnreachable,
                tenant: None,
                subject: "control database".into(),
                detail: format!(
                    "{error}; administration waits, keys and the gateway go on with what is in \
                     memory"
                ),
            });
        }
        Ok(answered?)
    })
    .await;
}

async fn follow_changes(app: App, stop: CancellationToken) {
    every(FOLLOW_EVERY, stop, "follow_changes", || async {
        let followed = match tokio::time::timeout(FOLLOW_LIMIT, app.publish()).await {
            Ok(followed) => followed,
            Err(late) => Err(DbError::Unavailable(Box::new(late)).into()),
        };
        if let Err(error) = &followed
            && error.code() == "database_unreachable"
        {
            app.raise(Alarm {
                code: AlarmCode::DatabaseUnreachable,
                tenant: None,
                subject: "control database".into(),
                detail: "the control database cannot be reached: administration waits, keys and \
                         the gateway go on with what is in memory"
                    .into(),
            });
        }
        followed
    })
    .await;
}

async fn write_alarms(app: App, stop: CancellationToken) {
    let parts = app.parts();
    loop {
        let stopping = tokio::select! {
            () = parts.alarms.arrived() => false,
            () = stop.cancelled() => true,
        };
        if let Err(error) = parts.alarms.write(&parts.db).await {
            tracing::warn!(error = %error, "alarms wait for the control database");
            if !stopping {
                tokio::select! {
                    () = tokio::time::sleep(RETRY_AFTER) => {}
                    () = stop.cancelled() => {}
                }
                parts.alarms.try_again();
            }
        }
        if stopping {
            return;
        }
    }
}

async fn anchor_audit(app: App, stop: CancellationToken) {
    // Which chain, and how far its anchor reaches, once the chain was seen to hold it; a broken one
    // is never moved, so that what was cut is missed for ever.
    let anchored: Mutex<Option<(u32, u64)>> = Mutex::new(None);
    every(ANCHOR_EVERY, stop, "anchor_audit", || async {
        let chain = app.parts().audit.chain();
        let known = anchored.lock().filter(|(known, _)| *known == chain);
        let reached = match known {
            Some((_, reached)) => reached,
            None => match app.check_chain().await? {
                AuditVerdict::Whole { .. } => 0,
                _ => u64::MAX,
            },
        };
        let head = app.parts().audit.head();
        if head.sequence > reached {
            app.put_anchor(chain, &head).await?;
            *anchored.lock() = Some((chain, head.sequence));
        } else {
            *anchored.lock() = Some((chain, reached));
        }
        Ok(())
    })
    .await;
}

/// Once the first requests had their way: sees whether every stored key opens, so that a damaged one
/// is known before somebody needs it, and gives back the memory that the start has used.
async fn settle(app: App, stop: CancellationToken) {
    let mut pause = SETTLE_AFTER;
    let mut checked = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let keyring = Arc::clone(&app.parts().keyring);
        let work = tokio::task::spawn_blocking(move || {
            if !checked {
                // Each has raised its alarm.
                let damaged = keyring.count_damaged();
                if damaged > 0 {
                    tracing::error!(damaged, "stored keys cannot be opened");
                }
            }
            return_memory();
        });
        // It has nothing to say.
        let _ = work.await;
        checked = true;
        pause = RETURN_MEMORY_EVERY;
    }
}

/// The allocator gives back what has been free for a while when a thread ends; a quiet server has
/// no other occasion.
fn return_memory() {
    let thread = std::thread::Builder::new().name("return-memory".to_owned());
    let ended = thread.spawn(|| drop(std::hint::black_box(Box::new(0_u8))));
    // Without a thread it is tried again later.
    let _ = ended.map(std::thread::JoinHandle::join);
}

async fn keep_last_uses(app: App, stop: CancellationToken) {
    every(LAST_USE_EVERY, stop, "keep_last_uses", || async {
        let parts = app.parts();
        let uses = parts.admission.take_last_uses();
        if uses.is_empty() {
            return Ok(());
        }
        let written = bounded(diamond_db::system::record_last_uses(&parts.db, &uses)).await;
        if written.is_err() {
            parts.admission.return_last_uses(&uses);
        }
        Ok(written?)
    })
    .await;
}

/// Tells the others that this node lives, and raises who has not heard of a revocation.
async fn keep_registered(app: App, stop: CancellationToken) {
    // When it began, as the row says it.
    let begun: Mutex<Option<Timestamp>> = Mutex::new(None);
    every(REPORT_EVERY, stop.clone(), "keep_registered", || async {
        let parts = app.parts();
        let (node, now) = (parts.node, parts.clock.now());
        let acknowledged = parts.snapshot.applied().await.unwrap_or(0);
        if stop.is_cancelled() {
            // No call runs any more: nobody need wait for this node.
            let begun = begun.lock().unwrap_or(now);
            diamond_db::system::stop_node(&parts.db, node, begun, now).await?;
            return Ok(());
        }
        let known = *begun.lock();
        match known {
            Some(began) => {
                let reported =
                    diamond_db::system::report_node(&parts.db, node, began, acknowledged, now);
                if !reported.await? {
                    app.supersede();
                    return Ok(());
                }
            }
            None => {
                diamond_db::system::start_node(&parts.db, node, acknowledged, now).await?;
                *begun.lock() = Some(now);
            }
        }
        app.check_revocations().await
    })
    .await;
}

/// Drives a change of the master key, batch after batch; the requests run in between.
async fn keep_seal(app: App, stop: CancellationToken) {
    let mut failing = false;
    while !stop.is_cancelled() {
        let more = match app.advance_seal().await {
            Ok(more) => {
                failing = false;
                more
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(error = %error, cause = ?error, "the care for the master key fails and is tried again");
                }
                failing = true;
                false
            }
        };
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(SEAL_EVERY) => {}
            () = app.parts().custody_news.notified() => {}
            () = stop.cancelled() => {}
        }
    }
    let parts = app.parts();
    if app.is_superseded() {
        // Another serves as this node.
        return;
    }
    // A change of the master key need not wait for a node that has gone.
    if let Err(error) = parts.custody.leave(parts.node).await {
        tracing::debug!(error = %error, "the goodbye was not heard");
    }
}

/// Reads what was spent of budgets that are new here, and of all from time to time.
async fn keep_budgets(app: App, stop: CancellationToken) {
    every(FOLLOW_EVERY, stop.clone(), "keep_budgets", || async {
        if stop.is_cancelled() {
            return Ok(());
        }
        app.follow_budgets().await
    })
    .await;
}

/// Tags keys that were stored without one, batch after batch, while requests run in between.
async fn keep_key_tags(app: App, stop: CancellationToken) {
    every(TAG_EVERY, stop.clone(), "keep_key_tags", || async {
        while !stop.is_cancelled() && app.tag_stored_keys().await? > 0 {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await;
}

async fn announce_quarantine(app: App) {
    if let Err(error) = app.announce_quarantine().await {
        tracing::warn!(error = %error, "whether this installation is in quarantine is not known");
    }
}

/// Writes down the refusals that were counted instead of being written one by one.
async fn write_refusals(app: App, stop: CancellationToken) {
    every(REPORT_EVERY, stop.clone(), "write_refusals", || async {
        let written = app.parts().refusals.write_counted(stop.is_cancelled());
        Ok(written.await?)
    })
    .await;
}
