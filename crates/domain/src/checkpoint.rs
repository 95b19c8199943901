//! A signed word about how far an audit chain had come.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{InstallationId, NodeId};

/// How far a node's audit chain had come at an instant, signed by the installation's audit key.
/// Kept where neither the node's disk nor the control database can change it, it is the witness
/// against a chain that was cut or written anew together with its anchor.
///
/// The signature is Ed25519 over [`Checkpoint::statement`]; hash, key and signature are lower-case
/// hexadecimal. Whoever has the public key can check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Whose installation.
    pub installation: InstallationId,
    /// Which node's chain.
    pub node: NodeId,
    /// Which of the node's chains, from 1: a broken one is followed by another.
    pub chain: u32,
    /// The chain's last entry.
    pub sequence: u64,
    /// The keyed hash of the chain up to it.
    pub hash: String,
    /// When it was signed.
    pub at: Timestamp,
    /// The key to check the signature with.
    pub public_key: String,
    /// The signature.
    pub signature: String,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn statement(&self) -> String {
        let Self {
            installation,
            node,
            chain,
            sequence,
            hash,
            at,
            ..
        } = self;
        format!(
            "diamond audit checkpoint 1\n{installation}\n{node}\n{chain}\n{sequence}\n{hash}\n{at}\n"
        )
    }
}

/// Bytes as lower-case hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of a hexadecimal text.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_their_text() {
        assert_eq!(from_hex(&to_hex(&[0, 1, 255])), Some(vec![0, 1, 255]));
        for text in ["0", "0g", "é0"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
