//! The in-path proxy: `/gateway/{service}/{provider's own path}`.
//!
//! An official SDK works by changing its base URL and putting an access token where the key goes.
//! One request, top to bottom: authenticate → classify the route → tenant policy → reserve budget
//! → pin a key → `opened` record → forward, streaming both ways untouched → tap the frames for
//! usage → price → durable closing record → settle → unpin.
//!
//! # What an event says
//! Every call that reaches the provider is one event an attempt.
//! - **Succeeded**: the provider's own count at the catalog's price; our count where the answer
//!   has none; unpriced, with an alarm, where neither gives a cost.
//! - **Failed**: the provider answered with an error. Providers do not bill those: cost zero, basis
//!   `priced_usage`, price id `not-billed`, quantities `requests: 1`.
//! - **Free routes** (models, files, …): cost zero, basis `priced_usage`, price id `free`.
//! - **Deferred routes** (batches, videos, sessions with a token of their own): unpriced, until
//!   the provider's report settles them.
//! - **Cancelled**: the caller left. A stream is cut at the provider and counted from what was
//!   seen, `partial`; a plain answer is read to its end all the same, because it is billed in full.
//! - **Interrupted**: the provider broke off, or said so inside a stream that began well.
//!
//! The closing record is durable before the last byte leaves: of a stream the terminal event is
//! held back, of a body with a length its last piece, of any other body its end. Nothing else waits;
//! but a short answer that has arrived whole leaves whole, head and body together, behind its record.
//!
//! # What is changed on the way
//! Stripped from requests: hop-by-hop headers, `x-diamond-*`, the caller's credential, what selects
//! a billing account at the provider (the key alone decides who pays), cookies, and what tells of
//! the caller's network. `accept-encoding` keeps what can be metered. Answers pass byte for byte,
//! but for the usage chunk of a stream that we asked for and the caller did not. That chunk is cut
//! out of plain text only: we ask for `identity` then, and a provider that compresses all the same
//! is metered, but its answer passes whole, so the caller sees one chunk (of usage, without
//! choices) more than it asked for.
//!
//! # WebSockets
//! A conversation is one call, from its handshake to its close frame; see `socket`.
//!
//! # Callers and providers that fall silent
//! A body that stops arriving is answered with 408 `request_timeout` after
//! [`GatewaySettings::body_silence_timeout`]; one that was streaming through is cut at the provider
//! and its call written down as cancelled. A dead HTTP/2 connection to a provider is found by its
//! pings and ends its calls in less than half a minute.
//!
//! # Metrics
//! `diamond_gateway_requests_total{service,operation,outcome}`,
//! `diamond_gateway_request_duration_seconds{service,operation}`,
//! `diamond_gateway_first_byte_seconds{service,operation}`,
//! `diamond_gateway_request_bytes_total{service}`, `diamond_gateway_response_bytes_total{service}`,
//! `diamond_gateway_open_calls{service}`, `diamond_gateway_replays_total{service}`,
//! `diamond_gateway_refused_total{service,code}`.

mod admit;
mod answer;
mod attempt;
mod call;
mod closing;
mod decode;
mod failure;
mod gateway;
mod headers;
mod health;
mod inbound;
mod labels;
mod observe;
mod path;
mod pool;
mod pricing;
mod relay;
mod settings;
mod silence;
mod socket;
mod tap;
mod trust;
mod upload;
mod upstream;

pub use gateway::{Gateway, GatewayError, GatewayParts};
pub use relay::{GatewayBody, GatewayBodyError};
pub use settings::GatewaySettings;
pub use socket::Kept;
