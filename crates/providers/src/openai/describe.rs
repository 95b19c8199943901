//! What OpenAI is and what its API can do.

use std::borrow::Cow::Borrowed;

use crate::{Capabilities, Descriptor, Minting, Placement, Region};

pub(super) fn descriptor() -> Descriptor {
    Descriptor {
        display_name: Borrowed("OpenAI"),
        component_code: Borrowed("15-OPENAI"),
        regions: vec![Region {
            name: Borrowed("global"),
            base_url: Borrowed("https://api.openai.com"),
            websocket_url: Some(Borrowed("wss://api.openai.com")),
            retired_since: None,
        }],
        placements: vec![
            Placement::Header {
                name: Borrowed("authorization"),
                scheme: Some(Borrowed("Bearer")),
            },
            Placement::Subprotocol {
                before: Borrowed("openai-insecure-api-key."),
            },
        ],
        capabilities: Capabilities {
            minting: Minting::Api,
            list: true,
            revoke: true,
            // A key can only be made read-only or short; neither is off.
            disable: false,
            expiry: true,
            permissions: true,
            // Limits belong to the project.
            usage_limit: false,
            addresses: false,
            short_lived: true,
            shared_concurrency: false,
        },
        retired_since: None,
    }
}
