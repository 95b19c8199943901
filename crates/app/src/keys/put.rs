//! Putting a key that somebody supplies.

use diamond_admission::TenantAccess;
use diamond_db::{Activation, KeyVersionRow};
use diamond_domain::{
    KeyHealth, Payer, Scope, SecretKind, SecretName, SecretValue, SecretVersion, ServiceId,
    TenantId, VersionState,
};
use diamond_providers::KeyVerdict;
use diamond_secrets::Precondition;
use diamond_usage::{AuditAction, AuditOutcome};

use super::{KeyVersionView, tenant_secret};
use crate::{App, AppError, AppErrorKind, OutboundError, RequestContext, audit::AuditSubject};

/// The most bytes of a key; the longest that a provider gives today is under 300.
const VALUE_BYTES: std::ops::RangeInclusive<usize> = 8..=1024;
/// How many versions are read at a time.
const PAGE: u32 = 1_000;
/// The most characters of a request's idempotency key.
const REQUEST_ID_MAX: usize = 128;

/// A key to put.
#[derive(Debug)]
pub struct PutKey {
    /// Whether the platform (`dedicated`) or the customer supplies it.
    pub kind: SecretKind,
    /// The key.
    pub value: SecretValue,
    /// Whether to try it at its provider first.
    pub validate: bool,
    /// The newest version that must be there: 0 for none; `None` for whatever there is.
    pub expected_version: Option<u32>,
    /// The caller's name for this request: repeating it changes nothing.
    pub request_id: Option<String>,
}

impl App {
    /// Puts a key as the new active version; the former one retires.
    ///
    /// # Errors
    /// Refused by token; `invalid_key_text`; `key_rejected` by its provider;
    /// `provider_unreachable`; `version_conflict`; `request_reused`.
    pub async fn put_key(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        service: &ServiceId,
        put: PutKey,
    ) -> Result<KeyVersionView, AppError> {
        let parts = self.parts();
        let access = parts
            .admission
            .tenant_access(&ctx.caller, tenant, Scope::KeysWrite)?;
        self.check_service(service)?;
        access.check_service(service)?;
        let name = tenant_secret(put.kind, service, access.tenant())?;
        check_value(&put.value)?;
        self.check_not_shared(&access, &name, &put.value).await?;
        let precondition = precondition(put.expected_version);
        let request_id = request_id(ctx, put.request_id.as_deref())?;
        let health = if put.validate {
            self.validate_key(service, &put.value).await?
        } else {
            KeyHealth::Ok
        };
        let subject = AuditSubject {
            tenant: Some(tenant.clone()),
            service: Some(service.clone()),
            detail: Some(name.to_string()),
            ..AuditSubject::default()
        };
        self.record(ctx, AuditAction::KeyPut, AuditOutcome::Granted, subject)
            .await?;
        let version = parts
            .secrets
            .put(&name, &put.value, precondition, &request_id)
            .await?;
        self.activate(ctx, &name, version, &put, request_id).await?;
        self.note_tag(&name, version, &put.value).await?;
        parts.rotations.supplied(tenant, &name, version).await?;
        self.publish().await?;
        parts.keyring.report(&name, version, health);
        self.key_version(&access, &name, version).await
    }

    /// A customer's key is not one that the platform pays for: whoever was shown the platform's
    /// key cannot bring it back as its own and have its use left out of the bill.
    pub(super) async fn check_not_shared(
        &self,
        access: &TenantAccess,
        name: &SecretName,
        value: &SecretValue,
    ) -> Result<(), AppError> {
        if name.kind() != SecretKind::Customer {
            return Ok(());
        }
        let fingerprint = fingerprint(value);
        let mut after: Option<(SecretName, SecretVersion)> = None;
        loop {
            let position = after.as_ref().map(|(name, version)| (name, *version));
            let db = &self.parts().db;
            let rows =
                diamond_db::key_versions::list_for_tenant(db, access.tenant(), position, PAGE)
                    .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some((last.name.clone(), last.version));
            let shared = |row: &KeyVersionRow| {
                row.payer == Payer::Platform && row.fingerprint == fingerprint
            };
            if rows.iter().any(shared) {
                return Err(AppError::conflict(
                    "key_of_platform",
                    "this is a key that the platform pays for; a customer's key is its own",
                ));
            }
        }
    }

    /// Makes a stored version the active one. After a crash between the two, the same request
    /// repeated stores nothing again and comes here again.
    async fn activate(
        &self,
        ctx: &RequestContext,
        name: &SecretName,
        version: SecretVersion,
        put: &PutKey,
        request_id: String,
    ) -> Result<(), AppError> {
        let parts = self.parts();
        let now = parts.clock.now();
        let row = KeyVersionRow {
            name: name.clone(),
            version,
            state: VersionState::Active,
            payer: match put.kind {
                SecretKind::Customer | SecretKind::TenantAdmin => Payer::Tenant,
                SecretKind::Dedicated | SecretKind::PlatformAdmin => Payer::Platform,
            },
            created_at: now,
            activated_at: Some(now),
            retired_at: None,
            revoked_at: None,
            created_by: Some(ctx.caller.token().id),
            request_id,
            at_provider: None,
            revealed: false,
            fingerprint: fingerprint(&put.value),
        };
        match diamond_db::key_versions::activate(&parts.db, &row).await? {
            Activation::Activated { .. } | Activation::Already(_) => Ok(()),
            Activation::Superseded { by } => {
                // Two puts crossed: the newer one stands, as if it had come second.
                tracing::info!(secret = %name, %version, %by, "a put was overtaken by a newer one");
                Ok(())
            }
        }
    }

