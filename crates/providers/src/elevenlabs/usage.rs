//! ElevenLabs' counts in our meters.
//!
//! Calls that make sound state their count in headers: `character-cost` is what was taken from the
//! workspace's credits, `x-character-count` how many characters were spoken. A price per character
//! is one per character spoken, not per credit: a fast model takes half a credit.

use diamond_domain::{Meter, Quantities};
use http::HeaderMap;

/// What the headers of an answer state.
#[derive(Debug, Default, Clone)]
pub(super) struct Stated {
    pub(super) credits: Option<u64>,
    pub(super) characters: Option<u64>,
    /// The headers as they stood, as a JSON object.
    pub(super) verbatim: Option<String>,
}

const CREDITS: &str = "character-cost";
const CHARACTERS: &str = "x-character-count";

impl Stated {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let (credits, characters) = (number(CREDITS), number(CHARACTERS));
        let members: Vec<String> = [(CREDITS, credits), (CHARACTERS, characters)]
            .into_iter()
            .filter_map(|(name, count)| Some(format!("\"{name}\":{}", count?)))
            .collect();
        Self {
            credits,
            characters,
            verbatim: (!members.is_empty()).then(|| format!("{{{}}}", members.join(","))),
        }
    }

    /// What that is in our meters; `spoken` are the characters of the request's text.
    pub(super) fn quantities(&self, spoken: Option<u64>) -> Quantities {
        Quantities::new()
            .with(Meter::Requests, 1)
            .with(Meter::Characters, self.characters.or(spoken).unwrap_or(0))
            .with(Meter::Credits, self.credits.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::header_map;

    #[test]
    fn characters_are_as_stated_or_else_as_counted() {
        let both = Stated::read(&header_map(&[
            ("character-cost", "5"),
            ("x-character-count", "9"),
        ]));
        assert_eq!(
            both.verbatim.as_deref(),
            Some(r#"{"character-cost":5,"x-character-count":9}"#)
        );
        let counted: Vec<_> = both.quantities(Some(8)).iter().collect();
        assert_eq!(
            counted,
            [
                (Meter::Characters, 9),
                (Meter::Credits, 5),
                (Meter::Requests, 1)
            ]
        );
        let one = Stated::read(&header_map(&[("character-cost", "many")]));
        assert_eq!(one.quantities(Some(8)).get(Meter::Characters), 8);
        assert_eq!(one.verbatim, None);
    }
}
