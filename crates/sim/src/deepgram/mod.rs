//! Deepgram.
//!
//! Shapes from Deepgram's published API description; what each endpoint does is said in its
//! file. A project cannot be made by its API, and a key can be made and deleted but not changed.

mod admin;
mod auth;
mod error;
mod hearing;
mod live;
mod reading;
mod routes;
mod speech;

use crate::{
    desk::{Company, Head, Refusal, Route, Trouble},
    ids::Ids,
    keys::Key,
    request::Request,
    service::Service,
};

/// Deepgram.
pub(crate) struct Deepgram;

impl Company for Deepgram {
    fn service(&self) -> Service {
        Service::Deepgram
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
        vec![("dg-request-id", head.request_id.to_owned())]
    }

    fn request_id(&self, ids: &Ids) -> String {
        ids.uuid()
    }

    fn subprotocol(&self, request: &Request) -> Option<String> {
        auth::subprotocols(request).map(|(scheme, _)| scheme.to_owned())
    }

    fn permits(&self, key: &Key, route: &Route) -> bool {
        auth::permits(key, route)
    }

    /// A project counts its calls together, whatever their keys.
    fn crowd(&self, key: &Key) -> Option<String> {
        key.project_id.clone()
    }

    fn concurrency(&self) -> u64 {
        100
    }
}
