//! After the runs: everything that was sent was counted, by everybody, and priced to the
//! nano-dollar. A fast gateway that loses a call is not a fast gateway.

use anyhow::{Context, bail, ensure};
use http::Request;
use serde_json::Value;

use crate::{
    parts::{
        DIRECT_KEY, FLOOR_KEY, SUBJECT_KEY,
        upstream::{COUNTS_PATH, MODEL, Tokens},
    },
    process::Process,
    server::{Server, TENANT, exchange},
};

/// OpenAI's price of gpt-4o-mini (seen on 22 November 2026): $0.15 and $0.60 for a million tokens.
/// Written here by hand, not read from the server's catalog, so that the two can disagree.
const NANO_DOLLARS_PER_INPUT_TOKEN: u64 = 150;
const NANO_DOLLARS_PER_OUTPUT_TOKEN: u64 = 600;
/// The server's default allocations on direct cost, together: 10 % and 5 %.
const ALLOCATIONS_PERCENT: u64 = 15;
/// Longer than any benchmark, and independent of midnight.
const ALWAYS: &str = "from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
/// How many events are looked at one by one.
const EVENTS_SHOWN: u64 = 100;
const NANO_DIGITS: usize = 9;

/// How many entries the audit chain has; an error when it is not whole.
pub async fn audit_entries(server: &Server) -> anyhow::Result<u64> {
    let verdict = server.ask("/api/audit/verify").await?;
    ensure!(
        verdict["ok"] == true,
        "the audit chain is not whole: {verdict}"
    );
    count(&verdict, "entries")
}

/// Every key that was handed out is one entry of a whole audit chain.
pub async fn key(server: &Server, before: u64, handed_out: u64) -> anyhow::Result<Vec<String>> {
    let entries = audit_entries(server).await?.saturating_sub(before);
    ensure!(
        entries == handed_out,
        "{handed_out} keys were handed out, but the audit chain grew by {entries} entries"
    );
    Ok(vec![format!(
        "{handed_out} keys handed out = {entries} entries of a whole audit chain"
    )])
}

/// The provider received each call that was answered, once.
pub async fn provider(
    upstream: &Process,
    subject: u64,
    floors: u64,
    direct: u64,
) -> anyhow::Result<String> {
    let counts = exchange(upstream.address(), COUNTS_PATH, Request::default()).await?;
    for (key, answered) in [
        (DIRECT_KEY, direct),
        (FLOOR_KEY, floors),
        (SUBJECT_KEY, subject),
    ] {
        let received = count(&counts, key)?;
        ensure!(
            received == answered,
            "{answered} calls were answered, but the provider received {received} under {key}"
        );
    }
    Ok(format!(
        "{subject} calls answered = {subject} received by the provider"
    ))
}

/// Each fact that was answered is one event at the right price, and their sum is the True
/// Production Cost that is answered.
pub async fn ledger(server: &Server, facts: u64, tokens: Tokens) -> anyhow::Result<Vec<String>> {
    let each = u128::from(
        tokens.input * NANO_DOLLARS_PER_INPUT_TOKEN + tokens.output * NANO_DOLLARS_PER_OUTPUT_TOKEN,
    );
    let direct = each * u128::from(facts);
    // Exact: the cost of one call is a multiple of 100 nano-dollars.
    let whole = direct + direct * u128::from(ALLOCATIONS_PERCENT) / 100;
    let tpc = server
        .ask(&format!("/api/analytics/tpc/{TENANT}?{ALWAYS}"))
        .await?;
    let calls = count(&tpc, "calls")?;
    ensure!(
        calls == facts,
        "{facts} calls or reports were answered, but the ledger counts {calls}"
    );
    for name in ["unpricedEvents", "partialEvents"] {
        let wrong = count(&tpc, name)?;
        ensure!(wrong == 0, "{wrong} of {calls} events are in `{name}`");
    }
    for (name, expected) in [("directCostUsd", direct), ("tpcUsd", whole)] {
        let answer = money(&tpc, name)?;
        ensure!(
            answer == expected,
            "{calls} calls at {each} nano-dollars make {expected} as `{name}`, not {answer}"
        );
    }
    let path = format!("/api/usage/events?tenantId={TENANT}&limit={EVENTS_SHOWN}");
    let page = server.ask(&path).await?;
    let events = page["items"]
        .as_array()
        .context("a page of events has no `items`")?;
    ensure!(
        events.len() as u64 == facts.min(EVENTS_SHOWN),
        "{} events on a page",
        events.len()
    );
    for event in events {
        let right = money(event, "costUsd")? == each
            && event["model"] == MODEL
            && event["status"] == 200
            && event["partial"] == false;
        ensure!(right, "not the event of such a call: {event}");
    }
    Ok(vec![
        format!("{facts} facts answered = {calls} events in the ledger"),
        format!(
            "direct cost ${} and True Production Cost ${}: {calls} × {each} nano-dollars, exact",
            decimal(direct),
            decimal(whole)
        ),
    ])
}

fn count(answer: &Value, name: &str) -> anyhow::Result<u64> {
    answer[name]
        .as_u64()
        .with_context(|| format!("`{name}` is not a count in {answer}"))
}

fn money(answer: &Value, name: &str) -> anyhow::Result<u128> {
    let text = answer[name]
        .as_str()
        .with_context(|| format!("`{name}` is not money in {answer}"))?;
    nano_dollars(text)
}

/// Reads a decimal number of dollars, as it stands, without a float.
fn nano_dollars(text: &str) -> anyhow::Result<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > NANO_DIGITS || !digits(whole) || !digits(part) {
        bail!("`{text}` is no amount of nano-dollars");
    }
    Ok(format!("{whole}{part:0<NANO_DIGITS$}").parse()?)
}

fn decimal(nano_dollars: u128) -> String {
    format!(
        "{}.{:09}",
        nano_dollars / 1_000_000_000,
        nano_dollars % 1_000_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_to_the_nano_dollar() {
        assert_eq!(nano_dollars("0.0000612").unwrap(), 61_200);
        assert_eq!(nano_dollars("12").unwrap(), 12_000_000_000);
        assert_eq!(nano_dollars("1.000000001").unwrap(), 1_000_000_001);
        for bad in ["", ".5", "-1", "1e3", "1.0000000001", "1.2.3", "１"] {
            assert!(nano_dollars(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dollars_are_written_as_they_are_read() {
        for amount in [0, 1, 61_200, 1_000_000_001, 98_765_432_109_876] {
            assert_eq!(nano_dollars(&decimal(amount)).unwrap(), amount);
        }
    }

    #[test]
    fn a_missing_count_is_not_zero() {
        assert!(count(&serde_json::json!({}), "calls").is_err());
        assert!(count(&serde_json::json!({ "calls": "3" }), "calls").is_err());
        assert_eq!(
            count(&serde_json::json!({ "calls": 3 }), "calls").unwrap(),
            3
        );
    }
}
