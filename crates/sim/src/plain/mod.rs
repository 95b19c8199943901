//! Companies with plain APIs: what they share stands in one place, what differs in a match.
//!
//! Shapes from the companies' documentation and SDKs. OpenRouter also makes, lists, switches and
//! deletes keys.

mod chat;
mod cohere;
mod error;
mod gemini;
mod hearing;
mod keys;
mod prompt;
mod routes;
mod speech;
mod validation;

use crate::{
    desk::{Access, Company, Head, Refusal, Route, Trouble},
    keys::{Key, KeyKind},
    openai::bearer,
    request::Request,
    service::Service,
};

/// One of them.
pub(crate) struct Plain(pub(crate) Service);

impl Company for Plain {
    fn service(&self) -> Service {
        self.0
    }

    fn routes(&self) -> &'static [Route] {
        routes::of(self.0)
    }

    fn credential(&self, request: &Request) -> Option<String> {
        let header = |name: &str| request.header(name).map(str::to_owned);
        match self.0 {
            // The key alone, without a word before it.
            Service::Assemblyai => header("authorization"),
            Service::Gemini => header("x-goog-api-key")
                .or_else(|| request.query("key").map(str::to_owned))
                .or_else(|| bearer(request)),
            Service::Cartesia | Service::Openrouter => {
                bearer(request).or_else(|| header("x-api-key"))
            }
            _ => bearer(request),
        }
    }

    fn refusal(&self, trouble: &Trouble<'_>) -> Refusal {
        error::of(self.0, trouble)
    }

    fn head(&self, head: &Head<'_>) -> Vec<(&'static str, String)> {
        let name = match self.0 {
            Service::Groq | Service::Xai | Service::Cartesia => "x-request-id",
            Service::Mistral => "mistral-correlation-id",
            // The others name an answer in no header that is documented.
            _ => return Vec::new(),
        };
        vec![(name, head.request_id.to_owned())]
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let version = request.header("cartesia-version");
        if self.0 == Service::Cartesia && version.is_none() {
            // From before errors had a shape.
            let message = "The Cartesia-Version header is required.";
            return Err(Refusal::text(400, None, message));
        }
        Ok(())
    }

    fn permits(&self, key: &Key, route: &Route) -> bool {
        match (key.kind, route.access) {
            (KeyKind::Admin, Access::Admin) | (KeyKind::Project, Access::Free | Access::Paid) => {
                true
            }
            // A key that manages others can look at itself, and calls no model.
            (KeyKind::Admin, Access::Free) => route.operation == "key",
            _ => false,
        }
    }
}
