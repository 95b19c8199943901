//! The meter of one answer.

use std::borrow::Cow;

use diamond_domain::{Money, Quantities};
use http::HeaderMap;

/// What the body of an answer is, from its `content-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// `text/event-stream`: give [`ResponseMeter::event`].
    EventStream,
    /// `application/json`: give [`ResponseMeter::bytes`].
    Json,
    /// Sound, text, files: give [`ResponseMeter::bytes`].
    Other,
}

impl AnswerKind {
    /// The kind that a `content-type` names.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        if essence.eq_ignore_ascii_case("text/event-stream") {
            Self::EventStream
        } else if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else {
            Self::Other
        }
    }
}

/// What to do with an event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventRole {
    /// Forward it at once.
    Pass,
    /// The caller did not ask for it: keep it from them.
    Hide,
    /// The last that matters: forward it when the call is written down.
    Terminal,
}

/// Reads the decoded body of one successful answer as it passes.
///
/// Bodies come in any chunking; the reading does not depend on it.
pub trait ResponseMeter: Send {
    /// The headers, before anything of the body: some services count there.
    fn headers(&mut self, headers: &HeaderMap) {
        let _ = headers;
    }

    /// The next bytes of a body that is not a stream of events.
    fn bytes(&mut self, bytes: &[u8]);

    /// The next event of a stream.
    fn event(&mut self, name: &[u8], data: &[u8]) -> EventRole;

    /// What the answer said. `complete` is whether its regular end was seen.
    fn reading(&mut self, complete: bool) -> Reading;
}

/// How good a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingBasis {
    /// The provider's own count.
    Reported,
    /// Our count.
    Measured,
    /// A guess from what was seen.
    Estimated,
    /// Nothing to count by: the cost is unknown.
    Unknown,
    /// The call costs nothing.
    Free,
}

/// What an answer said about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The model that answered.
    pub model: Option<String>,
    /// The service tier that was used.
    pub service_tier: Option<String>,
    /// What was used.
    pub quantities: Quantities,
    /// How that is known.
    pub basis: ReadingBasis,
    /// Whether something is missing from the count.
    pub partial: bool,
    /// Whether an error stood inside an answer that began well.
    pub failed_inside: bool,
    /// What else the price depends on, as `kind:value`.
    pub modifiers: Vec<Cow<'static, str>>,
    /// The provider's usage object, verbatim.
    pub provider_usage: Option<String>,
    /// What other models used on this model's behalf; it is in no count above.
    pub beside: Vec<Beside>,
    /// What the provider says that the call cost.
    pub stated_cost: Option<Money>,
}

impl Reading {
    /// What was used by all models together.
    #[must_use]
    pub fn everything(&self) -> Quantities {
        let mut sum = self.quantities.clone();
        for beside in &self.beside {
            for (meter, amount) in beside.quantities.iter() {
                sum.add(meter, amount);
            }
        }
        sum
    }
}

/// What another model used within the same call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Which model.
    pub model: String,
    /// What it used.
    pub quantities: Quantities,
}
