//! Identifiers that never repeat, not even when the simulator is started again.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of identifiers: a random start and a counter.
pub(crate) struct Ids {
    seed: u64,
    next: AtomicU64,
}

impl Ids {
    /// A source with a start of its own. A provider never reuses a request id, and whoever joins
    /// records by it (as our gateway does) would be misled by a simulator that did.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)?;
        Ok(Self {
            seed: u64::from_le_bytes(seed),
            next: AtomicU64::new(1),
        })
    }

    /// A new identifier: the prefix and 32 hexadecimal digits.
    pub(crate) fn fresh(&self, prefix: &str) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!(
            "{prefix}{:016x}{:016x}",
            scatter(self.seed),
            scatter(self.seed ^ (number << 1))
        )
    }

    /// A new identifier in the shape of a UUID.
    pub(crate) fn uuid(&self) -> String {
        uuid(&self.fresh(""))
    }
}

/// The identifier in the shape of a UUID that always belongs to a name.
pub(crate) fn uuid_of(name: &str) -> String {
    let hash = |start| {
        name.bytes()
            .fold(start, |hash, byte| scatter(hash ^ u64::from(byte)))
    };
    uuid(&format!("{:016x}{:016x}", hash(1), hash(2)))
}

/// 32 hexadecimal digits with the hyphens, the version and the variant of a random UUID.
fn uuid(digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

/// One step of SplitMix64: a bijection, so different numbers stay different.
pub(crate) const fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ_within_a_run_and_between_runs() {
        let (one, other) = (Ids::new().unwrap(), Ids::new().unwrap());
        assert_ne!(one.fresh("req_"), one.fresh("req_"));
        assert_ne!(one.fresh("req_"), other.fresh("req_"));
        assert_eq!(one.fresh("req_").len(), 36);
        assert_eq!(one.uuid().len(), 36);
        assert_eq!(uuid_of("nova-3"), uuid_of("nova-3"));
        assert_ne!(uuid_of("nova-3"), uuid_of("nova-2"));
    }
}
