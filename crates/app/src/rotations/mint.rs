//! Where a new key comes from: a standby key, the provider's API, or a person.

use std::time::Duration;

use diamond_db::{
    AtProvider, KeyVersionRow, NewProviderRevocation, RotationCause, RotationRow, RotationState,
    VersionChange, system,
};
use diamond_domain::{AlarmCode, InstallationId, Payer, SecretKind, SecretName, VersionState};
use diamond_providers::{ManagementError, MintSpec, Minted, Place};
use diamond_secrets::Precondition;
use diamond_usage::AuditAction;

use super::{
    Rotations,
    engine::{Next, Stumble},
    management::{Broken, Credential},
    names,
};
use crate::keys::fingerprint;

/// How long a full account is left alone.
const FULL_PAUSE: Duration = Duration::from_secs(600);

impl Rotations {
    /// Makes the new key, or finds out who has to.
    pub(super) async fn make(&self, row: &mut RotationRow) -> Result<Next, Stumble> {
        let versions = system::load_key_versions_of(&self.db, &row.secret).await?;
        if row.asked {
            // What became of the last attempt is not known: what it left is ended under its name,
            // and the next attempt has another.
            let place = place_of(&versions, row.admin.as_ref());
            let ending = lost_key(self.installation, row, place);
            row.asked = false;
            self.commit(row, VersionChange::None, ending).await?;
            self.ring();
        }
        let standby = versions
            .iter()
            .filter(|found| found.state == VersionState::Pending && found.at_provider.is_none())
            .max_by_key(|found| found.version);
        if let Some(standby) = standby {
            row.state = RotationState::Created;
            row.version = Some(standby.version);
            row.created_key_at = Some(self.clock.now());
            self.save(row).await?;
            return Ok(Next::Go);
        }
        if row.secret.kind() != SecretKind::Dedicated {
            return self
                .wait_for_person(
                    row,
                    "this is a customer's own key: the customer puts a new one",
                )
                .await;
        }
        let service = row.secret.service().clone();
        if let Err(why) = self.minting(&service) {
            return self.wait_for_person(row, why).await;
        }
        let Some(credential) = self.credential_for(&service, &row.tenant).await? else {
            return self
                .wait_for_person(
                    row,
                    "there is no management credential for this service: put one, or put a key",
                )
                .await;
        };
        if row.cause == RotationCause::Repair && row.attempt == 0 && self.breaker_open(row).await? {
            return Ok(Next::Rest);
        }
        let place = place_of(&versions, Some(&credential.name));
        self.mint(row, credential, place).await
    }

    async fn mint(
        &self,
        row: &mut RotationRow,
        credential: Credential,
        place: Option<String>,
    ) -> Result<Next, Stumble> {
        let service = row.secret.service().clone();
        // The wish is written down before the provider hears of it.
        row.attempt += 1;
        row.asked = true;
        row.waits = false;
        row.admin = Some(credential.name.clone());
        self.save(row).await?;
        let detail = format!(
            "{} of {}, attempt {}, by version {} of {}",
            row.id, row.secret, row.attempt, credential.version, credential.name
        );
        self.record(AuditAction::KeyProvision, &row.secret, None, detail)
            .await?;
        let spec = MintSpec {
            key_name: names::key(self.installation, &row.tenant, row.id, row.attempt),
            place_name: names::place(self.installation, &row.tenant),
            place: place.map(Place::new),
            permissions: Vec::new(),
            lifetime: None,
            usage_limit: None,
            addresses: Vec::new(),
            tags: vec![row.tenant.to_string()],
        };
        let admin = credential.value;
        let minted = self
            .converse(&service, |management| management.mint(&admin, &spec))
            .await;
        match minted {
            Ok(minted) => self.keep(row, minted).await,
            Err(broken) => self.not_minted(row, broken).await,
        }
    }

