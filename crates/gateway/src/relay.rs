//! The answer on its way to the caller.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use diamond_domain::CallOutcome;
use diamond_providers::{AnswerKind, Metering, Reading, ReadingBasis};
use diamond_usage::SinkError;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::{
    call::{Call, CallContext},
    closing::{Closing, go_on},
    gateway::Inner,
    pool::UpstreamBody,
    silence::Silence,
    tap::Tap,
};

/// Pieces that have arrived together are forwarded together, up to so many bytes.
const JOINED_BYTES: usize = 64 << 10;
/// Copying a piece as long as this costs more than forwarding it by itself.
const LONG_PIECE_BYTES: usize = 8 << 10;

/// The body of the gateway's answers.
pub struct GatewayBody(Kind);

enum Kind {
    Full(Option<Bytes>),
    Relay(Box<Relay>),
}

/// Why an answer breaks off.
#[derive(Debug, thiserror::Error)]
pub enum GatewayBodyError {
    /// The provider broke off.
    #[error("the provider's answer broke off")]
    Upstream(#[source] hyper::Error),
    /// The provider fell silent.
    #[error("the provider's answer fell silent")]
    Silent,
    /// What the call used was revoked.
    #[error("the call was cut: its access token, tenant or key was revoked")]
    Cut,
    /// The call could not be written down, so its end must not be delivered.
    #[error("the call could not be recorded")]
    NotRecorded(#[source] SinkError),
}

impl GatewayBody {
    pub(crate) const fn full(bytes: Bytes) -> Self {
        Self(Kind::Full(Some(bytes)))
    }

    pub(crate) fn relay(relay: Relay) -> Self {
        Self(Kind::Relay(Box::new(relay)))
    }
}

impl std::fmt::Debug for GatewayBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GatewayBody")
    }
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = GatewayBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GatewayBodyError>>> {
        match &mut self.get_mut().0 {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Relay(relay) => relay.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Relay(relay) => relay.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Relay(_) => SizeHint::default(),
        }
    }
}

/// Forwards a provider's answer piece by piece. The call is written down before the last piece
/// leaves; whatever happens to the caller, it is written down.
pub(crate) struct Relay {
    inner: Arc<Inner>,
    context: Arc<CallContext>,
    upstream: Option<UpstreamBody>,
    /// Bytes that may still come, where the provider said how many.
    left: Option<u64>,
    metering: Stage,
    now: VecDeque<Bytes>,
    held: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    /// How the answer ended, to be told when everything before it was delivered.
    error: Option<GatewayBodyError>,
    /// Whether what stands before the error has had its chance to leave.
    left_before_error: bool,
    silence: Silence,
}

enum Stage {
    /// The answer is read as it passes.
    Reading {
        call: Call,
        tap: Tap,
        kind: AnswerKind,
    },
    /// Its record is on the way to the disk.
    Closing(Closing),
    /// The record is durable.
    Closed,
}

impl Relay {
    /// A relay that meters.
    pub(crate) fn metered(
        inner: Arc<Inner>,
        context: Arc<CallContext>,
        upstream: UpstreamBody,
        call: Call,
        tap: Tap,
        kind: AnswerKind,
    ) -> Self {
        Self::new(
            inner,
            context,
            upstream,
            Stage::Reading { call, tap, kind },
            None,
        )
    }

    /// A relay of an answer whose call is written down: its head was read already.
    pub(crate) fn recorded(
        inner: Arc<Inner>,
        context: Arc<CallContext>,
        head: Bytes,
        upstream: UpstreamBody,
    ) -> Self {
        Self::new(inner, context, upstream, Stage::Closed, Some(head))
    }

    fn new(
        inner: Arc<Inner>,
        context: Arc<CallContext>,
        upstream: UpstreamBody,
        metering: Stage,
        head: Option<Bytes>,
    ) -> Self {
        let silence = Silence::new(inner.settings.silence_timeout);
        Self {
            left: upstream.size_hint().exact(),
            inner,
            context,
            upstream: Some(upstream),
            metering,
            now: head.into_iter().collect(),
            held: VecDeque::new(),
            trailers: None,
            error: None,
            left_before_error: false,
            silence,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.metering, Stage::Closed)
            && self.upstream.is_none()
            && self.now.is_empty()
            && self.held.is_empty()
            && self.trailers.is_none()
            && self.error.is_none()
    }

