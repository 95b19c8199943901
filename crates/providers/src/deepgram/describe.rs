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
