//! The length of a WAV file, from its header and size.

/// Enough for the format chunk and the usual lists before the samples.
const HEAD_BYTES: usize = 4_096;

/// Reads a WAV file in passing: keeps its head, counts the rest.
#[derive(Debug, Clone, Default)]
pub struct WavHead {
    head: Vec<u8>,
    total: u64,
}

impl WavHead {
    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.total += bytes.len() as u64;
    }

    /// The length in milliseconds, rounded half up; `None` when it is not a WAV file of
    /// uncompressed samples. A length in the header that exceeds the file (writers that stream put
    /// the largest number there) gives way to the file's own.
    #[must_use]
    pub fn milliseconds(&self) -> Option<u64> {
        let head = self.head.as_slice();
        if head.get(..4)? != b"RIFF" || head.get(8..12)? != b"WAVE" {
            return None;
        }
        let mut at = 12_usize;
        let mut bytes_per_second = None;
        loop {
            let name = head.get(at..at + 4)?;
            let size = u32::from_le_bytes(head.get(at + 4..at + 8)?.try_into().ok()?);
            let body = at + 8;
            match name {
                b"fmt " => {
                    let rate = head.get(body + 8..body + 12)?.try_into().ok()?;
                    bytes_per_second = Some(u64::from(u32::from_le_bytes(rate)));
                }
                b"data" => {
                    let there = self.total.saturating_sub(body as u64);
                    let length = u128::from(there.min(u64::from(size)));
                    let rate = u128::from(bytes_per_second.filter(|&rate| rate > 0)?);
                    return u64::try_from((length * 1_000 + rate / 2) / rate).ok();
                }
                _ => {}
            }
            // Chunks are padded to even sizes.
            let padded = usize::try_from(size)
                .ok()?
                .checked_add(usize::from(size % 2 == 1))?;
            at = body.checked_add(padded)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(declared: u32, samples: usize) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        file.extend(16_000_u32.to_le_bytes());
        file.extend(32_000_u32.to_le_bytes());
        file.extend([2, 0, 16, 0]);
        file.extend(b"LIST\x03\0\0\0abc\0data");
        file.extend(declared.to_le_bytes());
        file.extend(vec![0; samples]);
        file
    }

    #[test]
    fn length_is_bytes_over_rate() {
        let mut head = WavHead::default();
        for piece in wav(48_000, 48_000).chunks(7) {
            head.push(piece);
        }
        assert_eq!(head.milliseconds(), Some(1_500));
    }

    #[test]
    fn a_streamed_header_gives_way_to_the_size() {
        let mut head = WavHead::default();
        head.push(&wav(u32::MAX, 16_000));
        assert_eq!(head.milliseconds(), Some(500));
    }

    #[test]
    fn other_bytes_have_no_length() {
        let mut head = WavHead::default();
        head.push(b"ID3\x04 an mp3, not a wave");
        assert_eq!(head.milliseconds(), None);
        assert_eq!(WavHead::default().milliseconds(), None);
    }
}
