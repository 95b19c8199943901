//! A master key from a passphrase, by Argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::MasterKeyError;
use crate::{SecretKey, key::KEY_LENGTH};

/// The fewest characters of a passphrase.
const MINIMUM: usize = 12;

const SALT_LENGTH: usize = 16;

/// How the key is derived; stored at the first start, so that later defaults change nothing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Derivation {
    algorithm: String,
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    salt: String,
}

impl Derivation {
    /// RFC 9106's second recommendation (64 MiB, three passes) with one lane: this runs once, at
    /// the start.
    pub(crate) fn generate() -> Result<Self, MasterKeyError> {
        let mut salt = [0_u8; SALT_LENGTH];
        getrandom::fill(&mut salt)
            .map_err(|error| MasterKeyError::Derivation(error.to_string()))?;
        Ok(Self {
            algorithm: "argon2id".to_owned(),
            memory_kib: 64 * 1024,
            iterations: 3,
            parallelism: 1,
            salt: STANDARD.encode(salt),
        })
    }

    /// Reads what is stored. Whoever can write there can at most make us work: bounds keep that
    /// small, and any change gives another key, which opens nothing.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let read: Self = serde_json::from_str(text).ok()?;
        let sane = read.algorithm == "argon2id"
            && (8 * 1024..=4 * 1024 * 1024).contains(&read.memory_kib)
            && (1..=64).contains(&read.iterations)
            && (1..=16).contains(&read.parallelism);
        sane.then_some(read)
    }

    fn run(&self, passphrase: &str) -> Result<SecretKey, MasterKeyError> {
        let salt = STANDARD.decode(&self.salt).ok();
        let salt = salt.filter(|salt| salt.len() == SALT_LENGTH);
        let salt = salt.ok_or(MasterKeyError::Parameters)?;
        let parameters = Params::new(
            self.memory_kib,
            self.iterations,
            self.parallelism,
            Some(KEY_LENGTH),
        )
        .map_err(|_| MasterKeyError::Parameters)?;
        // Our own memory, because it is wiped: what stands in it leads to the key.
        let mut memory = Zeroizing::new(vec![Block::default(); parameters.block_count()]);
        let mut key = SecretKey::blank();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into_with_memory(
                passphrase.as_bytes(),
                &salt,
                key.bytes_mut(),
                &mut memory[..],
            )
            .map_err(|error| MasterKeyError::Derivation(error.to_string()))?;
        Ok(key)
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> Result<String, MasterKeyError> {
        serde_json::to_string(self).map_err(|error| MasterKeyError::Derivation(error.to_string()))
    }

    /// The key of the passphrase.
    pub(super) async fn derive(
        &self,
        passphrase: Zeroizing<String>,
    ) -> Result<SecretKey, MasterKeyError> {
        if passphrase.chars().count() < MINIMUM {
            return Err(MasterKeyError::Short { minimum: MINIMUM });
        }
        let derivation = self.clone();
        // Half a second of one core: not on a thread that serves requests.
        tokio::task::spawn_blocking(move || derivation.run(&passphrase))
            .await
            .map_err(|error| MasterKeyError::Derivation(error.to_string()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivation() -> Derivation {
        Derivation {
            algorithm: "argon2id".into(),
            memory_kib: 8 * 1024,
            iterations: 1,
            parallelism: 1,
            salt: STANDARD.encode([7; SALT_LENGTH]),
        }
    }

    #[test]
    fn every_part_of_the_derivation_counts() {
        let run =
            |derivation: &Derivation, passphrase| *derivation.run(passphrase).unwrap().expose();
        let first = derivation();
        let key = run(&first, "correct horse");
        assert_eq!(run(&first, "correct horse"), key);
        assert_ne!(run(&first, "correct horsf"), key);
        let mut others = [first.clone(), first.clone(), first.clone()];
        others[0].salt = STANDARD.encode([8; SALT_LENGTH]);
        others[1].iterations = 2;
        others[2].memory_kib *= 2;
        for other in &others {
            assert_ne!(run(other, "correct horse"), key, "{other:?}");
        }
    }

    #[test]
    fn parameters_that_would_exhaust_the_machine_are_not_read() {
        let text = |derivation: &Derivation| serde_json::to_string(derivation).unwrap();
        assert_eq!(Derivation::read(&text(&derivation())), Some(derivation()));
        let mut greedy = derivation();
        greedy.memory_kib = u32::MAX;
        assert_eq!(Derivation::read(&text(&greedy)), None);
        let mut endless = derivation();
        endless.iterations = u32::MAX;
        assert_eq!(Derivation::read(&text(&endless)), None);
        assert_eq!(Derivation::read("{}"), None);
    }

    #[test]
    fn new_salts_differ() {
        let (one, other) = (
            Derivation::generate().unwrap(),
            Derivation::generate().unwrap(),
        );
        assert_ne!(one.salt, other.salt);
    }
}
