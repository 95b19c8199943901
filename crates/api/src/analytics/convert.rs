//! Between the API's words and the use cases'.

use diamond_api_types::{
    GetTpcResponse, ServiceCostResponse, TrendResponse, UserCostResponse, UserDistributionResponse,
};
use diamond_app::{ServiceCost, Span, TpcReport, UserCost};
use diamond_domain::{Period, TimeRange};
use jiff::Timestamp;

use crate::errors::ApiError;

/// The span that a query names; the current day when it names none.
pub fn span(
    period: Option<Period>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Span, ApiError> {
    match (period, from, to) {
        (None, None, None) => Ok(Span::Period(Period::Daily)),
        (Some(period), None, None) => Ok(Span::Period(period)),
        (None, Some(from), Some(to)) => range(from, to).map(Span::Range),
        _ => Err(ApiError::bad_request(
            "invalid_query",
            "the time is either `period`, or `from` and `to`",
        )),
    }
}

/// A span that runs forward.
pub fn range(from: Timestamp, to: Timestamp) -> Result<TimeRange, ApiError> {
    TimeRange::new(from, to)
        .map_err(|error| ApiError::bad_request("invalid_query", error.to_string()))
}

/// A report as the API shows it.
pub fn report_response(report: TpcReport) -> GetTpcResponse {
    let users = report.users;
    GetTpcResponse {
        tenant_id: report.tenant_id,
        period: report.period,
        from: report.range.from,
        to: report.range.to,
        direct_cost_usd: report.direct_cost,
        sga_usd: report.sga,
        compliance_usd: report.compliance,
        tpc_usd: report.tpc,
        tenant_paid_usd: report.tenant_paid,
        charge_usd: report.charge,
        profit_usd: report.profit,
        calls: report.calls,
        unpriced_events: report.unpriced_events,
        partial_events: report.partial_events,
        services: report.services.into_iter().map(service_response).collect(),
        users: UserDistributionResponse {
            users: users.users,
            mean_usd: users.mean,
            median_usd: users.median,
            p95_usd: users.p95,
            p99_usd: users.p99,
            std_dev_usd: users.std_dev,
            top: users.top.into_iter().map(user_response).collect(),
        },
        trend: TrendResponse {
            previous_from: report.trend.previous_range.from,
            previous_to: report.trend.previous_range.to,
            previous_direct_cost_usd: report.trend.previous_direct_cost,
            change: report.trend.change,
        },
        watermark: report.watermark,
    }
}

/// A service's part as the API shows it.
pub fn service_response(row: ServiceCost) -> ServiceCostResponse {
    ServiceCostResponse {
        service: row.service,
        component_code: row.component_code,
        direct_cost_usd: row.direct_cost,
        tenant_paid_usd: row.tenant_paid,
        calls: row.calls,
        unpriced_events: row.unpriced_events,
    }
}

/// A user's part as the API shows it.
pub fn user_response(row: UserCost) -> UserCostResponse {
    UserCostResponse {
        user_id: row.user_id,
        direct_cost_usd: row.direct_cost,
        calls: row.calls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_named_one_way() {
        let at = |text: &str| Some(text.parse().unwrap());
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        assert_eq!(span(None, None, None).unwrap(), Span::Period(Period::Daily));
        assert!(matches!(span(None, early, late).unwrap(), Span::Range(_)));
        assert!(span(None, late, early).is_err());
        assert!(span(None, early, None).is_err());
        assert!(span(Some(Period::Weekly), early, late).is_err());
    }
}
