//! What is read from a request to ElevenLabs. Nothing is changed in it: what a call costs is said
//! in headers.

use diamond_domain::{Meter, Quantities};

use crate::{
    JsonScan, Metering, MultipartScan, Pattern, RequestFacts, RequestHead, Route, credential,
    elevenlabs::socket,
};

const PATTERNS: &[Pattern] = &[
    Pattern::value(&["model_id"]),
    Pattern::value(&["text"]),
    Pattern::value(&["inputs", "*", "text"]),
];
const MODEL: usize = 0;
const TEXT: usize = 1;
const LINES: usize = 2;

/// A conversation says in its address what it is; other requests say it in their bodies.
pub(super) fn read_head(route: &Route, head: &RequestHead<'_>) -> RequestFacts {
    let mut facts = RequestFacts::default();
    for (name, value) in credential::parameters(head.query.unwrap_or_default()) {
        match name.as_ref() {
            "model_id" => facts.model = Some(value.into_owned()),
            "audio_format" => facts.audio_bytes_per_second = socket::bytes_per_second(&value),
            _ => {}
        }
    }
    if route.operation == "speech_to_text.live" && facts.audio_bytes_per_second.is_none() {
        // Its usual format is pcm_16000.
        facts.audio_bytes_per_second = Some(32_000);
    }
    facts.model = facts.model.or_else(|| usual_model(route));
    facts
}

pub(super) fn read_json(route: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts {
    let scan = JsonScan::of(PATTERNS, body);
    let speaks = speaks(route);
    let text: Option<String> = scan.get(TEXT);
    let lines = scan.all(LINES).filter_map(|line| {
        let line: String = serde_json::from_slice(line.raw.as_deref()?).ok()?;
        Some(line.chars().count() as u64)
    });
    let characters = text.map_or_else(
        || lines.sum(),
        |text| u64::try_from(text.chars().count()).unwrap_or(u64::MAX),
    );
    RequestFacts {
        model: scan.get(MODEL).or_else(|| usual_model(route)),
        // Sound is made piece by piece and billed whole: whoever leaves has bought it.
        streams: false,
        characters: (speaks && characters > 0).then_some(characters),
        body_bytes: body.len() as u64,
        ..head
    }
}

pub(super) fn read_multipart(
    route: &Route,
    head: RequestFacts,
    form: &MultipartScan,
) -> RequestFacts {
    let said = |name: &str, word: &str| {
        let field = form.field(name);
        field.is_some_and(|value| value.eq_ignore_ascii_case(word))
    };
    RequestFacts {
        model: form
            .field("model_id")
            .map(str::to_owned)
            .or_else(|| usual_model(route)),
        // The transcript goes to a webhook.
        background: said("webhook", "true"),
        body_bytes: form.total_bytes(),
        audio_milliseconds: form.file_milliseconds(),
        ..head
    }
}

/// Whether the request's text is what is paid for.
pub(super) fn speaks(route: &Route) -> bool {
    let name = route.operation;
    name.starts_with("text_to_speech") || name.starts_with("text_to_dialogue")
}

/// The model where a request names none, by the official package's documentation.
pub(super) fn usual_model(route: &Route) -> Option<String> {
    let begins = |start: &str| route.operation.starts_with(start);
    let name = if begins("text_to_speech") {
        "eleven_multilingual_v2"
    } else if begins("text_to_dialogue") {
        "eleven_v3"
    } else if begins("voice_changer") {
        "eleven_english_sts_v2"
    } else if begins("sound_generation") {
        "eleven_text_to_sound_v2"
    } else {
        return None;
    };
    Some(name.to_owned())
}

/// The most that a call can use, nothing when that cannot be told: its text is counted; sound only where its length is known.
pub(super) fn ceiling(route: &Route, facts: &RequestFacts) -> Quantities {
    let quantities = Quantities::new();
    if !matches!(route.metering, Metering::Usage | Metering::Measured) {
        return quantities;
    }
    match (facts.characters, facts.audio_milliseconds) {
        (Some(characters), _) => quantities.with(Meter::Characters, characters),
        (None, Some(heard)) if route.operation == "speech_to_text" => {
            quantities.with(Meter::AudioMilliseconds, heard)
        }
        _ => quantities,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Classified, elevenlabs::routes};

    fn route(path: &str) -> Route {
        match routes::classify(&http::Method::POST, path) {
            Classified::Forward(route) => route,
            Classified::Refuse(refused) => panic!("{}", refused.code),
        }
    }

    #[test]
    fn the_text_to_be_spoken_is_counted_in_code_points() {
        let body =
            r#"{"text":"Grüße \ud83d\ude00","model_id":"eleven_v4","previous_text":"not this"}"#;
        let said = route("/v1/text-to-speech/v/stream");
        let facts = read_json(&said, RequestFacts::default(), body.as_bytes());
        assert_eq!(facts.model.as_deref(), Some("eleven_v4"));
        assert_eq!(facts.characters, Some(7));
        let most = ceiling(&said, &facts);
        assert_eq!(most.get(Meter::Characters), 7);
        let body = br#"{"inputs":[{"text":"abc","voice_id":"v"},{"text":"de","voice_id":"w"}]}"#;
        let facts = read_json(
            &route("/v1/text-to-dialogue"),
            RequestFacts::default(),
            body,
        );
        assert_eq!(facts.model.as_deref(), Some("eleven_v3"));
        assert_eq!(facts.characters, Some(5));
        // A description of a sound is not spoken.
        let facts = read_json(
            &route("/v1/sound-generation"),
            RequestFacts::default(),
            br#"{"text":"a door"}"#,
        );
        assert_eq!(facts.characters, None);
    }

    #[test]
    fn a_form_names_its_model_and_holds_its_sound() {
        let mut form = MultipartScan::new("b");
        form.push(
            b"--b\r\nContent-Disposition: form-data; name=\"model_id\"\r\n\r\nscribe_v2\r\n\
              --b\r\nContent-Disposition: form-data; name=\"webhook\"\r\n\r\nTrue\r\n--b--\r\n",
        );
        let heard = route("/v1/speech-to-text");
        let facts = read_multipart(&heard, RequestFacts::default(), &form);
        assert_eq!(facts.model.as_deref(), Some("scribe_v2"));
        assert!(facts.background);
    }
}
