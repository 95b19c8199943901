//! Sends a request to the provider, and once more when its key turns out dead: with the key
//! before it while a new one may not be known everywhere yet, else with a new one.

use std::sync::Arc;

use diamond_admission::TenantAccess;
use diamond_domain::{CallOutcome, Money, Tier};
use diamond_keyring::{NoKey, PinnedKey};
use diamond_providers::{Answer, AnswerKind, Fault, KeyVerdict};
use http::{HeaderMap, Method, Request, Response, Uri, Version};

use crate::{
    answer::{self, ErrorAnswer},
    call::{Call, CallContext, NotOpened},
    closing::go_on,
    failure::Failure,
    gateway::Inner,
    inbound::Inbound,
    observe,
    pool::{Flight, Place, Pool, UpstreamBody},
    relay::{GatewayBody, read_to_end},
    socket::{self, Conversation},
    trust,
    upload::{Break, Broken, Upload},
};

/// A request that is ready to be sent, but for its key.
pub(crate) struct Prepared {
    pub(crate) place: Place,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) inbound: Inbound,
    /// The caller's end of the conversation that it asks for.
    pub(crate) conversation: Option<Conversation>,
    pub(crate) access: TenantAccess,
    /// The most that the call can cost; `None` when that cannot be told.
    pub(crate) estimate: Option<Money>,
}

/// Attempts of one request: the first, one with the former key, one with a new key.
const ATTEMPTS: u32 = 3;

/// Carries the request to its answer.
pub(crate) async fn carry(
    inner: &Arc<Inner>,
    pool: &Arc<Pool>,
    context: &Arc<CallContext>,
    mut prepared: Prepared,
) -> Result<Response<GatewayBody>, Failure> {
    let mut attempt = 1;
    let mut former: Option<PinnedKey> = None;
    let mut replaced = false;
    loop {
        let reservation = inner
            .admission
            .reserve(&prepared.access, context.reserve_request(prepared.estimate))?;
        let key = match former.take() {
            Some(former) => former,
            None => pin(inner, context, prepared.access.policy().tier).await?,
        };
        let request = build(context, &mut prepared, &key)?;
        let mut call = Call::open(inner, context, attempt, key.clone(), Some(reservation))
            .map_err(|not_opened| match not_opened {
                NotOpened::Cut(reason) => Failure::cut(reason),
                NotOpened::NotRecorded(error) => {
                    inner.raise_unwritable(&error);
                    answer::not_recorded()
                }
            })?;
        call.forwarded();
        let broken = prepared.inbound.broken();
        let flight = if context.converses {
            pool.open_socket(prepared.place, request)
        } else {
            pool.send(prepared.place, request)
        };
        let sending = Sending::new(inner, context, call, flight, broken);
        let (mut call, response) = sending.answer().await?;
        call.answered(response.status().as_u16(), response.headers());
        if socket::begins(response.status())
            && let Some(conversation) = prepared.conversation.take()
        {
            inner.key_worked(&key);
            return socket::carry(inner, context, call, response, conversation).await;
        }
        if response.status().is_success() {
            inner.key_worked(&key);
            return answer::forward(inner, context, call, response).await;
        }
        let error = tokio::select! {
            biased;
            reason = call.cut() => {
                call.close_failed().await.map_err(|_| answer::not_recorded())?;
                return Err(Failure::cut(reason));
            }
            error = ErrorAnswer::read(inner, response) => error,
        };
        call.add_response_bytes(error.bytes());
        let verdict = context.provider.classify_failure(&Answer {
            status: error.status(),
            headers: error.headers(),
            body: &error.text(),
            now: inner.clock.now(),
        });
        let replayable = context.route.replay_safe && prepared.inbound.is_held();
        if let KeyVerdict::Invalid { .. } = verdict
            && attempt < ATTEMPTS
            && let Some(before) = inner
                .keyring
                .fall_back(&key, inner.settings.key_propagation)
        {
            // The new key is not known everywhere yet: that is no reason to hold against it.
            call.close_failed()
                .await
                .map_err(|_| answer::not_recorded())?;
            observe::fell_back(context.provider.service());
            if replayable {
                former = Some(before);
                attempt += 1;
                continue;
            }
            return Ok(error.forward(inner, context));
        }
        let dead = inner.judge(&key, &verdict);
        call.close_failed()
            .await
            .map_err(|_| answer::not_recorded())?;
        // Once: when the new key is dead too, another will not do better.
        if dead && attempt < ATTEMPTS && !replaced {
            replaced = true;
            let repaired = inner.repair.replace(key.name(), key.version()).await;
            match repaired {
                Ok(()) if replayable => {
                    observe::replayed(context.provider.service());
                    attempt += 1;
                    continue;
                }
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, secret = %key.name(), "a refused key was not replaced");
                }
            }
        }
        return Ok(error.forward(inner, context));
    }
}

/// The key to use. One that is known to be dead is replaced first, so that only the call that found
/// out saw it fail.
async fn pin(inner: &Arc<Inner>, context: &CallContext, tier: Tier) -> Result<PinnedKey, Failure> {
    let service = context.provider.service();
    match inner.keyring.pin(service, &context.tenant) {
        Ok(key) => Ok(key),
        Err(NoKey::Invalid {
            name,
            version,
            tried,
        }) => {
            let repaired = inner.repair.replace(&name, version).await;
            if repaired.is_err() {
                return Err(NoKey::Invalid {
                    name,
                    version,
                    tried,
                }
                .into());
            }
            Ok(inner.keyring.pin(service, &context.tenant)?)
        }
        Err(NoKey::NotConfigured { tried }) => {
            match inner.repair.provide(service, &context.tenant, tier).await {
                Ok(()) => Ok(inner.keyring.pin(service, &context.tenant)?),
                Err(error) => Err(Failure::without_key(
                    &NoKey::NotConfigured { tried },
                    &error,
                )),
            }
        }
        Err(missing) => Err(missing.into()),
    }
}

