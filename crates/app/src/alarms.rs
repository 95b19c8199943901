//! Alarms: taken from anywhere without waiting, written down in the background, looked at here.

use std::collections::{BTreeMap, HashMap, HashSet};

use diamond_db::{AlarmChange, AlarmRow, AlarmState, Db, DbError};
use diamond_domain::{Alarm, AlarmCode, AlarmSink, Clock, Scope, TenantId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{App, AppError, RequestContext};

/// The most kinds of trouble that wait for the database at once; what is beyond is counted in the
/// metric `diamond_alarms_dropped_total` and logged.
const WAITING_MAX: usize = 10_000;

/// How many subjects of one code a tenant can have since the start before the rest are one.
const SUBJECTS_MAX: usize = 100;
/// What the rest are called.
const OTHER_SUBJECTS: &str = "others";

type Subjects = HashMap<(AlarmCode, Option<TenantId>), HashSet<String>>;
type Subject = (AlarmCode, Option<TenantId>, String);

/// Joins repeated alarms in memory until they are in the database; an outage of the database
/// loses none.
#[derive(Default)]
pub struct AlarmRecorder {
    waiting: Mutex<BTreeMap<Subject, (String, u64)>>,
    arrived: Notify,
    /// The subjects of each code and tenant since the start.
    seen: Mutex<Subjects>,
    /// One writer at a time: whoever asks for alarms waits for those on their way.
    writing: tokio::sync::Mutex<()>,
}

impl AlarmRecorder {
    /// Resolves when there is something to write.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Makes [`Self::arrived`] resolve again, for what could not be written.
    pub(crate) fn try_again(&self) {
        self.arrived.notify_one();
    }

    /// Writes down what waits; what could not be written waits on.
    pub(crate) async fn write(&self, db: &Db, clock: &dyn Clock) -> Result<(), DbError> {
        let _writing = self.writing.lock().await;
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let mut failure = None;
        for ((code, tenant, subject), (detail, count)) in waiting {
            let alarm = Alarm {
                code,
                tenant,
                subject,
                detail,
            };
            if failure.is_none() {
                match diamond_db::system::raise_alarm(db, &alarm, count, clock.now()).await {
                    Ok(_) => continue,
                    Err(error) => failure = Some(error),
                }
            }
            self.join(alarm, count);
        }
        failure.map_or(Ok(()), Err)
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
        let entry = waiting.entry(subject).or_insert_with(|| (String::new(), 0));
        entry.0 = alarm.detail;
        entry.1 = entry.1.saturating_add(count);
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
        // What was raised before the question belongs to the answer.
        parts.alarms.write(&parts.db, &*parts.clock).await?;
        let own = ctx.caller.token().tenant.clone();
        match tenant.cloned().or(own) {
            Some(tenant) => {
                let access =
                    parts
                        .admission
                        .tenant_access(&ctx.caller, &tenant, Scope::UsageRead)?;
                Ok(
                    diamond_db::alarms::list(&parts.db, access.tenant(), state, None, limit)
                        .await?,
                )
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::UsageRead)?;
                Ok(diamond_db::operator::list_alarms(&parts.db, state, None, limit).await?)
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_drowns_the_others_with_subjects() {
        let recorder = AlarmRecorder::default();
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
        assert_eq!(others.unwrap().1.1, 900);
    }
}
