//! A key in memory.

use std::fmt;

use zeroize::{ZeroizeOnDrop, Zeroizing};

/// The length of every key here, in bytes.
pub(crate) const KEY_LENGTH: usize = 32;

/// 256 bits of key. Its `Debug` is a blank, and its bytes are wiped when it is dropped.
///
/// The bytes have one place on the heap: were they in the struct itself, each move of it would
/// leave a copy on the stack that nobody wipes.
pub struct SecretKey(Box<Zeroizing<[u8; KEY_LENGTH]>>);

impl ZeroizeOnDrop for SecretKey {}

impl SecretKey {
    /// A new random key.
    ///
    /// # Errors
    /// When the operating system has no random bytes to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = Self::blank();
        getrandom::fill(&mut key.0[..])?;
        Ok(key)
    }

    /// The key of these bytes; `None` when there are not 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Self::blank();
        if bytes.len() != KEY_LENGTH {
            return None;
        }
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// A key that is about to be filled in.
    pub(crate) fn blank() -> Self {
        Self(Box::new(Zeroizing::new([0; KEY_LENGTH])))
    }

    /// The bytes, for filling in.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; KEY_LENGTH] {
        &mut self.0
    }

    /// The bytes, for a cipher.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}
