//! Every use of a key's version, of an access token, or from an address: who to call after a leak.

use std::{collections::BTreeMap, net::IpAddr};

use diamond_domain::{
    CallOutcome, EventKind, Payer, Scope, SecretKind, SecretName, SecretVersion, ServiceId,
    TenantId, TimeRange, TokenId, UsageEvent, UserId,
};
use diamond_usage::{
    AuditAction, AuditEntry, AuditOutcome, AuditQuery, EventFilter, LedgerCursor, TenantScope,
};
use jiff::Timestamp;

use crate::{App, AppError, RequestContext, tokens::lifetime_end};

/// How many are read at a time.
const PAGE: usize = 1_000;
/// How many names of one sort a summary tells apart; the rest are counted together.
const NAMES_MAX: usize = 1_000;
const OTHERS: &str = "others";

/// What leaked.
#[derive(Debug, Clone)]
pub enum IncidentSubject {
    /// A version of a tenant's key.
    Version {
        /// At which service.
        service: ServiceId,
        /// Whose.
        tenant: TenantId,
        /// Which version.
        version: SecretVersion,
        /// Which of the tenant's keys; both when `None`.
        kind: Option<SecretKind>,
    },
    /// An access token.
    Token(TokenId),
    /// Whoever calls from there.
    Address(IpAddr),
}

/// One use.
#[derive(Debug, Clone)]
pub enum IncidentUse {
    /// An entry of the audit chain: a key that was handed out, a refusal, administration.
    Audit {
        /// The entry.
        entry: Box<AuditEntry>,
        /// Until when the key that was handed out may be used; `None` when that is over.
        lease_until: Option<Timestamp>,
    },
    /// A call through the gateway, or one that was reported.
    Call(Box<UsageEvent>),
}

/// Where a report goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentCursor {
    /// In the audit chain, behind this entry.
    Audit(u64),
    /// In the ledger, behind this event.
    Ledger(u64),
}

/// A part of the report, oldest uses first, the audit chain before the ledger.
#[derive(Debug, Clone)]
pub struct IncidentPage {
    /// The uses.
    pub uses: Vec<IncidentUse>,
    /// Where to go on; `None` at the end.
    pub next: Option<IncidentCursor>,
}

/// What all uses have in common.
#[derive(Debug, Clone, Default)]
pub struct IncidentSummary {
    /// How many entries of the audit chain, counted refusals each.
    pub audit_entries: u64,
    /// How many calls.
    pub calls: u64,
    /// The earliest use.
    pub first_seen_at: Option<Timestamp>,
    /// The latest use.
    pub last_seen_at: Option<Timestamp>,
    /// Uses by tenant.
    pub tenants: BTreeMap<String, u64>,
    /// Uses by user.
    pub users: BTreeMap<String, u64>,
    /// Uses by service.
    pub services: BTreeMap<String, u64>,
    /// Uses by access token.
    pub tokens: BTreeMap<String, u64>,
    /// Uses by address.
    pub addresses: BTreeMap<String, u64>,
    /// Uses by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// How many keys that were handed out may still be used.
    pub leases_outstanding: u64,
    /// Until when the last of them.
    pub leases_until: Option<Timestamp>,
}

