//! Usage that callers report: each report becomes one priced event, once.

use std::collections::BTreeMap;

use diamond_domain::{
    Alarm, AlarmCode, CallOutcome, CostBasis, EventId, EventKind, EventSource, Money, OperationId,
    Payer, Quantities, Scope, ServiceId, Tags, TenantId, TraceId, UsageEvent, UserId,
};
use diamond_pricing::{PriceQuery, Unpriced};
use diamond_usage::Verdict;
use jiff::{SignedDuration, Timestamp};

use crate::{App, AppError, RequestContext};

/// How far in the future a report's time may be: clocks differ.
const FUTURE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// The most bytes of an id, a source, a model, an operation, a provider's request id.
const WORD_BYTES_MAX: usize = 256;

/// What a caller says about a call that did not pass through us.
#[derive(Debug, Clone)]
pub struct UsageReport {
    /// The caller's name for the fact, unique within tenant and source.
    pub id: String,
    /// Where the fact comes from (a service of the caller's); empty when not given.
    pub source: Option<String>,
    /// Whose; the token's tenant when not given.
    pub tenant_id: Option<TenantId>,
    /// Who in it.
    pub user_id: Option<UserId>,
    /// Which provider.
    pub service: ServiceId,
    /// Which model.
    pub model: String,
    /// Which kind of call.
    pub operation: Option<String>,
    /// The provider's service tier, which may change the price.
    pub service_tier: Option<String>,
    /// When the call began; the time of arrival when not given.
    pub timestamp: Option<Timestamp>,
    /// What was used.
    pub quantities: Quantities,
    /// What it cost, for those who may say.
    pub cost_usd: Option<Money>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// The provider's HTTP status.
    pub status: Option<u16>,
    /// The provider's name for the call.
    pub provider_request_id: Option<String>,
    /// The caller's trace.
    pub trace_id: Option<TraceId>,
    /// The caller's words.
    pub tags: Tags,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportOutcome {
    /// It is an event now.
    Accepted,
    /// It was one already; nothing changed.
    Duplicate,
    /// The id stands for another fact; nothing changed.
    Conflict,
    /// Older than the deduplication window; not taken.
    TooOld,
    /// Not a report; the message says what is wrong.
    Invalid,
}

/// The verdict on one report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportVerdict {
    /// The caller's id.
    pub id: String,
    /// The event, unless the report was invalid.
    pub event_id: Option<EventId>,
    /// What became of it.
    pub outcome: ReportOutcome,
    /// The event's cost, for callers who may see it and when it is priced.
    pub cost_usd: Option<Money>,
    /// Where the cost comes from.
    pub cost_basis: Option<CostBasis>,
    /// What is wrong, for a person.
    pub message: Option<String>,
}

impl App {
    /// Takes a batch of reports and answers when all that were accepted are durable; verdicts in
    /// the order of the reports. One bad report does not stop the others.
    ///
    /// # Errors
    /// Refused without `usage:write` (or `usage:import`); `journal_unwritable`, after which
    /// sending the same batch again is safe.
    pub async fn report_usage(
        &self,
        ctx: &RequestContext,
        reports: Vec<UsageReport>,
    ) -> Result<Vec<ReportVerdict>, AppError> {
        let see_cost = ctx.caller.has(Scope::CostRead);
        let mut access = BTreeMap::new();
        let mut verdicts = Vec::with_capacity(reports.len());
        let mut events = Vec::new();
        for report in reports {
            let id = report.id.clone();
            match self.event_of(ctx, report, &mut access) {
                Ok(event) => {
                    let priced = event.cost_basis != CostBasis::Unpriced;
                    verdicts.push(ReportVerdict {
                        id,
                        event_id: Some(event.event_id),
                        outcome: ReportOutcome::Accepted,
                        cost_usd: (see_cost && priced).then_some(event.cost_usd),
                        cost_basis: Some(event.cost_basis),
                        message: None,
                    });
                    events.push(event);
                }
                // The token itself is refused: nothing of the batch is taken.
                Err(Trouble::Refused(error)) => return Err(error),
                Err(Trouble::Invalid(message)) => verdicts.push(ReportVerdict {
                    id,
                    event_id: None,
                    outcome: ReportOutcome::Invalid,
                    cost_usd: None,
                    cost_basis: None,
                    message: Some(message),
                }),
            }
        }
        let models: Vec<(TenantId, ServiceId, String)> = events
            .iter()
            .map(|event| {
                (
                    event.tenant_id.clone(),
                    event.service.clone(),
                    event.model.clone(),
                )
            })
            .collect();
        let taken = self.parts().sink.append(events).await?;
        let reported = verdicts
            .iter_mut()
            .filter(|verdict| verdict.event_id.is_some());
        for ((verdict, taken), (tenant, service, model)) in reported.zip(taken).zip(models) {
            let (outcome, message) = outcome_of(taken);
            verdict.outcome = outcome;
            verdict.message = message.map(str::to_owned);
            let unpriced = verdict.cost_basis == Some(CostBasis::Unpriced);
            if unpriced && outcome == ReportOutcome::Accepted {
                self.raise_unpriced(tenant, &service, &model);
            }
        }
        Ok(verdicts)
    }

