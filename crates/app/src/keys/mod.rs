//! Keys: handed out, put, looked at, revoked.

mod check;
mod credential;
mod lease;
mod put;
mod revoke;
mod tags;
mod view;

pub use check::{CheckKey, CheckedKey, KeyCheck};
pub use credential::CredentialView;
pub use lease::{LeaseRequest, LeasedKey};
pub use put::PutKey;
pub(crate) use put::fingerprint;
pub use revoke::RevokeKeyVersion;
pub use tags::KeyTagger;
pub use view::KeyVersionView;

use diamond_domain::{SecretKind, SecretName, ServiceId, TenantId};

use crate::AppError;

/// The name of a tenant's key of a kind that can be asked for.
fn tenant_secret(
    kind: SecretKind,
    service: &ServiceId,
    tenant: &TenantId,
) -> Result<SecretName, AppError> {
    let (service, tenant) = (service.clone(), tenant.clone());
    match kind {
        SecretKind::Dedicated => Ok(SecretName::Dedicated { service, tenant }),
        SecretKind::Customer => Ok(SecretName::Customer { service, tenant }),
        SecretKind::TenantAdmin | SecretKind::PlatformAdmin => Err(AppError::invalid(
            "invalid_kind",
            "`kind` is `dedicated` or `customer`",
        )),
    }
}