impl App {
    /// A part of the report.
    ///
    /// # Errors
    /// Refused without `audit:read`; unreadable.
    pub async fn incident_page(
        &self,
        ctx: &RequestContext,
        subject: &IncidentSubject,
        range: Option<TimeRange>,
        after: Option<IncidentCursor>,
        limit: usize,
    ) -> Result<IncidentPage, AppError> {
        let scope = self.incident_scope(ctx, subject)?;
        let limit = limit.clamp(1, PAGE);
        let mut uses = Vec::new();
        let behind = match after.unwrap_or(IncidentCursor::Audit(0)) {
            IncidentCursor::Audit(behind) => {
                let entries = self
                    .incident_entries(&scope, subject, range, behind, limit)
                    .await?;
                let last = entries.last().map(|entry| entry.sequence);
                let full = entries.len() == limit;
                uses.extend(entries.into_iter().map(|entry| self.audit_use(entry)));
                if let Some(last) = last.filter(|_| full) {
                    return Ok(IncidentPage {
                        uses,
                        next: Some(IncidentCursor::Audit(last)),
                    });
                }
                0
            }
            IncidentCursor::Ledger(behind) => behind,
        };
        let room = limit - uses.len();
        if room == 0 {
            return Ok(IncidentPage {
                uses,
                next: Some(IncidentCursor::Ledger(behind)),
            });
        }
        let filter = event_filter(subject, range);
        let page = self
            .parts()
            .reader
            .events(&scope, &filter, LedgerCursor(behind), room)
            .await?;
        let next = page.next.map(|cursor| IncidentCursor::Ledger(cursor.0));
        uses.extend(
            page.events
                .into_iter()
                .map(|e| IncidentUse::Call(Box::new(e))),
        );
        Ok(IncidentPage { uses, next })
    }

    /// What all uses have in common. Reads all of them.
    ///
    /// # Errors
    /// Refused without `audit:read`; unreadable.
    pub async fn incident_summary(
        &self,
        ctx: &RequestContext,
        subject: &IncidentSubject,
        range: Option<TimeRange>,
    ) -> Result<IncidentSummary, AppError> {
        let mut summary = IncidentSummary::default();
        let mut after = None;
        loop {
            let page = self.incident_page(ctx, subject, range, after, PAGE).await?;
            page.uses.iter().for_each(|each| summary.add(each));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(summary),
            }
        }
    }

    /// Whose uses the caller may see: a tenant its own, an operator everybody's.
    fn incident_scope(
        &self,
        ctx: &RequestContext,
        subject: &IncidentSubject,
    ) -> Result<TenantScope, AppError> {
        let admission = &self.parts().admission;
        let named = match subject {
            IncidentSubject::Version { tenant, .. } => Some(tenant),
            IncidentSubject::Token(_) | IncidentSubject::Address(_) => None,
        };
        match named.or(ctx.caller.token().tenant.as_ref()) {
            Some(tenant) => {
                let access = admission.tenant_access(&ctx.caller, tenant, Scope::AuditRead)?;
                Ok(TenantScope::One(access.tenant().clone()))
            }
            None => {
                admission.operator_access(&ctx.caller, Scope::AuditRead)?;
                Ok(TenantScope::All)
            }
        }
    }

    async fn incident_entries(
        &self,
        scope: &TenantScope,
        subject: &IncidentSubject,
        range: Option<TimeRange>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, AppError> {
        let mut query = AuditQuery {
            tenant: match scope {
                TenantScope::One(tenant) => Some(tenant.clone()),
                TenantScope::All => None,
            },
            range,
            after,
            limit,
            ..AuditQuery::default()
        };
        match subject {
            IncidentSubject::Version {
                service, version, ..
            } => query.version = Some((service.clone(), *version)),
            IncidentSubject::Token(token) => query.token = Some(*token),
            IncidentSubject::Address(address) => query.address = Some(*address),
        }
        let IncidentSubject::Version {
            service,
            tenant,
            kind: Some(kind),
            ..
        } = subject
        else {
            return Ok(self.parts().audit.entries(&query).await?);
        };
        // Entries name the secret in their detail; one that does not is shown rather than missed.
        let other = match kind {
            SecretKind::Customer => SecretName::Dedicated {
                service: service.clone(),
                tenant: tenant.clone(),
            },
            _ => SecretName::Customer {
                service: service.clone(),
                tenant: tenant.clone(),
            },
        };
        let other = other.to_string();
        let mut kept = Vec::new();
        loop {
            let entries = self.parts().audit.entries(&query).await?;
            let last = entries.last().map(|entry| entry.sequence);
            let full = entries.len() == limit;
            let names_other = |entry: &AuditEntry| {
                let detail = entry.draft.detail.as_deref().unwrap_or_default();
                detail == other || detail.starts_with(&format!("{other},"))
            };
            kept.extend(entries.into_iter().filter(|entry| !names_other(entry)));
            match last {
                Some(last) if full && kept.len() < limit => query.after = last,
                _ => {
                    kept.truncate(limit);
                    return Ok(kept);
                }
            }
        }
    }

    fn audit_use(&self, entry: AuditEntry) -> IncidentUse {
        let revealed = entry.draft.action == AuditAction::KeyReveal
            && entry.draft.outcome == AuditOutcome::Granted;
        let until = lifetime_end(entry.draft.at, self.parts().settings.lease);
        IncidentUse::Audit {
            lease_until: Some(until).filter(|until| revealed && *until > self.parts().clock.now()),
            entry: Box::new(entry),
        }
    }
}

