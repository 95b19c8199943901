//! Answering the questions.

use std::collections::BTreeMap;

use diamond_analytics::{Distribution, Trend};
use diamond_billing::Plan;
use diamond_domain::{Money, Scope, ServiceId, TenantId, TimeRange};
use diamond_usage::{GroupBy, SeriesPoint, TenantScope, TotalsRow, UserTotal};
use jiff::SignedDuration;

use super::{
    rows::Totals,
    view::{ServiceCost, Span, TenantCost, TpcReport, TrendView, UserCost, UserDistribution},
};
use crate::{App, AppError, RequestContext};

/// How long a step of a series may be: a leap year.
const STEP_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
/// How many of the dearest users a report names.
const TOP_USERS: usize = 10;

impl App {
    /// One tenant's True Production Cost, with every event acknowledged before the question.
    ///
    /// # Errors
    /// Refused without `usage:read`; not found for a stranger's tenant.
    pub async fn tpc(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        span: Span,
    ) -> Result<TpcReport, AppError> {
        let see_cost = self.permit(ctx, tenant)?;
        let parts = self.parts();
        let (range, previous_range) = self.ranges(span)?;
        let scope = TenantScope::One(tenant.clone());
        let by_service = GroupBy {
            service: true,
            ..GroupBy::default()
        };
        // Read before the sums: what is at or below it is in them.
        let watermark = parts.reader.watermark().await?;
        let rows = parts.reader.totals(&scope, range, by_service).await?;
        let previous = parts
            .reader
            .totals(&scope, previous_range, GroupBy::default())
            .await?;
        let users = parts.reader.per_user(tenant, range).await?;

        let totals = Totals::of(&rows);
        let before = Totals::of(&previous).direct;
        let cost = parts.settings.overheads.allocate(totals.direct);
        let charged = Plan::default().charge(&cost);
        Ok(TpcReport {
            tenant_id: tenant.clone(),
            period: match span {
                Span::Period(period) => Some(period),
                Span::Range(_) => None,
            },
            range,
            direct_cost: see_cost.then_some(cost.direct),
            sga: see_cost.then_some(cost.sga),
            compliance: see_cost.then_some(cost.compliance),
            tpc: see_cost.then_some(cost.tpc),
            tenant_paid: totals.tenant_paid,
            charge: charged.charge,
            profit: see_cost.then_some(charged.profit),
            calls: totals.calls,
            unpriced_events: totals.unpriced,
            partial_events: totals.partial,
            services: self.by_service(&rows, see_cost),
            users: distribution(users, see_cost),
            trend: TrendView {
                previous_range,
                previous_direct_cost: see_cost.then_some(before),
                change: Trend::between(totals.direct, before)
                    .change
                    .map(|change| change.to_string()),
            },
            watermark,
        })
    }

    /// The users of a span, dearest first.
    ///
    /// # Errors
    /// As [`App::tpc`].
    pub async fn tpc_users(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        span: Span,
        limit: usize,
    ) -> Result<Vec<UserCost>, AppError> {
        let see_cost = self.permit(ctx, tenant)?;
        let (range, _) = self.ranges(span)?;
        let users = self.parts().reader.per_user(tenant, range).await?;
        Ok(dearest(users, limit, see_cost))
    }

    /// The services of a span.
    ///
    /// # Errors
    /// As [`App::tpc`].
    pub async fn tpc_services(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        span: Span,
    ) -> Result<Vec<ServiceCost>, AppError> {
        let see_cost = self.permit(ctx, tenant)?;
        let (range, _) = self.ranges(span)?;
        let scope = TenantScope::One(tenant.clone());
        let by_service = GroupBy {
            service: true,
            ..GroupBy::default()
        };
        let rows = self
            .parts()
            .reader
            .totals(&scope, range, by_service)
            .await?;
        Ok(self.by_service(&rows, see_cost))
    }

    /// Cost over time, in steps from the span's beginning.
    ///
    /// # Errors
    /// As [`App::tpc`], and without `cost:read`; `too_many_rows`.
    pub async fn tpc_series(
        &self,
        ctx: &RequestContext,
        tenant: &TenantId,
        span: Span,
        step: SignedDuration,
        service: Option<ServiceId>,
    ) -> Result<Vec<SeriesPoint>, AppError> {
        let parts = self.parts();
        parts
            .admission
            .tenant_access(&ctx.caller, tenant, Scope::CostRead)?;
        if step < SignedDuration::from_secs(60) || step > STEP_MAX {
            return Err(AppError::invalid(
                "invalid_step",
                "a step is 60 seconds to 366 days",
            ));
        }
        let (range, _) = self.ranges(span)?;
        Ok(parts
            .reader
            .series(tenant, range, step, service.as_ref())
            .await?)
    }

