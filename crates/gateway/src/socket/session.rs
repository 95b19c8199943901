//! One conversation, from the handshake to its event.

use std::{io, sync::Arc, time::Duration};

use diamond_admission::{CutReason, Reservation};
use diamond_domain::{CallOutcome, Money};
use diamond_providers::{SocketEnd, SocketMessage, SocketMeter};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    time::{Instant, sleep_until, timeout},
};

use super::frames::{self, Frames, Heard};
use crate::{
    call::{Call, CallContext},
    gateway::Inner,
};

/// Bytes that are read at a time.
const READ_BYTES: usize = 16 << 10;
/// How long the rest of a close frame, or the other party's, is waited for.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// The close codes of a regular end (RFC 6455, section 7.4.1): done, and going away.
const REGULAR: [u16; 2] = [1000, 1001];
/// The close code of an end that a rule of ours makes.
const AGAINST_POLICY: u16 = 1008;
/// The close code of an end that a failure makes.
const FAILED: u16 = 1011;

/// What is set aside for a conversation beyond what it has cost so far. How long it will last is
/// known to nobody, so that it is paid in slices like this.
pub(crate) const SLICE: Money = Money::from_nanos(10_000_000);

/// What is read of a conversation.
struct Ears {
    meter: Box<dyn SocketMeter>,
    caller: Frames,
    provider: Frames,
    /// When either party said something last.
    heard: Instant,
    response_bytes: u64,
    /// Whether the caller has got only part of a frame.
    writing: bool,
    /// All that is set aside, and what of it was set aside since the beginning.
    set_aside: Money,
    slices: Vec<Reservation>,
}

/// A conversation under way. Dropped, it is written down with what is known.
pub(super) struct Session {
    inner: Arc<Inner>,
    context: Arc<CallContext>,
    call: Option<Call>,
    ears: Mutex<Ears>,
}

/// How a conversation ended.
enum Ended {
    /// The provider closed it: what it said last was not handed on yet.
    ByProvider(Vec<u8>),
    /// The caller left.
    ByCaller,
    /// The provider's connection broke.
    Broken,
    /// Nobody said anything any more.
    Silent,
    /// What it uses was revoked.
    Cut(CutReason),
    /// A budget has no room for more of it.
    Spent,
}

type Reading = ReadHalf<TokioIo<Upgraded>>;
type Writing = WriteHalf<TokioIo<Upgraded>>;

impl Session {
    pub(super) fn new(inner: &Arc<Inner>, context: &Arc<CallContext>, call: Call) -> Self {
        let meter = context
            .provider
            .socket_meter(&context.route, &context.facts);
        Self {
            inner: Arc::clone(inner),
            context: Arc::clone(context),
            call: Some(call),
            ears: Mutex::new(Ears {
                meter,
                caller: Frames::default(),
                provider: Frames::default(),
                heard: Instant::now(),
                response_bytes: 0,
                writing: false,
                set_aside: SLICE,
                slices: Vec::new(),
            }),
        }
    }

    /// Carries it to its end.
    pub(super) async fn run(mut self, caller: OnUpgrade, provider: OnUpgrade) {
        let met = timeout(self.inner.settings.answer_timeout, async {
            tokio::try_join!(caller, provider)
        });
        let (caller, provider) = match met.await {
            Ok(Ok(both)) => both,
            // Dropping it writes it down.
            Ok(Err(_)) | Err(_) => return,
        };
        let (mut from_caller, mut to_caller) = tokio::io::split(TokioIo::new(caller));
        let (mut from_provider, mut to_provider) = tokio::io::split(TokioIo::new(provider));
        let ended = self
            .carry(
                (&mut from_caller, &mut to_provider),
                (&mut from_provider, &mut to_caller),
            )
            .await;
        let last = self.close(&ended).await;
        if let Some(last) = last {
            let _ = timeout(CLOSE_PATIENCE, async {
                write(&mut to_caller, &last).await?;
                to_caller.shutdown().await
            })
            .await;
        }
        let _ = timeout(CLOSE_PATIENCE, to_provider.shutdown()).await;
    }

    async fn carry(
        &self,
        up: (&mut Reading, &mut Writing),
        down: (&mut Reading, &mut Writing),
    ) -> Ended {
        let Some(call) = &self.call else {
            return Ended::Broken;
        };
        let listening = async {
            let ended = self.caller_speaks(up.0, up.1).await;
            if self.ears.lock().caller.is_closed() {
                // It has said that it goes; the provider's last words come yet.
                tokio::time::sleep(CLOSE_PATIENCE).await;
            }
            ended
        };
        tokio::select! {
            biased;
            reason = call.cut() => Ended::Cut(reason),
            ended = self.provider_speaks(down.0, down.1) => ended,
            ended = listening => ended,
            () = self.silence() => Ended::Silent,
        }
    }