    /// Waits for the record of an answer that has arrived whole by now: its head then leaves
    /// together with its body, which could not leave before. Nothing else waits.
    pub(crate) async fn begin(&mut self) {
        poll_fn(|context| self.poll_begin(context)).await;
    }

    fn poll_begin(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.now.is_empty() {
            match &mut self.metering {
                Stage::Reading { kind, .. } if *kind != AnswerKind::EventStream => {
                    if self.poll_upstream(context).is_pending() {
                        break;
                    }
                }
                Stage::Closing(_) => ready!(self.poll_closing(context)),
                Stage::Reading { .. } | Stage::Closed => break,
            }
        }
        Poll::Ready(())
    }

    fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Stage::Closing(closing) = &mut self.metering {
            let written = ready!(Pin::new(closing).poll(context));
            self.metering = Stage::Closed;
            if let Err(error) = written {
                self.held.clear();
                self.trailers = None;
                self.upstream = None;
                self.error = Some(GatewayBodyError::NotRecorded(error));
            }
        }
        Poll::Ready(())
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GatewayBodyError>>> {
        if let Stage::Reading { call, .. } = &self.metering
            && call.is_cut().is_some()
        {
            self.cut();
        }
        loop {
            if let Some(bytes) = self.now.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match &mut self.metering {
                Stage::Reading { .. } => ready!(self.poll_upstream(context)),
                Stage::Closing(_) => ready!(self.poll_closing(context)),
                Stage::Closed => {
                    if let Some(bytes) = self.held.pop_front() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                    if self.upstream.is_some() {
                        ready!(self.poll_upstream(context));
                        continue;
                    }
                    // HTTP drops what it has not yet written when a body fails: head and pieces that
                    // arrived together with the end leave first.
                    if self.error.is_some() && !self.left_before_error {
                        self.left_before_error = true;
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    if let Some(error) = self.error.take() {
                        return Poll::Ready(Some(Err(error)));
                    }
                    let trailers = self.trailers.take();
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
            }
        }
    }

    /// Takes in what has arrived: some pieces, joined, or the end, or both.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut joined = Joined::default();
        while !joined.is_enough() {
            let Some(upstream) = &mut self.upstream else {
                return Poll::Ready(());
            };
            let polled = match Pin::new(upstream).poll_frame(context) {
                Poll::Ready(polled) => polled,
                Poll::Pending if joined.is_empty() => {
                    if let Stage::Reading { call, .. } = &self.metering
                        && call.poll_cut(context).is_ready()
                    {
                        self.cut();
                        return Poll::Ready(());
                    }
                    ready!(self.silence.poll(context));
                    self.end(Some(GatewayBodyError::Silent));
                    return Poll::Ready(());
                }
                Poll::Pending => break,
            };
            match polled {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => joined.add(bytes),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                ended => {
                    self.take(joined.take());
                    let error = ended.and_then(Result::err);
                    self.end(error.map(GatewayBodyError::Upstream));
                    return Poll::Ready(());
                }
            }
        }
        self.silence.broken();
        self.take(joined.take());
        Poll::Ready(())
    }

    fn take(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes.len() as u64);
        }
        let last = self.left == Some(0);
        match &mut self.metering {
            Stage::Reading { call, tap, .. } => {
                call.add_response_bytes(bytes.len());
                let passed = tap.push(bytes);
                let to = if last { &mut self.held } else { &mut self.now };
                to.extend(passed.now);
                self.held.extend(passed.held);
                if tap.terminal() {
                    self.close(None);
                }
            }
            Stage::Closing(_) | Stage::Closed => self.now.push_back(bytes),
        }
    }

    /// The answer has ended, well or not.
    fn end(&mut self, error: Option<GatewayBodyError>) {
        self.upstream = None;
        if let Stage::Reading { tap, .. } = &mut self.metering {
            self.held.extend(tap.rest());
            self.close(Some(error.is_some()));
        }
        self.error = error;
    }

    /// Ends the answer where it is: nothing that has not left yet leaves any more.
    fn cut(&mut self) {
        self.end(Some(GatewayBodyError::Cut));
        self.now.clear();
        self.held.clear();
        self.trailers = None;
    }

    /// Writes the call down. `broken` is whether the answer broke off; `None` when its terminal
    /// event was seen.
    fn close(&mut self, broken: Option<bool>) {
        match std::mem::replace(&mut self.metering, Stage::Closed) {
            Stage::Reading {
                call,
                mut tap,
                kind,
            } => {
                let reading = reading_of(&mut tap, &self.context, broken != Some(true));
                let outcome = outcome_of(&reading, &self.context, kind, broken);
                self.metering = Stage::Closing(call.close(reading, outcome));
            }
            other => self.metering = other,
        }
    }
}

