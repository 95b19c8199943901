//! What makes a report a report.

use jiff::{SignedDuration, Timestamp};

use super::UsageReport;
use crate::AppError;

/// How far in the future a report's time may be: clocks differ.
const FUTURE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// The most bytes of an id, a source, a model, an operation, a provider's request id.
const WORD_BYTES_MAX: usize = 256;

/// Why a report is not taken.
pub(super) enum Trouble {
    /// The token itself is refused: nothing of the batch is.
    Refused(AppError),
    /// This one is wrong; the others may be right.
    Invalid(String),
}

pub(super) fn invalid(message: impl Into<String>) -> Trouble {
    Trouble::Invalid(message.into())
}

/// Whether the report says something, about the past, that its reporter may say.
pub(super) fn check(report: &UsageReport, now: Timestamp, importer: bool) -> Result<(), Trouble> {
    check_words(report)?;
    if report.timestamp.is_some_and(|at| at > now + FUTURE_MAX) {
        return Err(invalid(
            "`timestamp` is more than five minutes in the future",
        ));
    }
    if report.quantities.is_empty() && report.cost_usd.is_none() {
        return Err(invalid("`quantities` is empty: there is nothing to price"));
    }
    if let Some(whole) = report.quantities.inconsistent() {
        return Err(invalid(format!(
            "the parts of `{whole}` add up to more than it"
        )));
    }
    if report.cost_usd.is_some() && !importer {
        return Err(invalid(
            "only a token with the scope `usage:import` may give `costUsd`",
        ));
    }
    Ok(())
}

fn check_words(report: &UsageReport) -> Result<(), Trouble> {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let words = [
        ("id", report.id.clone(), 1),
        ("source", optional(&report.source), 0),
        ("model", report.model.clone(), 0),
        ("operation", optional(&report.operation), 0),
        ("serviceTier", optional(&report.service_tier), 0),
        (
            "providerRequestId",
            optional(&report.provider_request_id),
            0,
        ),
    ];
    for (field, text, least) in words {
        if !(least..=WORD_BYTES_MAX).contains(&text.len()) || text.chars().any(char::is_control) {
            return Err(invalid(format!(
                "`{field}` has {least} to {WORD_BYTES_MAX} bytes without control characters"
            )));
        }
    }
    diamond_domain::check_tags(&report.tags).map_err(|error| invalid(error.to_string()))
}

/// A hash of all that the caller said, by which a repeat is told from a conflict.
pub(super) fn digest(report: &UsageReport) -> String {
    let said = serde_json::json!({
        "user": report.user_id,
        "service": report.service,
        "model": report.model,
        "operation": report.operation,
        "tier": report.service_tier,
        "timestamp": report.timestamp,
        "quantities": report.quantities,
        "cost": report.cost_usd,
        "duration": report.duration_ms,
        "status": report.status,
        "provider": report.provider_request_id,
        "trace": report.trace_id,
        "tags": report.tags,
    });
    blake3::hash(said.to_string().as_bytes())
        .to_hex()
        .to_string()
}
