//! Anthropic's usage objects in our meters.
//!
//! `input_tokens` leaves out what was read from and written to a cache: the whole input is the sum
//! of the three. A stream states usage at its beginning and again, cumulatively, at its end; what
//! the end does not say stays as the beginning said it.

use diamond_domain::{Meter, Quantities};
use serde::Deserialize;

use crate::Beside;

/// A usage object, as far as it is billed by.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    cache_read_input_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    iterations: Option<Vec<Iteration>>,
    pub(super) service_tier: Option<String>,
    pub(super) inference_geo: Option<String>,
    pub(super) speed: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct ServerTools {
    web_search_requests: Option<u64>,
}

/// One round within the call. A compaction is in no total above it; an advisor is another model
/// with prices of its own, and in no total either.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Iteration {
    #[serde(rename = "type")]
    kind: String,
    model: Option<String>,
    #[serde(flatten)]
    tokens: IterationTokens,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct IterationTokens {
    input_tokens: u64,
    output_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_creation: Option<CacheCreation>,
    cache_read_input_tokens: u64,
}

impl Usage {
    /// Reads one; `None` when it states no tokens.
    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        let usage: Self = serde_json::from_slice(raw).ok()?;
        (usage.input_tokens.is_some() || usage.output_tokens.is_some()).then_some(usage)
    }

    /// What a later object of the same call says takes the place of what this one said.
    pub(super) fn overlay(&mut self, later: Self) {
        macro_rules! take {
            ($($field:ident),*) => { $(if later.$field.is_some() { self.$field = later.$field; })* };
        }
        take!(
            input_tokens,
            output_tokens,
            cache_creation_input_tokens,
            cache_creation,
            cache_read_input_tokens,
            output_tokens_details,
            server_tool_use,
            iterations,
            service_tier,
            inference_geo,
            speed
        );
    }

    /// What the answering model used. An output that is known to be longer than was stated (the
    /// end of a stream is missing) counts with that length.
    pub(super) fn quantities(&self, least_output: u64) -> Quantities {
        let stated = IterationTokens {
            input_tokens: self.input_tokens.unwrap_or(0),
            output_tokens: self.output_tokens.unwrap_or(0).max(least_output),
            cache_creation_input_tokens: self.cache_creation_input_tokens.unwrap_or(0),
            cache_creation: self.cache_creation,
            cache_read_input_tokens: self.cache_read_input_tokens.unwrap_or(0),
        };
        let mut sum = stated.quantities().with(Meter::Requests, 1);
        for compaction in self.iterations_of("compaction") {
            for (meter, amount) in compaction.tokens.quantities().iter() {
                sum.add(meter, amount);
            }
        }
        let details = self.output_tokens_details.unwrap_or_default();
        sum.set(Meter::ReasoningTokens, details.thinking_tokens.unwrap_or(0));
        let tools = self.server_tool_use.unwrap_or_default();
        sum.set(Meter::WebSearches, tools.web_search_requests.unwrap_or(0));
        sum
    }

    /// What advisors used, each at its own model's price.
    pub(super) fn beside(&self) -> Vec<Beside> {
        self.iterations_of("advisor_message")
            .map(|advisor| Beside {
                model: advisor.model.clone().unwrap_or_default(),
                quantities: advisor.tokens.quantities(),
            })
            .collect()
    }

    fn iterations_of(&self, kind: &'static str) -> impl Iterator<Item = &Iteration> {
        let all = self.iterations.as_deref().unwrap_or_default();
        all.iter().filter(move |iteration| iteration.kind == kind)
    }
}

impl IterationTokens {
    fn quantities(self) -> Quantities {
        let ages = self.cache_creation.unwrap_or_default();
        let short = ages.ephemeral_5m_input_tokens.unwrap_or(0);
        let long = ages.ephemeral_1h_input_tokens.unwrap_or(0);
        // The total counts when the ages do not add up to it: the end of a stream states it alone.
        let written = self
            .cache_creation_input_tokens
            .max(short.saturating_add(long));
        let rest = written - short.saturating_add(long).min(written);
        let (short, long) = if short == 0 && long > 0 {
            (0, long.saturating_add(rest))
        } else {
            (short.saturating_add(rest), long)
        };
        let read = self.cache_read_input_tokens;
        let input = self
            .input_tokens
            .saturating_add(written)
            .saturating_add(read);
        Quantities::new()
            .with(Meter::InputTokens, input)
            .with(Meter::CachedInputTokens, read)
            .with(Meter::CacheWriteTokens, short)
            .with(Meter::CacheWriteLongTokens, long)
            .with(Meter::OutputTokens, self.output_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(raw: &str) -> Vec<(Meter, u64)> {
        let usage = Usage::read(raw.as_bytes()).unwrap();
        usage.quantities(0).iter().collect()
    }

    #[test]
    fn the_whole_input_is_the_sum_of_three() {
        assert_eq!(
            counted(
                r#"{"input_tokens":10,"cache_creation_input_tokens":700,"cache_read_input_tokens":3000,
                "cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":500},
                "output_tokens":40,"output_tokens_details":{"thinking_tokens":30},
                "server_tool_use":{"web_search_requests":2,"web_fetch_requests":1}}"#
            ),
            [
                (Meter::InputTokens, 3710),
                (Meter::CachedInputTokens, 3000),
                (Meter::CacheWriteTokens, 200),
                (Meter::CacheWriteLongTokens, 500),
                (Meter::OutputTokens, 40),
                (Meter::ReasoningTokens, 30),
                (Meter::WebSearches, 2),
                (Meter::Requests, 1),
            ]
        );
    }

    #[test]
    fn a_total_without_ages_is_of_the_short_cache_unless_only_the_long_one_was_written() {
        let short = counted(
            r#"{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":9,"cache_creation":null}"#,
        );
        assert!(short.contains(&(Meter::CacheWriteTokens, 9)));
        let long = counted(
            r#"{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":9,
            "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":4}}"#,
        );
        assert!(long.contains(&(Meter::CacheWriteLongTokens, 9)));
    }

    #[test]
    fn a_compaction_is_added_and_an_advisor_stands_beside() {
        let usage = Usage::read(
            br#"{"input_tokens":10,"output_tokens":5,"iterations":[
            {"type":"message","input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0},
            {"type":"compaction","input_tokens":100,"output_tokens":20,"cache_creation_input_tokens":0,"cache_read_input_tokens":50},
            {"type":"advisor_message","model":"claude-opus-5-5","input_tokens":7,"output_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}]}"#,
        )
        .unwrap();
        let own = usage.quantities(0);
        assert_eq!(own.get(Meter::InputTokens), 160);
        assert_eq!(own.get(Meter::CachedInputTokens), 50);
        assert_eq!(own.get(Meter::OutputTokens), 25);
        let beside = usage.beside();
        assert_eq!(beside.len(), 1);
        assert_eq!(beside[0].model, "claude-opus-5-5");
        assert_eq!(beside[0].quantities.get(Meter::InputTokens), 7);
    }

    #[test]
    fn what_is_no_usage_is_none() {
        for raw in [
            "null",
            "{}",
            "[]",
            r#"{"input_tokens":-1}"#,
            r#"{"speed":"fast"}"#,
        ] {
            assert!(Usage::read(raw.as_bytes()).is_none(), "{raw}");
        }
    }
}
