//! Prompt caching: which beginnings of prompts a key has sent before.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;

use crate::tokens;

/// The shortest beginning that is kept, in tokens.
const FIRST_TOKENS: u64 = 1_024;
/// Longer beginnings are kept in steps of this many tokens.
const STEP_TOKENS: u64 = 128;
/// Beyond this many beginnings all are forgotten, as a provider's cache forgets.
const MOST_BEGINNINGS: usize = 1 << 20;

/// What the cache knew of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cached {
    /// Tokens that were there.
    pub(crate) read: u64,
    /// Tokens that are there now and were not.
    pub(crate) written: u64,
}

/// Fingerprints of beginnings.
#[derive(Default)]
pub(crate) struct PromptCache {
    known: Arc<Mutex<HashSet<u64>>>,
}

impl PromptCache {
    /// Looks a prompt up and remembers it. `owner` names whose cache it is: the key and the model.
    pub(crate) fn look(&self, owner: &str, prompt: &str) -> Cached {
        if prompt.len() as u64 <= FIRST_TOKENS {
            return Cached::default();
        }
        let mut hash = fold(0xcbf2_9ce4_8422_2325, owner.as_bytes());
        let mut known = self.known.lock();
        if known.len() > MOST_BEGINNINGS {
            known.clear();
        }
        let (mut read, mut end) = (0, 0);
        for (place, piece) in tokens::pieces(prompt).enumerate() {
            hash = fold(hash, piece.as_bytes());
            let length = place as u64 + 1;
            if length >= FIRST_TOKENS && (length - FIRST_TOKENS).is_multiple_of(STEP_TOKENS) {
                end = length;
                if !known.insert(hash) {
                    read = length;
                }
            }
        }
        Cached {
            read,
            written: end - read,
        }
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        self.known.lock().clear();
    }
}

/// FNV-1a over more bytes.
fn fold(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_known_to_its_owner_the_second_time() {
        let cache = PromptCache::default();
        // 1,200 tokens: kept up to 1,024 + 128 = 1,152
        let prompt = "four".repeat(1_200);
        assert_eq!(
            cache.look("a", &prompt),
            Cached {
                read: 0,
                written: 1_152
            }
        );
        assert_eq!(
            cache.look("a", &prompt),
            Cached {
                read: 1_152,
                written: 0
            }
        );
        assert_eq!(
            cache.look("b", &prompt),
            Cached {
                read: 0,
                written: 1_152
            }
        );
        // 1,300 tokens with the same beginning: kept up to 1,280
        let longer = format!("{prompt}{}", "more".repeat(100));
        assert_eq!(
            cache.look("a", &longer),
            Cached {
                read: 1_152,
                written: 128
            }
        );
        assert_eq!(cache.look("a", &"four".repeat(1_023)), Cached::default());
    }
}
