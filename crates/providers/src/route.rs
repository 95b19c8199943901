//! What a path of a provider's API is.

/// What the gateway does with a method and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classified {
    /// Carry it.
    Forward(Route),
    /// Answer with an error of ours; nothing is sent.
    Refuse(RefusedRoute),
}

/// Why a route is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedRoute {
    /// Whether it is forbidden (403) or simply wrong (404).
    pub forbidden: bool,
    /// Our stable code.
    pub code: &'static str,
    /// What to do instead.
    pub message: &'static str,
}

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its name in events: `chat.completions`.
    pub operation: &'static str,
    /// Where its count comes from.
    pub metering: Metering,
    /// What its request body is.
    pub body: BodyKind,
    /// Whether the answer may be a stream of events.
    pub may_stream: bool,
    /// Whether sending it twice does no harm when the first was refused for its key.
    pub replay_safe: bool,
}

/// Where the count of a call comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// The provider states it in the answer.
    Usage,
    /// The answer does not say; we count ourselves.
    Measured,
    /// The call costs nothing.
    Free,
    /// The call begins work whose cost arises later or elsewhere (a batch, a video, a session with
    /// a token of its own): its event is unpriced until the provider's report settles it.
    Deferred,
    /// We do not know the route: carried, unpriced, alarmed.
    Unknown,
}

/// What a request body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON that we read: held in memory up to a bound.
    Json,
    /// A form with files, streamed through and read in passing.
    Multipart,
    /// Whatever it is, streamed through unread.
    Opaque,
}
