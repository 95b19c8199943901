//! Provider keys.

mod get;
mod import;
mod list;
mod put;
mod revoke;

pub use get::{GetArguments, get};
pub use import::{Arguments as ImportArguments, import};
pub use list::{ListArguments, list};
pub use put::{PutArguments, put};
pub use revoke::{RevokeArguments, revoke};

use clap::ValueEnum;
use diamond_api_types::KeyVersionResponse;
use diamond_domain::SecretKind;

use crate::table;

/// The kinds of key that tenants use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// The platform's key for the tenant
    Dedicated,
    /// The customer's own key
    Customer,
}

impl Kind {
    /// Its place in the API's paths.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Customer => "customer",
        }
    }
}

impl From<Kind> for SecretKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Dedicated => Self::Dedicated,
            Kind::Customer => Self::Customer,
        }
    }
}

const fn kind_text(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Dedicated => "dedicated",
        SecretKind::Customer => "customer",
        SecretKind::PlatformAdmin => "platform admin",
        SecretKind::TenantAdmin => "tenant admin",
    }
}

fn versions_table(versions: &[KeyVersionResponse]) -> String {
    table::render(
        [
            "SERVICE",
            "KIND",
            ">VERSION",
            "STATE",
            "HEALTH",
            "PAYER",
            "REVEALED",
            "FINGERPRINT",
            "CREATED",
        ],
        versions.iter().map(|version| {
            [
                version.service.to_string(),
                kind_text(version.kind).to_owned(),
                version.version.to_string(),
                version.state.as_str().to_owned(),
                match version.health_until {
                    Some(until) => format!("{} until {until:.0}", version.health),
                    None => version.health.clone(),
                },
                version.payer.to_string(),
                if version.revealed { "yes" } else { "no" }.to_owned(),
                version.fingerprint.clone(),
                format!("{:.0}", version.created_at),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use diamond_domain::{Payer, SecretName, SecretVersion, VersionState};

    use super::*;

    #[test]
    fn versions_in_a_table() {
        let name: SecretName = "ai-openai-zaxon".parse().unwrap();
        let version = KeyVersionResponse {
            service: name.service().clone(),
            tenant_id: name.tenant().cloned(),
            kind: name.kind(),
            name,
            version: SecretVersion::FIRST,
            state: VersionState::Active,
            health: "limited".into(),
            health_until: Some("2026-11-20T10:00:05Z".parse().unwrap()),
            payer: Payer::Platform,
            fingerprint: "9f2c4e".into(),
            revealed: true,
            created_at: "2026-11-20T09:00:00.123Z".parse().unwrap(),
            activated_at: None,
            retired_at: None,
            revoked_at: None,
            provider_key_id: None,
            provider_expires_at: None,
            pins: 0,
            last_used_at: None,
            leased_until: None,
            next_rotation_at: None,
        };
        insta::assert_snapshot!(versions_table(&[version]), @r"
        SERVICE  KIND       VERSION  STATE   HEALTH                              PAYER     REVEALED  FINGERPRINT  CREATED
        openai   dedicated        1  active  limited until 2026-11-20T10:00:05Z  platform  yes       9f2c4e       2026-11-20T09:00:00Z
        ");
    }
}
