//! Carries conversations with the services' management APIs.

use std::sync::Arc;

use diamond_db::{KeyVersionRow, system};
use diamond_domain::{SecretName, SecretValue, SecretVersion, ServiceId, TenantId, VersionState};
use diamond_providers::{Effect, KeyManagement, ManagementError, Minting, Provider, Step};

use super::Rotations;
use crate::{AppError, OutboundError};

/// The most requests of one conversation: a list of a million keys is not read to its end.
const STEPS_MAX: u32 = 10_000;

/// Why a conversation did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Nobody has given a management credential for the service.
    #[error("there is no management credential for {0}")]
    NoCredential(ServiceId),
    /// The service has no API for this, and what a person can do instead.
    #[error("{0}")]
    NotPossible(&'static str),
    /// The provider said no.
    #[error("{error}")]
    Said {
        /// How.
        error: ManagementError,
        /// Whether something may be there now that was not before.
        unknown: bool,
    },
    /// The provider did not answer.
    #[error("{error}")]
    Silent {
        /// How.
        error: OutboundError,
        /// Whether something may be there now that was not before.
        unknown: bool,
    },
    /// Something of our own did not work.
    #[error("{0}")]
    Ours(AppError),
}

impl Broken {
    /// Whether something may be there now that nobody here knows.
    pub(super) const fn leaves_unknown(&self) -> bool {
        matches!(
            self,
            Self::Said { unknown: true, .. } | Self::Silent { unknown: true, .. }
        )
    }
}

impl From<AppError> for Broken {
    fn from(error: AppError) -> Self {
        Self::Ours(error)
    }
}

/// A management credential that is in use.
pub(super) struct Credential {
    pub(super) name: SecretName,
    pub(super) version: SecretVersion,
    pub(super) value: SecretValue,
}

impl Rotations {
    /// The credential that keys of the tenant are made with: its own, else the platform's.
    pub(super) async fn credential_for(
        &self,
        service: &ServiceId,
        tenant: &TenantId,
    ) -> Result<Option<Credential>, AppError> {
        let (service, tenant) = (service.clone(), tenant.clone());
        let own = SecretName::TenantAdmin {
            service: service.clone(),
            tenant,
        };
        if let Some(found) = self.credential(&own).await? {
            return Ok(Some(found));
        }
        self.credential(&SecretName::PlatformAdmin { service })
            .await
    }

    /// The credential of this name, if there is one.
    pub(super) async fn credential(
        &self,
        name: &SecretName,
    ) -> Result<Option<Credential>, AppError> {
        let versions = system::load_key_versions_of(&self.db, name).await?;
        let active = |row: &&KeyVersionRow| row.state == VersionState::Active;
        let Some(row) = versions.iter().find(active) else {
            return Ok(None);
        };
        let value = self.secrets.get(name, row.version).await?;
        Ok(Some(Credential {
            name: name.clone(),
            version: row.version,
            value,
        }))
    }

    /// The service, when its API makes keys.
    pub(super) fn minting(&self, service: &ServiceId) -> Result<Arc<dyn Provider>, &'static str> {
        let Some(provider) = self.providers.get(service) else {
            return Err("nobody here knows this service: put a key");
        };
        match (
            provider.descriptor().capabilities.minting,
            provider.management(),
        ) {
            (Minting::Api, Some(_)) => Ok(provider),
            (Minting::PersonInPreparedPlace | Minting::Person, _) | (Minting::Api, None) => {
                Err("this service has no API to make keys: make one in its console and put it")
            }
        }
    }

    /// Carries a conversation to its end.
    pub(super) async fn converse<T: Send>(
        &self,
        service: &ServiceId,
        begin: impl FnOnce(&dyn KeyManagement) -> Result<Step<T>, ManagementError> + Send,
    ) -> Result<T, Broken> {
        let provider = self.providers.get(service);
        let begun = match provider.as_deref().and_then(Provider::management) {
            Some(management) => begin(management),
            None => return Err(Broken::NotPossible("this service has no management API")),
        };
        let mut step = begun.map_err(|error| said(error, false))?;
        for _ in 0..STEPS_MAX {
            let ask = match step {
                Step::Done(value) => return Ok(value),
                Step::Ask(ask) => ask,
            };
            let makes = ask.effect == Effect::Makes;
            let (request, ask) = ask.into_request();
            let answer = self.0.outbound.send(service, request).await;
            let answer = answer.map_err(|error| {
                let unknown = makes
                    && matches!(
                        error,
                        OutboundError::Unreachable { .. } | OutboundError::TooLarge(_)
                    );
                Broken::Silent { error, unknown }
            })?;
            let answer = answer.at(self.clock.now());
            // Whoever answers with an error of its own may have done it all the same.
            let unknown = makes && (answer.status >= 500 || answer.is_success());
            step = ask(&answer).map_err(|error| said(error, unknown))?;
        }
        Err(said(
            ManagementError::Unreadable {
                reason: "a list without an end".to_owned(),
            },
            false,
        ))
    }
}

fn said(error: ManagementError, unknown: bool) -> Broken {
    match error {
        ManagementError::NotPossible { reason } => Broken::NotPossible(reason),
        error => Broken::Said { error, unknown },
    }
}