    /// Every tenant's cost, dearest first.
    ///
    /// # Errors
    /// Refused for anybody but operators with `cost:read`.
    pub async fn tpc_tenants(
        &self,
        ctx: &RequestContext,
        span: Span,
        limit: usize,
    ) -> Result<Vec<TenantCost>, AppError> {
        let parts = self.parts();
        parts
            .admission
            .operator_access(&ctx.caller, Scope::CostRead)?;
        let (range, _) = self.ranges(span)?;
        let by_tenant = GroupBy {
            tenant: true,
            ..GroupBy::default()
        };
        let rows = parts
            .reader
            .totals(&TenantScope::All, range, by_tenant)
            .await?;
        let mut by_tenant: BTreeMap<TenantId, Totals> = BTreeMap::new();
        for row in &rows {
            if let Some(tenant) = &row.tenant {
                by_tenant.entry(tenant.clone()).or_default().add(row);
            }
        }
        let mut tenants: Vec<TenantCost> = by_tenant
            .into_iter()
            .map(|(tenant_id, totals)| TenantCost {
                tenant_id,
                direct_cost: totals.direct,
                tpc: parts.settings.overheads.allocate(totals.direct).tpc,
                tenant_paid: totals.tenant_paid,
                calls: totals.calls,
                unpriced_events: totals.unpriced,
            })
            .collect();
        tenants.sort_by(|a, b| {
            b.direct_cost
                .cmp(&a.direct_cost)
                .then_with(|| a.tenant_id.cmp(&b.tenant_id))
        });
        tenants.truncate(limit);
        Ok(tenants)
    }

    /// Whether the caller may see cost, once it is clear that it may see anything.
    pub(crate) fn permit(&self, ctx: &RequestContext, tenant: &TenantId) -> Result<bool, AppError> {
        let admission = &self.parts().admission;
        if ctx.caller.has(Scope::CostRead) {
            admission.tenant_access(&ctx.caller, tenant, Scope::CostRead)?;
            return Ok(true);
        }
        admission.tenant_access(&ctx.caller, tenant, Scope::UsageRead)?;
        Ok(false)
    }

    /// The span, and the one that it is compared with.
    fn ranges(&self, span: Span) -> Result<(TimeRange, TimeRange), AppError> {
        let out_of_range = |error: diamond_domain::PeriodError| {
            AppError::invalid("invalid_range", error.to_string())
        };
        match span {
            Span::Period(period) => period
                .current_and_previous(self.parts().clock.now())
                .map_err(out_of_range),
            Span::Range(range) => {
                let length = range.to.duration_since(range.from);
                let from = range
                    .from
                    .checked_sub(length)
                    .map_err(|_| out_of_range(diamond_domain::PeriodError::Range))?;
                let previous = TimeRange::new(from, range.from).map_err(out_of_range)?;
                Ok((range, previous))
            }
        }
    }

    fn by_service(&self, rows: &[TotalsRow], see_cost: bool) -> Vec<ServiceCost> {
        let mut services: BTreeMap<ServiceId, Totals> = BTreeMap::new();
        for row in rows {
            if let Some(service) = &row.service {
                services.entry(service.clone()).or_default().add(row);
            }
        }
        services
            .into_iter()
            .map(|(service, totals)| ServiceCost {
                component_code: self
                    .parts()
                    .catalog
                    .component_code(&service)
                    .map(str::to_owned),
                service,
                direct_cost: see_cost.then_some(totals.direct),
                tenant_paid: totals.tenant_paid,
                calls: totals.calls,
                unpriced_events: totals.unpriced,
            })
            .collect()
    }
}

fn distribution(users: Vec<UserTotal>, see_cost: bool) -> UserDistribution {
    let count = u64::try_from(users.len()).unwrap_or(u64::MAX);
    let costs: Vec<Money> = users.iter().map(|user| user.cost).collect();
    let spread = Distribution::of(costs).filter(|_| see_cost);
    let top = dearest(users, TOP_USERS, see_cost);
    match spread {
        Some(spread) => UserDistribution {
            users: count,
            mean: Some(spread.mean),
            median: Some(spread.median),
            p95: Some(spread.p95),
            p99: Some(spread.p99),
            std_dev: Some(spread.std_dev),
            top,
        },
        None => UserDistribution {
            users: count,
            top,
            ..UserDistribution::default()
        },
    }
}

fn dearest(mut users: Vec<UserTotal>, limit: usize, see_cost: bool) -> Vec<UserCost> {
    users.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.user.cmp(&b.user)));
    users
        .into_iter()
        .take(limit)
        .map(|user| UserCost {
            user_id: user.user,
            direct_cost: see_cost.then_some(user.cost),
            calls: user.calls,
        })
        .collect()
}
