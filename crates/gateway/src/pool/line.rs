//! One connection of HTTP/1.1.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use tokio::task::unconstrained;

use crate::{upload::Upload, upstream::Stream};

/// A connection and its sending end. Its bytes move only while it is polled.
pub(super) struct Line {
    sender: http1::SendRequest<Upload>,
    /// `None` once it has ended.
    wire: Option<http1::Connection<Stream, Upload>>,
}

impl Line {
    pub(super) const fn new(
        sender: http1::SendRequest<Upload>,
        wire: http1::Connection<Stream, Upload>,
    ) -> Self {
        Self {
            sender,
            wire: Some(wire),
        }
    }

    /// Sends one request and reads the head of its answer.
    pub(super) async fn exchange(
        mut self: Box<Self>,
        request: Request<Upload>,
    ) -> Result<(Response<Incoming>, Box<Self>), TrySendError<Request<Upload>>> {
        // Only what we poll ourselves can bring the answer, so it need not wake anybody; and as it
        // has no say in when this task yields, nothing is lost by that.
        let mut answer = pin!(unconstrained(self.sender.try_send_request(request)));
        let response = poll_fn(|context| {
            // A connection that ends lets go of its request, so there is an answer then, too.
            let _ = poll_wire(&mut self.wire, context);
            answer
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
        })
        .await?;
        Ok((response, self))
    }

    /// Moves what can be moved; ready once the connection has ended.
    pub(super) fn poll_move(&mut self, context: &mut Context<'_>) -> Poll<()> {
        poll_wire(&mut self.wire, context)
    }

    /// Whether the next request can be sent.
    pub(super) fn is_ready(&mut self) -> bool {
        if self.wire.is_some() && !self.sender.is_ready() {
            // The end of the last answer may have been read, and not yet be drawn the conclusion from.
            let _ = self.poll_move(&mut Context::from_waker(Waker::noop()));
        }
        self.wire.is_some() && self.sender.is_ready()
    }
}

fn poll_wire(
    wire: &mut Option<http1::Connection<Stream, Upload>>,
    context: &mut Context<'_>,
) -> Poll<()> {
    let Some(moving) = wire else {
        return Poll::Ready(());
    };
    match Pin::new(moving).poll(context) {
        Poll::Pending => Poll::Pending,
        // An error was told to whoever waits for the answer or reads it.
        Poll::Ready(_) => {
            *wire = None;
            Poll::Ready(())
        }
    }
}
