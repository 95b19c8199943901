//! Access tokens: made, looked at, revoked.

mod rules;
mod view;

pub use rules::NewToken;
pub(crate) use rules::lifetime_end;
pub use view::TokenView;

use std::time::Duration;

use diamond_admission::AccessToken;
use diamond_db::TokenRow;
use diamond_domain::{RevocationId, Scope, TenantId, TokenId};
use diamond_usage::{AuditAction, AuditOutcome};

use crate::{App, AppError, Page, RequestContext, RevocationView, audit::AuditSubject};
use rules::{checked, within_maker};
use view::view;

impl App {
    /// Makes a token. Nobody gives away what they do not hold: a token's scopes and restrictions
    /// are within its maker's, an operator's too, and a tenant's token outlives no token of the
    /// tenant that made it.
    ///
    /// # Errors
    /// Refused without `tokens:admin`, or `scope_not_held`; invalid words, addresses or times.
    pub async fn create_token(
        &self,
        ctx: &RequestContext,
        new: NewToken,
    ) -> Result<(TokenView, AccessToken), AppError> {
        let parts = self.parts();
        match &new.tenant {
            Some(tenant) => {
                parts
                    .admission
                    .tenant_access(&ctx.caller, tenant, Scope::TokensAdmin)?;
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::TokensAdmin)?;
            }
        }
        self.check_services(new.services.as_deref())?;
        let now = parts.clock.now();
        let default_end = lifetime_end(now, parts.settings.token_lifetime);
        let new = within_maker(&ctx.caller, checked(new, now)?, default_end)?;
        let token = AccessToken::generate();
        let row = TokenRow {
            id: TokenId::generate(now),
            hash: *token.hash().as_bytes(),
            tenant: new.tenant,
            name: new.name,
            owner: new.owner,
            purpose: new.purpose,
            scopes: new.scopes,
            user: new.user,
            services: new.services,
            addresses: new.addresses,
            created_at: now,
            expires_at: new.expires_at.unwrap_or(default_end),
            revoked_at: None,
            last_used_at: None,
        };
        let subject = AuditSubject {
            tenant: row.tenant.clone(),
            detail: Some(row.id.to_string()),
            ..AuditSubject::default()
        };
        self.record(
            ctx,
            AuditAction::TokenCreate,
            AuditOutcome::Granted,
            subject,
        )
        .await?;
        diamond_db::tokens::insert(&parts.db, &row).await?;
        self.publish().await?;
        Ok((view(row), token))
    }

    /// One token, of the caller's tenant or, for operators, any.
    ///
    /// # Errors
    /// Refused without `tokens:admin`; not found, also when it is a stranger's.
    pub async fn get_token(
        &self,
        ctx: &RequestContext,
        id: TokenId,
    ) -> Result<TokenView, AppError> {
        self.token_row(ctx, id).await.map(view)
    }

    /// Tokens in the order they were made: a tenant's, or everybody's for operators.
    ///
    /// # Errors
    /// Refused without `tokens:admin`.
    pub async fn list_tokens(
        &self,
        ctx: &RequestContext,
        tenant: Option<TenantId>,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Page<TokenView>, AppError> {
        let parts = self.parts();
        let asked = limit.saturating_add(1);
        let rows = match tenant.or_else(|| ctx.caller.token().tenant.clone()) {
            Some(tenant) => {
                let access =
                    parts
                        .admission
                        .tenant_access(&ctx.caller, &tenant, Scope::TokensAdmin)?;
                let tenant = Some(access.tenant());
                diamond_db::tokens::list(&parts.db, tenant, after, asked).await?
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::TokensAdmin)?;
                diamond_db::operator::list_tokens(&parts.db, after, asked).await?
            }
        };
        let tokens = rows.into_iter().map(view).collect();
        Ok(Page::cut(tokens, limit, |token: &TokenView| {
            token.id.to_string()
        }))
    }

    /// Ends a token now, and the calls made with it: on this node before the answer, on the others
    /// within two seconds. Waits so long for the other nodes to say so. Revoking again cuts what
    /// still runs.
    ///
    /// # Errors
    /// Refused without `tokens:admin`; not found, also when it is a stranger's.
    pub async fn revoke_token(
        &self,
        ctx: &RequestContext,
        id: TokenId,
        wait: Duration,
    ) -> Result<(TokenView, RevocationView), AppError> {
        let parts = self.parts();
        let row = self.token_row(ctx, id).await?;
        let at = parts.clock.now();
        let revocation = RevocationId::generate(at);
        let subject = AuditSubject {
            tenant: row.tenant.clone(),
            detail: Some(format!("{id}, at once: {revocation}")),
            ..AuditSubject::default()
        };
        self.record(
            ctx,
            AuditAction::TokenRevoke,
            AuditOutcome::Granted,
            subject,
        )
        .await?;
        let tenant = row.tenant.as_ref();
        diamond_db::tokens::revoke_now(&parts.db, tenant, id, at, revocation).await?;
        // Read before the tables follow: a token that revokes itself opens nothing afterwards.
        let revoked = diamond_db::tokens::get(&parts.db, tenant, id).await?;
        let revoked = revoked.ok_or_else(token_not_found)?;
        self.publish().await?;
        Ok((view(revoked), self.see_through(revocation, wait).await?))
    }

    async fn token_row(&self, ctx: &RequestContext, id: TokenId) -> Result<TokenRow, AppError> {
        let parts = self.parts();
        let row = match &ctx.caller.token().tenant {
            Some(tenant) => {
                let access =
                    parts
                        .admission
                        .tenant_access(&ctx.caller, tenant, Scope::TokensAdmin)?;
                diamond_db::tokens::get(&parts.db, Some(access.tenant()), id).await?
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::TokensAdmin)?;
                diamond_db::operator::get_token(&parts.db, id).await?
            }
        };
        row.ok_or_else(token_not_found)
    }
}

fn token_not_found() -> AppError {
    AppError::not_found("token_not_found", "there is no such token")
}
