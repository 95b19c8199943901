//! What the server has, as far as the file is about it.

use std::collections::BTreeMap;

use diamond_api_types::{
    BudgetResponse, Limit, ListBudgetsParams, ListBudgetsResponse, ListTenantsResponse,
    ListTokensParams, ListTokensResponse, PageParams, TenantResponse, TokenResponse,
};
use diamond_domain::{Clock as _, SystemClock, TenantId};

use super::file::Declared;
use crate::{client::Client, failure::Failure};

/// What there is of the declared tenants.
#[derive(Debug, Default)]
pub struct Present {
    pub tenants: BTreeMap<TenantId, TenantResponse>,
    pub budgets: BTreeMap<TenantId, Vec<BudgetResponse>>,
    /// Those that are neither revoked nor over.
    pub tokens: BTreeMap<TenantId, Vec<TokenResponse>>,
}

impl Present {
    /// Asks page by page, and keeps what the file is about.
    pub async fn read(client: &Client, declared: &Declared) -> Result<Self, Failure> {
        let limit: Option<Limit> = "1000".parse().ok();
        let mut present = Self::default();
        let mut cursor = None;
        loop {
            let query = PageParams { limit, cursor };
            let answer = client.get(&["api", "tenants"], &query).await?;
            let page: ListTenantsResponse = answer.read()?;
            let wanted = page
                .items
                .into_iter()
                .filter(|tenant| declared.tenants.contains_key(&tenant.id));
            present
                .tenants
                .extend(wanted.map(|tenant| (tenant.id.clone(), tenant)));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        if present.tenants.is_empty() {
            // New tenants have nothing yet.
            return Ok(present);
        }
        loop {
            let query = ListBudgetsParams {
                tenant_id: None,
                limit,
                cursor,
            };
            let answer = client.get(&["api", "budgets"], &query).await?;
            let page: ListBudgetsResponse = answer.read()?;
            for budget in page.items {
                if declared.tenants.contains_key(&budget.tenant_id) {
                    let of = present.budgets.entry(budget.tenant_id.clone());
                    of.or_default().push(budget);
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let now = SystemClock.now();
        loop {
            let query = ListTokensParams {
                tenant_id: None,
                limit,
                cursor,
            };
            let answer = client.get(&["api", "tokens"], &query).await?;
            let page: ListTokensResponse = answer.read()?;
            for token in page.items {
                let live = token.revoked_at.is_none() && token.expires_at > now;
                if let Some(tenant) = token.tenant_id.clone()
                    && live
                    && declared.tenants.contains_key(&tenant)
                {
                    present.tokens.entry(tenant).or_default().push(token);
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(present);
            }
        }
    }
}
