//! Hume: the voice platform that ended on 2026-11-13, and the platform that came after it.
//!
//! Both stand behind one prefix, because no path of one is a path of the other: `oauth2-cc/…`,
//! `v0/tts…` and `v0/evi…` are of the old one (`api.hume.ai`), `v0/decisions…` and
//! `v1/expression…` of the new one (`api.cloud.hume.ai`). A fault refuses the old ones for whoever
//! wants them gone. Neither platform can make a key by its API.
//!
//! The secret that belongs to a key, which only `oauth2-cc/token` asks for, is the key with
//! `-secret` behind it.
//!
//! Shapes from Hume's documentation and SDKs. Nobody says how lists of runs are wrapped, how a
//! decision is answered, nor how an empty account is refused: these are guesses, and marked so.

mod auth;
mod chat;
mod decisions;
mod error;
mod expression;
mod live;
mod routes;
mod runs;
mod speech;
mod token;

pub(crate) use runs::{Saved, State};

use crate::{
    desk::{Company, Head, Refusal, Route, Trouble},
    ids::Ids,
    keys::Key,
    request::Request,
    service::Service,
};

/// Hume.
pub(crate) struct Hume;

impl Company for Hume {
    fn service(&self) -> Service {
        Service::Hume
    }

    fn routes(&self) -> &'static [Route] {
        routes::ROUTES
    }

    fn credential(&self, request: &Request) -> Option<String> {
        auth::credential(request)
    }

    fn refusal(&self, trouble: &Trouble<'_>) -> Refusal {
        error::of(trouble)
    }

    fn head(&self, head: &Head<'_>) -> Vec<(&'static str, String)> {
        vec![("x-request-id", head.request_id.to_owned())]
    }

    fn request_id(&self, ids: &Ids) -> String {
        ids.uuid()
    }

    fn permits(&self, key: &Key, route: &Route) -> bool {
        auth::permits(key, route)
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        auth::check(request)
    }
}
