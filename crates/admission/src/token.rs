//! The access token: what a caller holds, and the hash that we hold.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An access token: `dmd_`, 43 random letters and digits (256 bits), and 6 that are their
/// checksum, by which a leak scanner tells a token from a text that looks like one.
///
/// It has no `Display`, its `Debug` is a blank, and its bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct AccessToken(Zeroizing<String>);

/// Why a text is not an access token. The text itself is never repeated: it may be somebody's
/// other secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedToken {
    /// It does not begin with `dmd_`.
    #[error("it does not begin with `dmd_`; a provider's own key is not accepted in its place")]
    Prefix,
    /// Too short or too long.
    #[error("it has {0} characters instead of 53; part of it may have been lost in copying")]
    Length(usize),
    /// A character that no token contains.
    #[error("it contains something other than letters and digits behind `dmd_`")]
    Letters,
    /// The last six characters are not the checksum of the rest.
    #[error("its checksum is wrong; a character may have been lost or changed in copying")]
    Checksum,
}

impl AccessToken {
    /// What every token begins with.
    pub const PREFIX: &'static str = "dmd_";
    /// Characters of a whole token.
    pub const LENGTH: usize = Self::PREFIX.len() + Self::RANDOM + Self::CHECKSUM;
    /// 62⁴³ is just above 2²⁵⁶.
    const RANDOM: usize = 43;
    /// 62⁶ is above 2³², so a CRC-32 always fits.
    const CHECKSUM: usize = 6;

    /// A new token from the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        let mut text = Zeroizing::new(String::with_capacity(Self::LENGTH));
        text.push_str(Self::PREFIX);
        let mut bytes = Zeroizing::new([0_u8; 64]);
        while text.len() < Self::PREFIX.len() + Self::RANDOM {
            #[expect(
                clippy::expect_used,
                reason = "a machine without randomness must not mint tokens"
            )]
            getrandom::fill(&mut *bytes).expect("the operating system gives random bytes");
            let missing = Self::PREFIX.len() + Self::RANDOM - text.len();
            // 248 is the largest multiple of 62 in a byte; above it some letters would be likelier.
            let fair = bytes.iter().filter(|&&byte| byte < 248).take(missing);
            text.extend(fair.map(|&byte| char::from(LETTERS[usize::from(byte % 62)])));
        }
        let checksum = checksum(&text.as_bytes()[Self::PREFIX.len()..]);
        text.extend(checksum.map(char::from));
        Self(text)
    }

    /// Reads a token as somebody presents it.
    pub fn parse(text: &str) -> Result<Self, MalformedToken> {
        Self::check(text)?;
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Whether the text has the form of a token. Says nothing of whether the token exists.
    pub(crate) fn check(text: &str) -> Result<(), MalformedToken> {
        let body = text
            .strip_prefix(Self::PREFIX)
            .ok_or(MalformedToken::Prefix)?;
        if text.len() != Self::LENGTH {
            return Err(MalformedToken::Length(text.chars().count()));
        }
        if !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(MalformedToken::Letters);
        }
        let (random, found) = body.as_bytes().split_at(Self::RANDOM);
        if found != checksum(random) {
            return Err(MalformedToken::Checksum);
        }
        Ok(())
    }

    /// What is stored instead of the token.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    /// The token itself, for the one answer that hands it over.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// The CRC-32 of the random part as six base-62 digits, most significant first.
fn checksum(random: &[u8]) -> [u8; AccessToken::CHECKSUM] {
    let mut rest = crc32fast::hash(random);
    let mut digits = [b'0'; AccessToken::CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = LETTERS[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// BLAKE3 of a whole token. With 256 random bits behind it no salt or stretching is needed: there
/// is nothing to guess.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub(crate) fn of(token: &str) -> Self {
        Self(*blake3::hash(token.as_bytes()).as_bytes())
    }

    /// The hash with these bytes, as they were stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

// In constant time: how long a look-up takes tells nothing about a neighbour's hash.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_generated_token_parses_and_keeps_its_hash() {
        let token = AccessToken::generate();
        assert_eq!(token.expose().len(), AccessToken::LENGTH);
        let again = AccessToken::parse(token.expose()).unwrap();
        assert_eq!(again.hash(), token.hash());
        assert_ne!(AccessToken::generate().hash(), token.hash());
    }

    #[test]
    fn every_letter_is_drawn() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            seen.extend(AccessToken::generate().expose()[4..47].bytes());
        }
        assert_eq!(seen.len(), 62);
    }

    #[test]
    fn a_known_token_keeps_its_checksum() {
        // zlib's CRC-32 of 43 times the character `0` is 2,018,072,207
        // = 2·62⁵ + 12·62⁴ + 35·62³ + 38·62² + 47·62 + 45, in letters 2 C Z c l j.
        assert_eq!(&checksum("0".repeat(43).as_bytes()), b"2CZclj");
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let token = AccessToken::generate();
        assert_eq!(format!("{token:?}"), "AccessToken(…)");
        assert_eq!(format!("{:?}", token.hash()), "TokenHash(…)");
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", MalformedToken::Prefix),
            ("sk-proj-1234", MalformedToken::Prefix),
            ("Bearer dmd_x", MalformedToken::Prefix),
            ("dmd_short", MalformedToken::Length(9)),
        ] {
            assert_eq!(AccessToken::parse(text).unwrap_err(), reason, "{text}");
        }
        let odd = format!("dmd_{}!", "a".repeat(48));
        assert_eq!(
            AccessToken::parse(&odd).unwrap_err(),
            MalformedToken::Letters
        );
    }

    proptest! {
        #[test]
        fn one_changed_character_is_noticed(place in 4_usize..53, letter in 0_usize..62) {
            let token = AccessToken::generate();
            let mut bytes = token.expose().as_bytes().to_vec();
            prop_assume!(bytes[place] != LETTERS[letter]);
            bytes[place] = LETTERS[letter];
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(AccessToken::parse(&text).unwrap_err(), MalformedToken::Checksum);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(dmd_)?.{0,60}") {
            let _ = AccessToken::parse(&text);
        }
    }
}
