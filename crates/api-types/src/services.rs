//! The AI services that there are.

use diamond_domain::ServiceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words;

/// Where a service comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceSource {
    /// An adapter of its own.
    BuiltIn,
    /// A declaration that is built in.
    Declared,
    /// A declaration in a file of the operator's.
    File,
}

/// Who makes keys of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyMinting {
    /// The provider's management API.
    Api,
    /// A person, in a place that the management API prepares for each tenant.
    PersonInPreparedPlace,
    /// A person, in the provider's console.
    Person,
}

/// An address of a service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRegionResponse {
    /// Its name: `us`, `eu`, `global`.
    pub name: String,
    /// Scheme and host.
    pub base_url: String,
    /// The same for WebSockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub websocket_url: Option<String>,
    /// Since when the provider does not answer there any more: `2026-11-13`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_since: Option<String>,
}

/// What a service's API can do for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact, shown in a table"
)]
pub struct ServiceCapabilitiesResponse {
    /// Who makes a key.
    pub minting: KeyMinting,
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
    /// How many calls may run at once is a limit of the whole account.
    pub shared_concurrency: bool,
}

/// A service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceResponse {
    /// Its name in addresses and keys.
    #[schema(value_type = words::ServiceId)]
    pub service: ServiceId,
    /// Its name for people.
    pub display_name: String,
    /// The item that its cost is booked under.
    pub component_code: String,
    /// Where it comes from.
    pub source: ServiceSource,
    /// The file of the declaration, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where calls go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where its API is; the first is the usual one.
    pub regions: Vec<ServiceRegionResponse>,
    /// What its API can do for keys.
    pub capabilities: ServiceCapabilitiesResponse,
    /// How many price rows there are.
    pub prices: usize,
    /// Since when the provider does not offer it any more: `2026-11-13`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_since: Option<String>,
}

/// All services.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListServicesResponse {
    /// By name.
    pub items: Vec<ServiceResponse>,
    /// Never there: the list is whole.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A declaration to look at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckServiceRequest {
    /// What the file is called.
    #[schema(max_length = 256)]
    pub file: String,
    /// What stands in it, TOML.
    pub text: String,
}

/// One thing that is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeclarationProblemResponse {
    /// The line, from 1.
    pub line: usize,
    /// The column, in letters from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

/// What a declaration is like.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckServiceResponse {
    /// Whether the server would start with it.
    pub usable: bool,
    /// What is wrong, in the order of the text.
    pub problems: Vec<DeclarationProblemResponse>,
}
