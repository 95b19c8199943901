//! How long a connection may keep its place without using it: one that asks nothing, and one whose
//! client takes nothing of its answer.
//!
//! HTTP stops asking an answer for more when there is no room to put it, so a client that does not
//! read is seen by what is *not* asked for. HTTP/2 takes a piece whole, however little room there is
//! for it, so it gets small ones: whoever reads on, however slowly, is seen to ask for the next. Passing frames costs two stores and no look at the
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

/// The largest piece that HTTP/2 is given at a time, in bytes: as much as one of its frames holds
/// unless the client says otherwise (RFC 9113, section 4.2), so nothing more is written for it.
const PIECE_BYTES_MAX: usize = 16_384;

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
            rest: Bytes::new(),
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
    /// Of the last piece, what was not given yet.
    rest: Bytes,
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
        let mut piece = std::mem::take(&mut watched.rest);
        if piece.is_empty() {
            let polled = ready!(Pin::new(&mut watched.body).poll_frame(context));
            state.store(asked | 1, Ordering::Relaxed);
            match polled {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => piece = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        if watched.state.shares && piece.len() > PIECE_BYTES_MAX {
            watched.rest = piece.split_off(PIECE_BYTES_MAX);
        }
        state.store(asked | 1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(body.lower().saturating_add(rest));
        hint
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
    use hyper_util::rt::{TokioExecutor, TokioIo};

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

    /// A client that takes a piece of a large answer from time to time.
    #[tokio::test(start_paused = true)]
    async fn whoever_reads_slowly_over_http2_is_not_cut() {
        const LENGTH: usize = 1 << 20;
        let traffic = Traffic::default();
        let (near, far) = tokio::io::duplex(4_096);
        let service = hyper::service::service_fn(|request: http::Request<_>| {
            let (open, version) = (traffic.begin(), request.version());
            let _: hyper::body::Incoming = request.into_body();
            // Several pieces: the last one is let go of as soon as it is given.
            let pieces = (0..4).map(|_| {
                let piece = Bytes::from(vec![b'x'; LENGTH / 4]);
                Ok::<_, io::Error>(Frame::data(piece))
            });
            let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
            async move { Ok::<_, io::Error>(open.answer(version, Response::new(body))) }
        });
        let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(traffic.count(near)), service);
        let asking = async {
            let (mut sender, wire) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(32_768)
                .handshake(TokioIo::new(far))
                .await
                .unwrap();
            let reading = async move {
                let request = http::Request::new(Full::<Bytes>::default());
                let answer = sender.send_request(request).await.unwrap();
                let (mut body, mut read) = (answer.into_body(), 0);
                while let Some(frame) = body.frame().await {
                    read += frame.unwrap().into_data().unwrap().len();
                    tokio::time::sleep(PATIENCE.unread / 4).await;
                }
                read
            };
            tokio::select! {
                read = reading => read,
                ended = wire => panic!("the connection ended: {ended:?}"),
            }
        };
        tokio::select! {
            read = asking => assert_eq!(read, LENGTH),
            ended = serving => panic!("the server ended: {ended:?}"),
            overdue = traffic.overdue(PATIENCE) => panic!("{overdue:?}"),
        }
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
