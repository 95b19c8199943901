//! Services that a text declares: no code of their own.
//!
//! A plain API (a key in a header, JSON in, JSON or server-sent events out) is described by a TOML
//! file: `services/README.md` explains every word of it. The files in `services/` are built in; an
//! operator adds others. [`Declaration::read`] says everything that is wrong with a text and where,
//! [`DeclaredService`] is the [`Provider`](crate::Provider) that a right one becomes.

mod check;
mod decimal;
mod json_path;
mod manage;
mod meter;
mod problem;
mod request;
mod routes;
mod service;
mod shipped;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod usage;
mod verdict;

pub use check::Declaration;
pub use problem::{DeclarationError, DeclarationProblem};
pub use service::DeclaredService;
pub use shipped::{SHIPPED, ShippedFile};
