//! The difference between what is declared and what there is.

use std::collections::BTreeSet;

use diamond_api_types::{
    BudgetResponse, CreateTenantRequest, CreateTokenRequest, PutBudgetRequest, TenantResponse,
    TenantStatus, TokenResponse, UpdateTenantRequest,
};
use diamond_domain::{BudgetName, ServiceId, TenantId, TokenId};
use serde::Serialize;

use super::{
    file::{BudgetEntry, Declared, State, TenantEntry, TokenEntry},
    present::Present,
    token_file::Begun,
};
use crate::table::list_or;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Tenant,
    Token,
    Budget,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Token => "token",
            Self::Budget => "budget",
        }
    }
}

/// One field that will be another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub field: &'static str,
    pub from: String,
    pub to: String,
}

/// What is done about a row.
#[derive(Debug)]
pub enum Action {
    CreateTenant {
        request: CreateTenantRequest,
        suspend: bool,
    },
    UpdateTenant(UpdateTenantRequest),
    CreateToken {
        request: Box<CreateTokenRequest>,
        /// One whose text was lost with the run that made it: nobody has it.
        instead_of: Option<TokenId>,
    },
    PutBudget {
        name: BudgetName,
        request: Box<PutBudgetRequest>,
        /// The name of the token that it counts, which may have to be made first.
        token: Option<String>,
        new: bool,
    },
    DeleteBudget(BudgetName),
    RevokeToken(TokenId),
    /// Nothing: it is so already. A token's id, for budgets that count it.
    Nothing(Option<TokenId>),
    /// It cannot be made so.
    Conflict(String),
}

impl Action {
    /// For people and programs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::CreateTenant { .. } | Self::CreateToken { .. } => "create",
            Self::PutBudget { new, .. } => {
                if *new {
                    "create"
                } else {
                    "change"
                }
            }
            Self::UpdateTenant(_) => "change",
            Self::DeleteBudget(_) => "delete",
            Self::RevokeToken(_) => "revoke",
            Self::Nothing(_) => "unchanged",
            Self::Conflict(_) => "conflict",
        }
    }
}

/// One thing of the file.
#[derive(Debug)]
pub struct Row {
    /// Where it stands in the file; `None` for what the file does not name.
    pub line: Option<u64>,
    pub kind: Kind,
    /// A token's or budget's; empty for the tenant itself.
    pub name: String,
    pub changes: Vec<Change>,
    pub action: Action,
}

/// The rows of one tenant, in the order in which they are carried out.
#[derive(Debug)]
pub struct TenantPlan {
    pub tenant: TenantId,
    pub rows: Vec<Row>,
}

/// What may be taken away.
#[derive(Debug, Clone, Copy)]
pub struct Removals {
    pub budgets: bool,
    pub tokens: bool,
}

/// Everything that is to be done.
#[derive(Debug)]
pub struct Plan {
    pub tenants: Vec<TenantPlan>,
}

impl Plan {
    /// The difference.
    pub fn between(
        declared: &Declared,
        present: &Present,
        begun: &Begun,
        removals: Removals,
    ) -> Self {
        let tenants = declared.tenants.iter().map(|(id, (line, entry))| {
            let mut rows = vec![tenant_row(*line, entry, present.tenants.get(id))];
            let tokens = present.tokens.get(id).map_or(&[][..], Vec::as_slice);
            for token in &entry.tokens {
                let line = token.referenced.line();
                rows.push(token_row(line, id, &token.value, tokens, begun));
            }
            // A new tenant is given a budget by the server before ours are put.
            let budgets = present.budgets.get(id).map_or(&[][..], Vec::as_slice);
            for budget in &entry.budgets {
                let line = budget.referenced.line();
                rows.push(budget_row(line, &budget.value, budgets, tokens));
            }
            if removals.tokens {
                rows.extend(surplus_tokens(entry, tokens));
            }
            if removals.budgets {
                rows.extend(surplus_budgets(entry, budgets));
                if !present.tenants.contains_key(id) {
                    rows.extend(unnamed_default(entry));
                }
            }
            TenantPlan {
                tenant: id.clone(),
                rows,
            }
        });
        Self {
            tenants: tenants.collect(),
        }
    }

    /// Every row with its tenant.
    pub fn rows(&self) -> impl Iterator<Item = (&TenantId, &Row)> {
        let tenants = self.tenants.iter();
        tenants.flat_map(|plan| plan.rows.iter().map(|row| (&plan.tenant, row)))
    }

