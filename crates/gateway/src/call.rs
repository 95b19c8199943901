//! One attempt that was opened: from its record in the journal to its event.

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use diamond_admission::{
    CallMark, CallSubject, CutReason, Reservation, ReserveRequest, RunningCall,
};
use diamond_domain::{
    CallOutcome, EventId, EventKind, EventSource, Meter, Money, OpenedCall, OperationId, Payer,
    Quantities, RequestId, Tags, TenantId, TokenId, TraceId, UsageEvent, UserId, UserSource,
};
use diamond_keyring::PinnedKey;
use diamond_providers::{
    AnswerKind, Metering, Provider, Reading, ReadingBasis, RequestFacts, Route, SocketEnd,
};
use diamond_usage::{SinkError, Verdict};
use jiff::Timestamp;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::{
    closing::{Closing, go_on},
    gateway::Inner,
    observe,
    pricing::{Cost, Priceable, short},
    upload::SharedForm,
};

/// What all attempts of a request share.
pub(crate) struct CallContext {
    pub(crate) request_id: RequestId,
    pub(crate) trace_id: TraceId,
    pub(crate) began: Timestamp,
    pub(crate) began_nanos: u64,
    pub(crate) mark: CallMark,
    pub(crate) tenant: TenantId,
    pub(crate) token: TokenId,
    pub(crate) address: IpAddr,
    pub(crate) user: UserId,
    pub(crate) user_source: UserSource,
    pub(crate) tags: Tags,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) metrics: Arc<observe::ServiceMetrics>,
    pub(crate) route: Route,
    pub(crate) facts: RequestFacts,
    pub(crate) usage_injected: bool,
    /// Whether it is a conversation over a WebSocket.
    pub(crate) converses: bool,
    /// A form that is read while it passes: it knows more than `facts` by the end.
    pub(crate) form: Option<SharedForm>,
    /// The model asked for, as it may stand in an event.
    pub(crate) model: String,
}

/// An attempt that has its `opened` record. It ends in exactly one event: by [`Call::close`], or
/// when it is dropped, which happens when the caller leaves.
pub(crate) struct Call(Option<Box<Open>>);

struct Open {
    inner: Arc<Inner>,
    context: Arc<CallContext>,
    event_id: EventId,
    /// By which it is found when its tenant, token or key is revoked.
    running: RunningCall,
    key: PinnedKey,
    reservation: Option<Reservation>,
    first_byte_nanos: Option<u64>,
    status: Option<u16>,
    provider_request_id: Option<String>,
    response_bytes: u64,
    gauge: observe::Open,
    /// The shutdown waits for it.
    working: TaskTrackerToken,
}

/// Why an attempt is not made.
pub(crate) enum NotOpened {
    /// What it would use was revoked since it was admitted.
    Cut(CutReason),
    /// It cannot be written down.
    NotRecorded(SinkError),
}

impl Call {
    /// Writes down that the attempt is about to be forwarded.
    pub(crate) fn open(
        inner: &Arc<Inner>,
        context: &Arc<CallContext>,
        attempt: u32,
        key: PinnedKey,
        reservation: Option<Reservation>,
    ) -> Result<Self, NotOpened> {
        let subject = CallSubject {
            tenant: context.tenant.clone(),
            token: context.token,
            service: context.provider.service().clone(),
            kind: key.kind(),
            version: key.version(),
        };
        let running = inner.admission.calls().enter(context.mark, subject);
        let running = running.map_err(NotOpened::Cut)?;
        let kind = EventKind::Call.as_str();
        let event_id =
            EventId::of_request(context.tenant.as_str(), context.request_id, attempt, kind);
        let record = OpenedCall {
            event_id,
            request_id: context.request_id,
            operation_id: context.operation_id(),
            timestamp: context.began,
            trace_id: context.trace_id,
            tenant_id: context.tenant.clone(),
            user_id: context.user.clone(),
            user_source: context.user_source,
            service: context.provider.service().clone(),
            model: context.model.clone(),
            operation: context.route.operation.to_owned(),
            secret_version: key.version(),
            payer: key.payer(),
            estimate_usd: reservation
                .as_ref()
                .map_or(Money::ZERO, Reservation::amount),
            region: inner.settings.region.clone(),
            tags: context.tags.clone(),
            token_id: Some(context.token),
            address: Some(context.address),
        };
        inner.sink.open(&record).map_err(NotOpened::NotRecorded)?;
        Ok(Self(Some(Box::new(Open {
            inner: Arc::clone(inner),
            context: Arc::clone(context),
            event_id,
            running,
            key,
            reservation,
            first_byte_nanos: None,
            status: None,
            provider_request_id: None,
            response_bytes: 0,
            gauge: context.metrics.open(),
            working: inner.tasks.token(),
        }))))
    }

