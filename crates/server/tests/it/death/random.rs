//! Numbers that follow from a seed.

use std::hash::{BuildHasher, RandomState};

/// The seed of `DIAMOND_TEST_SEED`, or a fresh one.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration but the environment"
)]
pub fn seed() -> u64 {
    let told = std::env::var("DIAMOND_TEST_SEED").ok();
    told.map_or_else(
        || RandomState::new().hash_one("seed") >> 16,
        |seed| seed.parse().expect("DIAMOND_TEST_SEED is a number"),
    )
}

/// SplitMix64: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than the bound.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
