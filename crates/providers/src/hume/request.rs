//! What is read from a request to Hume. Nothing is changed in it.

use diamond_domain::{Meter, Quantities};

use crate::{JsonScan, Metering, MultipartScan, Pattern, RequestFacts, Route};

const PATTERNS: &[Pattern] = &[
    Pattern::value(&["utterances", "*", "text"]),
    Pattern::value(&["num_generations"]),
];
const TEXTS: usize = 0;
const GENERATIONS: usize = 1;

pub(super) fn read_json(route: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts {
    let scan = JsonScan::of(PATTERNS, body);
    let texts = scan.all(TEXTS).filter_map(|text| {
        let text: String = serde_json::from_slice(text.raw.as_deref()?).ok()?;
        Some(text.chars().count() as u64)
    });
    let count: Option<u64> = scan.get(GENERATIONS);
    // Each generation says the texts once more.
    let characters = texts.sum::<u64>().saturating_mul(count.unwrap_or(1).max(1));
    let spoken = route.operation.starts_with("tts") && characters > 0;
    RequestFacts {
        count,
        characters: spoken.then_some(characters),
        body_bytes: body.len() as u64,
        ..head
    }
}

pub(super) fn read_multipart(head: RequestFacts, form: &MultipartScan) -> RequestFacts {
    RequestFacts {
        body_bytes: form.total_bytes(),
        audio_milliseconds: form.file_milliseconds(),
        ..head
    }
}

/// What a call is billed as: no request names a model.
pub(super) fn model_of(route: &Route) -> Option<String> {
    let begins = |start: &str| route.operation.starts_with(start);
    let name = if begins("decisions") {
        "audio-decisions"
    } else if begins("expression.audio") {
        "expression-audio"
    } else if begins("expression.video") {
        "expression-video"
    } else if begins("tts") {
        "octave"
    } else if begins("evi.chat") {
        "evi"
    } else {
        return None;
    };
    Some(name.to_owned())
}

/// The most that a call can use, nothing when that cannot be told: its text is counted; sound only where its length is known.
pub(super) fn ceiling(route: &Route, facts: &RequestFacts) -> Quantities {
    let quantities = Quantities::new();
    let heard = facts.audio_milliseconds.map(super::usage::billed);
    match (route.metering, route.operation, facts.characters, heard) {
        (Metering::Measured, _, Some(characters), _) => {
            quantities.with(Meter::Characters, characters)
        }
        (Metering::Usage, "expression.audio", _, Some(heard)) => {
            quantities.with(Meter::AudioMilliseconds, heard)
        }
        _ => quantities,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Classified, hume::routes};

    #[test]
    fn every_generation_says_the_texts_once_more() {
        let route = match routes::classify(&http::Method::POST, "/v0/tts") {
            Classified::Forward(route) => route,
            Classified::Refuse(refused) => panic!("{}", refused.code),
        };
        let body = r#"{"utterances":[{"text":"Grüße","description":"not this"},{"text":"ab"}],
            "num_generations":2}"#;
        let facts = read_json(&route, RequestFacts::default(), body.as_bytes());
        assert_eq!(facts.characters, Some(14));
        assert_eq!(ceiling(&route, &facts).get(Meter::Characters), 14);
        assert_eq!(model_of(&route).as_deref(), Some("octave"));
    }
}