    fn event_of(
        &self,
        ctx: &RequestContext,
        report: UsageReport,
        access: &mut BTreeMap<TenantId, diamond_admission::TenantAccess>,
    ) -> Result<UsageEvent, Trouble> {
        let parts = self.parts();
        let importer = ctx.caller.has(Scope::UsageImport);
        let tenant = report
            .tenant_id
            .clone()
            .or_else(|| ctx.caller.token().tenant.clone())
            .ok_or_else(|| invalid("`tenantId` is missing: the token belongs to no tenant"))?;
        let access = match access.entry(tenant.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let scope = if importer {
                    Scope::UsageImport
                } else {
                    Scope::UsageWrite
                };
                let granted = parts.admission.tenant_access(&ctx.caller, &tenant, scope);
                entry.insert(granted.map_err(|refusal| Trouble::Refused(refusal.into()))?)
            }
        };
        check_words(&report)?;
        self.check_service(&report.service)
            .map_err(|error| invalid(error.to_string()))?;
        access
            .check_service(&report.service)
            .map_err(|refusal| invalid(refusal.to_string()))?;
        let now = parts.clock.now();
        if let Some(at) = report.timestamp
            && at > now + FUTURE_MAX
        {
            return Err(invalid(
                "`timestamp` is more than five minutes in the future",
            ));
        }
        if report.quantities.is_empty() && report.cost_usd.is_none() {
            return Err(invalid("`quantities` is empty: there is nothing to price"));
        }
        if let Some(whole) = report.quantities.inconsistent() {
            return Err(invalid(format!(
                "the parts of `{whole}` add up to more than it"
            )));
        }
        if report.cost_usd.is_some() && !importer {
            return Err(invalid(
                "only a token with the scope `usage:import` may give `costUsd`",
            ));
        }
        let (user_id, user_source) = access
            .resolve_user(None, report.user_id.clone(), None)
            .map_err(|refusal| invalid(refusal.to_string()))?;
        let source = report.source.as_deref().unwrap_or_default();
        let event_id = EventId::of_report(tenant.as_str(), source, &report.id);
        let timestamp = report.timestamp.unwrap_or(now);
        let (cost_usd, cost_basis, price_id) = self.cost_of(&report, timestamp);
        let payer = parts
            .keyring
            .payer(&report.service, &tenant)
            .unwrap_or(Payer::Platform);
        Ok(UsageEvent {
            report_digest: Some(digest(&report)),
            event_id,
            ledger_sequence: None,
            kind: EventKind::Call,
            corrects: None,
            operation_id: OperationId::from_bits(event_id.to_bits()),
            timestamp,
            ingested_at: None,
            trace_id: report.trace_id.unwrap_or(ctx.trace_id),
            tenant_id: tenant,
            user_id,
            user_source,
            service: report.service,
            model: report.model,
            operation: report.operation.unwrap_or_else(|| "unknown".to_owned()),
            secret_version: None,
            payer,
            quantities: report.quantities,
            cost_usd,
            cost_basis,
            price_id,
            duration_ms: report.duration_ms,
            first_byte_ms: None,
            status: report.status,
            outcome: match report.status {
                Some(status) if status >= 400 => CallOutcome::Failed,
                _ => CallOutcome::Succeeded,
            },
            partial: false,
            region: None,
            source: if importer {
                EventSource::Import
            } else {
                EventSource::Api
            },
            request_id: report.id,
            provider_request_id: report.provider_request_id,
            tags: report.tags,
            provider_usage: None,
        })
    }

    fn cost_of(&self, report: &UsageReport, at: Timestamp) -> (Money, CostBasis, Option<String>) {
        if let Some(cost) = report.cost_usd {
            return (cost, CostBasis::ProviderReported, None);
        }
        let priced = self.parts().catalog.price(&PriceQuery {
            service: &report.service,
            model: &report.model,
            service_tier: report.service_tier.as_deref(),
            at,
            quantities: &report.quantities,
            modifiers: &[],
        });
        match priced {
            Ok(priced) => (priced.cost, CostBasis::PricedUsage, Some(priced.price_id)),
            Err(reason) => {
                let reason: Unpriced = reason;
                tracing::info!(service = %report.service, model = report.model, %reason, "a report has no price");
                (Money::ZERO, CostBasis::Unpriced, None)
            }
        }
    }

    fn raise_unpriced(&self, tenant: TenantId, service: &ServiceId, model: &str) {
        self.raise(Alarm {
            code: AlarmCode::UnpricedUsage,
            tenant: Some(tenant),
            subject: format!("{service}/{model}"),
            detail: format!(
                "usage of {service} model `{model}` has no price; add a row to the price catalog"
            ),
        });
    }
}

