//! What becomes of a provider's answer.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use diamond_providers::{AnswerKind, Reading};
use http::{
    HeaderMap, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body;
use http_body_util::BodyExt;

use crate::{
    call::{Call, CallContext},
    decode::{Encoding, decode_short},
    failure::Failure,
    gateway::Inner,
    headers,
    pool::UpstreamBody,
    relay::{GatewayBody, Relay},
    tap::Tap,
};

/// Errors longer than this are forwarded without being understood.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// The tap for the answer to a call.
pub(crate) fn tap_for(
    inner: &Inner,
    context: &CallContext,
    headers: &HeaderMap,
) -> (Tap, AnswerKind) {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = AnswerKind::of(content_type.unwrap_or(""));
    let facts = context.facts_now();
    let hides = context.usage_injected;
    let mut meter = context.provider.meter(&context.route, &facts, kind, hides);
    meter.headers(headers);
    let encoding = Encoding::of(headers);
    (
        Tap::new(
            meter,
            kind,
            encoding,
            hides,
            inner.settings.decoded_bytes_max,
        ),
        kind,
    )
}

/// Hands a good answer on, metering it as it passes.
pub(crate) async fn forward(
    inner: &Arc<Inner>,
    context: &Arc<CallContext>,
    call: Call,
    response: Response<UpstreamBody>,
) -> Result<Response<GatewayBody>, Failure> {
    let (mut parts, body) = response.into_parts();
    let (mut tap, kind) = tap_for(inner, context, &parts.headers);
    headers::clean_response(&mut parts.headers);
    // Nobody asks an empty body for its end, so it cannot wait for the record.
    if body.is_end_stream() {
        let reading: Reading = tap.reading(true).unwrap_or_else(|| Call::unseen(context));
        let outcome = diamond_domain::CallOutcome::Succeeded;
        call.close(reading, outcome)
            .await
            .map_err(|_| not_recorded())?;
        return Ok(Response::from_parts(parts, GatewayBody::full(Bytes::new())));
    }
    if tap.hides() {
        parts.headers.remove(CONTENT_LENGTH);
    }
    let mut relay = Relay::metered(
        Arc::clone(inner),
        Arc::clone(context),
        body,
        call,
        tap,
        kind,
    );
    relay.begin().await;
    Ok(Response::from_parts(parts, GatewayBody::relay(relay)))
}

/// An answer that is an error, as far as it was read.
pub(crate) struct ErrorAnswer {
    parts: http::response::Parts,
    head: Bytes,
    /// What did not fit.
    rest: Option<UpstreamBody>,
}

impl ErrorAnswer {
    /// Reads the beginning, which says what happened.
    pub(crate) async fn read(inner: &Inner, response: Response<UpstreamBody>) -> Self {
        let (parts, mut body) = response.into_parts();
        let mut head = BytesMut::new();
        let mut ended = body.is_end_stream();
        while !ended && head.len() < ERROR_BYTES_MAX {
            let frame = tokio::time::timeout(inner.settings.silence_timeout, body.frame());
            match frame.await {
                Ok(Some(Ok(frame))) => {
                    if let Some(bytes) = frame.data_ref() {
                        head.extend_from_slice(bytes);
                    }
                    ended = body.is_end_stream();
                }
                // What broke off is over; the caller gets as much as came.
                Ok(None | Some(Err(_))) | Err(_) => ended = true,
            }
        }
        Self {
            parts,
            head: head.freeze(),
            rest: (!ended).then_some(body),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.parts.status.as_u16()
    }

    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The text of the error, decoded.
    pub(crate) fn text(&self) -> Vec<u8> {
        decode_short(
            Encoding::of(&self.parts.headers),
            &self.head,
            ERROR_BYTES_MAX,
        )
    }

    pub(crate) fn bytes(&self) -> usize {
        self.head.len()
    }

    /// Hands the error on as it came; its call is written down.
    pub(crate) fn forward(
        self,
        inner: &Arc<Inner>,
        context: &Arc<CallContext>,
    ) -> Response<GatewayBody> {
        let Self {
            mut parts,
            head,
            rest,
        } = self;
        headers::clean_response(&mut parts.headers);
        let body = match rest {
            None => GatewayBody::full(head),
            Some(rest) => GatewayBody::relay(Relay::recorded(
                Arc::clone(inner),
                Arc::clone(context),
                head,
                rest,
            )),
        };
        Response::from_parts(parts, body)
    }
}

pub(crate) fn not_recorded() -> Failure {
    Failure::own(
        diamond_providers::Fault::Unavailable,
        "journal_unwritable",
        "Usage cannot be recorded at the moment, so no call is carried. Try again later.",
    )
}
