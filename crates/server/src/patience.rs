//! How long a connection may keep its place without using it: one that asks nothing, and one whose
//! client takes nothing of its answer.
//!
//! HTTP stops asking an answer for more when there is no room to put it, so a client that does not
//! read is seen by what is *not* asked for. Passing frames costs two stores and no look at the
//! clock: a watcher beside the connection looks from time to time and sees what stood still.

use std::{
    collections::HashMap,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, Version};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, MissedTickBehavior, interval},
};

/// How long is too long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without an open request.
    pub idle: Duration,
    /// Without taking anything of an answer that is there.
    pub unread: Duration,
}

/// Why a connection loses its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// It asked nothing.
    Idle,
    /// It took nothing of an answer.
    Unread,
}

/// What is known of one connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Bytes that went either way.
    moved: AtomicU64,
    /// Requests that came.
    begun: AtomicU64,
    /// Requests whose answer has not ended.
    open: AtomicUsize,
    names: AtomicU64,
    answers: Mutex<HashMap<u64, Arc<Answer>>>,
}

/// An answer on its way.
#[derive(Debug)]
struct Answer {
    /// Odd: it was offered or has given something, and nothing was asked since. Even: it was asked
    /// and has nothing to give. Grows with everything given.
    state: AtomicU64,
    /// Whether the connection carries other answers at the same time.
    shares: bool,
}

/// A request that is open until this is dropped.
#[derive(Debug)]
pub(crate) struct Open {
    traffic: Traffic,
    name: u64,
}

impl Traffic {
    /// A request came.
    pub(crate) fn begin(&self) -> Open {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open {
            traffic: self.clone(),
            name: self.0.names.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The same bytes, counted.
    pub(crate) fn count<S>(&self, stream: S) -> Counted<S> {
        Counted {
            stream,
            traffic: self.clone(),
        }
    }

    /// Ends when the connection has used up its client's time.
    pub(crate) async fn overdue(&self, patience: Patience) -> Overdue {
        let every = patience.idle.min(patience.unread) / 4;
        let mut look = interval(every.max(Duration::from_millis(10)));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle = Standstill::default();
        let mut unread: HashMap<u64, Standstill> = HashMap::new();
        loop {
            let now = look.tick().await;
            let moved = self.0.moved.load(Ordering::Relaxed);
            let begun = self.0.begun.load(Ordering::Relaxed);
            let rests = self.0.open.load(Ordering::Relaxed) == 0;
            if idle.since(rests, (begun, moved), now) >= patience.idle {
                return Overdue::Idle;
            }
            let answers = self.0.answers.lock();
            unread.retain(|name, _| answers.contains_key(name));
            for (name, answer) in answers.iter() {
                let state = answer.state.load(Ordering::Relaxed);
                // A large piece leaves slowly: while bytes leave, its client reads. With several
                // answers, and with the pings of HTTP/2, they prove nothing.
                let sign = if answer.shares { 0 } else { moved };
                let waits = state % 2 == 1;
                let stood = unread.entry(*name).or_default();
                if stood.since(waits, (state, sign), now) >= patience.unread {
                    return Overdue::Unread;
                }
            }
        }
    }
}

/// For how long something has looked the same.
#[derive(Debug, Default)]
struct Standstill(Option<((u64, u64), Instant)>);

impl Standstill {
    fn since(&mut self, stands: bool, signs: (u64, u64), now: Instant) -> Duration {
        if !stands {
            self.0 = None;
            return Duration::ZERO;
        }
        match &self.0 {
            Some((seen, since)) if *seen == signs => now.duration_since(*since),
            _ => {
                self.0 = Some((signs, now));
                Duration::ZERO
            }
        }
    }
}

impl Open {
    /// Keeps the request open until the answer's body is gone.
    pub(crate) fn answer<B>(self, version: Version, answer: Response<B>) -> Response<Watched<B>> {
        let state = Arc::new(Answer {
            state: AtomicU64::new(1),
            shares: version >= Version::HTTP_2,
        });
        self.traffic
            .0
            .answers
            .lock()
            .insert(self.name, Arc::clone(&state));
        answer.map(|body| Watched {
            body,
            state,
            _open: self,
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.traffic.0.answers.lock().remove(&self.name);
        self.traffic.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that notes when it is asked.
#[derive(Debug)]
pub(crate) struct Watched<B> {
    body: B,
    state: Arc<Answer>,
    _open: Open,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let watched = self.get_mut();
        let state = &watched.state.state;
        let asked = (state.load(Ordering::Relaxed) | 1).wrapping_add(1);
        state.store(asked, Ordering::Relaxed);
        let frame = ready!(Pin::new(&mut watched.body).poll_frame(context));
        state.store(asked | 1, Ordering::Relaxed);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    traffic: Traffic,
}

impl<S> Counted<S> {
    fn moved(&self, bytes: usize) {
        self.traffic
            .0
            .moved
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.moved(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.moved(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    const PATIENCE: Patience = Patience {
        idle: Duration::from_secs(75),
        unread: Duration::from_secs(60),
    };

    /// Whether the connection is given up within so many seconds; the clock is the test's.
    async fn overdue_in(traffic: &Traffic, seconds: u64) -> Option<Overdue> {
        let limit = Duration::from_secs(seconds);
        tokio::time::timeout(limit, traffic.overdue(PATIENCE))
            .await
            .ok()
    }

    fn answer(traffic: &Traffic, version: Version) -> Response<Watched<Full<Bytes>>> {
        let body = Full::from(Bytes::from_static(b"x"));
        traffic.begin().answer(version, Response::new(body))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_idle() {
        let traffic = Traffic::default();
        assert_eq!(overdue_in(&traffic, 70).await, None);
        assert_eq!(overdue_in(&traffic, 100).await, Some(Overdue::Idle));
        let open = traffic.begin();
        assert_eq!(overdue_in(&traffic, 1_000).await, None);
        drop(open);
        assert_eq!(overdue_in(&traffic, 100).await, Some(Overdue::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_unread_and_one_that_waits_for_more_is_not() {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let traffic = Traffic::default();
            let offered = answer(&traffic, version);
            assert_eq!(overdue_in(&traffic, 100).await, Some(Overdue::Unread));
            let mut body = offered.into_body();
            body.frame().await.unwrap().unwrap();
            assert_eq!(overdue_in(&traffic, 100).await, Some(Overdue::Unread));
        }
        let traffic = Traffic::default();
        let never = http_body_util::StreamBody::new(futures_util::stream::pending::<
            Result<Frame<Bytes>, io::Error>,
        >());
        let answer = traffic
            .begin()
            .answer(Version::HTTP_11, Response::new(never));
        let mut body = answer.into_body();
        let asked = tokio::time::timeout(Duration::from_secs(1), body.frame());
        assert!(asked.await.is_err());
        assert_eq!(overdue_in(&traffic, 1_000).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_leave_prove_a_reader_of_one_answer_only() {
        for (version, expected) in [
            (Version::HTTP_11, None),
            (Version::HTTP_2, Some(Overdue::Unread)),
        ] {
            let traffic = Traffic::default();
            let _answer = answer(&traffic, version);
            let mut stream = traffic.count(tokio::io::sink());
            let trickle = async {
                loop {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    tokio::io::AsyncWriteExt::write_all(&mut stream, b"x")
                        .await
                        .unwrap();
                }
            };
            let seen = tokio::select! {
                seen = overdue_in(&traffic, 1_000) => seen,
                () = trickle => None,
            };
            assert_eq!(seen, expected, "{version:?}");
        }
    }
}
