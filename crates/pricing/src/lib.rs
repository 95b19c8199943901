//! The dated price catalog and the exact cost of a call, with its provenance.
//!
//! Prices are data: one file a service in `catalog/`, compiled in, and operators' own rows on top
//! ([`Catalog::with_overrides`]). A cost is the exact sum of quantity times rate, rounded once,
//! half to even, to nano-dollars. A price that is not known is [`Unpriced`], never zero. This crate
//! knows no HTTP and no clock; which operations are free is not its matter either.

mod bound;
mod catalog;
mod query;
mod ratio;
mod read;
mod row;
mod schedule;
mod service;

pub use catalog::{Catalog, CatalogError, Problem};
pub use query::{PriceQuery, Priced, Unpriced};
pub use ratio::{Ratio, RatioError};
pub use row::{ModelLimits, ModelPrice, ModelStatus};
