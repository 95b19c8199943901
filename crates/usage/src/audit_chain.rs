//! The keyed hash chain: version (1), hash (32), the entry as JSON.
//!
//! An entry's hash is BLAKE3 keyed over the hash before it (zeros for the first), its sequence and
//! its JSON.

use diamond_domain::UserId;
use zeroize::Zeroizing;

use crate::{AuditDraft, AuditEntry, AuditHead, UserCode, stored::Malformed};

const VERSION: u8 = 1;
/// Bytes before the JSON.
const HEAD_BYTES: usize = 33;

/// Before the first entry.
pub(crate) const EMPTY: AuditHead = AuditHead {
    sequence: 0,
    hash: [0; 32],
};

/// Adds entries to the chain and checks them.
pub(crate) struct Chain {
    key: Zeroizing<[u8; 32]>,
}

impl Chain {
    pub(crate) const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self { key }
    }

    fn hash(&self, before: &AuditHead, json: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&before.hash);
        hasher.update(&(before.sequence + 1).to_le_bytes());
        hasher.update(json);
        *hasher.finalize().as_bytes()
    }

    /// The record of the entry behind `before`, and the head with it.
    pub(crate) fn add(
        &self,
        before: &AuditHead,
        entry: &AuditEntry,
    ) -> Result<(Vec<u8>, AuditHead), Malformed> {
        let mut record = Vec::with_capacity(768);
        record.push(VERSION);
        record.extend_from_slice(&EMPTY.hash);
        serde_json::to_writer(&mut record, entry).map_err(|error| Malformed(error.to_string()))?;
        let hash = self.hash(before, &record[HEAD_BYTES..]);
        record[1..HEAD_BYTES].copy_from_slice(&hash);
        let sequence = before.sequence + 1;
        Ok((record, AuditHead { sequence, hash }))
    }

    /// The head with this record behind `before`, if it is the one that was written there.
    pub(crate) fn check(&self, before: &AuditHead, record: &[u8]) -> Option<AuditHead> {
        let (entry, hash, json) = read(record).ok()?;
        let sequence = before.sequence + 1;
        let holds = entry.sequence == sequence && self.hash(before, json) == hash;
        holds.then_some(AuditHead { sequence, hash })
    }
}

/// A record's entry, hash and JSON.
pub(crate) fn read(record: &[u8]) -> Result<(AuditEntry, [u8; 32], &[u8]), Malformed> {
    let malformed = || Malformed("not an entry of the audit chain".to_owned());
    let (head, json) = record
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or_else(malformed)?;
    if head[0] != VERSION {
        return Err(malformed());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(&head[1..]);
    let entry = serde_json::from_slice(json).map_err(|error| Malformed(error.to_string()))?;
    Ok((entry, hash, json))
}

/// The draft with the code in the name's place.
pub(crate) fn with_code(mut draft: AuditDraft, code: Option<UserCode>) -> AuditDraft {
    draft.user_id = code.map(|code| {
        let text = code.to_string();
        text.parse().unwrap_or_else(|_| UserId::unknown())
    });
    draft
}

/// The code that stands in an entry.
pub(crate) fn code_of(draft: &AuditDraft) -> Option<UserCode> {
    let text = draft.user_id.as_ref()?.as_str();
    u64::from_str_radix(text, 16).ok().map(UserCode)
}
