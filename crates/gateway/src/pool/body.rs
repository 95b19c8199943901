//! The body of a provider's answer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Place, Pool, line::Line};

/// A body that moves its own connection, and gives it back at its end. Dropped before that, it
/// closes the connection: the provider then makes no more of the answer.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    /// What moves it; `None` when somebody else does, or when it is all here.
    line: Option<(Box<Line>, Arc<Pool>, Place)>,
}

impl UpstreamBody {
    pub(super) fn of_line(
        incoming: Incoming,
        line: Box<Line>,
        pool: &Arc<Pool>,
        place: Place,
    ) -> Self {
        let mut body = Self {
            incoming,
            line: Some((line, Arc::clone(pool), place)),
        };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    pub(super) const fn shared(incoming: Incoming) -> Self {
        Self {
            incoming,
            line: None,
        }
    }

    fn give_back(&mut self) {
        if let Some((mut line, pool, place)) = self.line.take()
            && line.rest()
        {
            pool.keep(place, line);
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some((line, _, _)) = &mut this.line else {
            return Pin::new(&mut this.incoming).poll_frame(context);
        };
        let incoming = &mut this.incoming;
        let polled = line.poll_with(context, |wire, context| {
            // What we move ourselves need not wake us.
            let mut quiet = Context::from_waker(Waker::noop());
            let polled = Pin::new(&mut *incoming).poll_frame(&mut quiet);
            if polled.is_ready() {
                return polled;
            }
            wire.poll_move(context);
            Pin::new(&mut *incoming).poll_frame(&mut quiet)
        });
        match &polled {
            Poll::Ready(Some(Ok(_))) if this.incoming.is_end_stream() => this.give_back(),
            Poll::Ready(None) => this.give_back(),
            Poll::Ready(Some(Err(_))) => this.line = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