    /// Seals a key that was just made. Until it is written down whose it is, it counts as lost.
    async fn keep(&self, row: &mut RotationRow, minted: Minted) -> Result<Next, Stumble> {
        let request_id = format!("{}/{}", row.id, row.attempt);
        let version = self
            .secrets
            .put(&row.secret, &minted.value, Precondition::None, &request_id)
            .await?;
        let now = self.clock.now();
        let admin = row.admin.clone();
        let payer = match admin.as_ref().map(SecretName::kind) {
            Some(SecretKind::TenantAdmin) => Payer::Tenant,
            _ => Payer::Platform,
        };
        let key = KeyVersionRow {
            name: row.secret.clone(),
            version,
            state: VersionState::Pending,
            payer,
            created_at: now,
            activated_at: None,
            retired_at: None,
            revoked_at: None,
            created_by: row.requested_by,
            request_id,
            at_provider: admin.map(|admin| AtProvider {
                key_id: minted.key.id,
                place: minted.key.place.as_str().to_owned(),
                admin,
                expires_at: minted.expires_at,
            }),
            revealed: false,
            fingerprint: fingerprint(&minted.value),
        };
        row.state = RotationState::Created;
        row.version = Some(version);
        row.asked = false;
        row.created_key_at = Some(now);
        self.commit(row, VersionChange::Enter(&key), None).await?;
        Ok(Next::Go)
    }

    async fn not_minted(&self, row: &mut RotationRow, broken: Broken) -> Result<Next, Stumble> {
        row.asked = broken.leaves_unknown();
        let reason = broken.to_string();
        match broken {
            Broken::NotPossible(why) => self.wait_for_person(row, why).await,
            Broken::Said {
                error: ManagementError::Full { reason },
                ..
            } => {
                self.raise(
                    AlarmCode::ProviderCapacity,
                    &row.secret,
                    format!(
                        "{} takes no more keys: {reason}. End some there, or ask for a higher cap.",
                        row.secret.service()
                    ),
                );
                Err(Stumble::Failed {
                    reason: format!("the account is full: {reason}"),
                    until: Some(self.later(FULL_PAUSE)),
                })
            }
            Broken::Said {
                error: ManagementError::Later { until, .. },
                ..
            } => Err(Stumble::Failed { reason, until }),
            Broken::Ours(error) => Err(Stumble::Ours(error)),
            Broken::NoCredential(_) | Broken::Said { .. } | Broken::Silent { .. } => {
                Err(Stumble::Failed {
                    reason,
                    until: None,
                })
            }
        }
    }

    /// Nobody but a person can make the key: it is said once, and the rotation waits.
    async fn wait_for_person(&self, row: &mut RotationRow, why: &str) -> Result<Next, Stumble> {
        let told = row.reason.as_deref() == Some(why);
        row.waits = true;
        row.reason = Some(why.to_owned());
        row.next_at = None;
        row.held_by = None;
        self.save(row).await?;
        if !told {
            let (service, tenant) = (row.secret.service(), &row.tenant);
            self.raise(
                AlarmCode::RotationWaiting,
                &row.secret,
                format!(
                    "{} ({}) waits for a key: {why}. Put it with `diamond ai keys:put {service} \
                     {tenant}`.",
                    row.id,
                    row.cause.as_str()
                ),
            );
        }
        Ok(Next::Rest)
    }

    /// Whether so many keys of the service died lately that the service must be to blame, and not
    /// the keys. The rotation then waits.
    async fn breaker_open(&self, row: &mut RotationRow) -> Result<bool, Stumble> {
        let service = row.secret.service().clone();
        let since = self.earlier(self.settings.breaker_window);
        let repairs = system::count_repairs(&self.db, &service, since, row.id).await?;
        if repairs < self.settings.breaker_max {
            return Ok(false);
        }
        let detail = format!(
            "{repairs} keys of {service} were refused within {} seconds: it looks as if the \
             service refuses good keys, so none is replaced until this is over",
            self.settings.breaker_window.as_secs()
        );
        self.raise_service(AlarmCode::RotationBreakerOpen, &service, detail.clone());
        row.reason = Some(detail);
        let pause = self.settings.breaker_window / 4;
        self.rest(row, self.later(pause)).await;
        Ok(true)
    }
}

/// Where the tenant's keys stand at the provider, when one was made with the same credential.
fn place_of(versions: &[KeyVersionRow], admin: Option<&SecretName>) -> Option<String> {
    let mut there = versions
        .iter()
        .rev()
        .filter_map(|row| row.at_provider.as_ref());
    let found = there.find(|there| Some(&there.admin) == admin)?;
    Some(found.place.clone())
}

/// The key that an attempt may have left at its provider.
pub(super) fn lost_key(
    installation: InstallationId,
    row: &RotationRow,
    place: Option<String>,
) -> Option<NewProviderRevocation> {
    let key_name = names::key(installation, &row.tenant, row.id, row.attempt);
    Some(NewProviderRevocation {
        id: key_name.clone(),
        service: row.secret.service().clone(),
        tenant: Some(row.tenant.clone()),
        admin: row.admin.clone()?,
        key_id: None,
        place,
        key_name: Some(key_name),
    })
}
