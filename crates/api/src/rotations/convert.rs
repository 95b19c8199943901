//! Between the API's words and the use cases'.

use diamond_api_types::{
    CredentialResponse, MissingKeyResponse, RotationResponse, SweepFailureResponse, SweepResponse,
    SweptKeyResponse,
};
use diamond_app::{CredentialView, RotationView, SweepReport, SweptKey};
use diamond_domain::{SecretName, SecretVersion};

use crate::errors::ApiError;

/// A rotation as the API shows it.
pub fn rotation(view: RotationView) -> RotationResponse {
    RotationResponse {
        id: view.id,
        service: view.name.service().clone(),
        tenant_id: view.name.tenant().cloned(),
        name: view.name,
        cause: view.cause.to_owned(),
        state: view.state.to_owned(),
        former_version: view.former,
        version: view.version,
        attempt: view.attempt,
        waits_for_person: view.waits_for_person,
        failures: view.failures,
        reason: view.reason,
        next_attempt_at: view.next_attempt_at,
        created_at: view.created_at,
        promoted_at: view.promoted_at,
        ended_at: view.ended_at,
    }
}

/// A credential as the API shows it.
pub fn credential(view: CredentialView) -> CredentialResponse {
    CredentialResponse {
        name: view.name,
        version: view.version,
        fingerprint: view.fingerprint,
        created_at: view.created_at,
    }
}

/// A comparison as the API shows it.
pub fn sweep(report: SweepReport) -> SweepResponse {
    let keys = |keys: Vec<SweptKey>| keys.into_iter().map(swept).collect();
    SweepResponse {
        service: report.service,
        reports_only: report.reports_only,
        listed: report.listed,
        ours: report.ours,
        ended: keys(report.ended),
        unknown: keys(report.unknown),
        unknown_count: report.unknown_count,
        missing: report
            .missing
            .into_iter()
            .map(|(name, version)| MissingKeyResponse { name, version })
            .collect(),
        failed: report
            .failed
            .into_iter()
            .map(|(credential, reason)| SweepFailureResponse { credential, reason })
            .collect(),
    }
}

fn swept(key: SweptKey) -> SweptKeyResponse {
    SweptKeyResponse {
        credential: key.credential,
        id: key.id,
        name: key.name,
        hint: key.hint,
        created_at: key.created_at,
    }
}

/// Where to go on among versions.
pub fn cursor(name: &SecretName, version: SecretVersion) -> String {
    format!("{name}/{version}")
}

/// What [`cursor`] wrote.
pub fn parse_cursor(text: &str) -> Result<(SecretName, SecretVersion), ApiError> {
    let parsed = text.split_once('/').and_then(|(name, version)| {
        let version = SecretVersion::new(version.parse().ok()?)?;
        Some((name.parse().ok()?, version))
    });
    parsed.ok_or_else(|| {
        ApiError::bad_request("invalid_cursor", "the cursor is not one of this list's")
    })
}