    /// Why the call must end now, once it must.
    pub(crate) fn is_cut(&self) -> Option<CutReason> {
        self.0.as_ref().and_then(|open| open.running.is_cut())
    }

    /// Resolves when the call must end at once.
    pub(crate) fn poll_cut(&self, context: &mut Context<'_>) -> Poll<CutReason> {
        self.0
            .as_ref()
            .map_or(Poll::Pending, |open| open.running.poll_cut(context))
    }

    /// The same, to be awaited.
    pub(crate) async fn cut(&self) -> CutReason {
        std::future::poll_fn(|context| self.poll_cut(context)).await
    }

    /// Says that the call is on its way and may cost money from here on.
    pub(crate) fn forwarded(&mut self) {
        if let Some(reservation) = self.0.as_mut().and_then(|open| open.reservation.as_mut()) {
            reservation.forwarded();
        }
    }

    /// Notes that the answer has begun.
    pub(crate) fn answered(&mut self, status: u16, headers: &http::HeaderMap) {
        if let Some(open) = &mut self.0 {
            open.status = Some(status);
            open.first_byte_nanos = Some(open.inner.clock.monotonic_nanos());
            let id = open.context.provider.provider_request_id(headers);
            open.provider_request_id = id.map(short);
        }
    }

    pub(crate) fn add_response_bytes(&mut self, bytes: usize) {
        if let Some(open) = &mut self.0 {
            open.response_bytes += bytes as u64;
        }
    }

    /// Withdraws the attempt: nothing of it reached the provider, nothing can have been spent.
    pub(crate) fn abandon(mut self) {
        let Some(open) = self.0.take() else {
            return;
        };
        if let Err(error) = open.inner.sink.abandon(open.event_id) {
            // The next start counts it as if it had been forwarded; better than not at all.
            tracing::error!(%error, event_id = %open.event_id, "an unsent call was not withdrawn");
        }
        if let Some(reservation) = open.reservation {
            reservation.settle(Money::ZERO);
        }
    }

    /// Ends the attempt with what its answer said.
    pub(crate) fn close(mut self, reading: Reading, outcome: CallOutcome) -> Closing {
        match self.0.take() {
            Some(open) => open.close(reading, outcome),
            None => Closing::new(tokio_util::task::TaskTracker::new(), async { Ok(()) }),
        }
    }

    /// Ends the attempt as one that the provider refused, and does not charge for.
    pub(crate) fn close_failed(self) -> Closing {
        self.close(refusal(), CallOutcome::Failed)
    }

    /// What can be said of a call whose answer was not seen.
    pub(crate) fn unseen(context: &CallContext) -> Reading {
        let facts = context.facts_now();
        if context.converses {
            let mut meter = context.provider.socket_meter(&context.route, &facts);
            return meter.reading(&SocketEnd {
                regular: false,
                lasted: Duration::ZERO,
            });
        }
        let kind = if facts.streams {
            AnswerKind::EventStream
        } else {
            AnswerKind::Other
        };
        let mut meter = context.provider.meter(&context.route, &facts, kind, false);
        let mut reading = meter.reading(false);
        reading.partial |= context.route.metering != Metering::Free;
        reading
    }
}

/// What an error of the provider says of a call: it was made, and costs nothing.
fn refusal() -> Reading {
    Reading {
        model: None,
        service_tier: None,
        quantities: Quantities::new().with(Meter::Requests, 1),
        basis: ReadingBasis::Free,
        partial: false,
        failed_inside: false,
        modifiers: Vec::new(),
        provider_usage: None,
        beside: Vec::new(),
        stated_cost: None,
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            let refused = open
                .status
                .is_some_and(|status| status != 101 && !(200..300).contains(&status));
            let outcome = if refused {
                CallOutcome::Failed
            } else {
                CallOutcome::Cancelled
            };
            let reading = if refused {
                refusal()
            } else {
                Self::unseen(&open.context)
            };
            let tasks = open.inner.tasks.clone();
            let closing = open.close(reading, outcome);
            go_on(&tasks, async move {
                if let Err(error) = closing.await {
                    tracing::error!(%error, "a cancelled call's record was not written");
                }
            });
        }
    }
}

