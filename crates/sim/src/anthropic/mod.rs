//! Anthropic.
//!
//! Shapes from Anthropic's published documentation and SDKs; what each endpoint does is said in
//! its file. Keys cannot be made by its API, so there is no route for that.

mod admin;
mod auth;
mod error;
mod messages;
mod models;
mod prompt;
mod routes;
mod state;
mod stream;

pub(crate) use state::{Saved, State};

use crate::{
    desk::{Company, Head, Refusal, Route, Trouble},
    request::Request,
    service::Service,
};

/// Anthropic.
pub(crate) struct Anthropic;

impl Company for Anthropic {
    fn service(&self) -> Service {
        Service::Anthropic
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
        auth::head(head)
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        auth::check(request)
    }
}