fn outcome_of(verdict: Verdict) -> (ReportOutcome, Option<&'static str>) {
    match verdict {
        Verdict::Accepted => (ReportOutcome::Accepted, None),
        Verdict::Duplicate => (ReportOutcome::Duplicate, None),
        Verdict::Conflict => (
            ReportOutcome::Conflict,
            Some("this id was used before for another fact"),
        ),
        Verdict::TooOld => (
            ReportOutcome::TooOld,
            Some("older than the window in which a repeat can be recognised"),
        ),
    }
}

enum Trouble {
    Refused(AppError),
    Invalid(String),
}

fn invalid(message: impl Into<String>) -> Trouble {
    Trouble::Invalid(message.into())
}

fn check_words(report: &UsageReport) -> Result<(), Trouble> {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let words = [
        ("id", report.id.clone(), 1),
        ("source", optional(&report.source), 0),
        ("model", report.model.clone(), 0),
        ("operation", optional(&report.operation), 0),
        ("serviceTier", optional(&report.service_tier), 0),
        (
            "providerRequestId",
            optional(&report.provider_request_id),
            0,
        ),
    ];
    for (field, text, least) in words {
        if !(least..=WORD_BYTES_MAX).contains(&text.len()) || text.chars().any(char::is_control) {
            return Err(invalid(format!(
                "`{field}` has {least} to {WORD_BYTES_MAX} bytes without control characters"
            )));
        }
    }
    diamond_domain::check_tags(&report.tags).map_err(|error| invalid(error.to_string()))
}

/// A hash of all that the caller said, by which a repeat is told from a conflict.
fn digest(report: &UsageReport) -> String {
    let said = serde_json::json!({
        "user": report.user_id,
        "service": report.service,
        "model": report.model,
        "operation": report.operation,
        "tier": report.service_tier,
        "timestamp": report.timestamp,
        "quantities": report.quantities,
        "cost": report.cost_usd,
        "duration": report.duration_ms,
        "status": report.status,
        "provider": report.provider_request_id,
        "trace": report.trace_id,
        "tags": report.tags,
    });
    blake3::hash(said.to_string().as_bytes())
        .to_hex()
        .to_string()
}
