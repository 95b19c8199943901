//! Typed, prefixed identifiers: a `TokenId` cannot be handed where a `RequestId` is wanted.
//!
//! A generated id is 48 bits of milliseconds followed by 80 random bits, written in Crockford's
//! base 32 behind its prefix (`req_01ka…`), so ids sort by the time they were made.

use std::{cell::RefCell, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not begin with the prefix of its kind.
    #[error("expected an identifier that begins with `{expected}`")]
    Prefix {
        /// The prefix that was wanted, with its underscore.
        expected: &'static str,
    },
    /// The part behind the prefix has the wrong length or letters.
    #[error("`{expected}` must be followed by {length} characters of {alphabet}")]
    Body {
        /// The prefix of the kind.
        expected: &'static str,
        /// How many characters follow it.
        length: usize,
        /// Which characters are allowed.
        alphabet: &'static str,
    },
}

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE32_LENGTH: usize = 26;

fn base32(value: u128) -> [u8; BASE32_LENGTH] {
    let mut text = [b'0'; BASE32_LENGTH];
    let mut rest = value;
    for place in text.iter_mut().rev() {
        *place = CROCKFORD[(rest & 31) as usize];
        rest >>= 5;
    }
    text
}

/// Thirty-two lower-case hexadecimal digits.
fn hexadecimal(value: u128) -> [u8; 32] {
    let mut text = [b'0'; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    text
}

/// A prefix and the digits behind it, written in one piece.
fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, digits: &[u8]) -> fmt::Result {
    let mut text = [0; 40];
    let length = prefix.len() + digits.len();
    let (Some(head), true) = (text.get_mut(..prefix.len()), length <= 40) else {
        return Err(fmt::Error);
    };
    head.copy_from_slice(prefix.as_bytes());
    text[prefix.len()..length].copy_from_slice(digits);
    f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
}

fn parse_base32(text: &str) -> Option<u128> {
    if text.len() != BASE32_LENGTH || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0_u128, |value, byte| {
        let digit = CROCKFORD.iter().position(|&letter| letter == byte)?;
        Some(value << 5 | digit as u128)
    })
}

fn timed_random(now: Timestamp) -> u128 {
    let millis = u128::try_from(now.as_millisecond().max(0)).unwrap_or(0);
    millis << 80 | u128::from_be_bytes(random_bytes()) >> 48
}

/// Random bytes that a thread has in stock: names are no secrets, and asking the operating system
/// for each would cost more than all the rest of making one.
struct Stock {
    bytes: [u8; Self::BYTES],
    used: usize,
}

impl Stock {
    const BYTES: usize = 1_024;

    fn take(&mut self) -> [u8; 16] {
        if self.used + 16 > Self::BYTES {
            #[expect(
                clippy::expect_used,
                reason = "a machine without randomness must not mint identifiers"
            )]
            getrandom::fill(&mut self.bytes).expect("the operating system gives random bytes");
            self.used = 0;
        }
        let mut taken = [0; 16];
        taken.copy_from_slice(&self.bytes[self.used..self.used + 16]);
        self.used += 16;
        taken
    }
}

/// Sixteen bytes from the operating system's generator, which nobody else gets.
fn random_bytes() -> [u8; 16] {
    thread_local! {
        static STOCK: RefCell<Stock> = const {
            RefCell::new(Stock { bytes: [0; Stock::BYTES], used: Stock::BYTES })
        };
    }
    STOCK.with_borrow_mut(Stock::take)
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The letters before the first digit, with the underscore.
            pub const PREFIX: &'static str = concat!($prefix, "_");

            /// A new identifier, ordered by `now`.
            #[must_use]
            pub fn generate(now: Timestamp) -> Self {
                Self(timed_random(now))
            }

            /// The 128 bits behind the text.
            #[must_use]
            pub const fn to_bits(self) -> u128 {
                self.0
            }

            /// The identifier with these bits, as `to_bits` gave them.
            #[must_use]
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(f, Self::PREFIX, &base32(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let body = text
                    .strip_prefix(Self::PREFIX)
                    .ok_or(IdError::Prefix { expected: Self::PREFIX })?;
                parse_base32(body).map(Self).ok_or(IdError::Body {
                    expected: Self::PREFIX,
                    length: BASE32_LENGTH,
                    alphabet: "0-9 and a-z without i, l, o, u",
                })
            }
        }

        impl_serde_as_text!($name);
    };
}

/// Serialize through `Display`, deserialize through `FromStr`.
macro_rules! impl_serde_as_text {
    ($name:ty) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}