fn event_filter(subject: &IncidentSubject, range: Option<TimeRange>) -> EventFilter {
    let filter = EventFilter {
        range,
        ..EventFilter::default()
    };
    match subject {
        IncidentSubject::Version {
            service,
            version,
            kind,
            ..
        } => EventFilter {
            service: Some(service.clone()),
            secret_version: Some(*version),
            payer: kind.map(|kind| match kind {
                SecretKind::Customer | SecretKind::TenantAdmin => Payer::Tenant,
                SecretKind::Dedicated | SecretKind::PlatformAdmin => Payer::Platform,
            }),
            ..filter
        },
        IncidentSubject::Token(token) => EventFilter {
            token: Some(*token),
            ..filter
        },
        IncidentSubject::Address(address) => EventFilter {
            address: Some(*address),
            ..filter
        },
    }
}

impl IncidentSummary {
    fn add(&mut self, each: &IncidentUse) {
        match each {
            IncidentUse::Audit { entry, lease_until } => {
                let draft = &entry.draft;
                let count = draft.count.unwrap_or(1);
                self.audit_entries += count;
                self.seen(draft.at);
                if let Some(until) = lease_until {
                    self.leases_outstanding += 1;
                    self.leases_until = self.leases_until.max(Some(*until));
                }
                let outcome = match draft.outcome {
                    AuditOutcome::Granted => "granted",
                    AuditOutcome::Refused => "refused",
                };
                add(&mut self.tenants, draft.tenant_id.as_ref(), count);
                add(&mut self.users, draft.user_id.as_ref(), count);
                add(&mut self.services, draft.service.as_ref(), count);
                add(&mut self.tokens, draft.token_id.as_ref(), count);
                add(&mut self.addresses, draft.address.as_ref(), count);
                add(&mut self.outcomes, Some(&outcome), count);
            }
            IncidentUse::Call(event) => {
                self.calls += u64::from(event.kind == EventKind::Call);
                self.seen(event.timestamp);
                let outcome: CallOutcome = event.outcome;
                let user: &UserId = &event.user_id;
                add(&mut self.tenants, Some(&event.tenant_id), 1);
                add(&mut self.users, Some(user), 1);
                add(&mut self.services, Some(&event.service), 1);
                add(&mut self.tokens, event.token_id.as_ref(), 1);
                add(&mut self.addresses, event.address.as_ref(), 1);
                add(&mut self.outcomes, Some(&outcome), 1);
            }
        }
    }

    fn seen(&mut self, at: Timestamp) {
        self.first_seen_at = Some(self.first_seen_at.map_or(at, |first| first.min(at)));
        self.last_seen_at = self.last_seen_at.max(Some(at));
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: Option<&impl ToString>, count: u64) {
    let Some(name) = name else { return };
    let mut name = name.to_string();
    if counts.len() >= NAMES_MAX && !counts.contains_key(&name) {
        name = OTHERS.to_owned();
    }
    *counts.entry(name).or_default() += count;
}
