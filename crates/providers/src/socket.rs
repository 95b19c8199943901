//! The meter of a conversation over a WebSocket.

use std::time::Duration;

use diamond_domain::{Meter, Quantities};

use crate::{Metering, Reading, ReadingBasis, RequestFacts, Route};

/// Something that one party said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketMessage<'a> {
    /// A whole message of text.
    Text(&'a [u8]),
    /// So many more bytes of a message of bytes.
    Binary(u64),
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketEnd {
    /// Whether the provider closed it as it should.
    pub regular: bool,
    /// How long it lasted.
    pub lasted: Duration,
}

/// Reads what both parties say as it passes.
pub trait SocketMeter: Send {
    /// What the caller says.
    fn sent(&mut self, message: SocketMessage<'_>);

    /// What the provider says.
    fn received(&mut self, message: SocketMessage<'_>);

    /// What the conversation used: asked at its end, and before, as often as somebody wants to
    /// know what it costs by now.
    fn reading(&mut self, end: &SocketEnd) -> Reading;
}

/// Milliseconds of a length of time.
pub(crate) fn milliseconds(lasted: Duration) -> u64 {
    u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX)
}

/// A reading that says nothing but these.
pub(crate) fn reading(
    facts: &RequestFacts,
    quantities: Quantities,
    basis: ReadingBasis,
    partial: bool,
) -> Reading {
    Reading {
        model: facts.model.clone(),
        service_tier: facts.service_tier.clone(),
        quantities,
        basis,
        partial,
        failed_inside: false,
        modifiers: facts.modifiers.iter().map(|&known| known.into()).collect(),
        provider_usage: None,
        beside: Vec::new(),
        stated_cost: None,
    }
}

/// Measures how long a conversation lasts, and reads nothing of it.
pub(crate) struct Timed {
    metering: Metering,
    facts: RequestFacts,
}

impl Timed {
    pub(crate) fn new(route: &Route, facts: &RequestFacts) -> Self {
        Self {
            metering: route.metering,
            facts: facts.clone(),
        }
    }
}

impl SocketMeter for Timed {
    fn sent(&mut self, _message: SocketMessage<'_>) {}

    fn received(&mut self, _message: SocketMessage<'_>) {}

    fn reading(&mut self, end: &SocketEnd) -> Reading {
        let quantities = Quantities::new()
            .with(Meter::Requests, 1)
            .with(Meter::ConnectionMilliseconds, milliseconds(end.lasted));
        let basis = match self.metering {
            Metering::Free => ReadingBasis::Free,
            // What is billed by the time is measured; what it costs says the price list, if it can.
            Metering::Measured => ReadingBasis::Measured,
            Metering::Usage | Metering::Deferred | Metering::Unknown => ReadingBasis::Unknown,
        };
        reading(&self.facts, quantities, basis, false)
    }
}
