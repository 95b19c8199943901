//! The whole system from outside: real processes, real files, real HTTP, the real command line.
//! Only the AI services are simulated, by `diamond-sim`, which shares no code with us.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod apply;
mod audit;
mod backup;
mod budgets;
mod canary;
mod cli;
mod crash;
mod customer_keys;
mod death;
mod errors;
mod folder;
mod gateway;
mod generated;
mod hostile;
mod import;
mod incident;
mod keys;
mod postgres;
mod refusals;
mod revoke;
mod rotation;
mod schemathesis;
mod sdk;
mod seal;
mod seal_memory;
mod services;
mod settings;
mod tenants;
mod tls;
mod tokens;
mod tpc;
mod usage;
mod witness;
mod world;