    /// Hands on what the caller says until it says nothing more.
    async fn caller_speaks(&self, from: &mut Reading, to: &mut Writing) -> Ended {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let Ok(count @ 1..) = from.read(&mut bytes).await else {
                return Ended::ByCaller;
            };
            self.hear(|ears| {
                let Ears { meter, caller, .. } = ears;
                caller.push(&bytes[..count], |heard| meter.sent(message(&heard)));
            });
            if !self.is_paid_for() {
                return Ended::Spent;
            }
            if write(to, &bytes[..count]).await.is_err() {
                return Ended::ByCaller;
            }
        }
    }

    /// Hands on what the provider says, but for its last words.
    async fn provider_speaks(&self, from: &mut Reading, to: &mut Writing) -> Ended {
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let Ok(count @ 1..) = from.read(&mut bytes).await else {
                return Ended::Broken;
            };
            let close_at = self.hear(|ears| {
                ears.response_bytes += count as u64;
                ears.writing = true;
                let Ears {
                    meter, provider, ..
                } = ears;
                provider.push(&bytes[..count], |heard| meter.received(message(&heard)))
            });
            let now = &bytes[..close_at.unwrap_or(count)];
            if write(to, now).await.is_err() {
                return Ended::ByCaller;
            }
            self.ears.lock().writing = false;
            if close_at.is_none() && !self.is_paid_for() {
                return Ended::Spent;
            }
            if let Some(close_at) = close_at {
                let last = bytes[close_at..count].to_vec();
                return Ended::ByProvider(self.last_words(last, from).await);
            }
        }
    }

    /// The provider's close frame to its end.
    async fn last_words(&self, mut last: Vec<u8>, from: &mut Reading) -> Vec<u8> {
        let rest = async {
            while !self.ears.lock().provider.is_closed() {
                let mut bytes = [0; 256];
                let Ok(count @ 1..) = from.read(&mut bytes).await else {
                    return;
                };
                self.hear(|ears| ears.provider.push(&bytes[..count], |_| {}));
                last.extend_from_slice(&bytes[..count]);
            }
        };
        let _ = timeout(CLOSE_PATIENCE, rest).await;
        last
    }

    /// Whether what it costs by now, and a slice more, is set aside; sets more aside where it is
    /// not. What was said since this was last asked is all that can pass a limit.
    fn is_paid_for(&self) -> bool {
        let mut ears = self.ears.lock();
        let reading = ears.reading(false, &self.context, &self.inner);
        let cost = self.inner.cost_so_far(&self.context.priceable(), &reading);
        while cost > ears.set_aside {
            let request = self
                .context
                .reserve_request(Some(SLICE.max(cost - ears.set_aside)));
            let budgets = self.inner.admission.budgets();
            let Ok(slice) = budgets.reserve(&self.context.tenant, request) else {
                return false;
            };
            ears.set_aside = ears.set_aside + slice.amount();
            ears.slices.push(slice);
        }
        true
    }

    fn hear<T>(&self, hear: impl FnOnce(&mut Ears) -> T) -> T {
        let mut ears = self.ears.lock();
        ears.heard = Instant::now();
        hear(&mut ears)
    }

    /// Ends when nobody has said anything for too long.
    async fn silence(&self) {
        loop {
            let until = self.ears.lock().heard + self.inner.settings.silence_timeout;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Writes the conversation down; what is left to tell the caller then. Nothing, when it could
    /// not be written down.
    async fn close(&mut self, ended: &Ended) -> Option<Vec<u8>> {
        let mut call = self.call.take()?;
        let (closing, between_frames) = {
            let mut ears = self.ears.lock();
            let regular = match ended {
                Ended::ByProvider(_) => {
                    let code = ears.provider.close_code();
                    ears.provider.is_closed() && code.is_none_or(|code| REGULAR.contains(&code))
                }
                _ => false,
            };
            let reading = ears.reading(regular, &self.context, &self.inner);
            let outcome = match ended {
                _ if reading.failed_inside => CallOutcome::Interrupted,
                Ended::ByProvider(_) if regular => CallOutcome::Succeeded,
                Ended::ByCaller => CallOutcome::Cancelled,
                _ => CallOutcome::Interrupted,
            };
            call.add_response_bytes(usize::try_from(ears.response_bytes).unwrap_or(usize::MAX));
            let between = !ears.writing && ears.provider.is_between_frames();
            (call.close(reading, outcome), between)
        };
        let written = closing.await;
        // What it has cost is booked by now.
        self.ears.lock().slices.clear();
        if written.is_err() {
            return None;
        }
        let told = |code, reason| between_frames.then(|| frames::close(code, reason));
        match ended {
            Ended::ByProvider(last) => Some(last.clone()),
            Ended::ByCaller => None,
            Ended::Broken => told(FAILED, "the provider broke off"),
            Ended::Silent => told(AGAINST_POLICY, "nothing was said for too long"),
            Ended::Spent => told(AGAINST_POLICY, "a budget has no room for more"),
            Ended::Cut(CutReason::Stopping) => told(FAILED, "the server is stopping"),
            Ended::Cut(_) => told(
                AGAINST_POLICY,
                "the access token, tenant or key was revoked",
            ),
        }
    }
}

impl Ears {
    fn reading(
        &mut self,
        regular: bool,
        context: &CallContext,
        inner: &Inner,
    ) -> diamond_providers::Reading {
        let nanos = inner.clock.monotonic_nanos();
        let lasted = nanos.saturating_sub(context.began_nanos);
        let end = SocketEnd {
            regular,
            lasted: Duration::from_nanos(lasted),
        };
        let mut reading = self.meter.reading(&end);
        reading.partial |= !(self.caller.is_readable() && self.provider.is_readable());
        reading
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else {
            return;
        };
        let reading = self
            .ears
            .get_mut()
            .reading(false, &self.context, &self.inner);
        // Dropping what writes it lets it go on by itself.
        drop(call.close(reading, CallOutcome::Cancelled));
    }
}

const fn message<'a>(heard: &Heard<'a>) -> SocketMessage<'a> {
    match *heard {
        Heard::Text(text) => SocketMessage::Text(text),
        Heard::Binary(bytes) => SocketMessage::Binary(bytes),
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    to.write_all(bytes).await?;
    to.flush().await
}
