//! One connection of HTTP/1.1.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use tokio::task::unconstrained;

use crate::{upload::Upload, upstream::Stream};

/// How often a connection is moved on at once when it asks for that while it is moved.
const MOVES_MAX: usize = 8;

/// A connection and its sending end. Its bytes move only while it is polled.
pub(super) struct Line {
    sender: http1::SendRequest<Upload>,
    wire: Wire,
    bell: Arc<Bell>,
    ringing: Waker,
}

/// `None` once it has ended.
pub(super) struct Wire(Option<http1::Connection<Stream, Upload>>);

/// Wakes whoever moves the connection when something comes, but not for what moving it does: its
/// parts wake each other, and all of them are polled here anyway. Nobody is woken for a connection
/// that nobody uses.
#[derive(Default)]
struct Bell {
    mover: AtomicWaker,
    moving: AtomicBool,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.moving.load(Ordering::SeqCst) {
            self.rung.store(true, Ordering::SeqCst);
            // It may have ended in between, without having heard.
            if self.moving.load(Ordering::SeqCst) {
                return;
            }
        }
        self.mover.wake();
    }
}

impl Line {
    pub(super) fn new(
        sender: http1::SendRequest<Upload>,
        wire: http1::Connection<Stream, Upload>,
    ) -> Self {
        let bell = Arc::new(Bell::default());
        Self {
            sender,
            wire: Wire(Some(wire)),
            ringing: Waker::from(Arc::clone(&bell)),
            bell,
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
            self.poll_with(context, |wire, context| {
                // A connection that ends lets go of its request, so there is an answer then, too.
                wire.poll_move(context);
                answer
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
            })
        })
        .await?;
        Ok((response, self))
    }

    /// Polls something that moves the connection.
    pub(super) fn poll_with<T>(
        &mut self,
        context: &mut Context<'_>,
        mut poll: impl FnMut(&mut Wire, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.bell.mover.register(context.waker());
        self.bell.moving.store(true, Ordering::SeqCst);
        let mut polled = Poll::Pending;
        for _ in 0..MOVES_MAX {
            self.bell.rung.store(false, Ordering::SeqCst);
            polled = poll(&mut self.wire, &mut Context::from_waker(&self.ringing));
            if polled.is_ready() || !self.bell.rung.load(Ordering::SeqCst) {
                break;
            }
        }
        self.bell.moving.store(false, Ordering::SeqCst);
        // Whoever has got something polls again without being told.
        if polled.is_pending() && self.bell.rung.swap(false, Ordering::SeqCst) {
            context.waker().wake_by_ref();
        }
        polled
    }

    /// Whether the next request can be sent. From here on nobody is woken for it.
    pub(super) fn rest(&mut self) -> bool {
        drop(self.bell.mover.take());
        if self.wire.0.is_some() && !self.sender.is_ready() {
            // The end of the last answer was read, but what follows from it may not be done yet.
            self.wire.poll_move(&mut Context::from_waker(&self.ringing));
        }
        self.wire.0.is_some() && self.sender.is_ready()
    }
}

impl Wire {
    /// Moves what can be moved.
    pub(super) fn poll_move(&mut self, context: &mut Context<'_>) {
        let Some(wire) = &mut self.0 else {
            return;
        };
        // An error was told to whoever waits for the answer or reads it.
        if Pin::new(wire).poll(context).is_ready() {
            self.0 = None;
        }
    }
}
