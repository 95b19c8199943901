//! Looking at keys: never their values.

use std::time::Duration;

use diamond_admission::TenantAccess;
use diamond_db::KeyVersionRow;
use diamond_domain::{
    KeyHealth, Payer, Scope, SecretKind, SecretName, SecretVersion, ServiceId, TenantId,
    VersionState,
};
use jiff::Timestamp;

use crate::{App, AppError, RequestContext};

/// The most versions that a list shows.
const LIST_MAX: u32 = 10_000;

/// A version as people and programs may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyVersionView {
    /// The secret.
    pub name: SecretName,
    /// What it is for.
    pub kind: SecretKind,
    /// Its number.
    pub version: SecretVersion,
    /// Where it is in its life.
    pub state: VersionState,
    /// What this node knows of it at the provider.
    pub health: KeyHealth,
    /// Who pays for its use.
    pub payer: Payer,
    /// A short hash that tells two keys apart.
    pub fingerprint: String,
    /// When it was put.
    pub created_at: Timestamp,
    /// When it became the active one.
    pub activated_at: Option<Timestamp>,
    /// When a newer one took its place.
    pub retired_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Whether its value was ever handed out.
    pub revealed: bool,
    /// What its provider calls it, when it was made here.
    pub provider_key_id: Option<String>,
    /// When it ends by itself.
    pub provider_expires_at: Option<Timestamp>,
    /// How many calls use it on this node now.
    pub pins: u64,
    /// When this node saw it used last, since its start.
    pub last_used_at: Option<Timestamp>,
    /// When the last lease ends that this node gave.
    pub leased_until: Option<Timestamp>,
    /// When it is replaced at the latest.
    pub next_rotation_at: Option<Timestamp>,
}

impl App {
    /// All keys of a tenant, by service, kind and version.
    ///
    /// # Errors
    /// Refused without `keys:read`; not found, also when it is a stranger's.
    pub async fn list_keys(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
    ) -> Result<Vec<KeyVersionView>, AppError> {
        let parts = self.parts();
        let access = parts
            .admission
            .tenant_access(&ctx.caller, tenant, Scope::KeysRead)?;
        let rows =
            diamond_db::key_versions::list_for_tenant(&parts.db, access.tenant(), None, LIST_MAX)
                .await?;
        Ok(rows.into_iter().map(|row| self.view(row)).collect())
    }

    /// The versions of a tenant's keys for one service.
    ///
    /// # Errors
    /// Refused without `keys:read`; not found, also when it is a stranger's.
    pub async fn list_key_versions(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
    ) -> Result<Vec<KeyVersionView>, AppError> {
        let mut keys = self.list_keys(ctx, tenant).await?;
        self.check_service(service)?;
        keys.retain(|key| key.name.service() == service);
        Ok(keys)
    }

    pub(super) async fn key_version(
        &self,
        access: &TenantAccess,
        name: &SecretName,
        version: SecretVersion,
    ) -> Result<KeyVersionView, AppError> {
        let rows = diamond_db::key_versions::list(&self.parts().db, access.tenant(), name).await?;
        let row = rows.into_iter().find(|row| row.version == version);
        row.map(|row| self.view(row)).ok_or_else(|| {
            AppError::not_found(
                "version_not_found",
                format!("there is no version {version} of {name}"),
            )
        })
    }

    fn view(&self, row: KeyVersionRow) -> KeyVersionView {
        let health = self
            .parts()
            .keyring
            .health(&row.name, row.version)
            .unwrap_or(KeyHealth::Ok);
        let keyring = &self.parts().keyring;
        let pins = keyring.pins(&row.name, row.version);
        let expires_at = row.at_provider.as_ref().and_then(|there| there.expires_at);
        let next =
            self.parts()
                .rotations
                .replaced_at(row.name.kind(), row.activated_at, expires_at);
        let leased_until = keyring.leased_until(&row.name, row.version, Duration::ZERO);
        KeyVersionView {
            pins: u64::try_from(pins).unwrap_or(u64::MAX),
            last_used_at: keyring.last_used_at(&row.name, row.version),
            leased_until: leased_until.filter(|until| *until > self.parts().clock.now()),
            next_rotation_at: next.filter(|_| row.state == VersionState::Active),
            provider_expires_at: expires_at,
            provider_key_id: row.at_provider.map(|there| there.key_id),
            kind: row.name.kind(),
            name: row.name,
            version: row.version,
            state: row.state,
            health,
            payer: row.payer,
            fingerprint: row.fingerprint,
            created_at: row.created_at,
            activated_at: row.activated_at,
            retired_at: row.retired_at,
            revoked_at: row.revoked_at,
            revealed: row.revealed,
        }
    }
}
