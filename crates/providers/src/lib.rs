//! One folder per AI service: requests to build, answers to read, usage to meter. No I/O.
//!
//! [`Provider`] is what the gateway and the use cases know of a service. A service is a folder
//! with the same files: `routes` (what each path is and how it is metered), `request` (what is
//! read from a request, what is changed in it), `usage` (the provider's count in our meters),
//! `stream` (the answer's meter), `socket` (that of a conversation), `errors` (what a failure says about the key; our own errors in
//! the provider's shape), `keys` (where the credential stands, how it is proved), `describe` (what it
//! is and can do), `manage` (its management API). The files beside
//! the folders are the notations that services share: JSON, server-sent events, multipart, WAV.

mod answer;
mod anthropic;
mod credential;
mod declared;
mod deepgram;
mod descriptor;
mod elevenlabs;
mod failure;
mod hume;
mod json;
mod management;
mod meter;
mod multipart;
mod openai;
mod outbound;
mod provider;
mod registry;
mod request;
mod route;
mod short_lived;
mod socket;
mod sse;
mod table;
#[cfg(test)]
mod testing;
mod verdict;
mod wav;

pub use answer::Answer;
pub use anthropic::Anthropic;
pub use declared::{
    Declaration, DeclarationError, DeclarationProblem, DeclaredService, SHIPPED, ShippedFile,
};
pub use deepgram::Deepgram;
pub use descriptor::{Capabilities, Descriptor, Minting, Placement, Region};
pub use elevenlabs::ElevenLabs;
pub use failure::{ErrorAnswer, Fault, OwnError};
pub use hume::Hume;
pub use json::{Found, JsonScan, Pattern, decimal_seconds_to_milliseconds};
pub use management::{
    Ask, Capacity, Effect, KeyManagement, ListedKey, ManagementError, MintSpec, Minted, Place,
    ProviderKey, Step,
};
pub use meter::{AnswerKind, Beside, EventRole, Reading, ReadingBasis, ResponseMeter};
pub use multipart::{MultipartScan, boundary_of};
pub use openai::OpenAi;
pub use outbound::{HeaderText, OutboundRequest};
pub use provider::{ModelLimits, Provider, UnusableKey};
pub use registry::{Registry, all};
pub use request::{RequestFacts, RequestHead};
pub use route::{BodyKind, Classified, Metering, RefusedRoute, Route};
pub use short_lived::{ShortLived, ShortLivedSpec};
pub use socket::{SocketEnd, SocketMessage, SocketMeter};
pub use sse::{SseEvent, SseScan};
pub use verdict::{KeyVerdict, LimitScope};
pub use wav::WavHead;

/// Every service that is built in: a line each.
const SERVICES: &[fn() -> std::sync::Arc<dyn Provider>] = &[
    || std::sync::Arc::new(OpenAi::new()),
    || std::sync::Arc::new(Anthropic::new()),
    || std::sync::Arc::new(ElevenLabs::new()),
    || std::sync::Arc::new(Deepgram::new()),
    || std::sync::Arc::new(Hume::new()),
];
