//! The HTTP API: router, extractors, the one map from errors to statuses.
//!
//! A handler extracts, makes one call into the use cases, and converts the answer. The table in
//! [`routes`] is all there is: the router is built from it, the OpenAPI document is checked
//! against it, and a test tries every line of it with every kind of caller.

mod alarms;
mod analytics;
mod audit;
mod backups;
mod budgets;
mod errors;
mod extract;
mod incidents;
mod keys;
mod layers;
mod openapi;
mod operations;
mod revocations;
mod rotations;
mod router;
mod routes;
mod seal;
mod services;
mod state;
mod tenants;
mod tokens;
mod usage;

pub use extract::PeerAddress;
pub use openapi::{openapi, openapi_json};
pub use router::router;
pub use routes::{RouteInfo, routes};
pub use state::{ApiSettings, ApiState, MetricsHandle};
