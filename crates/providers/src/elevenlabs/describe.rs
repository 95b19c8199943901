//! What ElevenLabs is and what its API can do.

use std::borrow::Cow::Borrowed;

use crate::{Capabilities, Descriptor, Minting, Placement, Region};

/// Keys belong to the region that they were made in.
const fn region(name: &'static str, base_url: &'static str, websocket_url: &'static str) -> Region {
    Region {
        name: Borrowed(name),
        base_url: Borrowed(base_url),
        websocket_url: Some(Borrowed(websocket_url)),
        retired_since: None,
    }
}

const fn query(name: &'static str) -> Placement {
    Placement::Query {
        name: Borrowed(name),
    }
}

pub(super) fn descriptor() -> Descriptor {
    Descriptor {
        display_name: Borrowed("ElevenLabs"),
        component_code: Borrowed("14-ELEVENLABS"),
        regions: vec![
            region(
                "global",
                "https://api.elevenlabs.io",
                "wss://api.elevenlabs.io",
            ),
            region(
                "us",
                "https://api.us.elevenlabs.io",
                "wss://api.us.elevenlabs.io",
            ),
            region(
                "eu",
                "https://api.eu.residency.elevenlabs.io",
                "wss://api.eu.residency.elevenlabs.io",
            ),
            region(
                "in",
                "https://api.in.residency.elevenlabs.io",
                "wss://api.in.residency.elevenlabs.io",
            ),
            region(
                "sg",
                "https://api.sg.residency.elevenlabs.io",
                "wss://api.sg.residency.elevenlabs.io",
            ),
        ],
        placements: vec![
            Placement::Header {
                name: Borrowed("xi-api-key"),
                scheme: None,
            },
            // Where a browser, which can set no header, puts a token for a WebSocket.
            query("single_use_token"),
            query("authorization"),
            query("token"),
        ],
        capabilities: Capabilities {
            minting: Minting::Api,
            list: true,
            revoke: true,
            disable: true,
            expiry: true,
            permissions: true,
            usage_limit: true,
            addresses: true,
            short_lived: true,
            shared_concurrency: true,
        },
        retired_since: None,
    }
}
