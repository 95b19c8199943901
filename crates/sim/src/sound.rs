//! Sound: how long it lasts, and how to make some.

use bytes::Bytes;

/// What a millisecond takes in a format that is not measured exactly: 128 kbit/s.
const BYTES_PER_MILLISECOND: u64 = 16;
/// Sound that we make.
const SAMPLES_PER_SECOND: u32 = 24_000;

/// How long a sound lasts, in milliseconds. A WAV file is measured; of any other format the size
/// is taken for 128 kbit/s.
pub(crate) fn milliseconds(sound: &[u8]) -> u64 {
    wav_milliseconds(sound).unwrap_or_else(|| (sound.len() as u64).div_ceil(BYTES_PER_MILLISECOND))
}

/// How many channels a sound has: those of a WAV file, else one.
pub(crate) fn channels(sound: &[u8]) -> u64 {
    let format = sound.windows(4).position(|four| four == b"fmt ");
    let format = format.filter(|_| sound.starts_with(b"RIFF"));
    let bytes = format.and_then(|start| sound.get(start + 10..start + 12)?.try_into().ok());
    bytes.map_or(1, |bytes| u64::from(u16::from_le_bytes(bytes)).max(1))
}

/// The length of a WAV file by its own header, to the nearest millisecond. A `data` chunk that
/// promises more than there is (a stream's header does) lasts as long as what is there.
fn wav_milliseconds(sound: &[u8]) -> Option<u64> {
    let mut rest = sound
        .strip_prefix(b"RIFF")?
        .get(4..)?
        .strip_prefix(b"WAVE")?;
    let mut bytes_per_second = None;
    loop {
        let (name, after) = rest.split_at_checked(4)?;
        let (size, content) = after.split_at_checked(4)?;
        let size = u32::from_le_bytes(size.try_into().ok()?) as usize;
        if name == b"fmt " {
            bytes_per_second = Some(u64::from(u32::from_le_bytes(
                content.get(8..12)?.try_into().ok()?,
            )));
        }
        if name == b"data" {
            let rate = bytes_per_second.filter(|rate| *rate > 0)?;
            let bytes = size.min(content.len()) as u64;
            return Some((bytes * 1_000 + rate / 2) / rate);
        }
        rest = content.get(size + size % 2..)?;
    }
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Mp3,
    Opus,
    Aac,
    Flac,
    Wav,
    Pcm,
}

impl Format {
    /// The format with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "mp3" => Self::Mp3,
            "opus" => Self::Opus,
            "aac" => Self::Aac,
            "flac" => Self::Flac,
            "wav" => Self::Wav,
            "pcm" => Self::Pcm,
            _ => return None,
        })
    }

    /// The content type of an answer.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Opus => "audio/opus",
            Self::Aac => "audio/aac",
            Self::Flac => "audio/flac",
            Self::Wav => "audio/wav",
            Self::Pcm => "audio/pcm",
        }
    }

    /// Silence of a length. WAV, PCM and MP3 can be played; the others have the right beginning
    /// and a likely size, which is all that a proxy sees of them.
    pub(crate) fn silence(self, milliseconds: u64) -> Bytes {
        let milliseconds = usize::try_from(milliseconds).unwrap_or(0);
        let samples = milliseconds * (SAMPLES_PER_SECOND as usize / 1_000);
        let filled = |beginning: &[u8], size: usize| {
            let mut bytes = beginning.to_vec();
            bytes.resize(beginning.len() + size, 0);
            Bytes::from(bytes)
        };
        match self {
            Self::Pcm => filled(&[], samples * 2),
            Self::Wav => filled(&wav_header(samples * 2), samples * 2),
            // Frames of 128 kbit/s at 44.1 kHz: 417 bytes, 26 ms each.
            Self::Mp3 => {
                let frame = filled(&[0xff, 0xfb, 0x90, 0x64], 413);
                frame.repeat(milliseconds.div_ceil(26)).into()
            }
            Self::Opus => filled(b"OggS", milliseconds * 4),
            Self::Aac => filled(&[0xff, 0xf1], milliseconds * 8),
            Self::Flac => filled(b"fLaC", milliseconds * 24),
        }
    }
}

/// The header of a mono WAV file of 16-bit samples.
fn wav_header(data_bytes: usize) -> Vec<u8> {
    let size = u32::try_from(data_bytes).unwrap_or(u32::MAX);
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF");
    header.extend(size.saturating_add(36).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend(1_u16.to_le_bytes());
    header.extend(1_u16.to_le_bytes());
    header.extend(SAMPLES_PER_SECOND.to_le_bytes());
    header.extend((SAMPLES_PER_SECOND * 2).to_le_bytes());
    header.extend(2_u16.to_le_bytes());
    header.extend(16_u16.to_le_bytes());
    header.extend(b"data");
    header.extend(size.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_file_lasts_as_long_as_its_samples() {
        assert_eq!(milliseconds(&Format::Wav.silence(1_234)), 1_234);
        // A header of a stream, which promises more than came.
        let mut stream = Format::Wav.silence(500).to_vec();
        stream[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(milliseconds(&stream), 500);
        assert_eq!(channels(&stream), 1);
        stream[22] = 2;
        assert_eq!(channels(&stream), 2);
    }

    #[test]
    fn other_sound_is_taken_by_its_size() {
        assert_eq!(milliseconds(&[1; 1_600]), 100);
        assert_eq!(milliseconds(b"RIFF"), 1);
        assert_eq!(milliseconds(&[]), 0);
    }
}
