//! What is read from a request to Deepgram: its query says what is wanted, its body what is spoken.

use diamond_domain::{Meter, Quantities};

use crate::{
    JsonScan, Metering, Pattern, RequestFacts, RequestHead, Route, deepgram::query::Asked,
};

const PATTERNS: &[Pattern] = &[Pattern::value(&["text"]), Pattern::length(&["text"])];
const TEXT: usize = 0;
const TEXT_LENGTH: usize = 1;

/// Told where a price is made from a channel each.
pub(super) const MULTICHANNEL: &str = "multichannel";

pub(super) fn read_head(route: &Route, head: &RequestHead<'_>) -> RequestFacts {
    let asked = Asked::read(head.query);
    let model = usual_model(route).map(|usual| asked.billed_model(usual));
    RequestFacts {
        model,
        audio_bytes_per_second: asked.bytes_per_second(),
        audio_channels: asked.channels.filter(|_| asked.multichannel),
        modifiers: asked.modifiers,
        background: asked.callback,
        response_format: asked.multichannel.then(|| MULTICHANNEL.to_owned()),
        ..RequestFacts::default()
    }
}

pub(super) fn read_json(route: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts {
    let scan = JsonScan::of(PATTERNS, body);
    let spoken = route.operation == "speak";
    let text: Option<String> = spoken.then(|| scan.get(TEXT)).flatten();
    RequestFacts {
        characters: text.map(|text| text.chars().count() as u64),
        input_text_bytes: scan.length(TEXT_LENGTH),
        body_bytes: body.len() as u64,
        ..head
    }
}

/// The model where a request names none.
fn usual_model(route: &Route) -> Option<&'static str> {
    match route.operation {
        "listen" | "listen.live" => Some("base"),
        "agent.converse" => Some("agent"),
        "speak" | "speak.live" => Some("aura-asteria-en"),
        // No request names the one model that reads.
        "read" => Some("text-intelligence"),
        _ => None,
    }
}

/// The most that a call can use, nothing when that cannot be told: its text is counted; how long sound is says only the answer.
pub(super) fn ceiling(route: &Route, facts: &RequestFacts) -> Quantities {
    let quantities = Quantities::new();
    match (route.metering, facts.characters) {
        (Metering::Usage, Some(characters)) => quantities.with(Meter::Characters, characters),
        _ => quantities,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Classified, deepgram::routes};

    #[test]
    fn the_query_and_the_text_say_what_a_call_is() {
        let route = |path| match routes::classify(&http::Method::POST, path) {
            Classified::Forward(route) => route,
            Classified::Refuse(refused) => panic!("{}", refused.code),
        };
        let headers = http::HeaderMap::new();
        let head = |query| RequestHead {
            path: "/",
            query,
            headers: &headers,
        };
        let speak = route("/v1/speak");
        let facts = read_head(&speak, &head(Some("model=aura-2-thalia-en")));
        let facts = read_json(&speak, facts, r#"{"text":"Grüße"}"#.as_bytes());
        assert_eq!(facts.model.as_deref(), Some("aura-2-thalia-en"));
        assert_eq!(facts.characters, Some(5));
        assert_eq!(ceiling(&speak, &facts).get(Meter::Characters), 5);
        let listen = read_head(
            &route("/v1/listen"),
            &head(Some("callback=https%3A%2F%2Fa")),
        );
        assert_eq!(listen.model.as_deref(), Some("base"));
        assert!(listen.background);
        let models = route("/v1/models");
        assert_eq!(read_head(&models, &head(None)).model, None);
    }
}
