//! A record on the disk.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the payload |
//! | 4 | CRC-32 of everything else here, seeded with the journal's id |
//! | 8 | the record's number |
//! | 8 | how many records were durable when this one was written |
//! | n | payload |
//!
//! All numbers little-endian. The last field is what recovery tells a torn tail from damage by: a
//! record that a later one calls durable cannot have been torn.

use crate::JournalId;

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 24;

/// What stands before the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub length: usize,
    checksum: u32,
    pub number: u64,
    pub durable: u64,
}

/// The start value of a journal's checksums: a record of another journal never fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn of(journal: JournalId) -> Self {
        Self(crc32fast::hash(&journal.0))
    }
}

impl RecordHeader {
    /// Reads the header at the beginning of `bytes`, if they are enough.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let four = |at: usize| {
            let mut number = [0; 4];
            number.copy_from_slice(&header[at..at + 4]);
            u32::from_le_bytes(number)
        };
        let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
        Some(Self {
            length: four(0) as usize,
            checksum: four(4),
            number: eight(8),
            durable: eight(16),
        })
    }

    /// Whether header and payload are what was written.
    pub(crate) fn fits(&self, seed: Seed, payload: &[u8]) -> bool {
        payload.len() == self.length
            && checksum(seed, self.number, self.durable, payload) == self.checksum
    }
}

/// Appends the record to `out`. The payload's length was checked to fit 32 bits.
pub(crate) fn write(out: &mut Vec<u8>, seed: Seed, number: u64, durable: u64, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(seed, number, durable, payload).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&durable.to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(seed: Seed, number: u64, durable: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed.0);
    hasher.update(&(payload.len() as u64).to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(&durable.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(
            payload in prop::collection::vec(any::<u8>(), 1..200),
            number: u64,
            durable: u64,
            place: prop::sample::Index,
            bit in 0_u8..8,
        ) {
            let seed = Seed::of(JournalId([7; 16]));
            let mut bytes = Vec::new();
            write(&mut bytes, seed, number, durable, &payload);
            let header = RecordHeader::read(&bytes).unwrap();
            prop_assert_eq!((header.number, header.durable), (number, durable));
            prop_assert!(header.fits(seed, &bytes[HEADER_BYTES..]));

            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            let header = RecordHeader::read(&bytes).unwrap();
            prop_assert!(!header.fits(seed, &bytes[HEADER_BYTES..]));
        }
    }
}