    /// Tries the key at its provider.
    pub(super) async fn validate_key(
        &self,
        service: &ServiceId,
        value: &SecretValue,
    ) -> Result<KeyHealth, AppError> {
        let parts = self.parts();
        let Some(provider) = parts.providers.get(service) else {
            return Ok(KeyHealth::Ok);
        };
        let Some(request) = provider.validation(value) else {
            return Ok(KeyHealth::Ok);
        };
        let unreachable = "or put the key with validation switched off";
        let answer = parts.outbound.send(service, request).await.map_err(|error| {
            let (code, why) = match &error {
                OutboundError::Untrusted { .. } => (
                    "upstream_untrusted",
                    "the certificate shown at its address is not trusted; tell whoever runs this \
                     server",
                ),
                _ => ("provider_unreachable", "try again"),
            };
            AppError::unavailable(
                code,
                format!("{service} could not be asked whether the key works: {why}, {unreachable}"),
                error,
            )
        })?;
        let now = parts.clock.now();
        let until = |wait| crate::tokens::lifetime_end(now, wait);
        match provider.read_validation(&answer.at(now)) {
            KeyVerdict::Valid | KeyVerdict::MissingScope { .. } | KeyVerdict::Crowded { .. } => {
                Ok(KeyHealth::Ok)
            }
            KeyVerdict::Limited { until: named, .. } => Ok(KeyHealth::Limited {
                until: named.unwrap_or_else(|| until(LIMITED_FOR)),
            }),
            KeyVerdict::Exhausted { until: named, .. } => Ok(KeyHealth::Exhausted {
                until: named.unwrap_or_else(|| until(EXHAUSTED_FOR)),
            }),
            KeyVerdict::Blocked { reason } => Err(AppError::new(
                AppErrorKind::Unprocessable,
                "key_blocked",
                format!(
                    "{service} knows this key and does not let it in from here: {reason}. Its \
                     account, country or list of addresses has to be changed there"
                ),
            )),
            KeyVerdict::Invalid { reason } => Err(AppError::new(
                AppErrorKind::Unprocessable,
                "key_rejected",
                format!("{service} refuses this key: {reason}"),
            )),
            KeyVerdict::Overloaded { .. } => Err(AppError::unavailable(
                "provider_unclear",
                format!(
                    "{service} is overloaded and did not say whether the key works: try again, {unreachable}"
                ),
                "overloaded".to_owned(),
            )),
            KeyVerdict::BadRequest { reason } | KeyVerdict::Unclear { reason } => {
                Err(AppError::unavailable(
                    "provider_unclear",
                    format!(
                        "{service} did not say whether the key works: try again, {unreachable}"
                    ),
                    reason,
                ))
            }
        }
    }
}

/// How long a limited key rests when its provider does not say.
const LIMITED_FOR: std::time::Duration = std::time::Duration::from_secs(10);
/// How long an empty account rests before it is tried again.
const EXHAUSTED_FOR: std::time::Duration = std::time::Duration::from_secs(300);

pub(super) fn check_value(value: &SecretValue) -> Result<(), AppError> {
    let text = value.expose();
    if VALUE_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(AppError::invalid(
        "invalid_key_text",
        format!(
            "a key has {} to {} printable ASCII characters without spaces",
            VALUE_BYTES.start(),
            VALUE_BYTES.end()
        ),
    ))
}

fn precondition(expected: Option<u32>) -> Precondition {
    match expected {
        None => Precondition::None,
        Some(number) => {
            SecretVersion::new(number).map_or(Precondition::Absent, Precondition::Newest)
        }
    }
}

/// The store's request id: the caller's own word within its token, else our request.
fn request_id(ctx: &RequestContext, given: Option<&str>) -> Result<String, AppError> {
    let Some(given) = given else {
        return Ok(ctx.request_id.to_string());
    };
    let valid = (1..=REQUEST_ID_MAX).contains(&given.len())
        && given.bytes().all(|byte| byte.is_ascii_graphic());
    if !valid {
        return Err(AppError::invalid(
            "invalid_idempotency_key",
            format!("an idempotency key has 1 to {REQUEST_ID_MAX} printable ASCII characters"),
        ));
    }
    Ok(format!("{}/{given}", ctx.caller.token().id))
}

/// Tells two keys apart for a person without telling either: 48 bits of a hash. Keys are random
/// and long, so nothing can be guessed from it.
pub(crate) fn fingerprint(value: &SecretValue) -> String {
    let hash = blake3::derive_key("diamond 2026 key fingerprint", value.expose().as_bytes());
    hash[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