fn build(
    context: &CallContext,
    prepared: &mut Prepared,
    key: &PinnedKey,
) -> Result<Request<Upload>, Failure> {
    let internal = |message: &str| Failure::own(Fault::Internal, "internal_error", message);
    let upload = prepared
        .inbound
        .upload()
        .ok_or_else(|| internal("The request body is gone."))?;
    let mut headers = if prepared.inbound.is_held() {
        prepared.headers.clone()
    } else {
        std::mem::take(&mut prepared.headers)
    };
    context
        .provider
        .place_key(&mut headers, key.value())
        .map_err(|_| {
            Failure::own(
                Fault::Conflict,
                "unusable_key",
                "The stored key has characters that cannot stand in a header: put it again.",
            )
        })?;
    let mut request = Request::new(upload);
    *request.method_mut() = prepared.method.clone();
    *request.uri_mut() = prepared.uri.clone();
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    Ok(request)
}

/// A request on its way. Dropped (the caller left), a streamed call is cut and a plain one goes on
/// to its end, because it is billed in full.
struct Sending {
    inner: Arc<Inner>,
    context: Arc<CallContext>,
    flight: Option<(Call, Flight)>,
    /// How the caller broke its body off, if it did.
    broken: Broken,
}

impl Sending {
    fn new(
        inner: &Arc<Inner>,
        context: &Arc<CallContext>,
        call: Call,
        flight: Flight,
        broken: Broken,
    ) -> Self {
        Self {
            inner: Arc::clone(inner),
            context: Arc::clone(context),
            flight: Some((call, flight)),
            broken,
        }
    }

    async fn answer(mut self) -> Result<(Call, Response<UpstreamBody>), Failure> {
        let wait = self.inner.settings.answer_timeout;
        let answered = match &mut self.flight {
            Some((call, response)) => tokio::select! {
                biased;
                reason = call.cut() => Err(reason),
                answered = tokio::time::timeout(wait, response) => Ok(answered),
            },
            None => return Err(answer::not_recorded()),
        };
        // Whatever is left of the exchange with the provider ends here.
        let Some((call, _)) = self.flight.take() else {
            return Err(answer::not_recorded());
        };
        let answered = match answered {
            Ok(answered) => answered,
            Err(reason) => {
                end(&self.context, call, CallOutcome::Interrupted).await;
                return Err(Failure::cut(reason));
            }
        };
        match answered {
            Ok(Ok(response)) => Ok((call, response)),
            Ok(Err(error)) if error.is_unsent() => {
                tracing::warn!(%error, "a provider cannot be reached");
                call.abandon();
                if trust::is_untrusted(&error) {
                    return Err(self.inner.untrusted(&self.context));
                }
                Err(Failure::own(
                    Fault::BadGateway,
                    "upstream_unreachable",
                    "The provider cannot be reached. Nothing was sent; try again.",
                ))
            }
            Ok(Err(error)) => {
                if let Some(how) = self.broken.get() {
                    end(&self.context, call, CallOutcome::Cancelled).await;
                    return Err(match how {
                        Break::Silent => Failure::caller_silent(),
                        Break::Off => Failure::caller_broke_off(),
                    });
                }
                tracing::warn!(%error, "a provider broke off before its answer");
                end(&self.context, call, CallOutcome::Interrupted).await;
                Err(Failure::own(
                    Fault::BadGateway,
                    "upstream_broke_off",
                    "The provider closed the connection before it answered.",
                ))
            }
            Err(_) => {
                end(&self.context, call, CallOutcome::Interrupted).await;
                Err(Failure::own(
                    Fault::GatewayTimeout,
                    "upstream_timeout",
                    "The provider did not answer in time.",
                ))
            }
        }
    }
}

/// Writes down a call whose answer never began.
async fn end(context: &CallContext, call: Call, outcome: CallOutcome) {
    let reading = Call::unseen(context);
    // A failure to write it down was raised as an alarm; this caller gets an error anyway.
    let _ = call.close(reading, outcome).await;
}

impl Drop for Sending {
    fn drop(&mut self) {
        let Some((mut call, response)) = self.flight.take() else {
            return;
        };
        if self.context.facts_now().streams {
            drop(response);
            // Dropping the call writes it down as cancelled.
            return;
        }
        let (inner, context) = (Arc::clone(&self.inner), Arc::clone(&self.context));
        let tasks = inner.tasks.clone();
        go_on(&tasks, async move {
            let wait = inner.settings.answer_timeout;
            let answered = tokio::select! {
                biased;
                // Dropping the call writes it down with what is known.
                _ = call.cut() => return,
                answered = tokio::time::timeout(wait, response) => answered,
            };
            match answered {
                Ok(Ok(response)) if response.status().is_success() => {
                    call.answered(response.status().as_u16(), response.headers());
                    let (tap, kind) = answer::tap_for(&inner, &context, response.headers());
                    let body = Some(response.into_body());
                    let body = body.filter(|_| kind != AnswerKind::EventStream);
                    read_to_end(inner, context, call, tap, body).await;
                }
                Ok(Ok(response)) => {
                    call.answered(response.status().as_u16(), response.headers());
                    let _ = call.close_failed().await;
                }
                Ok(Err(error)) if error.is_unsent() => call.abandon(),
                // Dropping the call writes it down with what is known.
                Ok(Err(_)) | Err(_) => {}
            }
        });
    }
}
