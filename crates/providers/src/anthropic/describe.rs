//! What Anthropic is and what its API can do.

use std::borrow::Cow::Borrowed;

use crate::{Capabilities, Descriptor, Minting, Placement, Region};

pub(super) fn descriptor() -> Descriptor {
    Descriptor {
        display_name: Borrowed("Anthropic"),
        component_code: Borrowed("16-ANTHROPIC"),
        regions: vec![Region {
            name: Borrowed("global"),
            base_url: Borrowed("https://api.anthropic.com"),
            // Messages are streamed as events only.
            websocket_url: None,
            retired_since: None,
        }],
        placements: vec![
            Placement::Header {
                name: Borrowed("x-api-key"),
                scheme: None,
            },
            Placement::Header {
                name: Borrowed("authorization"),
                scheme: Some(Borrowed("Bearer")),
            },
        ],
        capabilities: Capabilities {
            minting: Minting::PersonInPreparedPlace,
            list: true,
            revoke: true,
            disable: true,
            // Set in the console when the key is made, not by the API.
            expiry: false,
            permissions: false,
            usage_limit: false,
            addresses: false,
            // A federated identity gets one for a token of its own issuer, not for a key.
            short_lived: false,
            shared_concurrency: false,
        },
        retired_since: None,
    }
}
