//! Access tokens: made, looked at, revoked.

use std::time::Duration;

use diamond_admission::{AccessToken, AddressRange, Caller};
use diamond_db::TokenRow;
use diamond_domain::{Scope, ScopeSet, ServiceId, TenantId, TokenId, UserId};
use diamond_usage::{AuditAction, AuditOutcome};
use jiff::Timestamp;

use crate::{App, AppError, Page, RequestContext, audit::AuditSubject};

/// The most characters of a token's name, owner and purpose.
const WORDS_MAX: usize = 200;
/// The longest life of a token.
const LIFETIME_MAX: Duration = Duration::from_secs(5 * 366 * 86_400);

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose it is; `None` for the platform's own (operators only).
    pub tenant: Option<TenantId>,
    /// Its name for people.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// The one user that it acts for.
    pub user: Option<UserId>,
    /// The services that it may use; all of the tenant's when `None`.
    pub services: Option<Vec<ServiceId>>,
    /// The addresses that it may come from (CIDR); any when empty.
    pub addresses: Vec<String>,
    /// When it ends; after the default life when `None`.
    pub expires_at: Option<Timestamp>,
}

/// A token without anything that it could be known by.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenView {
    /// Its public name.
    pub id: TokenId,
    /// Whose.
    pub tenant: Option<TenantId>,
    /// Its name for people.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// The one user that it acts for.
    pub user: Option<UserId>,
    /// The services that it may use.
    pub services: Option<Vec<ServiceId>>,
    /// The addresses that it may come from.
    pub addresses: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within some seconds.
    pub last_used_at: Option<Timestamp>,
}

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

    /// Ends a token now: on this node before the answer, on the others within two seconds.
    /// Revoking again changes nothing.
    ///
    /// # Errors
    /// Refused without `tokens:admin`; not found, also when it is a stranger's.
    pub async fn revoke_token(
        &self,
        ctx: &RequestContext,
        id: TokenId,
    ) -> Result<TokenView, AppError> {
        let parts = self.parts();
        let row = self.token_row(ctx, id).await?;
        let subject = AuditSubject {
            tenant: row.tenant.clone(),
            detail: Some(id.to_string()),
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
        diamond_db::tokens::revoke(&parts.db, tenant, id, parts.clock.now()).await?;
        self.publish().await?;
        self.token_row(ctx, id).await.map(view)
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
        row.ok_or_else(|| AppError::not_found("token_not_found", "there is no such token"))
    }
}

/// The end of a life that begins now; the end of the calendar when that is sooner.
pub(crate) fn lifetime_end(now: Timestamp, lifetime: Duration) -> Timestamp {
    now.checked_add(lifetime).unwrap_or(Timestamp::MAX)
}

fn checked(new: NewToken, now: Timestamp) -> Result<NewToken, AppError> {
    for (field, text) in [
        ("name", &new.name),
        ("owner", &new.owner),
        ("purpose", &new.purpose),
    ] {
        if text.trim().is_empty()
            || text.chars().count() > WORDS_MAX
            || text.chars().any(char::is_control)
        {
            return Err(AppError::invalid(
                "invalid_token_words",
                format!("`{field}` has 1 to {WORDS_MAX} characters, none of them control"),
            ));
        }
    }
    if new.scopes == ScopeSet::empty() {
        return Err(AppError::invalid(
            "no_scopes",
            "a token needs at least one scope",
        ));
    }
    if new.tenant.is_some() && new.scopes.contains(Scope::Operator) {
        return Err(AppError::invalid(
            "operator_of_tenant",
            "a tenant's token cannot hold the scope `operator`",
        ));
    }
    for text in &new.addresses {
        text.parse::<AddressRange>().map_err(|_| {
            AppError::invalid(
                "invalid_address_range",
                format!(
                    "`{text}` is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32"
                ),
            )
        })?;
    }
    if let Some(end) = new.expires_at
        && (end <= now || end > lifetime_end(now, LIFETIME_MAX))
    {
        return Err(AppError::invalid(
            "invalid_expiry",
            "`expiresAt` must be in the future and at most five years ahead",
        ));
    }
    Ok(new)
}

/// Holds the new token within its maker's scopes and restrictions.
fn within_maker(
    maker: &Caller,
    mut new: NewToken,
    default_end: Timestamp,
) -> Result<NewToken, AppError> {
    let refuse = |code, message: &str| {
        Err(AppError::new(
            crate::AppErrorKind::Forbidden,
            code,
            message.to_owned(),
        ))
    };
    let held = maker.token();
    if !held.scopes.contains_all(new.scopes) {
        return refuse(
            "scope_not_held",
            "a token cannot give scopes that it does not hold",
        );
    }
    if held.tenant.is_some() {
        match new.expires_at {
            Some(end) if end > held.expires_at => {
                return refuse(
                    "expiry_not_held",
                    "a token cannot outlive the one that makes it",
                );
            }
            Some(_) => {}
            None => new.expires_at = Some(held.expires_at.min(default_end)),
        }
    }
    if let Some(user) = &held.user {
        match &new.user {
            None => new.user = Some(user.clone()),
            Some(other) if other == user => {}
            Some(_) => return refuse("user_mismatch", "this token is bound to another user"),
        }
    }
    if let Some(services) = &held.services {
        match &new.services {
            None => new.services = Some(services.clone()),
            Some(wanted) if wanted.iter().all(|service| services.contains(service)) => {}
            Some(_) => {
                return refuse(
                    "service_not_allowed",
                    "this token may not use all those services",
                );
            }
        }
    }
    if !held.addresses.is_empty() {
        let own: Vec<String> = held.addresses.iter().map(ToString::to_string).collect();
        if new.addresses.is_empty() {
            new.addresses = own;
        } else if new.addresses.iter().any(|address| !own.contains(address)) {
            return refuse(
                "address_not_allowed",
                "this token is bound to other addresses",
            );
        }
    }
    Ok(new)
}

fn view(row: TokenRow) -> TokenView {
    TokenView {
        id: row.id,
        tenant: row.tenant,
        name: row.name,
        owner: row.owner,
        purpose: row.purpose,
        scopes: row.scopes,
        user: row.user,
        services: row.services,
        addresses: row.addresses,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
    }
}
