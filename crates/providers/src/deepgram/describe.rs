//! What Deepgram is and what its API can do.

use std::borrow::Cow::Borrowed;

use crate::{Capabilities, Descriptor, Minting, Placement, Region};

const fn region(name: &'static str, base_url: &'static str, websocket_url: &'static str) -> Region {
    Region {
        name: Borrowed(name),
        base_url: Borrowed(base_url),
        websocket_url: Some(Borrowed(websocket_url)),
        retired_since: None,
    }
}

const fn authorization(scheme: &'static str) -> Placement {
    Placement::Header {
        name: Borrowed("authorization"),
        scheme: Some(Borrowed(scheme)),
    }
}

const fn subprotocol(before: &'static str) -> Placement {
    Placement::Subprotocol {
        before: Borrowed(before),
    }
}

pub(super) fn descriptor() -> Descriptor {
    Descriptor {
        display_name: Borrowed("Deepgram"),
        component_code: Borrowed("17-DEEPGRAM"),
        regions: vec![
            region(
                "global",
                "https://api.deepgram.com",
                "wss://api.deepgram.com",
            ),
            region(
                "eu",
                "https://api.eu.deepgram.com",
                "wss://api.eu.deepgram.com",
            ),
            region(
                "au",
                "https://api.au.deepgram.com",
                "wss://api.au.deepgram.com",
            ),
            region(
                "in",
                "https://api.in.deepgram.com",
                "wss://api.in.deepgram.com",
            ),
        ],
        placements: vec![
            // A key is a `Token`, what was granted for a short time a `Bearer`.
            authorization("Token"),
            authorization("Bearer"),
            subprotocol("token"),
            subprotocol("bearer"),
        ],
        capabilities: Capabilities {
            minting: Minting::Api,
            list: true,
            revoke: true,
            disable: false,
            expiry: true,
            permissions: true,
            usage_limit: false,
            addresses: false,
            short_lived: true,
            shared_concurrency: true,
        },
        retired_since: None,
    }
}

/// Agents have a host of their own beside the usual one.
pub(super) fn agent_base_url(base_url: &str) -> Option<&'static str> {
    (base_url.trim_end_matches('/') == "https://api.deepgram.com")
        .then_some("https://agent.deepgram.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_host_has_another_for_agents() {
        let agents = Some("https://agent.deepgram.com");
        assert_eq!(agent_base_url("https://api.deepgram.com"), agents);
        assert_eq!(agent_base_url("https://api.deepgram.com/"), agents);
        assert_eq!(agent_base_url("https://voice.example.com"), None);
    }
}
