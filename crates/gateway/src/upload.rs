//! The body of a request on its way to the provider.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use diamond_providers::MultipartScan;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;

use crate::silence::Silence;

/// The form that is being read while it passes.
pub(crate) type SharedForm = Arc<Mutex<MultipartScan>>;

/// How the caller broke its body off, once it did. The error that the client gives back need not
/// tell: over HTTP/2 it says only that the request was reset.
pub(crate) type Broken = Arc<OnceLock<Break>>;

/// The ways in which a body breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// The caller sends nothing any more.
    Silent,
    /// The caller is gone, or what it sends is not HTTP.
    Off,
}

/// Why a request's body does not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The caller fell silent.
    #[error("the caller's request body fell silent")]
    Silent,
    /// The caller broke off.
    #[error("the caller's request body broke off")]
    Off(#[source] hyper::Error),
}

/// A request body: held in memory, or streaming through.
#[derive(Debug)]
pub(crate) enum Upload {
    /// Held; empty for none.
    Held(Option<Bytes>),
    /// Streaming.
    Streaming(Box<Stream>),
}

/// A head that was read already, then the rest as it comes.
#[derive(Debug)]
pub(crate) struct Stream {
    head: Option<Bytes>,
    rest: Incoming,
    form: Option<SharedForm>,
    /// The whole length, where the caller said it.
    left: Option<u64>,
    /// Runs while we wait for the caller, never while we wait for the provider.
    silence: Silence,
    broken: Broken,
}

impl Upload {
    pub(crate) fn held(bytes: Bytes) -> Self {
        Self::Held((!bytes.is_empty()).then_some(bytes))
    }

    /// The same once more, when all of it is here.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Held(bytes) => Some(Self::Held(bytes.clone())),
            Self::Streaming(_) => None,
        }
    }
}

impl Stream {
    pub(crate) fn new(
        head: Bytes,
        rest: Incoming,
        form: Option<SharedForm>,
        length: Option<u64>,
        silence_timeout: Duration,
        broken: Broken,
    ) -> Self {
        Self {
            head: Some(head),
            rest,
            form,
            left: length,
            silence: Silence::new(silence_timeout),
            broken,
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        if let Some(bytes) = self.head.take() {
            self.count(&bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let Poll::Ready(polled) = Pin::new(&mut self.rest).poll_frame(context) else {
            ready!(self.silence.poll(context));
            self.broken.get_or_init(|| Break::Silent);
            return Poll::Ready(Some(Err(UploadError::Silent)));
        };
        self.silence.broken();
        Poll::Ready(match polled {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    if let Some(form) = &self.form {
                        form.lock().push(bytes);
                    }
                    self.count(bytes);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                self.broken.get_or_init(|| Break::Off);
                Some(Err(UploadError::Off(error)))
            }
            None => None,
        })
    }

    fn count(&mut self, bytes: &Bytes) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes.len() as u64);
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        match self.get_mut() {
            Self::Held(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streaming(stream) => stream.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held(bytes) => bytes.is_none(),
            Self::Streaming(stream) => stream.head.is_none() && stream.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Streaming(stream) => stream
                .left
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
