//! The port [`SecretStore`] with its contract suite, and the embedded adapter: values sealed in the
//! control database.
//!
//! Three layers of keys: the master key ([`MasterKeySource`], or any [`KeyWrapper`] such as a KMS)
//! wraps a data key for each tenant and one for the platform; a data key seals values. The master
//! key is never in the database, so the database alone, or its backup, opens nothing.

pub mod contract;
mod custody;
mod kept;
mod key;
mod master;
mod sealed;
mod signing;
mod store;

pub use custody::{
    Custody, CustodyError, CustodyStatus, CustodyStep, RekeyBegun, RekeyEnd, RekeyPhase,
    RekeyProgress,
};
pub use diamond_db::sealed::DataKeyCount;
pub use kept::{KeptIndex, KeptValue, KeptValues};
pub use key::SecretKey;
pub use master::{
    KeyWrapper, MasterKey, MasterKeyError, MasterKeyId, MasterKeySource, MasterKeys, WrapError,
};
pub use sealed::{OpenError, SealedStore};
pub use signing::SigningKey;
pub use store::{Precondition, SecretError, SecretStore, StoredVersion};