    /// Whether any token is made.
    pub fn makes_tokens(&self) -> bool {
        self.rows()
            .any(|(_, row)| matches!(row.action, Action::CreateToken { .. }))
    }
}

fn tenant_row(line: u64, entry: &TenantEntry, present: Option<&TenantResponse>) -> Row {
    let mut changes = Changes::default();
    let services = entry.services.as_ref().map(super::file::Services::list);
    let action = match present {
        None => Action::CreateTenant {
            request: CreateTenantRequest {
                id: entry.id.clone(),
                display_name: entry.name.clone(),
                tier: Some(entry.tier),
                reveal: entry.reveal,
                services: services.flatten(),
            },
            suspend: entry.state == Some(State::Suspended),
        },
        Some(present) if present.tier != entry.tier => Action::Conflict(format!(
            "the tenant has the tier {}, and a tier is for good; the file says {}",
            present.tier, entry.tier
        )),
        Some(present) => {
            let mut request = UpdateTenantRequest::default();
            if let Some(name) = &entry.name
                && changes.note("name", &present.display_name, name.as_str())
            {
                request.display_name = Some(name.clone());
            }
            if let Some(reveal) = entry.reveal
                && changes.note("reveal", present.reveal, reveal)
            {
                request.reveal = Some(reveal);
            }
            if let Some(services) = services
                && changes.note_if(
                    !same_services(present.services.as_deref(), services.as_deref()),
                    "services",
                    services_text(present.services.as_deref()),
                    services_text(services.as_deref()),
                )
            {
                request.services = Some(services);
            }
            if let Some(state) = entry.state {
                let (from, to) = (state_text(present.status), entry_state_text(state));
                if changes.note("state", from, to) {
                    request.status = Some(match state {
                        State::Active => TenantStatus::Active,
                        State::Suspended => TenantStatus::Suspended,
                    });
                }
            }
            if changes.0.is_empty() {
                Action::Nothing(None)
            } else {
                Action::UpdateTenant(request)
            }
        }
    };
    Row {
        line: Some(line),
        kind: Kind::Tenant,
        name: String::new(),
        changes: changes.0,
        action,
    }
}

/// A token is never changed: it is there, or it is made.
fn token_row(
    line: u64,
    tenant: &TenantId,
    entry: &TokenEntry,
    present: &[TokenResponse],
    begun: &Begun,
) -> Row {
    let services = entry
        .services
        .as_ref()
        .and_then(super::file::Services::list);
    let request = || CreateTokenRequest {
        tenant_id: Some(tenant.clone()),
        name: entry.name.clone(),
        owner: entry.owner.clone().unwrap_or_else(|| entry.name.clone()),
        purpose: entry.purpose.clone(),
        scopes: entry.scopes.iter().copied().collect(),
        user_id: entry.user.clone(),
        services: services.clone(),
        addresses: entry.addresses.clone(),
        expires_at: entry.expires.map(|expires| expires.0),
    };
    let create = |instead_of| Action::CreateToken {
        request: Box::new(request()),
        instead_of,
    };
    let named = || {
        present
            .iter()
            .filter(|token| token.name == entry.name.as_str())
    };
    let is_same = |token: &&TokenResponse| {
        token.scopes == entry.scopes.iter().copied().collect()
            && token.user_id == entry.user
            && same_services(token.services.as_deref(), services.as_deref())
            && sorted(&token.addresses) == sorted(&entry.addresses)
    };
    let action = match (named().find(is_same), named().next()) {
        (Some(token), _)
            if begun.lost(tenant, entry.name.as_str()) && token.last_used_at.is_none() =>
        {
            create(Some(token.id))
        }
        (Some(token), _) => Action::Nothing(Some(token.id)),
        (None, Some(other)) => Action::Conflict(format!(
            "the token {} has this name with other scopes, user, services or addresses, and tokens \
             are never changed: revoke it (admin token:revoke {}) or name this one otherwise",
            other.id, other.id
        )),
        (None, None) => create(None),
    };
    Row {
        line: Some(line),
        kind: Kind::Token,
        name: entry.name.as_str().to_owned(),
        changes: Vec::new(),
        action,
    }
}

