//! What a new token may be.

use std::time::Duration;

use diamond_admission::{AddressRange, Caller};
use diamond_domain::{Scope, ScopeSet, ServiceId, TenantId, UserId};
use jiff::Timestamp;

use crate::{AppError, AppErrorKind};

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

/// The end of a life that begins now; the end of the calendar when that is sooner.
pub(crate) fn lifetime_end(now: Timestamp, lifetime: Duration) -> Timestamp {
    now.checked_add(lifetime).unwrap_or(Timestamp::MAX)
}

pub(super) fn checked(new: NewToken, now: Timestamp) -> Result<NewToken, AppError> {
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
pub(super) fn within_maker(
    maker: &Caller,
    mut new: NewToken,
    default_end: Timestamp,
) -> Result<NewToken, AppError> {
    let refuse = |code, message: &str| {
        Err(AppError::new(
            AppErrorKind::Forbidden,
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
