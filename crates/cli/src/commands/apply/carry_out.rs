//! Does what the plan says: several tenants at one time, the rows of each in their order.

use std::collections::BTreeMap;

use diamond_api_types::{CreateTokenResponse, SecretText, TenantStatus, UpdateTenantRequest};
use diamond_domain::{TenantId, TokenId};
use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{
    plan::{Action, Plan, Row, TenantPlan},
    report::{Outcome, Report},
    token_file::TokenSink,
};
use crate::{Terminal, client::Client, failure::Failure, patience::patiently};

/// A row and what became of it.
pub struct Done {
    pub tenant: TenantId,
    pub row: Row,
    pub outcome: Outcome,
    /// A new token that goes to standard output.
    pub token: Option<SecretText>,
}

/// Carries everything out; whether something failed.
pub async fn carry_out(
    plan: Plan,
    client: &Client,
    sink: Option<&TokenSink>,
    concurrency: usize,
    report: &mut Report,
    terminal: &mut Terminal,
) -> Result<bool, Failure> {
    let bar = report.bar(plan.tenants.len(), terminal);
    let mut waiting = plan.tenants.into_iter();
    let mut running = FuturesUnordered::new();
    let mut stopped = false;
    let mut failed = false;
    loop {
        while running.len() < concurrency
            && let Some(tenant) = waiting.next()
        {
            if stopped {
                for done in not_tried(tenant) {
                    report.done(done, terminal)?;
                }
                continue;
            }
            running.push(of_tenant(tenant, client, sink));
        }
        let Some(ended) = running.next().await else {
            break;
        };
        bar.inc(1);
        for done in ended {
            if let Outcome::Failed(failure) = &done.outcome {
                failed = true;
                // Without a server or a right to ask, the rest would fail in the same way.
                stopped |= failure.ends_everything();
            }
            report.done(done, terminal)?;
        }
    }
    bar.finish_and_clear();
    Ok(failed)
}

fn not_tried(plan: TenantPlan) -> impl Iterator<Item = Done> {
    let tenant = plan.tenant;
    plan.rows.into_iter().map(move |row| Done {
        tenant: tenant.clone(),
        outcome: match &row.action {
            Action::Nothing(_) => Outcome::Done,
            _ => Outcome::NotTried("the run was given up"),
        },
        row,
        token: None,
    })
}

async fn of_tenant(plan: TenantPlan, client: &Client, sink: Option<&TokenSink>) -> Vec<Done> {
    let mut work = Work {
        tenant: plan.tenant,
        client,
        sink,
        tokens: BTreeMap::new(),
    };
    let mut all = Vec::with_capacity(plan.rows.len());
    let mut tenant_failed = false;
    for (place, row) in plan.rows.into_iter().enumerate() {
        let (outcome, token) = if tenant_failed {
            (Outcome::NotTried("its tenant is not as it should be"), None)
        } else {
            match work.carry_out(&row).await {
                Ok(token) => (Outcome::Done, token),
                Err(failure) => (Outcome::Failed(failure), None),
            }
        };
        // The first row is the tenant's own.
        tenant_failed |= place == 0 && matches!(outcome, Outcome::Failed(_));
        all.push(Done {
            tenant: work.tenant.clone(),
            row,
            outcome,
            token,
        });
    }
    all
}

/// The work on one tenant.
struct Work<'a> {
    tenant: TenantId,
    client: &'a Client,
    sink: Option<&'a TokenSink>,
    /// The tokens by name, for budgets that count them.
    tokens: BTreeMap<String, TokenId>,
}

impl Work<'_> {
    async fn carry_out(&mut self, row: &Row) -> Result<Option<SecretText>, Failure> {
        let client = self.client;
        let tenant = self.tenant.as_str();
        match &row.action {
            Action::Nothing(token) => {
                if let Some(id) = token {
                    self.tokens.insert(row.name.clone(), *id);
                }
            }
            Action::Conflict(message) => return Err(Failure::Conflict(message.clone())),
            Action::CreateTenant { request, suspend } => {
                patiently(async || client.post(&["api", "tenants"], request).await).await?;
                if *suspend {
                    let request = UpdateTenantRequest {
                        status: Some(TenantStatus::Suspended),
                        ..UpdateTenantRequest::default()
                    };
                    self.update(&request).await?;
                }
            }
            Action::UpdateTenant(request) => self.update(request).await?,
            Action::CreateToken {
                request,
                instead_of,
            } => {
                if let Some(id) = instead_of {
                    self.revoke(*id).await?;
                }
                if let Some(sink) = self.sink {
                    sink.begin(&self.tenant, &row.name)?;
                }
                let path = ["api", "tokens"];
                let answer = patiently(async || client.post(&path, request).await).await?;
                let created: CreateTokenResponse = answer.read()?;
                self.tokens.insert(row.name.clone(), created.description.id);
                match self.sink {
                    Some(sink) => sink.keep(&self.tenant, &created)?,
                    None => return Ok(Some(created.token)),
                }
            }
            Action::PutBudget {
                name,
                request,
                token,
                ..
            } => {
                let mut request = request.clone();
                if let Some(token) = token {
                    let id = self.tokens.get(token);
                    request.token_id = Some(*id.ok_or_else(|| {
                        Failure::Conflict(format!("its token `{token}` was not made"))
                    })?);
                }
                let path = ["api", "budgets", tenant, name.as_str()];
                patiently(async || client.put(&path, &request, None).await).await?;
            }
            Action::DeleteBudget(name) => {
                let path = ["api", "budgets", tenant, name.as_str()];
                let deleted = patiently(async || client.delete(&path, &()).await).await;
                match deleted {
                    Err(Failure::Refused { status: 404, .. }) | Ok(_) => {}
                    Err(failure) => return Err(failure),
                }
            }
            Action::RevokeToken(id) => self.revoke(*id).await?,
        }
        Ok(None)
    }

    async fn update(&self, request: &UpdateTenantRequest) -> Result<(), Failure> {
        let path = ["api", "tenants", self.tenant.as_str()];
        patiently(async || self.client.patch(&path, &(), request).await).await?;
        Ok(())
    }

    async fn revoke(&self, id: TokenId) -> Result<(), Failure> {
        let id = id.to_string();
        let path = ["api", "tokens", id.as_str()];
        patiently(async || self.client.delete(&path, &()).await).await?;
        Ok(())
    }
}
