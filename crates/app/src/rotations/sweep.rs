//! Compares what the providers list with what we know.

use std::collections::HashSet;

use diamond_db::{KeyVersionRow, NewProviderRevocation, RotationCause, system};
use diamond_domain::{AlarmCode, SecretName, SecretVersion, ServiceId, VersionState};
use diamond_providers::ListedKey;
use jiff::{SignedDuration, Timestamp};

use super::{Rotations, management::Broken, names};
use crate::AppError;

/// How many unknown keys a report names.
const NAMED_MAX: usize = 1_000;

/// A key at a provider, as a report names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweptKey {
    /// The management credential that sees it.
    pub credential: SecretName,
    /// The provider's id.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// What the provider shows of its text.
    pub hint: Option<String>,
    /// When it was made, where the provider says so.
    pub created_at: Option<Timestamp>,
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepReport {
    /// Where.
    pub service: ServiceId,
    /// Whether it changed nothing: this installation was brought back from a backup and is not
    /// released.
    pub reports_only: bool,
    /// How many live keys the provider lists.
    pub listed: u64,
    /// How many of them are ours and in use.
    pub ours: u64,
    /// Keys of ours that nobody uses any more: they are being ended.
    pub ended: Vec<SweptKey>,
    /// Keys that nobody here knows: they are left alone.
    pub unknown: Vec<SweptKey>,
    /// How many there are of those.
    pub unknown_count: u64,
    /// Versions in use here that the provider does not list: they are being replaced.
    pub missing: Vec<(SecretName, SecretVersion)>,
    /// Credentials that could not be used, each with the reason.
    pub failed: Vec<(SecretName, String)>,
}

/// What a listed key is to us.
enum Known {
    /// In use, or about to be.
    Ours,
    /// Made by us and of no use.
    Left,
    /// None of ours.
    No,
}

impl Rotations {
    /// Looks through everything that a service's management credentials see. What bears our name
    /// and a rotation of ours and is of no use is ended; nothing else is touched.
    pub(crate) async fn sweep(&self, service: &ServiceId) -> Result<SweepReport, AppError> {
        let mut report = SweepReport {
            service: service.clone(),
            reports_only: self.in_quarantine().await?,
            listed: 0,
            ours: 0,
            ended: Vec::new(),
            unknown: Vec::new(),
            unknown_count: 0,
            missing: Vec::new(),
            failed: Vec::new(),
        };
        if !self.lists_keys(service) {
            return Ok(report);
        }
        for name in system::management_credentials(&self.db, service).await? {
            let Some(credential) = self.credential(&name).await? else {
                continue;
            };
            let begun = self.clock.now();
            let listed = self
                .converse(service, |management| {
                    management.list(&credential.value, None)
                })
                .await;
            match listed {
                Ok(listed) => self.compare(&mut report, &name, listed, begun).await?,
                Err(Broken::Ours(error)) => return Err(error),
                Err(broken) => report.failed.push((name, broken.to_string())),
            }
        }
        if report.unknown_count > 0 {
            let detail = format!(
                "{service} lists {} keys that nobody here knows. Are they somebody else's? \
                 `diamond admin provider:sweep {service}` names them; nothing is done to them.",
                report.unknown_count
            );
            self.raise_service(AlarmCode::UnknownProviderKey, service, detail);
        }
        if !report.ended.is_empty() {
            self.ring();
        }
        Ok(report)
    }

    async fn compare(
        &self,
        report: &mut SweepReport,
        credential: &SecretName,
        listed: Vec<ListedKey>,
        begun: Timestamp,
    ) -> Result<(), AppError> {
        let mut there = HashSet::new();
        for key in listed.into_iter().filter(|key| key.live) {
            report.listed += 1;
            there.insert(key.key.id.clone());
            let swept = SweptKey {
                credential: credential.clone(),
                id: key.key.id.clone(),
                name: key.name.clone(),
                hint: key.hint.clone(),
                created_at: key.created_at,
            };
            match self.known(&report.service, &key).await? {
                Known::Ours => report.ours += 1,
                Known::Left => {
                    if !report.reports_only {
                        self.end_left(&report.service, credential, &key).await?;
                    }
                    report.ended.push(swept);
                }
                Known::No => {
                    report.unknown_count += 1;
                    if report.unknown.len() < NAMED_MAX {
                        report.unknown.push(swept);
                    }
                }
            }
        }
        // Lists are late: what is young may not stand in them yet.
        let young = SignedDuration::try_from(self.settings.propagation * 5);
        let young = young.unwrap_or(SignedDuration::MAX);
        for row in system::keys_at_provider(&self.db, &report.service, credential).await? {
            let Some(at_provider) = &row.at_provider else {
                continue;
            };
            if there.contains(&at_provider.key_id) || begun.duration_since(row.created_at) < young {
                continue;
            }
            report.missing.push((row.name.clone(), row.version));
            if !report.reports_only && row.state == VersionState::Active {
                self.replace_missing(&row).await?;
            }
        }
        Ok(())
    }

    async fn replace_missing(&self, row: &KeyVersionRow) -> Result<(), AppError> {
        if let Some(tenant) = row.name.tenant() {
            let (cause, former) = (RotationCause::Repair, Some(row.version));
            self.begin(tenant, &row.name, cause, former, None).await?;
        }
        Ok(())
    }

    async fn known(&self, service: &ServiceId, key: &ListedKey) -> Result<Known, AppError> {
        let version = system::key_version_at_provider(&self.db, service, &key.key.id).await?;
        if let Some(version) = version {
            return Ok(match version.state {
                VersionState::Revoked => Known::Left,
                _ => Known::Ours,
            });
        }
        let Some((rotation, attempt)) = names::parse(self.installation, &key.name) else {
            return Ok(Known::No);
        };
        Ok(match system::get_rotation(&self.db, rotation).await? {
            // A backup that is older than the key knows nothing of it: it may be in use elsewhere.
            None => Known::No,
            // It was made a moment ago and is about to be written down.
            Some(row) if row.state.is_open() && row.attempt == attempt => Known::Ours,
            Some(_) => Known::Left,
        })
    }

    async fn end_left(
        &self,
        service: &ServiceId,
        credential: &SecretName,
        key: &ListedKey,
    ) -> Result<(), AppError> {
        if system::is_to_be_ended(&self.db, service, &key.key.id).await? {
            return Ok(());
        }
        let work = NewProviderRevocation {
            id: format!("{service}/{}", key.key.id),
            service: service.clone(),
            tenant: credential.tenant().cloned(),
            admin: credential.clone(),
            key_id: Some(key.key.id.clone()),
            place: Some(key.key.place.as_str().to_owned()),
            key_name: Some(key.name.clone()),
        };
        let now = self.clock.now();
        Ok(system::enter_provider_revocation(&self.db, &work, now).await?)
    }
}
