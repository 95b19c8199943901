//! Events and calls to try an adapter with.

use std::net::IpAddr;

use diamond_domain::{
    CallOutcome, CostBasis, EventId, EventKind, EventSource, Meter, Money, OpenedCall, OperationId,
    Payer, Quantities, RequestId, SecretVersion, Tags, TenantId, TokenId, TraceId, UsageEvent,
    UserId, UserSource,
};
use jiff::Timestamp;

/// When the suites take place: an adapter's clock must stand here.
#[must_use]
pub fn now() -> Timestamp {
    // 2026-11-22T13:46:40Z
    Timestamp::from_second(1_795_355_200).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A tenant of this name.
#[must_use]
#[expect(clippy::expect_used, reason = "a sample's name is written right")]
pub fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant's name")
}

/// A user of this name.
#[must_use]
#[expect(clippy::expect_used, reason = "a sample's name is written right")]
pub fn user(name: &str) -> UserId {
    name.parse().expect("a user's name")
}

/// The `number`th call of a user, just now, at a cost of 1,000 nano-dollars.
#[must_use]
#[expect(clippy::expect_used, reason = "a sample's service is written right")]
pub fn opened(tenant_name: &str, user_name: &str, number: u64) -> OpenedCall {
    let request = RequestId::from_bits(u128::from(number) << 64 | 7);
    OpenedCall {
        event_id: EventId::of_request(tenant_name, request, 1, "call"),
        request_id: request,
        operation_id: OperationId::from_bits(request.to_bits()),
        timestamp: now(),
        trace_id: trace(),
        tenant_id: tenant(tenant_name),
        user_id: user(user_name),
        user_source: UserSource::Header,
        service: "openai".parse().expect("a service"),
        model: "gpt-4o-mini".to_owned(),
        operation: "chat.completions".to_owned(),
        secret_version: SecretVersion::FIRST,
        payer: Payer::Platform,
        estimate_usd: Money::from_nanos(1_000),
        region: None,
        tags: Tags::new(),
        token_id: Some(TokenId::from_bits(9)),
        address: Some(IpAddr::from([192, 0, 2, 9])),
    }
}

/// The event that closes a call.
#[must_use]
pub fn closing(call: OpenedCall) -> UsageEvent {
    let mut event = call.into_lost_event();
    event.quantities = Quantities::new()
        .with(Meter::InputTokens, 10)
        .with(Meter::OutputTokens, 5)
        .with(Meter::Requests, 1);
    event.cost_basis = CostBasis::PricedUsage;
    event.price_id = Some("openai/gpt-4o-mini@2026-10-01".to_owned());
    event.duration_ms = Some(120);
    event.status = Some(200);
    event.outcome = CallOutcome::Succeeded;
    event.partial = false;
    event.provider_usage = Some(r#"{"prompt_tokens":10,"completion_tokens":5}"#.to_owned());
    event
}

/// The same as [`opened`], reported by the caller.
#[must_use]
pub fn reported(tenant_name: &str, user_name: &str, number: u64) -> UsageEvent {
    let mut event = closing(opened(tenant_name, user_name, number));
    event.event_id = EventId::of_report(tenant_name, "sample", &number.to_string());
    event.request_id = number.to_string();
    event.kind = EventKind::Call;
    event.source = EventSource::Api;
    event.secret_version = None;
    event
}

fn trace() -> TraceId {
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    TraceId::from_traceparent(header).unwrap_or_else(TraceId::generate)
}
