//! The door: everything that is asked before something is done.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use diamond_domain::{Clock, Scope, ServiceId, TenantId, TokenId};
use jiff::Timestamp;
use papaya::HashMap;
use parking_lot::Mutex;

use crate::{
    AccessToken, Budgets, Caller, OperatorAccess, Refusal, Reservation, ReserveRequest,
    RunningCalls, TenantAccess, TenantPolicy, TokenHash, TokenRecord,
};

/// Tokens, tenants and budgets in memory. Every question is answered without I/O and without
/// waiting for a writer; writers (the feed from the control state) are few and wait for each other.
pub struct Admission {
    clock: Arc<dyn Clock>,
    tokens: HashMap<TokenHash, TokenEntry>,
    hashes: HashMap<TokenId, TokenHash>,
    tenants: HashMap<TenantId, Arc<TenantPolicy>>,
    budgets: Budgets,
    calls: Arc<RunningCalls>,
    /// Keeps `tokens` and `hashes` in step; readers do not take it.
    write: Mutex<()>,
    /// For how long the tables may be trusted without news; `None` for ever.
    staleness: Option<Duration>,
    /// When the tables were last known to be current, in monotonic nanoseconds plus one; 0 for
    /// never.
    current_at: AtomicU64,
}

/// A token and when it was last used.
struct TokenEntry {
    record: Arc<TokenRecord>,
    last_use: Arc<LastUse>,
}

/// Microseconds since 1970 of the last use that nobody has taken yet.
struct LastUse(AtomicI64);

impl LastUse {
    const NONE: i64 = i64::MIN;
}