pub(crate) use impl_serde_as_text;

prefixed_id!(
    /// One request that reached us; ours, never the client's.
    RequestId, "req"
);
prefixed_id!(
    /// One logical call, to which several attempts may belong.
    OperationId, "op"
);
prefixed_id!(
    /// An access token's public name (not the token).
    TokenId, "tok"
);
prefixed_id!(
    /// One entry of the audit chain.
    AuditId, "aud"
);
prefixed_id!(
    /// One data folder: the process that owns it, whichever machine it is on.
    NodeId, "nod"
);
prefixed_id!(
    /// A revocation that takes effect at once.
    RevocationId, "rev"
);
prefixed_id!(
    /// A rotation: how one key takes another's place.
    RotationId, "rot"
);
prefixed_id!(
    /// A random name made at the first start; part of every name that we give at a provider.
    InstallationId, "ins"
);

/// The name of a usage event: a hash, so that telling the same fact twice gives the same name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u128);

impl EventId {
    /// The letters before the hash.
    pub const PREFIX: &'static str = "evt_";
    const LENGTH: usize = 32;

    /// The event of one attempt of a request that passed through us.
    #[must_use]
    pub fn of_request(tenant: &str, request: RequestId, attempt: u32, kind: &str) -> Self {
        Self::hash(&[
            b"request",
            tenant.as_bytes(),
            &request.to_bits().to_be_bytes(),
            &attempt.to_be_bytes(),
            kind.as_bytes(),
        ])
    }

    /// The event that a caller reported under its own id, unique within `(tenant, source)`.
    #[must_use]
    pub fn of_report(tenant: &str, source: &str, caller_id: &str) -> Self {
        Self::hash(&[
            b"report",
            tenant.as_bytes(),
            source.as_bytes(),
            caller_id.as_bytes(),
        ])
    }

    fn hash(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            // Lengths make the parts unambiguous: ("ab","c") is not ("a","bc").
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let mut bits = [0_u8; 16];
        bits.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_be_bytes(bits))
    }

    /// The 128 bits behind the text.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// The identifier with these bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, Self::PREFIX, &hexadecimal(self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let body = text.strip_prefix(Self::PREFIX).ok_or(IdError::Prefix {
            expected: Self::PREFIX,
        })?;
        parse_lower_hex(body, Self::LENGTH)
            .map(Self)
            .ok_or(IdError::Body {
                expected: Self::PREFIX,
                length: Self::LENGTH,
                alphabet: "0-9 a-f",
            })
    }
}

impl_serde_as_text!(EventId);

/// A W3C trace id: 16 bytes, 32 hexadecimal digits, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// A new random trace id.
    #[must_use]
    pub fn generate() -> Self {
        Self(u128::from_be_bytes(random_bytes()).max(1))
    }

    /// The trace id inside a `traceparent` header (`00-<trace>-<span>-<flags>`), if it is one.
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let version = parts.next()?;
        let trace = parts.next()?.parse().ok()?;
        let span = parts.next()?;
        (version.len() == 2 && version != "ff" && span.len() == 16).then_some(trace)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, "", &hexadecimal(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TraceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_lower_hex(text, 32)
            .filter(|&bits| bits != 0)
            .map(Self)
            .ok_or(IdError::Body {
                expected: "",
                length: 32,
                alphabet: "0-9 a-f, not all zero",
            })
    }
}

impl_serde_as_text!(TraceId);

fn parse_lower_hex(text: &str, length: usize) -> Option<u128> {
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (digits && text.len() == length)
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_id_reads_back_what_it_writes(bits: u128) {
            let id = RequestId::from_bits(bits);
            prop_assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
            let event = EventId::from_bits(bits);
            prop_assert_eq!(event.to_string().parse::<EventId>().unwrap(), event);
        }
    }

    #[test]
    fn no_two_ids_are_the_same() {
        // More than a thread has in stock, in several threads.
        let make = || (0..200).map(|_| TraceId::generate()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let all: Vec<TraceId> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), 800);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let token = TokenId::from_bits(7).to_string();
        assert_eq!(
            token.parse::<RequestId>(),
            Err(IdError::Prefix { expected: "req_" })
        );
    }

    #[test]
    fn parts_of_an_event_id_do_not_run_together() {
        assert_ne!(
            EventId::of_report("a", "bc", "d"),
            EventId::of_report("ab", "c", "d")
        );
    }

    #[test]
    fn a_traceparent_gives_its_trace() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = TraceId::from_traceparent(header).unwrap();
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(TraceId::from_traceparent("00-0-0-0").is_none());
    }
}
