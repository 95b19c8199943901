//! Names of master keys.

use std::fmt;

use aws_lc_rs::hmac;

use crate::SecretKey;

/// Which master key: a fingerprint that tells nothing of the key and may be shown to anybody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterKeyId(String);

impl MasterKeyId {
    /// The id of a key in our own memory: 64 bits of a keyed digest.
    #[must_use]
    pub fn of(key: &SecretKey) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let digest = hmac::sign(&key, b"diamond/master-key/id/1");
        let hexadecimal = digest.as_ref()[..8].iter();
        Self(hexadecimal.map(|byte| format!("{byte:02x}")).collect())
    }

    /// The id by which a keeper elsewhere (a KMS) knows the key.
    #[must_use]
    pub const fn named(name: String) -> Self {
        Self(name)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_keys_own_and_shows_nothing_of_it() {
        let id = |byte| MasterKeyId::of(&SecretKey::from_slice(&[byte; 32]).unwrap());
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
        assert_eq!(id(1).as_str().len(), 16);
        assert!(!id(1).as_str().contains("0101"));
    }
}
