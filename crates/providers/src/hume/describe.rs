//! What Hume is and what its APIs can do.

use std::borrow::Cow::Borrowed;

use crate::{Capabilities, Descriptor, Minting, Placement, Region};

pub(super) fn descriptor() -> Descriptor {
    Descriptor {
        display_name: Borrowed("Hume"),
        component_code: Borrowed("13-HUME"),
        regions: vec![
            Region {
                name: Borrowed("global"),
                base_url: Borrowed("https://api.cloud.hume.ai"),
                websocket_url: Some(Borrowed("wss://api.cloud.hume.ai")),
                retired_since: None,
            },
            // Speech and EVI: access ended at 00:01 Eastern time of this day. Private hosts of it
            // go on.
            Region {
                name: Borrowed("voice"),
                base_url: Borrowed("https://api.hume.ai"),
                websocket_url: Some(Borrowed("wss://api.hume.ai")),
                retired_since: Some(Borrowed("2026-11-13")),
            },
        ],
        placements: vec![
            Placement::Header {
                name: Borrowed("x-hume-api-key"),
                scheme: None,
            },
            Placement::Header {
                name: Borrowed("authorization"),
                scheme: Some(Borrowed("Bearer")),
            },
            Placement::Query {
                name: Borrowed("api_key"),
            },
            Placement::Query {
                name: Borrowed("access_token"),
            },
        ],
        capabilities: Capabilities {
            minting: Minting::Person,
            list: false,
            revoke: false,
            disable: false,
            // Set in the portal when the key is made, not by the API.
            expiry: false,
            permissions: false,
            usage_limit: false,
            addresses: false,
            // At hosts of the voice platform, for a key that was put with its secret.
            short_lived: true,
            shared_concurrency: false,
        },
        retired_since: None,
    }
}
