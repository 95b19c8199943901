//! What every [`AuditSink`] promises.

use std::sync::Arc;

use diamond_domain::{RequestId, SecretVersion, TokenId};
use futures_util::future::join_all;

use super::samples::{now, tenant, user};
use crate::{
    AuditAction, AuditDraft, AuditEntry, AuditHead, AuditOutcome, AuditQuery, AuditSink,
    AuditVerdict,
};

/// Runs the suite. `make` gives a fresh, empty sink.
pub async fn audit_sink<S: AuditSink + ?Sized>(make: impl AsyncFn() -> Arc<S>) {
    entries_are_numbered_and_come_back(&*make().await).await;
    concurrent_entries_have_successive_places(&*make().await).await;
    the_anchor_finds_a_cut_and_a_rewriting(&*make().await).await;
    conditions_are_joined(&*make().await).await;
}

/// The `number`th handing out of a key.
fn draft(number: u64) -> AuditDraft {
    AuditDraft {
        at: now(),
        action: AuditAction::KeyReveal,
        outcome: AuditOutcome::Granted,
        request_id: RequestId::from_bits(number.into()),
        token_id: Some(TokenId::from_bits(u128::from(number % 2))),
        address: Some([127, 0, 0, 1].into()),
        tenant_id: Some(tenant(if number.is_multiple_of(3) {
            "zaxon"
        } else {
            "coaching"
        })),
        user_id: Some(user("anna")),
        service: "openai".parse().ok(),
        version: Some(SecretVersion::FIRST),
        purpose: Some("a test".to_owned()),
        detail: None,
        count: None,
    }
}

#[expect(clippy::expect_used, reason = "a sample must be taken")]
async fn record<S: AuditSink + ?Sized>(sink: &S, draft: AuditDraft) -> AuditEntry {
    sink.record(draft).await.expect("the sink takes entries")
}

#[expect(clippy::expect_used, reason = "what was written can be read")]
async fn verify<S: AuditSink + ?Sized>(sink: &S, anchor: Option<&AuditHead>) -> AuditVerdict {
    sink.verify(anchor).await.expect("the chain can be read")
}

#[expect(clippy::expect_used, reason = "what was written can be read")]
async fn entries<S: AuditSink + ?Sized>(sink: &S, query: AuditQuery) -> Vec<AuditEntry> {
    sink.entries(&query).await.expect("the entries can be read")
}

async fn entries_are_numbered_and_come_back<S: AuditSink + ?Sized>(sink: &S) {
    assert_eq!(sink.head().sequence, 0);
    assert_eq!(verify(sink, None).await, AuditVerdict::Whole { entries: 0 });
    let mut written = Vec::new();
    for number in 0..5 {
        let entry = record(sink, draft(number)).await;
        assert_eq!(entry.sequence, number + 1);
        assert_eq!(entry.draft, draft(number));
        assert_eq!(
            sink.head().sequence,
            number + 1,
            "the head has what is durable"
        );
        written.push(entry);
    }
    let all = AuditQuery {
        limit: 100,
        ..AuditQuery::default()
    };
    assert_eq!(entries(sink, all).await, written);
    assert_eq!(verify(sink, None).await, AuditVerdict::Whole { entries: 5 });
}

async fn concurrent_entries_have_successive_places<S: AuditSink + ?Sized>(sink: &S) {
    let written = join_all((0..50).map(|number| record(sink, draft(number)))).await;
    let mut places: Vec<u64> = written.iter().map(|entry| entry.sequence).collect();
    places.sort_unstable();
    assert_eq!(places, (1..=50).collect::<Vec<_>>());
    let head = sink.head();
    assert_eq!(head.sequence, 50);
    let whole = AuditVerdict::Whole { entries: 50 };
    assert_eq!(verify(sink, Some(&head)).await, whole);
}

async fn the_anchor_finds_a_cut_and_a_rewriting<S: AuditSink + ?Sized>(sink: &S) {
    record(sink, draft(1)).await;
    let early = sink.head();
    record(sink, draft(2)).await;
    let late = sink.head();
    assert_ne!(early.hash, late.hash);
    let whole = AuditVerdict::Whole { entries: 2 };
    for anchor in [&early, &late] {
        assert_eq!(verify(sink, Some(anchor)).await, whole);
    }
    let beyond = AuditHead {
        sequence: 3,
        hash: late.hash,
    };
    let cut = AuditVerdict::Truncated {
        ends_at: 2,
        anchored_at: 3,
    };
    assert_eq!(verify(sink, Some(&beyond)).await, cut);
    let other = AuditHead {
        sequence: 1,
        hash: late.hash,
    };
    let rewritten = AuditVerdict::Rewritten { anchored_at: 1 };
    assert_eq!(verify(sink, Some(&other)).await, rewritten);
}

async fn conditions_are_joined<S: AuditSink + ?Sized>(sink: &S) {
    for number in 0..12 {
        record(sink, draft(number)).await;
    }
    let sequences = async |query: AuditQuery| -> Vec<u64> {
        let found = entries(sink, query).await;
        found.iter().map(|entry| entry.sequence).collect()
    };
    let query = AuditQuery {
        tenant: Some(tenant("zaxon")),
        token: Some(TokenId::from_bits(0)),
        limit: 100,
        ..AuditQuery::default()
    };
    assert_eq!(sequences(query.clone()).await, [1, 7]);
    let behind = AuditQuery {
        after: 1,
        ..query.clone()
    };
    assert_eq!(sequences(behind).await, [7]);
    let first = AuditQuery {
        limit: 1,
        ..query.clone()
    };
    assert_eq!(sequences(first).await, [1]);
    let elsewhere = AuditQuery {
        address: Some([10, 0, 0, 1].into()),
        ..query.clone()
    };
    assert!(sequences(elsewhere).await.is_empty());
    let service = "openai".parse().ok();
    let version = service.map(|service| (service, SecretVersion::FIRST));
    assert_eq!(sequences(AuditQuery { version, ..query }).await, [1, 7]);
}
