//! Usage that callers report: each report becomes one priced event, once.

use std::collections::BTreeMap;

use diamond_domain::{
    Alarm, AlarmCode, CallOutcome, CostBasis, EventId, EventKind, EventSource, Money, OperationId,
    Payer, Scope, ServiceId, TenantId, UsageEvent,
};
use diamond_pricing::{PriceQuery, Unpriced};
use diamond_usage::Verdict;
use jiff::Timestamp;

use super::{
    ReportOutcome, ReportVerdict, UsageReport,
    check::{Trouble, check, digest, invalid},
};
use crate::{App, AppError, RequestContext};

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
        self.check_service(&report.service)
            .map_err(|error| invalid(error.to_string()))?;
        access
            .check_service(&report.service)
            .map_err(|refusal| invalid(refusal.to_string()))?;
        let now = parts.clock.now();
        check(&report, now, importer)?;
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
            token_id: Some(ctx.caller.token().id),
            address: Some(ctx.address),
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
