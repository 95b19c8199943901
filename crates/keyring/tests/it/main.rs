//! Promises of the keyring, through its public face.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests fails its test by panicking"
)]

mod closed;
mod drain;
mod life;
mod resolution;
mod threads;

use std::sync::Arc;

use diamond_domain::{
    ManualClock, Payer, SecretName, SecretValue, SecretVersion, ServiceId, TenantId, VersionState,
};
use diamond_keyring::{KeyEntry, Keyring, NoKey, PinnedKey};
use jiff::Timestamp;

/// A keyring with a clock that stands.
struct Ring {
    keys: Arc<Keyring>,
    clock: Arc<ManualClock>,
}

fn openai() -> ServiceId {
    "openai".parse().unwrap()
}

fn zaxon() -> TenantId {
    "zaxon".parse().unwrap()
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn dedicated() -> SecretName {
    name("ai-openai-zaxon")
}

fn customer() -> SecretName {
    name("ai-openai-zaxon-customer")
}

fn version(number: u32) -> SecretVersion {
    SecretVersion::new(number).unwrap()
}

impl Ring {
    fn new() -> Self {
        let start = "2025-01-22T10:00:00Z".parse::<Timestamp>().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let keys = Arc::new(Keyring::new(clock.clone()));
        Self { keys, clock }
    }

    /// Puts a version whose value tells which it is.
    fn put(&self, name: &SecretName, number: u32, state: VersionState) {
        let payer = match name {
            SecretName::Customer { .. } => Payer::Tenant,
            _ => Payer::Platform,
        };
        self.keys.upsert(KeyEntry {
            name: name.clone(),
            version: version(number),
            value: SecretValue::new(format!("{name}/{number}")),
            state,
            payer,
        });
    }

    fn pin(&self) -> Result<PinnedKey, NoKey> {
        self.keys.pin(&openai(), &zaxon())
    }

    /// Which version a new request gets.
    fn pinned(&self) -> String {
        self.pin().unwrap().value().expose().to_owned()
    }
}
