//! What an operator can set.

use std::{collections::HashMap, time::Duration};

use diamond_domain::ServiceId;
use rustls::pki_types::CertificateDer;

/// The gateway's settings.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// The base URL of every service, without a slash at the end.
    pub upstreams: HashMap<ServiceId, String>,
    /// The longest JSON body that is taken, in bytes. Such bodies are held in memory.
    pub body_bytes_max: usize,
    /// How deep objects and arrays may stand in each other in such a body.
    pub json_depth_max: usize,
    /// Uploads up to this many bytes are held as well, so that they can be replayed; longer ones
    /// stream through.
    pub held_upload_bytes_max: usize,
    /// Decoded bytes of one compressed answer after which metering gives up on it.
    pub decoded_bytes_max: u64,
    /// How long a request's body that has begun may be silent: of a body that is held before the
    /// call is made, of a streamed one while it passes.
    pub body_silence_timeout: Duration,
    /// How long connecting to a provider may take.
    pub connect_timeout: Duration,
    /// How long a provider may take until its answer begins.
    pub answer_timeout: Duration,
    /// How long an answer that has begun may be silent.
    pub silence_timeout: Duration,
    /// How long an unused connection to a provider is kept.
    pub idle_connection_timeout: Duration,
    /// How many unused connections to one provider are kept.
    pub idle_connections_max: usize,
    /// For how long an account that is empty is not asked again.
    pub exhausted_pause: Duration,
    /// For how long after a key took another's place a refusal of it may mean that its provider
    /// does not know it everywhere yet.
    pub key_propagation: Duration,
    /// Certificate authorities that are trusted besides the machine's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Where we stand, for the events.
    pub region: Option<String>,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            upstreams: HashMap::new(),
            body_bytes_max: 32 << 20,
            json_depth_max: 128,
            held_upload_bytes_max: 256 << 10,
            decoded_bytes_max: 256 << 20,
            body_silence_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            // The official SDKs wait ten minutes.
            answer_timeout: Duration::from_secs(600),
            silence_timeout: Duration::from_secs(300),
            idle_connection_timeout: Duration::from_secs(60),
            idle_connections_max: 1_024,
            exhausted_pause: Duration::from_secs(300),
            key_propagation: Duration::from_secs(60),
            authorities: Vec::new(),
            region: None,
        }
    }
}