impl CallContext {
    /// Attempts of one request are one operation, which bears the request's number.
    fn operation_id(&self) -> OperationId {
        OperationId::from_bits(self.request_id.to_bits())
    }

    /// Where its price is looked for.
    pub(crate) fn priceable(&self) -> Priceable<'_> {
        Priceable {
            tenant: &self.tenant,
            service: self.provider.service(),
            route: &self.route,
            asked_model: &self.model,
            at: self.began,
        }
    }

    /// A request to the budgets to set this much aside for it.
    pub(crate) fn reserve_request(&self, estimate: Option<Money>) -> ReserveRequest<'_> {
        ReserveRequest {
            service: self.provider.service(),
            model: &self.model,
            user: &self.user,
            token: self.token,
            at: self.began,
            estimate,
        }
    }

    /// What is known of the request by now.
    pub(crate) fn facts_now(&self) -> RequestFacts {
        match &self.form {
            None => self.facts.clone(),
            Some(form) => {
                let known = self.facts.clone();
                self.provider
                    .read_multipart(&self.route, known, &form.lock())
            }
        }
    }
}

impl Open {
    fn close(self, reading: Reading, outcome: CallOutcome) -> Closing {
        let Self {
            inner,
            context,
            event_id,
            running,
            key,
            reservation,
            first_byte_nanos,
            status,
            provider_request_id,
            response_bytes,
            gauge,
            working,
        } = self;
        running.over();
        let cost = if outcome == CallOutcome::Failed {
            Cost::nothing("not-billed")
        } else {
            inner.cost_of(&context.priceable(), &reading)
        };
        let now = inner.clock.monotonic_nanos();
        let since = |nanos: u64| Duration::from_nanos(nanos.saturating_sub(context.began_nanos));
        let (duration, first_byte) = (since(now), first_byte_nanos.map(since));
        context.metrics.finished(&observe::Finished {
            operation: context.route.operation,
            outcome,
            duration,
            first_byte,
            request_bytes: context.facts.body_bytes,
            response_bytes,
        });
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let model = reading
            .model
            .as_deref()
            .map_or_else(|| context.model.clone(), short);
        let spent = match key.payer() {
            Payer::Platform => cost.amount,
            // The customer's own account pays: it is not the tenant's budget with us.
            Payer::Tenant => Money::ZERO,
        };
        let event = UsageEvent {
            event_id,
            ledger_sequence: None,
            kind: EventKind::Call,
            corrects: None,
            report_digest: None,
            operation_id: context.operation_id(),
            timestamp: context.began,
            ingested_at: None,
            trace_id: context.trace_id,
            tenant_id: context.tenant.clone(),
            user_id: context.user.clone(),
            user_source: context.user_source,
            service: context.provider.service().clone(),
            model,
            operation: context.route.operation.to_owned(),
            secret_version: Some(key.version()),
            payer: key.payer(),
            quantities: reading.everything(),
            cost_usd: cost.amount,
            cost_basis: cost.basis,
            price_id: cost.price_id,
            duration_ms: Some(milliseconds(duration)),
            first_byte_ms: first_byte.map(milliseconds),
            status,
            outcome,
            partial: reading.partial,
            region: inner.settings.region.clone(),
            source: EventSource::Gateway,
            request_id: context.request_id.to_string(),
            provider_request_id,
            tags: context.tags.clone(),
            provider_usage: reading.provider_usage,
            token_id: Some(context.token),
            address: Some(context.address),
        };
        let tasks = inner.tasks.clone();
        Closing::new(tasks, async move {
            let written = inner.sink.close(event).await;
            match &written {
                Err(error) => inner.raise_unwritable(error),
                Ok(Verdict::Conflict) => inner.raise_conflict(&context),
                Ok(Verdict::Accepted | Verdict::Duplicate | Verdict::TooOld) => {}
            }
            if let Some(reservation) = reservation {
                reservation.settle(spent);
            }
            drop((running, key, gauge, working));
            written.map(|_| ())
        })
    }
}
