//! The body of an answer: frames that are counted as they go out, and broken where a fault says.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Sleep;

use crate::{
    bill::Entry, encoding::StreamEncoder, limits::Slot, quantities::Meter, recorder::Exchange,
};

/// How long a broken connection waits so that the bytes before the break leave the machine.
const FLUSH_BEFORE_BREAK: Duration = Duration::from_millis(20);

/// A piece of a body and what it is on the bill.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    pub(crate) counts: Vec<(Meter, u64)>,
}

impl Frame {
    /// A piece that costs nothing of its own.
    pub(crate) fn free(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            counts: Vec::new(),
        }
    }
}

/// The connection is to break here.
#[derive(Debug, thiserror::Error)]
#[error("the simulated service broke the connection")]
pub(crate) struct Broken;

/// Where a body ends before its end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Break {
    pub(crate) after_chunks: Option<u64>,
    pub(crate) after_bytes: Option<u64>,
}

/// How a body goes out.
#[derive(Default)]
pub(crate) struct Manner {
    /// Before every frame.
    pub(crate) delay: Duration,
    pub(crate) cut: Option<Break>,
    pub(crate) encoder: Option<StreamEncoder>,
    /// An answer that is whole was made whole: all of it is billed, wherever it breaks.
    pub(crate) made_whole: bool,
    /// The last frame says that it failed.
    pub(crate) fails: bool,
}

/// A body on its way.
pub(crate) struct SimBody {
    frames: VecDeque<Frame>,
    manner: Manner,
    entry: Option<Entry>,
    exchange: Option<Arc<Exchange>>,
    /// The place among the calls that may run at one time.
    slot: Option<Slot>,
    sleep: Option<Pin<Box<Sleep>>>,
    delayed: bool,
    broken: bool,
    sent_chunks: u64,
    sent_bytes: u64,
}

impl SimBody {
    /// A body of these frames.
    pub(crate) fn new(
        frames: Vec<Frame>,
        manner: Manner,
        entry: Option<Entry>,
        exchange: Option<Arc<Exchange>>,
    ) -> Self {
        let mut body = Self {
            frames: frames.into(),
            manner,
            entry,
            exchange,
            slot: None,
            sleep: None,
            delayed: false,
            broken: false,
            sent_chunks: 0,
            sent_bytes: 0,
        };
        if body.manner.made_whole
            && let Some(entry) = &body.entry
        {
            body.frames
                .iter()
                .for_each(|frame| entry.add(&frame.counts));
            body.frames
                .iter_mut()
                .for_each(|frame| frame.counts.clear());
        }
        // Nobody asks for the end of an empty body.
        if body.frames.is_empty() {
            body.close();
        }
        body
    }

    /// A body that is there at once and on no bill.
    pub(crate) fn plain(bytes: impl Into<Bytes>) -> Self {
        Self::new(vec![Frame::free(bytes)], Manner::default(), None, None)
    }

    /// Keeps a place taken until the end, which may be now.
    pub(crate) fn hold(&mut self, slot: Option<Slot>) {
        if !self.frames.is_empty() {
            self.slot = slot;
        }
    }

    /// Bills everything that would have gone out, although nothing will.
    pub(crate) fn act_without_answer(mut self) {
        if let Some(entry) = self.entry.take() {
            self.frames
                .iter()
                .for_each(|frame| entry.add(&frame.counts));
        }
    }

    fn breaks_now(&self) -> bool {
        self.manner.cut.is_some_and(|cut| {
            cut.after_chunks
                .is_some_and(|most| self.sent_chunks >= most)
                || cut.after_bytes.is_some_and(|most| self.sent_bytes >= most)
        })
    }

    /// The next bytes to send, with their line on the bill written.
    fn send_next(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        let mut bytes = frame.bytes;
        let room = self.manner.cut.and_then(|cut| cut.after_bytes);
        let room = room.map(|most| most.saturating_sub(self.sent_bytes));
        if let Some(room) = room.and_then(|room| usize::try_from(room).ok())
            && room < bytes.len()
        {
            bytes.truncate(room);
        } else if let Some(entry) = &self.entry {
            entry.add(&frame.counts);
        }
        self.sent_chunks += 1;
        self.sent_bytes += bytes.len() as u64;
        let last = self.frames.is_empty();
        if let Some(encoder) = &mut self.manner.encoder {
            bytes = encoder.encode(&bytes, last);
        }
        if let Some(exchange) = &self.exchange {
            exchange.sent(&bytes);
        }
        // Closed before the last byte leaves: whoever has read the whole answer may ask for
        // the bill.
        if last && !self.breaks_now() {
            self.close();
        }
        Some(bytes)
    }

    fn close(&mut self) {
        self.slot = None;
        if let Some(entry) = self.entry.take()
            && !self.manner.fails
        {
            entry.finish();
        }
        if let Some(exchange) = &self.exchange {
            exchange.complete();
        }
    }

    fn wait(&mut self, context: &mut Context<'_>, time: Duration) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        ready!(sleep.as_mut().poll(context));
        self.sleep = None;
        Poll::Ready(())
    }
}

impl http_body::Body for SimBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Broken>>> {
        let body = &mut *self;
        if body.broken {
            return Poll::Ready(None);
        }
        if body.breaks_now() {
            ready!(body.wait(context, FLUSH_BEFORE_BREAK));
            body.broken = true;
            body.entry = None;
            body.slot = None;
            return Poll::Ready(Some(Err(Broken)));
        }
        if !body.manner.delay.is_zero() && !body.delayed && !body.frames.is_empty() {
            ready!(body.wait(context, body.manner.delay));
            body.delayed = true;
        }
        body.delayed = false;
        Poll::Ready(
            body.send_next()
                .map(|bytes| Ok(http_body::Frame::data(bytes))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.entry.is_none() && !self.breaks_now()
    }
}
