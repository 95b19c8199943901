//! ElevenLabs.
//!
//! Shapes from ElevenLabs' published API description and SDKs; what each endpoint does is said
//! in its file.

mod admin;
mod auth;
mod error;
mod hearing;
mod live;
mod models;
mod routes;
mod speech;
mod state;
mod token;
mod user;
mod voices;

pub(crate) use state::{Saved, State};

use crate::{
    desk::{Company, Head, Refusal, Route, Trouble},
    keys::Key,
    request::Request,
    service::Service,
};

/// ElevenLabs.
pub(crate) struct Elevenlabs;

impl Company for Elevenlabs {
    fn service(&self) -> Service {
        Service::Elevenlabs
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

    fn permits(&self, key: &Key, route: &Route) -> bool {
        auth::permits(key, route)
    }

    /// A workspace counts its calls together, whatever their keys.
    fn crowd(&self, key: &Key) -> Option<String> {
        Some(key.organization_id.clone())
    }

    fn concurrency(&self) -> u64 {
        100
    }
}
