//! OpenAI.
//!
//! Shapes from OpenAI's published API description and SDKs; what each endpoint does is said in
//! its file.

mod admin;
mod auth;
mod batches;
mod chat;
mod context;
mod conversation;
mod embeddings;
mod error;
mod files;
mod images;
mod models;
mod moderations;
mod prompt;
mod realtime;
mod response_object;
mod responses;
mod responses_stream;
mod routes;
mod speech;
mod sse;
mod state;
mod transcriptions;
mod vector_stores;

pub(crate) use admin::Organization;
pub(crate) use auth::bearer;
pub(crate) use sse::typed as typed_event;
pub(crate) use state::State;

use crate::{
    desk::{Company, Head, Refusal, Route, Trouble},
    keys::Key,
    request::Request,
    service::Service,
};

/// OpenAI.
pub(crate) struct Openai;

impl Company for Openai {
    fn service(&self) -> Service {
        Service::Openai
    }

    fn routes(&self) -> &'static [Route] {
        routes::ROUTES
    }

    fn credential(&self, request: &Request) -> Option<String> {
        auth::bearer(request).or_else(|| auth::subprotocol(request))
    }

    fn refusal(&self, trouble: &Trouble<'_>) -> Refusal {
        error::of(trouble)
    }

    fn head(&self, head: &Head<'_>) -> Vec<(&'static str, String)> {
        auth::head(head)
    }

    fn subprotocol(&self, request: &Request) -> Option<String> {
        auth::spoken(request)
    }

    fn scope(&self, route: &Route) -> &'static str {
        auth::scope(route)
    }

    fn permits(&self, key: &Key, route: &Route) -> bool {
        auth::permits(key, route)
    }
}
