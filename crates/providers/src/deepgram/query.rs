//! What is read from the query of a request to Deepgram, and the tag that is put into it.

use std::borrow::Cow;

use diamond_domain::TenantId;

use crate::credential;

/// What is asked for in the query: there stand the model and everything that changes the price.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) language: Option<String>,
    pub(super) modifiers: Vec<&'static str>,
    /// Whether each channel is heard, and paid, by itself.
    pub(super) multichannel: bool,
    /// What the sound is that is sent as it comes.
    encoding: Option<String>,
    sample_rate: Option<u64>,
    pub(super) channels: Option<u64>,
    /// The answer goes to an address; what comes here says only that it will.
    pub(super) callback: bool,
}

/// A wish and what it is called where prices are made.
const MODIFIERS: [(&str, &str); 6] = [
    ("redact", "redact:true"),
    ("diarize", "diarize:true"),
    ("diarize_model", "diarize:true"),
    ("keyterm", "keyterm:true"),
    ("detect_entities", "detect_entities:true"),
    // Changes the price, and nobody says how much.
    ("mip_opt_out", "mip_opt_out:true"),
];

impl Asked {
    pub(super) fn read(query: Option<&str>) -> Self {
        let mut asked = Self::default();
        for (name, value) in credential::parameters(query.unwrap_or_default()) {
            let wanted = !matches!(value.as_ref(), "" | "false");
            match name.as_ref() {
                "model" => asked.model = Some(value.into_owned()),
                "encoding" => asked.encoding = Some(value.into_owned()),
                "sample_rate" => asked.sample_rate = value.parse().ok(),
                "channels" => asked.channels = value.parse().ok(),
                "language" => asked.language = Some(value.into_owned()),
                "multichannel" => asked.multichannel = wanted,
                "callback" => asked.callback = wanted,
                name => {
                    let known = MODIFIERS.iter().find(|(known, _)| *known == name);
                    if let Some((_, modifier)) = known.filter(|_| wanted)
                        && !asked.modifiers.contains(modifier)
                    {
                        asked.modifiers.push(modifier);
                    }
                }
            }
        }
        asked
    }

    /// Bytes that a second of the sound takes; `None` when only the sound itself tells.
    pub(super) fn bytes_per_second(&self) -> Option<u64> {
        let width: u64 = match self.encoding.as_deref()? {
            "linear16" => 2,
            "linear32" => 4,
            "mulaw" | "alaw" => 1,
            _ => return None,
        };
        let channels = self.channels.unwrap_or(1);
        self.sample_rate?.checked_mul(width)?.checked_mul(channels)
    }

    /// The model that is billed: Nova-3 that hears several languages has a price of its own.
    pub(super) fn billed_model(&self, usual: &'static str) -> String {
        let model = self.model.as_deref().unwrap_or(usual);
        let several = self.language.as_deref() == Some("multi");
        if several && matches!(model, "nova-3" | "nova-3-general") {
            "nova-3-multilingual".to_owned()
        } else {
            model.to_owned()
        }
    }
}

/// The query with the tenant as a tag: it comes back in the provider's reports.
pub(super) fn tagged(query: Option<Cow<'_, str>>, tenant: &TenantId) -> String {
    match query {
        Some(query) if !query.is_empty() => format!("{query}&tag={tenant}"),
        _ => format!("tag={tenant}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_price_is_read() {
        let asked = Asked::read(Some(
            "model=nova-3&diarize=true&diarize_model=v2&redact=false&keyterm=a&keyterm=b%20c\
             &multichannel=true&language=en",
        ));
        assert_eq!(asked.modifiers, ["diarize:true", "keyterm:true"]);
        assert!(asked.multichannel && !asked.callback);
        assert_eq!(asked.billed_model("base"), "nova-3");
        assert_eq!(Asked::read(None).billed_model("base"), "base");
        let several = Asked::read(Some("model=nova-3&language=multi"));
        assert_eq!(several.billed_model("base"), "nova-3-multilingual");
        let other = Asked::read(Some("model=nova-2&language=multi"));
        assert_eq!(other.billed_model("base"), "nova-2");
    }

    #[test]
    fn the_tenant_is_a_tag_beside_the_callers_own() {
        let tenant = "zaxon".parse().unwrap();
        assert_eq!(tagged(None, &tenant), "tag=zaxon");
        let own = Some(Cow::Borrowed("tag=mine&model=m"));
        assert_eq!(tagged(own, &tenant), "tag=mine&model=m&tag=zaxon");
    }
}
