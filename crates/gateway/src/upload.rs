//! The body of a request on its way to the provider.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use diamond_providers::MultipartScan;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;

/// The form that is being read while it passes.
pub(crate) type SharedForm = Arc<Mutex<MultipartScan>>;

/// A request body: held in memory, or streaming through.
#[derive(Debug)]
pub(crate) enum Upload {
    /// Held; empty for none.
    Held(Option<Bytes>),
    /// A head that was read already, then the rest as it comes.
    Streaming {
        head: Option<Bytes>,
        rest: Incoming,
        form: Option<SharedForm>,
        /// The whole length, where the caller said it.
        left: Option<u64>,
    },
}

impl Upload {
    pub(crate) fn held(bytes: Bytes) -> Self {
        Self::Held((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Held(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streaming {
                head,
                rest,
                form,
                left,
            } => {
                let polled = match head.take() {
                    Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    None => match Pin::new(rest).poll_frame(context) {
                        Poll::Ready(Some(Ok(frame))) => {
                            if let (Some(form), Some(bytes)) = (form, frame.data_ref()) {
                                form.lock().push(bytes);
                            }
                            Poll::Ready(Some(Ok(frame)))
                        }
                        other => other,
                    },
                };
                if let Poll::Ready(Some(Ok(frame))) = &polled
                    && let (Some(left), Some(bytes)) = (left, frame.data_ref())
                {
                    *left = left.saturating_sub(bytes.len() as u64);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held(bytes) => bytes.is_none(),
            Self::Streaming { head, rest, .. } => head.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Streaming {
                left: Some(left), ..
            } => SizeHint::with_exact(*left),
            Self::Streaming { .. } => SizeHint::default(),
        }
    }
}
