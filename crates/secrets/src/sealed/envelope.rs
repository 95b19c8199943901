//! Sealed bytes: a format byte, a random nonce, AES-256-GCM's ciphertext and tag; as text in base
//! 64, of which only the one proper spelling is read.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::SecretKey;

/// The one format so far. It is part of every binding too.
pub(crate) const FORMAT: u8 = 1;

const HEADER_LENGTH: usize = 1 + NONCE_LEN;

/// The bytes are not what was sealed with this key and binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open")]
pub(crate) struct Unopened;

/// The machine gave no random bytes, or the cipher refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the machine cannot seal")]
pub(crate) struct Unsealed;

/// Seals into text.
pub(super) fn seal(key: &SecretKey, binding: &[u8], plain: &[u8]) -> Result<String, Unsealed> {
    Ok(STANDARD.encode(seal_bytes(key, binding, plain)?))
}

/// Opens what [`seal`] made.
pub(super) fn open(
    key: &SecretKey,
    binding: &[u8],
    text: &str,
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let sealed = STANDARD.decode(text).map_err(|_| Unopened)?;
    open_bytes(key, binding, &sealed)
}

/// Seals under a nonce that is new each time. 2^32 seals under one key would be too many for
/// random nonces of 96 bits; a tenant's data key seals a few hundred in its life.
pub(crate) fn seal_bytes(
    key: &SecretKey,
    binding: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Unsealed> {
    let mut nonce = [0_u8; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| Unsealed)?;
    // Room for all of it from the beginning: growing would leave a copy of the plain bytes.
    let length = plain.len() + AES_256_GCM.tag_len();
    let mut body = Zeroizing::new(Vec::with_capacity(length));
    body.extend_from_slice(plain);
    cipher(key)
        .ok_or(Unsealed)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(binding),
            &mut *body,
        )
        .map_err(|_| Unsealed)?;
    let mut sealed = Vec::with_capacity(HEADER_LENGTH + body.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// Opens what [`seal_bytes`] made with the same key and binding; anything else does not open.
pub(crate) fn open_bytes(
    key: &SecretKey,
    binding: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let (header, body) = sealed.split_at_checked(HEADER_LENGTH).ok_or(Unopened)?;
    if header[0] != FORMAT {
        return Err(Unopened);
    }
    let nonce = Nonce::try_assume_unique_for_key(&header[1..]).map_err(|_| Unopened)?;
    let mut plain = Zeroizing::new(body.to_vec());
    let length = cipher(key)
        .ok_or(Unopened)?
        .open_in_place(nonce, Aad::from(binding), &mut plain)
        .map_err(|_| Unopened)?
        .len();
    plain.truncate(length);
    Ok(plain)
}

fn cipher(key: &SecretKey) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key.expose()).ok()?;
    Some(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_slice(&[byte; 32]).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_nothing_else_does(
            plain in proptest::collection::vec(any::<u8>(), 0..80),
            place in any::<prop::sample::Index>(),
            flip in 1_u8..=255,
        ) {
            let (key, other) = (key(1), key(2));
            let mut sealed = seal_bytes(&key, b"here", &plain).unwrap();
            prop_assert_eq!(&*open_bytes(&key, b"here", &sealed).unwrap(), &plain);
            prop_assert!(open_bytes(&other, b"here", &sealed).is_err());
            prop_assert!(open_bytes(&key, b"there", &sealed).is_err());
            let cut = place.index(sealed.len());
            prop_assert!(open_bytes(&key, b"here", &sealed[..cut]).is_err());
            sealed[cut] ^= flip;
            prop_assert!(open_bytes(&key, b"here", &sealed).is_err());
        }

        #[test]
        fn a_letter_of_the_text_is_a_part_of_the_seal(
            plain in proptest::collection::vec(any::<u8>(), 0..40),
            place in any::<prop::sample::Index>(),
            letter in any::<char>(),
        ) {
            let key = key(1);
            let text = seal(&key, b"here", &plain).unwrap();
            let mut letters: Vec<char> = text.chars().collect();
            letters[place.index(text.len())] = letter;
            let altered: String = letters.into_iter().collect();
            prop_assert_eq!(open(&key, b"here", &altered).is_ok(), altered == text);
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let seals: std::collections::HashSet<_> = (0..100)
            .map(|_| seal_bytes(&key(1), b"", b"value").unwrap()[1..HEADER_LENGTH].to_vec())
            .collect();
        assert_eq!(seals.len(), 100);
    }

    #[test]
    fn plain_bytes_stand_only_in_memory_that_is_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        type Opening = fn(&SecretKey, &[u8], &str) -> Result<Zeroizing<Vec<u8>>, Unopened>;
        type Deriving = fn(&crate::SealedStore, &str) -> Zeroizing<[u8; 32]>;
        let _: Opening = open;
        let _: Deriving = crate::SealedStore::derive;
        wiped::<SecretKey>();
        wiped::<Zeroizing<Vec<u8>>>();
        wiped::<Zeroizing<[u8; 32]>>();
        wiped::<Zeroizing<String>>();
        // Would not be wiped if a key had become an ordinary array.
        assert!(std::mem::needs_drop::<SecretKey>());
        assert!(std::mem::needs_drop::<crate::MasterKey>());
    }
}
