//! One connection of HTTP/2, shared by its calls.

use std::{error::Error as _, sync::Arc};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
};

use crate::upload::Upload;

/// The sending end. Clones are the same connection.
#[derive(Clone)]
pub(super) struct Shared {
    sender: http2::SendRequest<Upload>,
    /// Tells connections apart.
    name: Arc<()>,
}

impl Shared {
    pub(super) fn new(sender: http2::SendRequest<Upload>) -> Self {
        Self {
            sender,
            name: Arc::default(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.name, &other.name)
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        self.sender.try_send_request(request).await
    }
}

/// The request once more, when its body is all here.
pub(super) fn copy_of(request: &Request<Upload>) -> Option<Request<Upload>> {
    let mut copy = Request::new(request.body().again()?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Whether the provider says that it did nothing of a request that it received: it refused the
/// stream, or it says goodbye and names an earlier stream as the last one it looked at (RFC 9113,
/// section 8.7). The library ends only later streams with the goodbye of the other side.
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|error: &h2::Error| {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}
