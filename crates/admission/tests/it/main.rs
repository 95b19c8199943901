//! Promises of admission, through its public face.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests fails its test by panicking"
)]

mod authenticate;
mod gateway;
mod last_use;
mod reserve;
mod staleness;
mod tenant_access;
mod user;

use std::{net::IpAddr, sync::Arc};

use diamond_admission::{AccessToken, Admission, Caller, Refusal, TenantPolicy, TokenRecord};
use diamond_domain::{ManualClock, Scope, ScopeSet, ServiceId, TenantId, Tier, TokenId};
use jiff::{SignedDuration, Timestamp};

/// An admission with a clock that stands, two tenants, and a way to make tokens.
struct House {
    admission: Arc<Admission>,
    clock: Arc<ManualClock>,
}

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn service(name: &str) -> ServiceId {
    name.parse().unwrap()
}

fn policy(name: &str) -> TenantPolicy {
    TenantPolicy {
        id: tenant(name),
        tier: Tier::ManagedEnterprise,
        suspended: false,
        services: None,
        reveal: true,
    }
}

impl House {
    fn new() -> Self {
        let start = "2025-01-22T10:00:00Z".parse::<Timestamp>().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let admission = Arc::new(Admission::new(clock.clone()));
        admission.upsert_tenant(policy("zaxon"));
        admission.upsert_tenant(policy("coaching"));
        Self { admission, clock }
    }

    /// A token of the tenant with the scopes, changed as the test wants, taken in.
    fn token(
        &self,
        tenant_name: Option<&str>,
        scopes: &[Scope],
        change: impl FnOnce(&mut TokenRecord),
    ) -> (AccessToken, TokenRecord) {
        use diamond_domain::Clock;
        let token = AccessToken::generate();
        let now = self.clock.now();
        let mut record = TokenRecord {
            id: TokenId::generate(now),
            hash: token.hash(),
            tenant: tenant_name.map(tenant),
            name: "backend".into(),
            owner: "ada".into(),
            purpose: "tests".into(),
            scopes: scopes.iter().copied().collect::<ScopeSet>(),
            user: None,
            services: None,
            addresses: Vec::new(),
            expires_at: now + SignedDuration::from_hours(24 * 90),
            revoked_at: None,
        };
        change(&mut record);
        self.admission.upsert_token(record.clone());
        (token, record)
    }

    fn authenticate(&self, token: &AccessToken) -> Result<Caller, Refusal> {
        self.admission.authenticate(Some(token.expose()), HOME)
    }

    fn caller(&self, tenant_name: Option<&str>, scopes: &[Scope]) -> Caller {
        let (token, _) = self.token(tenant_name, scopes, |_| {});
        self.authenticate(&token).unwrap()
    }
}