impl Admission {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            tokens: HashMap::new(),
            hashes: HashMap::new(),
            tenants: HashMap::new(),
            budgets: Budgets::default(),
            calls: Arc::new(RunningCalls::new()),
            write: Mutex::new(()),
            staleness: None,
            current_at: AtomicU64::new(0),
        }
    }

    /// Nobody is let in once the tables were not known to be current for longer than this, nor
    /// before they are for the first time. Without it they are trusted for ever.
    #[must_use]
    pub const fn with_staleness(mut self, limit: Duration) -> Self {
        self.staleness = Some(limit);
        self
    }

    /// The tables contain everything that was committed before this instant of the clock's
    /// [`Clock::monotonic_nanos`]. An earlier instant than one heard before changes nothing.
    pub fn mark_current(&self, monotonic_nanos: u64) {
        self.current_at
            .fetch_max(monotonic_nanos.saturating_add(1), Ordering::AcqRel);
    }

    /// Takes a token in, new or changed.
    ///
    /// A revoked token stays known, so that its holder is told what happened; and it stays
    /// revoked, so that an older copy of the record that arrives late does not revive it.
    pub fn upsert_token(&self, mut record: TokenRecord) {
        let _writing = self.write.lock();
        let (tokens, hashes) = (self.tokens.pin(), self.hashes.pin());
        let former_hash = hashes.insert(record.id, record.hash).copied();
        let former = tokens.get(&former_hash.unwrap_or(record.hash));
        let last_use = match former.filter(|entry| entry.record.id == record.id) {
            Some(entry) => {
                record.revoked_at = entry.record.revoked_at.or(record.revoked_at);
                Arc::clone(&entry.last_use)
            }
            None => Arc::new(LastUse(AtomicI64::new(LastUse::NONE))),
        };
        let hash = record.hash;
        let entry = TokenEntry {
            record: Arc::new(record),
            last_use,
        };
        tokens.insert(hash, entry);
        if let Some(former_hash) = former_hash.filter(|former| *former != hash) {
            tokens.remove(&former_hash);
        }
    }

    /// Forgets a token altogether: its holder is unknown from now on. To withdraw a token, upsert
    /// it with `revoked_at`.
    pub fn remove_token(&self, id: TokenId) {
        let _writing = self.write.lock();
        if let Some(hash) = self.hashes.pin().remove(&id) {
            self.tokens.pin().remove(hash);
        }
    }

    /// Takes a tenant in, new or changed.
    pub fn upsert_tenant(&self, policy: TenantPolicy) {
        let tenants = self.tenants.pin();
        tenants.insert(policy.id.clone(), Arc::new(policy));
    }

    /// Whether there is such a tenant.
    #[must_use]
    pub fn knows_tenant(&self, tenant: &TenantId) -> bool {
        self.tenants.pin().contains_key(tenant)
    }

    /// Forgets a tenant and its budgets.
    pub fn remove_tenant(&self, tenant: &TenantId) {
        self.tenants.pin().remove(tenant);
        self.budgets.forget(tenant);
    }

    /// Who presents this token from there.
    ///
    /// `presented` is the token alone, without `Bearer` or whatever stood around it.
    pub fn authenticate(&self, presented: Option<&str>, peer: IpAddr) -> Result<Caller, Refusal> {
        let text = presented
            .filter(|text| !text.is_empty())
            .ok_or(Refusal::MissingToken)?;
        AccessToken::check(text)?;
        self.check_current()?;
        let tokens = self.tokens.pin();
        let entry = tokens
            .get(&TokenHash::of(text))
            .ok_or(Refusal::UnknownToken)?;
        let record = &entry.record;
        let now = self.clock.now();
        if let Some(at) = record.revoked_at {
            return Err(Refusal::RevokedToken { at });
        }
        if now >= record.expires_at {
            return Err(Refusal::ExpiredToken {
                at: record.expires_at,
            });
        }
        let address = peer.to_canonical();
        let ranges = &record.addresses;
        if !ranges.is_empty() && !ranges.iter().any(|range| range.contains(address)) {
            return Err(Refusal::AddressNotAllowed { address });
        }
        entry
            .last_use
            .0
            .fetch_max(now.as_microsecond(), Ordering::Relaxed);
        Ok(Caller::new(Arc::clone(record), address))
    }

    /// Which token this is, whether it is accepted or not: for saying who was refused.
    #[must_use]
    pub fn token_of(&self, presented: Option<&str>) -> Option<TokenId> {
        let text = presented.filter(|text| AccessToken::check(text).is_ok())?;
        let tokens = self.tokens.pin();
        Some(tokens.get(&TokenHash::of(text))?.record.id)
    }

    /// Whether the tables are recent enough to decide by: a token that was revoked elsewhere while
    /// nothing was heard would still be let in.
    fn check_current(&self) -> Result<(), Refusal> {
        let Some(limit) = self.staleness else {
            return Ok(());
        };
        let current = self.current_at.load(Ordering::Acquire).checked_sub(1);
        let age =
            current.map(|at| Duration::from_nanos(self.clock.monotonic_nanos().saturating_sub(at)));
        match age {
            Some(age) if age <= limit => Ok(()),
            _ => Err(Refusal::Stale { limit }),
        }
    }

    /// Whether the caller may do this for that tenant.
    ///
    /// The scope is asked first: whoever lacks it learns nothing about tenants. A tenant that does
    /// not exist and one that is not the caller's are the same refusal. Operators may name any
    /// tenant, also a suspended one.
    pub fn tenant_access(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        scope: Scope,
    ) -> Result<TenantAccess, Refusal> {
        caller.require(scope)?;
        let own = caller.token().tenant.as_ref() == Some(tenant);
        let policy = (own || caller.is_operator())
            .then(|| self.tenants.pin().get(tenant).cloned())
            .flatten()
            .ok_or_else(|| Refusal::TenantNotFound {
                tenant: tenant.clone(),
            })?;
        let access = TenantAccess::new(caller.clone(), policy);
        if !caller.is_operator() {
            access.check_active()?;
        }
        Ok(access)
    }

    /// Whether the caller may call the service through the gateway, and for which tenant: the
    /// token's own, or the one that an operator named.
    pub fn gateway_access(
        &self,
        caller: &Caller,
        named: Option<&TenantId>,
        service: &ServiceId,
    ) -> Result<TenantAccess, Refusal> {
        caller.require(Scope::Gateway)?;
        let tenant = named
            .or(caller.token().tenant.as_ref())
            .ok_or(Refusal::TenantRequired)?;
        let access = self.tenant_access(caller, tenant, Scope::Gateway)?;
        access.check_active()?;
        access.check_service(service)?;
        Ok(access)
    }

    /// Whether the caller may ask for what belongs to no tenant.
    ///
    /// # Errors
    /// Refused without the scope.
    pub fn scope_access(&self, caller: &Caller, scope: Scope) -> Result<(), Refusal> {
        caller.require(scope)
    }

    /// Whether the caller may do this across tenants.
    pub fn operator_access(
        &self,
        caller: &Caller,
        scope: Scope,
    ) -> Result<OperatorAccess, Refusal> {
        caller.require(scope)?;
        if !caller.is_operator() {
            return Err(Refusal::MissingScope {
                scope: Scope::Operator,
            });
        }
        Ok(OperatorAccess::new(caller.clone()))
    }

    /// Sets aside what the call can cost, until the guard is settled or dropped. A tenant without
    /// a budget is always granted.
    pub fn reserve(
        &self,
        access: &TenantAccess,
        request: ReserveRequest<'_>,
    ) -> Result<Reservation, Refusal> {
        self.budgets.reserve(access.tenant(), request)
    }

    /// The budgets of all tenants.
    #[must_use]
    pub const fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// The calls under way on this node.
    #[must_use]
    pub const fn calls(&self) -> &Arc<RunningCalls> {
        &self.calls
    }

    /// The tokens used since the last call, each with its latest use. Writing them down is the
    /// caller's; what cannot be written is brought back by [`Admission::return_last_uses`].
    #[must_use]
    pub fn take_last_uses(&self) -> Vec<(TokenId, Timestamp)> {
        let tokens = self.tokens.pin();
        let taken = tokens.values().filter_map(|entry| {
            let micros = entry.last_use.0.swap(LastUse::NONE, Ordering::Relaxed);
            let at = (micros != LastUse::NONE).then(|| Timestamp::from_microsecond(micros).ok());
            Some((entry.record.id, at.flatten()?))
        });
        taken.collect()
    }

    /// Takes back uses that could not be written down; a later one that came meanwhile stands.
    pub fn return_last_uses(&self, uses: &[(TokenId, Timestamp)]) {
        let (tokens, hashes) = (self.tokens.pin(), self.hashes.pin());
        for (token, at) in uses {
            if let Some(entry) = hashes.get(token).and_then(|hash| tokens.get(hash)) {
                let at = at.as_microsecond();
                entry.last_use.0.fetch_max(at, Ordering::Relaxed);
            }
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("tokens", &self.tokens.pin().len())
            .field("tenants", &self.tenants.pin().len())
            .finish_non_exhaustive()
    }
}
