//! What is read from a request before it is forwarded.

use http::HeaderMap;

/// What stands before a request's body.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The provider's own path, beginning with `/`.
    pub path: &'a str,
    /// The query, as it came.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// Facts of a request that steer metering. Everything is optional: a body that cannot be read is
/// forwarded all the same, and the provider says what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestFacts {
    /// The model asked for.
    pub model: Option<String>,
    /// The service tier asked for.
    pub service_tier: Option<String>,
    /// Whether a stream was asked for.
    pub streams: bool,
    /// Whether the answer comes later (`background`).
    pub background: bool,
    /// Whether the caller itself asked for usage in the stream.
    pub wants_stream_usage: bool,
    /// The most output tokens for each choice.
    pub max_output_tokens: Option<u64>,
    /// How many choices or pictures.
    pub count: Option<u64>,
    /// The provider's own user field.
    pub user: Option<String>,
    /// Bytes of text in the input, as far as recognised: what an estimate is made from.
    pub input_text_bytes: u64,
    /// Bytes of the body: no input has more tokens.
    pub body_bytes: u64,
    /// Unicode code points of text to be spoken.
    pub characters: Option<u64>,
    /// Length of the sound sent, measured from the bytes.
    pub audio_milliseconds: Option<u64>,
    /// Bytes that a second of the sound sent takes, where the request says what it is.
    pub audio_bytes_per_second: Option<u64>,
    /// Channels of the sound sent that are heard, and paid, by themselves.
    pub audio_channels: Option<u64>,
    /// Whether the caller named a sandbox of its own for the model to use.
    pub own_sandbox: bool,
    /// The form of the answer asked for.
    pub response_format: Option<String>,
    /// What the price depends on by the request's own words, as `kind:value`.
    pub modifiers: Vec<&'static str>,
}
