//! What a service is and what its API can do, told before anything is asked of it.

use std::borrow::Cow;

/// A service, described. Declared services bring their own texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name for people: `OpenAI`.
    pub display_name: Cow<'static, str>,
    /// The Xero item that its cost is booked under: `15-OPENAI`.
    pub component_code: Cow<'static, str>,
    /// Where its API is; the first is the usual one.
    pub regions: Vec<Region>,
    /// Where a caller may put the credential.
    pub placements: Vec<Placement>,
    /// What its API can do for keys.
    pub capabilities: Capabilities,
    /// Since when the provider does not offer it any more: `2026-11-13`.
    pub retired_since: Option<Cow<'static, str>>,
}

impl Descriptor {
    /// The usual address.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        Some(&self.regions.first()?.base_url)
    }
}

/// An address of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its name: `us`, `eu`, `global`.
    pub name: Cow<'static, str>,
    /// Scheme and host, without a final slash.
    pub base_url: Cow<'static, str>,
    /// The same for WebSockets, where it has them.
    pub websocket_url: Option<Cow<'static, str>>,
    /// Since when the provider does not answer there any more: `2026-11-13`. Private hosts that
    /// speak as it did may go on.
    pub retired_since: Option<Cow<'static, str>>,
}

/// Where a credential stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// In a header, perhaps behind a scheme: `authorization: Bearer …`.
    Header {
        /// The header's name, in lower case.
        name: Cow<'static, str>,
        /// The word before it.
        scheme: Option<Cow<'static, str>>,
    },
    /// In the query.
    Query {
        /// The parameter's name.
        name: Cow<'static, str>,
    },
    /// In `sec-websocket-protocol`.
    Subprotocol {
        /// What stands before it: `openai-insecure-api-key.`, or a separate word, `token`.
        before: Cow<'static, str>,
    },
}

/// Who can make a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Minting {
    /// The management API.
    Api,
    /// A person, in a place that the management API prepares for each tenant.
    PersonInPreparedPlace,
    /// A person, in the provider's console.
    Person,
}

/// What a service's API can do for keys. Where it says no, the program says so too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact, shown in a table"
)]
pub struct Capabilities {
    /// Who makes a key.
    pub minting: Minting,
    /// It lists keys.
    pub list: bool,
    /// It ends a key for good.
    pub revoke: bool,
    /// It switches a key off and on again.
    pub disable: bool,
    /// A key can be made to end by itself.
    pub expiry: bool,
    /// A key can be bound to permissions.
    pub permissions: bool,
    /// A key can be given a limit of its own.
    pub usage_limit: bool,
    /// A key can be bound to networks.
    pub addresses: bool,
    /// It gives short-lived tokens in the place of a key.
    pub short_lived: bool,
    /// How many calls may run at once is a limit of the whole account, whatever the key.
    pub shared_concurrency: bool,
}
