//! Ends keys at their providers: work of its own, repeated until it is done.

use std::time::Duration;

use diamond_db::{ProviderRevocationRow, system};
use diamond_domain::{Alarm, AlarmCode, AlarmSink as _, SecretName, ServiceId};
use diamond_providers::{Place, ProviderKey};
use diamond_usage::AuditAction;

use super::{
    Rotations,
    engine::pause,
    management::{Broken, Credential},
};
use crate::AppError;

/// How long whoever takes a key to end holds it; ending it twice does no harm.
const HOLD: Duration = Duration::from_secs(60);
/// How many are taken at a time.
const AT_ONCE: u32 = 32;
/// How often a key whose answer was lost is looked for before it is taken as never made.
const LOOKS_MAX: u32 = 5;
/// After how many failures in a row people are told.
const TELL_AFTER: u32 = 3;

impl Rotations {
    /// Ends what is due.
    pub(super) async fn end_keys(&self) -> Result<(), AppError> {
        loop {
            let now = self.clock.now();
            let due = system::next_provider_revocation_at(&self.db).await?;
            if due.is_none_or(|due| due > now) || self.in_quarantine().await? {
                return Ok(());
            }
            let until = self.later(HOLD);
            let taken = system::take_provider_revocations(&self.db, now, until, AT_ONCE).await?;
            if taken.is_empty() {
                return Ok(());
            }
            let ends = taken.into_iter().map(|row| self.end_key(row));
            futures_util::future::try_join_all(ends).await?;
        }
    }

    async fn end_key(&self, mut row: ProviderRevocationRow) -> Result<(), AppError> {
        match self.try_to_end(&mut row).await {
            Ok(()) => {}
            Err(Broken::Ours(error)) => {
                tracing::warn!(key = %row.work.id, %error, "a key is not ended yet");
                row.next_at = Some(self.later(pause(row.failures + 1)));
            }
            Err(broken) => {
                row.failures += 1;
                let reason = broken.to_string();
                tracing::warn!(key = %row.work.id, failures = row.failures, %reason, "a key is not ended yet");
                row.next_at = match broken {
                    // What no API does is not tried again.
                    Broken::NotPossible(_) => None,
                    _ => Some(self.later(pause(row.failures))),
                };
                if row.next_at.is_none() || row.failures >= TELL_AFTER {
                    self.tell(&row, &reason);
                }
                row.reason = Some(reason);
            }
        }
        Ok(system::save_provider_revocation(&self.db, &row).await?)
    }

    async fn try_to_end(&self, row: &mut ProviderRevocationRow) -> Result<(), Broken> {
        let service = row.work.service.clone();
        let Some(admin) = self.credential(&row.work.admin).await? else {
            return Err(Broken::NoCredential(service));
        };
        let place = row.work.place.clone().map(Place::new);
        let key = match (&row.work.key_id, place) {
            (Some(id), Some(place)) => ProviderKey {
                id: id.clone(),
                place,
            },
            (_, place) => match self.find(row, &service, &admin, place.as_ref()).await? {
                Some(key) => key,
                None => {
                    row.looks += 1;
                    if row.looks >= LOOKS_MAX {
                        row.done_at = Some(self.clock.now());
                        row.next_at = None;
                        row.reason = Some("it was never made".to_owned());
                    } else {
                        // Lists are late: half of the time that the provider may need, then twice
                        // as long each time.
                        let wait = self.settings.propagation / 2 * (1 << (row.looks - 1));
                        row.next_at = Some(self.later(wait));
                    }
                    return Ok(());
                }
            },
        };
        row.work.key_id = Some(key.id.clone());
        row.work.place = Some(key.place.as_str().to_owned());
        let detail = format!("{} ({})", row.work.id, key.id);
        self.record(AuditAction::ProviderKeyRevoke, &subject(row), None, detail)
            .await?;
        self.converse(&service, |management| management.revoke(&admin.value, &key))
            .await?;
        row.done_at = Some(self.clock.now());
        row.next_at = None;
        row.reason = None;
        row.failures = 0;
        Ok(())
    }

    /// Looks for a key by its name.
    async fn find(
        &self,
        row: &ProviderRevocationRow,
        service: &ServiceId,
        admin: &Credential,
        place: Option<&Place>,
    ) -> Result<Option<ProviderKey>, Broken> {
        let listed = self
            .converse(service, |management| management.list(&admin.value, place))
            .await?;
        let name = row.work.key_name.as_deref();
        let found = listed
            .into_iter()
            .find(|key| Some(key.name.as_str()) == name && key.live);
        Ok(found.map(|found| found.key))
    }

    fn tell(&self, row: &ProviderRevocationRow, reason: &str) {
        let service = &row.work.service;
        let key = row.work.key_id.as_deref().or(row.work.key_name.as_deref());
        self.alarms.raise(Alarm {
            code: AlarmCode::RevokeFailed,
            tenant: row.work.tenant.clone(),
            subject: row.work.id.clone(),
            detail: format!(
                "the key `{}` could not be ended at {service}: {reason}. It is used by nobody here; \
                 end it in the console of {service} if this does not pass.",
                key.unwrap_or_default()
            ),
        });
    }
}

/// What an ending is about, for the audit.
fn subject(row: &ProviderRevocationRow) -> SecretName {
    match &row.work.tenant {
        Some(tenant) => SecretName::Dedicated {
            service: row.work.service.clone(),
            tenant: tenant.clone(),
        },
        None => row.work.admin.clone(),
    }
}
