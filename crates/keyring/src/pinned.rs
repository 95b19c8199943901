//! A key version in use.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use diamond_domain::{Payer, SecretKind, SecretName, SecretValue, SecretVersion};

use jiff::Timestamp;

use crate::{keyring::Slots, version::Version};

/// The right to use one version of a key until this is dropped. A clone is another pin.
///
/// The version may be retired or revoked meanwhile; whoever holds the pin finishes with it.
pub struct PinnedKey {
    version: Arc<Version>,
    slots: Weak<Slots>,
}

impl PinnedKey {
    /// Wraps a pin that was taken on the version.
    pub(crate) const fn new(version: Arc<Version>, slots: Weak<Slots>) -> Self {
        Self { version, slots }
    }

    /// The key itself.
    #[must_use]
    pub fn value(&self) -> &SecretValue {
        self.version.value()
    }

    /// Which version of the secret it is.
    #[must_use]
    pub fn version(&self) -> SecretVersion {
        self.version.version
    }

    /// The secret.
    #[must_use]
    pub fn name(&self) -> &SecretName {
        &self.version.name
    }

    /// Which kind of secret it is: where resolution found it.
    #[must_use]
    pub fn kind(&self) -> SecretKind {
        self.version.name.kind()
    }

    /// Notes that its value leaves, to be used until then: whoever ends the version waits for it.
    pub fn lease(&self, until: Timestamp) {
        self.version.lease(until);
    }

    /// Who pays the provider for what is done with it.
    #[must_use]
    pub fn payer(&self) -> Payer {
        self.version.payer
    }
}

impl Clone for PinnedKey {
    fn clone(&self) -> Self {
        self.version.pin_again();
        Self {
            version: Arc::clone(&self.version),
            slots: Weak::clone(&self.slots),
        }
    }
}

impl Drop for PinnedKey {
    fn drop(&mut self) {
        if self.version.unpin()
            && let Some(slots) = self.slots.upgrade()
        {
            slots.forget(&self.version);
        }
    }
}

impl fmt::Debug for PinnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedKey({} {:?})", self.name(), self.version())
    }
}
