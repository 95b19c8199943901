//! Decompresses a copy of an answer as it passes, in bounded memory.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header::CONTENT_ENCODING};

/// How an answer is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
    /// Something that we did not ask for.
    Foreign,
}

impl Encoding {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = values.next() else {
            return Self::Identity;
        };
        if values.next().is_some() {
            return Self::Foreign;
        }
        let name = value.as_bytes().trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("identity") || name.is_empty() {
            Self::Identity
        } else if is("gzip") || is("x-gzip") {
            Self::Gzip
        } else if is("deflate") {
            Self::Deflate
        } else if is("br") {
            Self::Brotli
        } else {
            Self::Foreign
        }
    }
}

const BUFFER_BYTES: usize = 16 << 10;

/// Writes the decoded bytes into a sink. What cannot be decoded is left out, and said so.
pub(crate) enum Decoder<W: Write> {
    Identity(W),
    Gzip(Box<MultiGzDecoder<W>>),
    Zlib(Box<ZlibDecoder<W>>),
    Raw(Box<DeflateDecoder<W>>),
    /// `deflate` means zlib, but some send it bare; the first two bytes tell.
    Undecided(Option<W>, Vec<u8>),
    Brotli(Box<DecompressorWriter<W>>),
    Foreign(W),
}

impl<W: Write> Decoder<W> {
    pub(crate) fn new(encoding: Encoding, sink: W) -> Self {
        match encoding {
            Encoding::Identity => Self::Identity(sink),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(sink))),
            Encoding::Deflate => Self::Undecided(Some(sink), Vec::with_capacity(2)),
            Encoding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(sink, BUFFER_BYTES))),
            Encoding::Foreign => Self::Foreign(sink),
        }
    }

    /// The sink; `None` only after a failure inside.
    pub(crate) fn sink(&mut self) -> Option<&mut W> {
        match self {
            Self::Identity(sink) | Self::Foreign(sink) => Some(sink),
            Self::Gzip(decoder) => Some(decoder.get_mut()),
            Self::Zlib(decoder) => Some(decoder.get_mut()),
            Self::Raw(decoder) => Some(decoder.get_mut()),
            Self::Undecided(sink, _) => sink.as_mut(),
            Self::Brotli(decoder) => Some(decoder.get_mut()),
        }
    }

    /// Decodes the next bytes. After an error the rest of the answer is not read any more.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Identity(sink) => sink.write_all(bytes),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()
            }
            Self::Zlib(decoder) => write_until_end(decoder, bytes),
            Self::Raw(decoder) => write_until_end(decoder, bytes),
            Self::Brotli(decoder) => write_until_end(decoder, bytes),
            Self::Undecided(sink, first) => {
                first.extend_from_slice(bytes);
                let [cmf, flags, ..] = first.as_slice() else {
                    return Ok(());
                };
                // RFC 1950, section 2.2.
                let is_zlib = cmf & 0x0f == 8
                    && (u16::from(*cmf) << 8 | u16::from(*flags)).is_multiple_of(31);
                let first = std::mem::take(first);
                let Some(sink) = sink.take() else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                *self = if is_zlib {
                    Self::Zlib(Box::new(ZlibDecoder::new(sink)))
                } else {
                    Self::Raw(Box::new(DeflateDecoder::new(sink)))
                };
                self.push(&first)
            }
            Self::Foreign(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Bytes behind the end of the compressed data are nobody's.
fn write_until_end(decoder: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match decoder.write(rest)? {
            0 => break,
            taken => rest = &rest[taken..],
        }
    }
    decoder.flush()
}

/// The decoded form of a short body, at most so many bytes of it.
pub(crate) fn decode_short(encoding: Encoding, bytes: &[u8], bytes_max: usize) -> Vec<u8> {
    struct Bounded(Vec<u8>, usize);
    impl Write for Bounded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.len() + bytes.len() > self.1 {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut decoder = Decoder::new(encoding, Bounded(Vec::new(), bytes_max));
    // What was decoded before an error is still worth reading.
    let _ = decoder.push(bytes);
    decoder
        .sink()
        .map(|sink| std::mem::take(&mut sink.0))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write as flate};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate::GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_encoding_in_any_pieces() {
        let text = b"data: hello hello hello hello\n\n".repeat(50);
        let mut zlib = flate::ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let mut raw = flate::DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&text).unwrap();
        for (encoding, bytes) in [
            (Encoding::Identity, text.clone()),
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Deflate, zlib.finish().unwrap()),
            (Encoding::Deflate, raw.finish().unwrap()),
        ] {
            for size in [1, 7, 10_000] {
                let mut decoder = Decoder::new(encoding, Vec::new());
                for piece in bytes.chunks(size) {
                    decoder.push(piece).unwrap();
                }
                assert_eq!(decoder.sink().unwrap(), &text, "{encoding:?} by {size}");
            }
        }
    }

    #[test]
    fn brotli() {
        // "hello\n", as the decoder's own suite has it.
        let bytes = b"\x8f\x02\x80\x68\x65\x6c\x6c\x6f\x0a\x03";
        for size in [1, 3, 100] {
            let mut decoder = Decoder::new(Encoding::Brotli, Vec::new());
            for piece in bytes.chunks(size) {
                decoder.push(piece).unwrap();
            }
            assert_eq!(decoder.sink().unwrap(), b"hello\n");
        }
    }

    #[test]
    fn a_bomb_stays_small() {
        let bomb = gzip(&vec![b' '; 10 << 20]);
        assert!(decode_short(Encoding::Gzip, &bomb, 1_000).len() <= 1_000);
        assert!(
            Decoder::new(Encoding::Gzip, Vec::new())
                .push(b"not gzip at all")
                .is_err()
        );
        assert!(
            Decoder::new(Encoding::Foreign, Vec::new())
                .push(b"x")
                .is_err()
        );
    }
}
