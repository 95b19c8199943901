//! Who is asking, and in which request.

use std::net::IpAddr;

use diamond_admission::Caller;
use diamond_domain::{RequestId, TraceId};

/// Handed to every use case by whoever received the request.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Ours; in the answer, the audit and the logs.
    pub request_id: RequestId,
    /// The caller's W3C trace, or one made for it.
    pub trace_id: TraceId,
    /// Proven by the access token.
    pub caller: Caller,
    /// Where the request came from.
    pub address: IpAddr,
}
