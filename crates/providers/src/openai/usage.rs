//! OpenAI's usage objects in our meters.
//!
//! Cached and cache-write tokens, sound and pictures are counted inside the input; reasoning and
//! sound inside the output: sub-sets, not additions. Chat says `prompt`/`completion`, everything
//! newer `input`/`output`; transcription may state seconds instead.

use diamond_domain::{Meter, Quantities};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decimal_seconds_to_milliseconds;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Usage<'a> {
    #[serde(alias = "prompt_tokens")]
    input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens")]
    output_tokens: Option<u64>,
    #[serde(alias = "prompt_tokens_details", alias = "input_token_details")]
    input_tokens_details: Option<InputDetails>,
    #[serde(alias = "completion_tokens_details", alias = "output_token_details")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(borrow)]
    seconds: Option<&'a RawValue>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cached_tokens_details: Option<ByKind>,
    cache_write_tokens: Option<u64>,
    cache_write_tokens_details: Option<ByAge>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct ByKind {
    text_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct ByAge {
    ttl_30m_tokens: Option<u64>,
    ttl_12h_tokens: Option<u64>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

/// What the output of an operation is made of when its usage does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Text,
    Sound,
    Pictures,
}

/// The quantities of a usage object; `None` when it is not one.
pub(super) fn quantities(raw: &[u8], output: Output) -> Option<Quantities> {
    let usage: Usage<'_> = serde_json::from_slice(raw).ok()?;
    let seconds = usage
        .seconds
        .map(RawValue::get)
        .filter(|text| *text != "null");
    if usage.input_tokens.is_none() && usage.output_tokens.is_none() && seconds.is_none() {
        return None;
    }
    let mut quantities = Quantities::new().with(Meter::Requests, 1);
    if let Some(seconds) = seconds {
        let milliseconds = decimal_seconds_to_milliseconds(seconds)?;
        quantities.set(Meter::AudioMilliseconds, milliseconds);
    }
    let input = usage.input_tokens.unwrap_or(0);
    quantities.set(Meter::InputTokens, input);
    let details = usage.input_tokens_details.unwrap_or_default();
    add_input_parts(&mut quantities, input, details);
    let total = usage.output_tokens.unwrap_or(0);
    quantities.set(Meter::OutputTokens, total);
    let details = usage.output_tokens_details.unwrap_or_default();
    quantities.set(
        Meter::ReasoningTokens,
        details.reasoning_tokens.unwrap_or(0),
    );
    quantities.set(Meter::OutputAudioTokens, details.audio_tokens.unwrap_or(0));
    quantities.set(Meter::OutputImageTokens, details.image_tokens.unwrap_or(0));
    match output {
        Output::Sound if details.audio_tokens.is_none() => {
            quantities.set(Meter::OutputAudioTokens, total);
        }
        Output::Pictures if details.image_tokens.is_none() => {
            quantities.set(Meter::OutputImageTokens, total);
        }
        _ => {}
    }
    Some(quantities)
}

fn add_input_parts(quantities: &mut Quantities, input: u64, details: InputDetails) {
    let audio = details.audio_tokens.unwrap_or(0);
    let image = details.image_tokens.unwrap_or(0);
    quantities.set(Meter::InputAudioTokens, audio);
    quantities.set(Meter::InputImageTokens, image);

    let long = details
        .cache_write_tokens_details
        .and_then(|ages| ages.ttl_12h_tokens)
        .unwrap_or(0);
    let short = details
        .cache_write_tokens_details
        .and_then(|ages| ages.ttl_30m_tokens)
        .unwrap_or(0);
    // The total counts when the ages do not add up to it.
    let written = details
        .cache_write_tokens
        .unwrap_or(0)
        .max(short.saturating_add(long));
    quantities.set(Meter::CacheWriteLongTokens, long);
    quantities.set(Meter::CacheWriteTokens, written - long);

    let cached = details.cached_tokens.unwrap_or(0);
    match details.cached_tokens_details {
        Some(kinds) if kinds.audio_tokens.is_some() || kinds.image_tokens.is_some() => {
            let of_audio = kinds.audio_tokens.unwrap_or(0);
            let of_image = kinds.image_tokens.unwrap_or(0);
            let rest = cached.saturating_sub(of_audio).saturating_sub(of_image);
            let of_text = kinds.text_tokens.unwrap_or(0).max(rest);
            quantities.set(Meter::CachedInputTokens, of_text);
            quantities.set(Meter::CachedInputAudioTokens, of_audio);
            quantities.set(Meter::CachedInputImageTokens, of_image);
        }
        _ => {
            // Without a split, cached tokens are text as far as there is text, then sound, then
            // pictures. What fits nowhere stays with the text, so that the count is noticed as
            // contradicting itself.
            let text = input
                .saturating_sub(audio)
                .saturating_sub(image)
                .saturating_sub(written);
            let of_text = cached.min(text);
            let of_audio = (cached - of_text).min(audio);
            let of_image = (cached - of_text - of_audio).min(image);
            let rest = cached - of_text - of_audio - of_image;
            quantities.set(Meter::CachedInputTokens, of_text + rest);
            quantities.set(Meter::CachedInputAudioTokens, of_audio);
            quantities.set(Meter::CachedInputImageTokens, of_image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Vec<(Meter, u64)> {
        quantities(raw.as_bytes(), Output::Text)
            .unwrap()
            .iter()
            .collect()
    }

    #[test]
    fn parts_stay_inside_their_whole() {
        assert_eq!(
            text(
                r#"{"prompt_tokens":1200,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":1024},"completion_tokens_details":{"reasoning_tokens":20}}"#
            ),
            [
                (Meter::InputTokens, 1200),
                (Meter::CachedInputTokens, 1024),
                (Meter::OutputTokens, 50),
                (Meter::ReasoningTokens, 20),
                (Meter::Requests, 1),
            ]
        );
    }

    #[test]
    fn both_ages_of_cache_writes() {
        let usage = text(
            r#"{"input_tokens":100,"input_tokens_details":{"cache_write_tokens":64,"cache_write_tokens_details":{"ttl_30m_tokens":24,"ttl_12h_tokens":40}},"output_tokens":1}"#,
        );
        assert!(usage.contains(&(Meter::CacheWriteTokens, 24)));
        assert!(usage.contains(&(Meter::CacheWriteLongTokens, 40)));
    }

    #[test]
    fn cached_sound_is_not_counted_twice() {
        let split = text(
            r#"{"input_tokens":100,"output_tokens":0,"input_token_details":{"text_tokens":20,"audio_tokens":80,"cached_tokens":60,"cached_tokens_details":{"text_tokens":10,"audio_tokens":50}}}"#,
        );
        assert!(split.contains(&(Meter::CachedInputTokens, 10)));
        assert!(split.contains(&(Meter::CachedInputAudioTokens, 50)));
        let unsplit = quantities(br#"{"prompt_tokens":100,"completion_tokens":0,"prompt_tokens_details":{"audio_tokens":90,"cached_tokens":50}}"#, Output::Text).unwrap();
        assert_eq!(unsplit.get(Meter::CachedInputTokens), 10);
        assert_eq!(unsplit.get(Meter::CachedInputAudioTokens), 40);
        assert_eq!(unsplit.inconsistent(), None);
    }

    #[test]
    fn a_contradiction_stays_visible() {
        let usage = quantities(
            br#"{"input_tokens":10,"output_tokens":1,"input_tokens_details":{"cached_tokens":11}}"#,
            Output::Text,
        )
        .unwrap();
        assert_eq!(usage.inconsistent(), Some(Meter::InputTokens));
    }

    #[test]
    fn what_is_no_usage_is_none() {
        for raw in [
            "null",
            "{}",
            "[]",
            "7",
            r#"{"input_tokens":-1}"#,
            r#"{"seconds":"x"}"#,
        ] {
            assert_eq!(quantities(raw.as_bytes(), Output::Text), None, "{raw}");
        }
    }
}
