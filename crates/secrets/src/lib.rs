//! The port [`SecretStore`] with its contract suite, and the embedded adapter: values sealed in the
//! control database.

mod store;

pub use store::{Precondition, SecretError, SecretStore, StoredVersion};
