//! What makes one company different from another.

use super::{
    refusal::{Refusal, Trouble},
    route::{Access, Route},
};
use crate::{
    ids::Ids,
    keys::{Allowance, Key, KeyKind},
    request::Request,
    service::Service,
};

/// A company.
pub(crate) trait Company: Sync {
    /// Which one.
    fn service(&self) -> Service;

    /// Every path that it answers.
    fn routes(&self) -> &'static [Route];

    /// The value of the key that a request carries.
    fn credential(&self, request: &Request) -> Option<String>;

    /// How it says that something is wrong.
    fn refusal(&self, trouble: &Trouble<'_>) -> Refusal;

    /// The headers of every answer.
    fn head(&self, head: &Head<'_>) -> Vec<(&'static str, String)>;

    /// The name of one answer.
    fn request_id(&self, ids: &Ids) -> String {
        ids.fresh("req_")
    }

    /// What every request needs beside a key.
    fn check(&self, _: &Request) -> Result<(), Refusal> {
        Ok(())
    }

    /// The permission that a route needs.
    fn scope(&self, route: &Route) -> &'static str {
        route.scope
    }

    /// Whether a living key may take a route.
    fn permits(&self, key: &Key, route: &Route) -> bool {
        let kind_fits = match route.access {
            Access::Admin => key.kind == KeyKind::Admin,
            Access::Free | Access::Paid => key.kind == KeyKind::Project,
            Access::Open => true,
        };
        let scope = self.scope(route);
        kind_fits && (key.scopes.is_empty() || key.scopes.iter().any(|held| held == scope))
    }

    /// The subprotocol of a WebSocket, where one is chosen.
    fn subprotocol(&self, _: &Request) -> Option<String> {
        None
    }

    /// Whose calls at one time are counted together, where they are: the organization or the
    /// project of the key.
    fn crowd(&self, _: &Key) -> Option<String> {
        None
    }

    /// How many paid calls may run at one time in a crowd, unless the judge was told otherwise.
    fn concurrency(&self) -> u64 {
        u64::MAX
    }
}

/// What the headers of an answer are made from.
pub(crate) struct Head<'a> {
    pub(crate) request: &'a Request,
    pub(crate) request_id: &'a str,
    pub(crate) key: Option<&'a Key>,
    /// What is left of the running minute; on paid calls only.
    pub(crate) allowance: Option<Allowance>,
    /// How many calls run at this time, this one included, and how many may.
    pub(crate) crowd: Option<(u64, u64)>,
    pub(crate) elapsed_ms: u128,
    pub(crate) now: i64,
}