impl Drop for Relay {
    /// The caller left before the end.
    fn drop(&mut self) {
        let Stage::Reading { call, tap, kind } =
            std::mem::replace(&mut self.metering, Stage::Closed)
        else {
            return;
        };
        let (inner, context) = (Arc::clone(&self.inner), Arc::clone(&self.context));
        // A stream is cut at the provider, which then makes no more of it.
        let upstream = self
            .upstream
            .take()
            .filter(|_| kind != AnswerKind::EventStream);
        let tasks = inner.tasks.clone();
        go_on(&tasks, async move {
            read_to_end(inner, context, call, tap, upstream).await
        });
    }
}

/// Pieces of an answer that have arrived, put together in their order.
#[derive(Default)]
struct Joined {
    /// The only piece.
    first: Bytes,
    /// All of them, once they are several.
    all: BytesMut,
    enough: bool,
}

impl Joined {
    fn is_empty(&self) -> bool {
        self.first.is_empty() && self.all.is_empty()
    }

    const fn is_enough(&self) -> bool {
        self.enough
    }

    fn add(&mut self, bytes: Bytes) {
        if self.is_empty() {
            self.enough = bytes.len() >= LONG_PIECE_BYTES;
            self.first = bytes;
            return;
        }
        if self.all.is_empty() {
            self.all
                .reserve(self.first.len() + bytes.len().max(LONG_PIECE_BYTES));
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&bytes);
        self.enough = bytes.len() >= LONG_PIECE_BYTES || self.all.len() >= JOINED_BYTES;
    }

    fn take(&mut self) -> Bytes {
        if self.all.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            self.all.split().freeze()
        }
    }
}

/// Reads the rest of an answer that nobody waits for but that is billed in full.
pub(crate) async fn read_to_end(
    inner: Arc<Inner>,
    context: Arc<CallContext>,
    mut call: Call,
    mut tap: Tap,
    upstream: Option<UpstreamBody>,
) {
    let mut complete = false;
    if let Some(mut upstream) = upstream {
        loop {
            let frame = tokio::select! {
                biased;
                _ = call.cut() => break,
                frame = tokio::time::timeout(
                    inner.settings.silence_timeout,
                    upstream.frame(),
                ) => frame,
            };
            match frame {
                Ok(Some(Ok(frame))) => {
                    if let Some(bytes) = frame.data_ref() {
                        call.add_response_bytes(bytes.len());
                        tap.read(bytes);
                    }
                }
                Ok(None) => {
                    complete = true;
                    break;
                }
                Ok(Some(Err(_))) | Err(_) => break,
            }
        }
    }
    let reading = reading_of(&mut tap, &context, complete);
    if let Err(error) = call.close(reading, CallOutcome::Cancelled).await {
        tracing::error!(%error, "a cancelled call's record was not written");
    }
}

fn reading_of(tap: &mut Tap, context: &CallContext, complete: bool) -> Reading {
    tap.reading(complete)
        .unwrap_or_else(|| Call::unseen(context))
}

fn outcome_of(
    reading: &Reading,
    context: &CallContext,
    kind: AnswerKind,
    broken: Option<bool>,
) -> CallOutcome {
    // A stream that states usage and ended without it did not end as it should.
    let cut_short = kind == AnswerKind::EventStream
        && broken.is_some()
        && context.route.metering == Metering::Usage
        && reading.partial
        && reading.basis != ReadingBasis::Reported;
    if broken == Some(true) || reading.failed_inside || cut_short {
        CallOutcome::Interrupted
    } else {
        CallOutcome::Succeeded
    }
}
