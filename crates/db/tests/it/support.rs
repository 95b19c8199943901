//! Databases for tests, and rows to put into them.

use diamond_db::{AtProvider, Db, KeyVersionRow, Tenant, TenantStatus, TokenRow, tenants};
use diamond_domain::{
    Payer, Scope, SecretName, SecretVersion, TenantId, Tier, TokenId, VersionState,
};
use diamond_test_support::PostgresDatabase;
use jiff::Timestamp;

/// What must live as long as a database under test.
pub enum Place {
    Folder(tempfile::TempDir),
    Postgres(PostgresDatabase),
}

impl Place {
    pub fn sqlite() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    pub async fn postgres() -> Self {
        Self::Postgres(diamond_test_support::postgres().await)
    }

    pub fn url(&self) -> String {
        match self {
            Self::Folder(folder) => {
                format!(
                    "sqlite://{}?mode=rwc",
                    folder.path().join("control.db").display()
                )
            }
            Self::Postgres(database) => database.url().to_owned(),
        }
    }
}

/// Runs each named `async fn(&Place)` on both engines.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&crate::support::Place::sqlite()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&crate::support::Place::postgres().await).await;
                }
            )*
        }
    };
}

pub async fn open(place: &Place) -> Db {
    Db::connect(&place.url()).await.unwrap()
}

/// The instant so many seconds after an arbitrary one.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

pub fn tenant_id(text: &str) -> TenantId {
    text.parse().unwrap()
}

pub fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub fn version(number: u32) -> SecretVersion {
    SecretVersion::new(number).unwrap()
}

pub fn tenant(id: &str) -> Tenant {
    Tenant {
        id: tenant_id(id),
        display_name: format!("The people of {id}"),
        tier: Tier::ManagedProfessional,
        status: TenantStatus::Active,
        services: Some(vec!["openai".parse().unwrap(), "hume".parse().unwrap()]),
        reveal: true,
        created_at: at(0),
        updated_at: at(1),
    }
}

/// Two tenants that have every chance to be mistaken for each other.
pub async fn with_two_tenants(place: &Place) -> Db {
    let db = open(place).await;
    for id in ["coaching", "coaching-eu"] {
        assert!(tenants::create(&db, &tenant(id)).await.unwrap());
    }
    db
}

pub fn token(tenant: Option<&str>, second: i64) -> TokenRow {
    let id = TokenId::generate(at(second));
    let mut hash = [0xa5; 32];
    hash[..16].copy_from_slice(&id.to_bits().to_be_bytes());
    TokenRow {
        id,
        hash,
        tenant: tenant.map(tenant_id),
        name: "build".into(),
        owner: "ops@example.com".into(),
        purpose: "nightly builds".into(),
        scopes: [Scope::KeysRead, Scope::Gateway].into_iter().collect(),
        user: Some("agent 7".parse().unwrap()),
        services: None,
        addresses: vec!["10.0.0.0/8".into(), "2001:db8::/32".into()],
        created_at: at(second),
        expires_at: at(second + 90 * 86_400),
        revoked_at: None,
        last_used_at: None,
    }
}

pub fn key(secret: &str, number: u32) -> KeyVersionRow {
    let created_at = at(i64::from(number));
    KeyVersionRow {
        name: name(secret),
        version: version(number),
        state: VersionState::Active,
        payer: Payer::Platform,
        created_at,
        activated_at: Some(created_at),
        retired_at: None,
        revoked_at: None,
        created_by: Some(TokenId::from_bits(7)),
        request_id: format!("request-{secret}-{number}"),
        at_provider: (number == 2).then(|| AtProvider {
            key_id: "key_abc".to_owned(),
            place: "a place".to_owned(),
            admin: crate::support::name("ai-openai-admin"),
            expires_at: Some(at(99)),
        }),
        revealed: false,
        fingerprint: format!("f{number}"),
    }
}
