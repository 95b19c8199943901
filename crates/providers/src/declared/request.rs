//! What is read from the requests of a declared service.

use diamond_domain::{Meter, Quantities};

use super::{json_path::JsonPath, routes::Measure, usage::pattern};
use crate::{JsonScan, Metering, ModelLimits, MultipartScan, Pattern, RequestFacts, Route};

/// Where things stand in requests, as it is declared.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestPlaces {
    pub(super) model: Vec<JsonPath>,
    pub(super) stream: Vec<JsonPath>,
    pub(super) service_tier: Vec<JsonPath>,
    pub(super) max_output_tokens: Vec<JsonPath>,
    pub(super) count: Vec<JsonPath>,
    pub(super) user: Vec<JsonPath>,
    pub(super) characters: Vec<JsonPath>,
    pub(super) texts: Vec<JsonPath>,
}

impl RequestPlaces {
    fn values(&self) -> [&[JsonPath]; 7] {
        [
            &self.model,
            &self.stream,
            &self.service_tier,
            &self.max_output_tokens,
            &self.count,
            &self.user,
            &self.characters,
        ]
    }

    /// How many places are looked for.
    pub(super) fn count_all(&self) -> usize {
        self.values().iter().map(|paths| paths.len()).sum::<usize>() + self.texts.len() + 1
    }
}

/// How requests are read.
#[derive(Debug, Clone)]
pub(super) struct RequestReader {
    patterns: &'static [Pattern],
    /// Where the patterns of each of [`RequestPlaces::values`] begin, and where the last end.
    starts: [usize; 8],
    /// Whether the caller asks for usage itself.
    include_usage: usize,
    /// The names in forms.
    form_model: Vec<String>,
    form_user: Vec<String>,
}

const MODEL: usize = 0;
const STREAM: usize = 1;
const SERVICE_TIER: usize = 2;
const MAX_OUTPUT_TOKENS: usize = 3;
const COUNT: usize = 4;
const USER: usize = 5;
const CHARACTERS: usize = 6;

impl RequestReader {
    /// The reader of what is declared. Its patterns stay for as long as the process.
    pub(super) fn of(places: &RequestPlaces) -> Self {
        let mut patterns = Vec::new();
        let mut starts = [0; 8];
        for (place, paths) in places.values().into_iter().enumerate() {
            patterns.extend(paths.iter().map(|path| pattern(path, false)));
            starts[place + 1] = patterns.len();
        }
        let include_usage = patterns.len();
        patterns.push(Pattern::value(&["stream_options", "include_usage"]));
        patterns.extend(places.texts.iter().map(|path| pattern(path, true)));
        let names = |paths: &[JsonPath]| {
            let single = paths.iter().filter(|path| path.parts().len() == 1);
            single.map(|path| path.parts().concat()).collect()
        };
        Self {
            patterns: patterns.leak(),
            starts,
            include_usage,
            form_model: names(&places.model),
            form_user: names(&places.user),
        }
    }

    fn get<T: serde::de::DeserializeOwned>(&self, scan: &JsonScan, what: usize) -> Option<T> {
        (self.starts[what]..self.starts[what + 1]).find_map(|place| scan.get(place))
    }

    pub(super) fn read_json(&self, head: RequestFacts, body: &[u8]) -> RequestFacts {
        let scan = JsonScan::of(self.patterns, body);
        let texts = self.include_usage + 1..self.patterns.len();
        let spoken = self.starts[CHARACTERS]..self.starts[CHARACTERS + 1];
        let spoken: Vec<String> = spoken
            .flat_map(|place| scan.all(place))
            .filter_map(|found| serde_json::from_slice(found.raw.as_deref()?).ok())
            .collect();
        let characters = spoken.iter().map(|text| text.chars().count() as u64).sum();
        RequestFacts {
            model: self.get(&scan, MODEL).or(head.model),
            service_tier: self.get(&scan, SERVICE_TIER),
            streams: self.get(&scan, STREAM).unwrap_or(head.streams),
            wants_stream_usage: scan.get(self.include_usage).unwrap_or(false),
            max_output_tokens: self.get(&scan, MAX_OUTPUT_TOKENS),
            count: self.get(&scan, COUNT),
            user: self.get(&scan, USER),
            input_text_bytes: texts.map(|place| scan.length(place)).sum(),
            body_bytes: body.len() as u64,
            characters: (!spoken.is_empty()).then_some(characters),
            ..RequestFacts::default()
        }
    }

    pub(super) fn read_form(&self, head: RequestFacts, form: &MultipartScan) -> RequestFacts {
        let field = |names: &[String]| names.iter().find_map(|name| form.field(name));
        RequestFacts {
            model: field(&self.form_model).map(str::to_owned).or(head.model),
            user: field(&self.form_user).map(str::to_owned),
            body_bytes: form.total_bytes(),
            audio_milliseconds: form.file_milliseconds(),
            ..RequestFacts::default()
        }
    }
}

/// The most that a call can use: no input has more tokens than bytes, no output more than the
/// request or the model allows.
pub(super) fn ceiling(
    route: &Route,
    measure: Measure,
    facts: &RequestFacts,
    limits: ModelLimits,
) -> Quantities {
    let quantities = Quantities::new().with(Meter::Requests, 1);
    match (route.metering, measure) {
        (Metering::Usage, _) => {
            let most_input = limits.max_input_tokens.unwrap_or(u64::MAX);
            let most_output = limits.max_output_tokens.unwrap_or(u64::MAX);
            let asked = facts.max_output_tokens.or(limits.max_output_tokens);
            let output = asked.unwrap_or(0).min(most_output);
            quantities
                .with(Meter::InputTokens, facts.body_bytes.min(most_input))
                .with(
                    Meter::OutputTokens,
                    output.saturating_mul(facts.count.unwrap_or(1)),
                )
        }
        (Metering::Measured, Measure::Characters) => {
            // No text has more characters than the body has bytes.
            let most = facts.characters.unwrap_or(facts.body_bytes);
            quantities.with(Meter::Characters, most)
        }
        (Metering::Measured, Measure::Sound) => {
            // Speech is rarely stored in less than 4 bytes a millisecond (32 kbit/s).
            let most = facts.audio_milliseconds.unwrap_or(facts.body_bytes / 4);
            quantities.with(Meter::AudioMilliseconds, most)
        }
        _ => quantities,
    }
}