fn budget_row(
    line: u64,
    entry: &BudgetEntry,
    present: &[BudgetResponse],
    tokens: &[TokenResponse],
) -> Row {
    let mut changes = Changes::default();
    let found = present.iter().find(|budget| budget.name == entry.name);
    let request = entry.request();
    let token = entry.token.as_ref().map(|name| name.as_str().to_owned());
    if let Some(budget) = found {
        // A token that is yet to be made is another than the one counted now.
        let of_token = |id| tokens.iter().find(|token| token.id == id);
        let counted = budget.token_id.map(|id| match of_token(id) {
            Some(token) => token.name.clone(),
            None => id.to_string(),
        });
        changes.note("token", text(counted), text(token.as_ref()));
        changes.note("limitUsd", text(budget.limit_usd), request.limit_usd);
        changes.note("period", budget.period, request.period);
        changes.note("measure", budget.measure, request.measure);
        changes.note(
            "user",
            text(budget.user_id.as_ref()),
            text(request.user_id.as_ref()),
        );
        changes.note(
            "service",
            text(budget.service.as_ref()),
            text(request.service.as_ref()),
        );
        let model = request.model.as_ref().map(diamond_api_types::Label::as_str);
        changes.note("model", text(budget.model.as_ref()), text(model));
        changes.note("onUnbounded", budget.on_unbounded, request.on_unbounded);
    }
    let action = if found.is_some() && changes.0.is_empty() {
        Action::Nothing(None)
    } else {
        Action::PutBudget {
            name: entry.name.clone(),
            request: Box::new(request),
            token,
            new: found.is_none(),
        }
    };
    Row {
        line: Some(line),
        kind: Kind::Budget,
        name: entry.name.to_string(),
        changes: changes.0,
        action,
    }
}

fn surplus_tokens<'a>(
    entry: &'a TenantEntry,
    present: &'a [TokenResponse],
) -> impl Iterator<Item = Row> + 'a {
    let named: BTreeSet<&str> = entry
        .tokens
        .iter()
        .map(|token| token.value.name.as_str())
        .collect();
    let surplus = present
        .iter()
        .filter(move |token| !named.contains(token.name.as_str()));
    surplus.map(|token| Row {
        line: None,
        kind: Kind::Token,
        name: token.name.clone(),
        changes: Vec::new(),
        action: Action::RevokeToken(token.id),
    })
}

fn surplus_budgets<'a>(
    entry: &'a TenantEntry,
    present: &'a [BudgetResponse],
) -> impl Iterator<Item = Row> + 'a {
    let named: BTreeSet<&BudgetName> = entry
        .budgets
        .iter()
        .map(|budget| &budget.value.name)
        .collect();
    let surplus = present
        .iter()
        .filter(move |budget| !named.contains(&budget.name));
    surplus.map(|budget| Row {
        line: None,
        kind: Kind::Budget,
        name: budget.name.to_string(),
        changes: Vec::new(),
        action: Action::DeleteBudget(budget.name.clone()),
    })
}

/// The budget that the server gives a tenant which is made now, when the file does not name it.
fn unnamed_default(entry: &TenantEntry) -> Option<Row> {
    let name = BudgetName::default_budget();
    let named = entry.budgets.iter().any(|budget| budget.value.name == name);
    (!named).then(|| Row {
        line: None,
        kind: Kind::Budget,
        name: name.to_string(),
        changes: Vec::new(),
        action: Action::DeleteBudget(name),
    })
}

/// The fields that differ.
#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    /// Notes a field that will be another; whether it will.
    fn note(&mut self, field: &'static str, from: impl ToString, to: impl ToString) -> bool {
        let (from, to) = (from.to_string(), to.to_string());
        self.note_if(from != to, field, from, to)
    }

    fn note_if(&mut self, differs: bool, field: &'static str, from: String, to: String) -> bool {
        if differs {
            self.0.push(Change { field, from, to });
        }
        differs
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "any".to_owned(), |value| value.to_string())
}

fn sorted<T: Ord + Clone>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list.dedup();
    list
}

fn same_services(one: Option<&[ServiceId]>, other: Option<&[ServiceId]>) -> bool {
    one.map(sorted) == other.map(sorted)
}

fn services_text(services: Option<&[ServiceId]>) -> String {
    services.map_or_else(|| "all".to_owned(), |list| list_or(list, "none"))
}

const fn state_text(status: TenantStatus) -> &'static str {
    match status {
        TenantStatus::Active => "active",
        TenantStatus::Suspended => "suspended",
    }
}

const fn entry_state_text(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Suspended => "suspended",
    }
}
