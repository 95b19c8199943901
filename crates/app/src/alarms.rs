//! Alarms: taken from anywhere without waiting, written down in the background, looked at here.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use diamond_db::{AlarmChange, AlarmRow, AlarmState, Db, DbError};
use diamond_domain::{Alarm, AlarmCode, AlarmSink, Clock, Scope, TenantId};
use diamond_usage::{AuditAction, AuditOutcome};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{App, AppError, RequestContext, audit::AuditSubject, background::bounded};

/// The most kinds of trouble that wait for the database at once; what is beyond is counted in the
/// metric `diamond_alarms_dropped_total` and logged.
const WAITING_MAX: usize = 10_000;

/// How many subjects of one code a tenant can have since the start before the rest are one.
const SUBJECTS_MAX: usize = 100;
/// What the rest are called.
const OTHER_SUBJECTS: &str = "others";

type Subjects = HashMap<(AlarmCode, Option<TenantId>), HashSet<String>>;
type Subject = (AlarmCode, Option<TenantId>, String);

/// What the database does not know yet of an alarm.
#[derive(Debug, Clone)]
struct Waiting {
    detail: String,
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// Joins repeated alarms in memory until they are in the database; an outage of the database
/// loses none.
pub struct AlarmRecorder {
    clock: Arc<dyn Clock>,
    waiting: Mutex<BTreeMap<Subject, Waiting>>,
    arrived: Notify,
    /// The subjects of each code and tenant since the start.
    seen: Mutex<Subjects>,
    /// One writer at a time: whoever asks for alarms waits for those on their way.
    writing: tokio::sync::Mutex<()>,
}

impl AlarmRecorder {
    /// Nothing was raised yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            waiting: Mutex::default(),
            arrived: Notify::new(),
            seen: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// Resolves when there is something to write.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Makes [`Self::arrived`] resolve again, for what could not be written.
    pub(crate) fn try_again(&self) {
        self.arrived.notify_one();
    }

    /// Writes down what waits; what could not be written waits on.
    pub(crate) async fn write(&self, db: &Db) -> Result<(), DbError> {
        let _writing = self.writing.lock().await;
        loop {
            let first = self
                .waiting
                .lock()
                .first_key_value()
                .map(|(subject, waiting)| (subject.clone(), waiting.clone()));
            let Some((subject, waiting)) = first else {
                return Ok(());
            };
            let alarm = alarm_of(subject.clone(), waiting.detail);
            // It waits until it is written: whoever gives up in between loses none.
            bounded(diamond_db::system::raise_alarm(
                db,
                &alarm,
                waiting.count,
                waiting.last_at,
            ))
            .await?;
            let mut left = self.waiting.lock();
            if let Some(entry) = left.get_mut(&subject) {
                entry.count = entry.count.saturating_sub(waiting.count);
                if entry.count == 0 {
                    left.remove(&subject);
                }
            }
        }
    }

    /// What the database does not know yet, for whoever may see it.
    fn waiting_for(&self, tenant: Option<&TenantId>) -> Vec<(Alarm, Waiting)> {
        let waiting = self.waiting.lock();
        let seen = waiting
            .iter()
            .filter(|((_, owner, _), _)| tenant.is_none() || owner.as_ref() == tenant);
        seen.map(|(subject, waiting)| {
            let alarm = alarm_of(subject.clone(), waiting.detail.clone());
            (alarm, waiting.clone())
        })
        .collect()
    }

    /// Folds a tenant's further subjects of one code into one: subjects hold what callers choose
    /// (a model's name), and nobody may fill the table or drown the others.
    fn bounded(&self, mut alarm: Alarm) -> Alarm {
        let mut seen = self.seen.lock();
        let subjects = seen.entry((alarm.code, alarm.tenant.clone())).or_default();
        if !subjects.contains(&alarm.subject) {
            if subjects.len() < SUBJECTS_MAX {
                subjects.insert(alarm.subject.clone());
            } else {
                alarm.subject = OTHER_SUBJECTS.to_owned();
            }
        }
        alarm
    }

