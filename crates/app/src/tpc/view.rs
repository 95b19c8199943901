//! The shapes of the answers.

use diamond_domain::{Money, Period, ServiceId, TenantId, TimeRange, UserId};

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The current UTC calendar period up to now.
    Period(Period),
    /// From an instant to another.
    Range(TimeRange),
}

/// One tenant's True Production Cost.
///
/// Cost, allocations and profit are `None` for callers who may see charges only. Sums leave out
/// events without a price; `unpriced_events` says how many.
#[derive(Debug, Clone, PartialEq)]
pub struct TpcReport {
    /// Whose.
    pub tenant_id: TenantId,
    /// The named period, when one was asked for.
    pub period: Option<Period>,
    /// The span in full.
    pub range: TimeRange,
    /// What the platform owes the providers.
    pub direct_cost: Option<Money>,
    /// Selling, general and administrative allocation.
    pub sga: Option<Money>,
    /// Compliance allocation.
    pub compliance: Option<Money>,
    /// Direct cost and allocations.
    pub tpc: Option<Money>,
    /// What the tenant pays providers itself, with its own keys.
    pub tenant_paid: Money,
    /// What the tenant owes by its plan.
    pub charge: Money,
    /// Charge less True Production Cost.
    pub profit: Option<Money>,
    /// Calls of both payers.
    pub calls: u64,
    /// Events whose cost is unknown.
    pub unpriced_events: u64,
    /// Events from which something is missing.
    pub partial_events: u64,
    /// By service.
    pub services: Vec<ServiceCost>,
    /// Over users.
    pub users: UserDistribution,
    /// Compared with the period before.
    pub trend: TrendView,
    /// Every event up to this place of the ledger is in the answer.
    pub watermark: u64,
}

/// One service's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCost {
    /// Which service.
    pub service: ServiceId,
    /// Its item in the books.
    pub component_code: Option<String>,
    /// What the platform owes the provider.
    pub direct_cost: Option<Money>,
    /// What the tenant pays the provider itself.
    pub tenant_paid: Money,
    /// Calls of both payers.
    pub calls: u64,
    /// Events whose cost is unknown.
    pub unpriced_events: u64,
}

/// One user's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCost {
    /// Who.
    pub user_id: UserId,
    /// Direct cost.
    pub direct_cost: Option<Money>,
    /// Calls of both payers.
    pub calls: u64,
}

/// How direct cost is spread over the users with at least one event. Exact: percentiles by linear
/// interpolation, population standard deviation, each rounded once to the nano-dollar.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserDistribution {
    /// How many users.
    pub users: u64,
    /// The mean.
    pub mean: Option<Money>,
    /// The median.
    pub median: Option<Money>,
    /// The 95th percentile.
    pub p95: Option<Money>,
    /// The 99th percentile.
    pub p99: Option<Money>,
    /// The population standard deviation.
    pub std_dev: Option<Money>,
    /// Those who cost most, dearest first.
    pub top: Vec<UserCost>,
}

/// Direct cost against the same elapsed part of the period before (for a free span: against the
/// span of the same length before it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrendView {
    /// The span compared with.
    pub previous_range: TimeRange,
    /// Its direct cost.
    pub previous_direct_cost: Option<Money>,
    /// The change as a decimal ratio (`"0.2500"` is a quarter more); `None` when there was nothing
    /// before.
    pub change: Option<String>,
}

/// One tenant's part of everything, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantCost {
    /// Whose.
    pub tenant_id: TenantId,
    /// What the platform owes the providers.
    pub direct_cost: Money,
    /// Direct cost and allocations.
    pub tpc: Money,
    /// What the tenant pays providers itself.
    pub tenant_paid: Money,
    /// Calls of both payers.
    pub calls: u64,
    /// Events whose cost is unknown.
    pub unpriced_events: u64,
}
