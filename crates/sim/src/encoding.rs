//! Compression of answers, where the request allows it.

use std::io::Write;

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use http::{HeaderMap, header::ACCEPT_ENCODING};

/// Shorter answers go out as they are.
pub(crate) const LEAST_BYTES: usize = 1_024;

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Gzip,
    Deflate,
}

impl Encoding {
    /// The one that a request likes best; among equals the one that compresses best.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best = None;
        let mut best_weight = 0;
        let lines = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|line| line.to_str().ok());
        let offers: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        for encoding in [Self::Brotli, Self::Gzip, Self::Deflate] {
            let weight = offers
                .iter()
                .filter_map(|offer| encoding.weight_in(offer))
                .max();
            if weight.is_some_and(|weight| weight > best_weight) {
                best_weight = weight.unwrap_or(0);
                best = Some(encoding);
            }
        }
        best
    }

    /// The value of `content-encoding`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// A whole body, compressed.
    pub(crate) fn compress(self, bytes: &[u8]) -> Bytes {
        StreamEncoder::new(self).encode(bytes, true)
    }

    /// The weight, in thousandths, that an offer gives to this encoding.
    fn weight_in(self, offer: &str) -> Option<u32> {
        let mut parts = offer.split(';').map(str::trim);
        let name = parts.next()?;
        if !name.eq_ignore_ascii_case(self.as_str()) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        Some(quality.map_or(1_000, thousandths))
    }
}

/// `0.5` as 500.
fn thousandths(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u32>().unwrap_or(0) * 1_000 + part.parse::<u32>().unwrap_or(0)
}

/// Compresses piece by piece; each piece can be read as soon as it arrives.
pub(crate) enum StreamEncoder {
    Brotli(Option<Box<brotli::CompressorWriter<Vec<u8>>>>),
    Gzip(Option<GzEncoder<Vec<u8>>>),
    Deflate(Option<ZlibEncoder<Vec<u8>>>),
}

impl StreamEncoder {
    pub(crate) fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Brotli => {
                let writer = brotli::CompressorWriter::new(Vec::new(), 4_096, 4, 20);
                Self::Brotli(Some(Box::new(writer)))
            }
            Encoding::Gzip => Self::Gzip(Some(GzEncoder::new(Vec::new(), Compression::fast()))),
            Encoding::Deflate => {
                Self::Deflate(Some(ZlibEncoder::new(Vec::new(), Compression::fast())))
            }
        }
    }

    /// The compressed bytes of one more piece. After the last there are none.
    pub(crate) fn encode(&mut self, bytes: &[u8], last: bool) -> Bytes {
        // Writing into memory does not fail.
        let written = match self {
            Self::Brotli(slot) => slot.as_mut().map(|writer| {
                let _ = writer.write_all(bytes).and_then(|()| writer.flush());
                std::mem::take(writer.get_mut())
            }),
            Self::Gzip(slot) => slot.as_mut().map(|writer| {
                let _ = writer.write_all(bytes).and_then(|()| writer.flush());
                std::mem::take(writer.get_mut())
            }),
            Self::Deflate(slot) => slot.as_mut().map(|writer| {
                let _ = writer.write_all(bytes).and_then(|()| writer.flush());
                std::mem::take(writer.get_mut())
            }),
        };
        let mut written = written.unwrap_or_default();
        if last {
            let end = match self {
                Self::Brotli(slot) => slot.take().map(|writer| writer.into_inner()),
                Self::Gzip(slot) => slot.take().and_then(|writer| writer.finish().ok()),
                Self::Deflate(slot) => slot.take().and_then(|writer| writer.finish().ok()),
            };
            written.extend(end.unwrap_or_default());
        }
        written.into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn accepted(text: &str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, text.parse().unwrap());
        Encoding::accepted(&headers)
    }

    #[test]
    fn the_request_chooses_the_encoding() {
        assert_eq!(accepted("gzip, deflate, br"), Some(Encoding::Brotli));
        assert_eq!(
            accepted("gzip;q=0.5, deflate;q=0.8"),
            Some(Encoding::Deflate)
        );
        assert_eq!(accepted("br;q=0, gzip"), Some(Encoding::Gzip));
        assert_eq!(accepted("identity"), None);
    }

    #[test]
    fn compressed_pieces_read_back() {
        for encoding in [Encoding::Brotli, Encoding::Gzip, Encoding::Deflate] {
            let mut encoder = StreamEncoder::new(encoding);
            let first = encoder.encode(b"data: one\n\n", false);
            assert!(!first.is_empty(), "a piece must not wait for the next");
            let all = [first, encoder.encode(b"data: two\n\n", true)].concat();
            let mut text = String::new();
            let read = match encoding {
                Encoding::Brotli => {
                    brotli::Decompressor::new(&all[..], 4_096).read_to_string(&mut text)
                }
                Encoding::Gzip => flate2::read::GzDecoder::new(&all[..]).read_to_string(&mut text),
                Encoding::Deflate => {
                    flate2::read::ZlibDecoder::new(&all[..]).read_to_string(&mut text)
                }
            };
            assert!(read.is_ok());
            assert_eq!(text, "data: one\n\ndata: two\n\n");
        }
    }
}