    fn join(&self, alarm: Alarm, count: u64) {
        let mut waiting = self.waiting.lock();
        let subject = (alarm.code, alarm.tenant, alarm.subject);
        if waiting.len() >= WAITING_MAX && !waiting.contains_key(&subject) {
            metrics::counter!("diamond_alarms_dropped_total").increment(count);
            return;
        }
        let now = self.clock.now();
        let entry = waiting.entry(subject).or_insert_with(|| Waiting {
            detail: String::new(),
            count: 0,
            first_at: now,
            last_at: now,
        });
        entry.detail = alarm.detail;
        entry.count = entry.count.saturating_add(count);
        entry.last_at = entry.last_at.max(now);
    }
}

fn alarm_of((code, tenant, subject): Subject, detail: String) -> Alarm {
    Alarm {
        code,
        tenant,
        subject,
        detail,
    }
}

impl AlarmSink for AlarmRecorder {
    fn raise(&self, alarm: Alarm) {
        let alarm = self.bounded(alarm);
        tracing::warn!(
            alarm.code = %alarm.code,
            alarm.subject = %alarm.subject,
            tenant = alarm.tenant.as_ref().map(TenantId::as_str),
            "alarm: {}", alarm.detail
        );
        metrics::counter!("diamond_alarms_total", "code" => alarm.code.as_str()).increment(1);
        self.join(alarm, 1);
        self.arrived.notify_one();
    }
}

impl App {
    /// Alarms of one tenant, or of everybody and the platform for operators; newest first.
    ///
    /// # Errors
    /// Refused without `usage:read` for the tenant.
    pub async fn list_alarms(
        &self,
        ctx: &RequestContext,
        tenant: Option<&TenantId>,
        state: Option<AlarmState>,
        limit: u32,
    ) -> Result<Vec<AlarmRow>, AppError> {
        let parts = self.parts();
        let own = ctx.caller.token().tenant.clone();
        let whose = tenant.cloned().or(own);
        let admission = &parts.admission;
        match &whose {
            Some(tenant) => drop(admission.tenant_access(&ctx.caller, tenant, Scope::UsageRead)?),
            None => drop(admission.operator_access(&ctx.caller, Scope::UsageRead)?),
        }
        // What was raised before the question belongs to the answer.
        let written = match self.database().answers() {
            true => parts.alarms.write(&parts.db).await,
            false => Err(DbError::Unavailable("it was lost before".into())),
        };
        let stored = async {
            match &whose {
                Some(tenant) => {
                    diamond_db::alarms::list(&parts.db, tenant, state, None, limit).await
                }
                None => diamond_db::operator::list_alarms(&parts.db, state, None, limit).await,
            }
        };
        match written {
            Ok(()) => Ok(bounded(stored).await?),
            // The database may be why there are alarms: then what is in memory is shown.
            Err(error) if error.is_unavailable() => {
                let mut rows = match self.database().answers() {
                    true => bounded(stored).await.unwrap_or_default(),
                    false => Vec::new(),
                };
                if state.is_none_or(|state| state == AlarmState::Open) {
                    for (alarm, waiting) in parts.alarms.waiting_for(whose.as_ref()) {
                        show_waiting(&mut rows, alarm, &waiting);
                    }
                }
                rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(rows)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Marks an alarm as seen or as done with.
    ///
    /// # Errors
    /// Refused for anybody but operators; not found.
    pub async fn set_alarm_state(
        &self,
        ctx: &RequestContext,
        id: &str,
        state: AlarmState,
    ) -> Result<AlarmRow, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::UsageRead)?;
        let subject = AuditSubject {
            detail: Some(format!("{id}: {state:?}")),
            ..AuditSubject::default()
        };
        self.record(
            ctx,
            AuditAction::AlarmUpdate,
            AuditOutcome::Granted,
            subject,
        )
        .await?;
        match diamond_db::operator::set_alarm_state(&parts.db, id, state).await? {
            AlarmChange::Changed(row) => Ok(row),
            AlarmChange::Closed(_) => Err(AppError::conflict(
                "alarm_closed",
                "the alarm is closed; when it happens again it is a new one",
            )),
            AlarmChange::Missing => Err(AppError::not_found(
                "alarm_not_found",
                "there is no such alarm",
            )),
        }
    }
}

/// Puts an alarm that the database does not know yet among those that it knows.
fn show_waiting(rows: &mut Vec<AlarmRow>, alarm: Alarm, waiting: &Waiting) {
    let same = rows.iter_mut().find(|row| {
        row.state != AlarmState::Closed
            && row.code == alarm.code.as_str()
            && row.tenant == alarm.tenant
            && row.subject == alarm.subject
    });
    match same {
        Some(row) => {
            row.count = row.count.saturating_add(waiting.count);
            row.last_seen_at = row.last_seen_at.max(waiting.last_at);
            row.detail = alarm.detail;
        }
        None => rows.insert(
            0,
            AlarmRow {
                // It gets its lasting name when it is written down.
                id: format!("alm_waiting_{}", waiting.first_at.as_microsecond()),
                code: alarm.code.as_str().to_owned(),
                tenant: alarm.tenant,
                subject: alarm.subject,
                detail: alarm.detail,
                first_seen_at: waiting.first_at,
                last_seen_at: waiting.last_at,
                count: waiting.count,
                state: AlarmState::Open,
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_drowns_the_others_with_subjects() {
        let clock = diamond_domain::ManualClock::new(Timestamp::UNIX_EPOCH);
        let recorder = AlarmRecorder::new(Arc::new(clock));
        let alarm = |tenant: &str, subject: String| Alarm {
            code: AlarmCode::UnpricedUsage,
            tenant: Some(tenant.parse().unwrap()),
            subject,
            detail: String::new(),
        };
        for number in 0..1_000 {
            recorder.raise(alarm("zaxon", format!("openai/{number}")));
        }
        recorder.raise(alarm("coaching", "openai/x".into()));
        let waiting = recorder.waiting.lock();
        assert_eq!(waiting.len(), SUBJECTS_MAX + 2);
        let others = waiting
            .iter()
            .find(|((_, _, subject), _)| subject == OTHER_SUBJECTS);
        assert_eq!(others.unwrap().1.count, 900);
    }
}
