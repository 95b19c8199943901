//! Reads an answer as it passes and says what to forward now, what to hold back, what to hide.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use bytes::{Bytes, BytesMut};
use diamond_providers::{AnswerKind, EventRole, Reading, ResponseMeter, SseScan};

use crate::decode::{Decoder, Encoding};

/// An event longer than this is not the one to hide.
const HIDDEN_EVENT_BYTES: usize = 64 << 10;

/// The tap on one answer.
pub(crate) struct Tap {
    decoder: Decoder<Reader>,
    identity: bool,
    hides: bool,
    /// Whether the copy can still be read.
    readable: bool,
    /// When hiding: the beginning of an event whose end has not come.
    carry: BytesMut,
    /// When hiding: the event under way was too long to wait for, its beginning has passed.
    began_to_pass: bool,
}

/// What becomes of a piece of an answer.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// Forward at once.
    pub(crate) now: VecDeque<Bytes>,
    /// Forward when the call is written down: the terminal event and what follows it.
    pub(crate) held: VecDeque<Bytes>,
}

/// Where the decoded bytes go.
struct Reader {
    meter: Box<dyn ResponseMeter>,
    kind: AnswerKind,
    scan: SseScan,
    /// Ends and roles of the events in the piece that is being read.
    roles: Vec<(usize, EventRole)>,
    terminal: bool,
    decoded: u64,
    decoded_max: u64,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.decoded += bytes.len() as u64;
        if self.decoded > self.decoded_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.kind == AnswerKind::EventStream {
            let Self {
                meter,
                scan,
                roles,
                terminal,
                ..
            } = self;
            scan.push(bytes, |event| {
                let role = meter.event(event.name, event.data);
                *terminal |= role == EventRole::Terminal;
                roles.push((event.end, role));
            });
        } else {
            self.meter.bytes(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tap {
    pub(crate) fn new(
        meter: Box<dyn ResponseMeter>,
        kind: AnswerKind,
        encoding: Encoding,
        hides: bool,
        decoded_max: u64,
    ) -> Self {
        let identity = encoding == Encoding::Identity;
        let reader = Reader {
            meter,
            kind,
            scan: SseScan::new(),
            roles: Vec::new(),
            terminal: false,
            decoded: 0,
            // Only what is compressed can be larger than what was sent.
            decoded_max: if identity { u64::MAX } else { decoded_max },
        };
        Self {
            decoder: Decoder::new(encoding, reader),
            identity,
            // Events have no edges in compressed bytes; the caller then sees one chunk more.
            hides: hides && identity && kind == AnswerKind::EventStream,
            readable: true,
            carry: BytesMut::new(),
            began_to_pass: false,
        }
    }

    /// Whether pieces may be taken out of the answer, so that its length is not what was said.
    pub(crate) const fn hides(&self) -> bool {
        self.hides
    }

    /// Reads without forwarding.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        if !self.readable {
            return;
        }
        if let Some(reader) = self.decoder.sink() {
            reader.roles.clear();
        }
        if let Err(error) = self.decoder.push(bytes) {
            self.readable = false;
            tracing::warn!(%error, "an answer cannot be decoded, its count will be incomplete");
        }
    }

    /// Reads the next piece and says what becomes of it.
    pub(crate) fn push(&mut self, piece: Bytes) -> Passed {
        let ended_before = self.terminal();
        self.read(&piece);
        let mut passed = Passed::default();
        if ended_before {
            passed.held.push_back(piece);
        } else if self.hides {
            self.sort_events(piece, &mut passed);
        } else if self.terminal() {
            self.split_at_terminal(piece, &mut passed);
        } else {
            passed.now.push_back(piece);
        }
        passed
    }

    /// What was kept back in the hope of its end: it belongs to the caller.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        (!self.carry.is_empty()).then(|| self.carry.split().freeze())
    }

    /// Whether the event was seen behind which nothing counts.
    pub(crate) fn terminal(&mut self) -> bool {
        self.decoder.sink().is_some_and(|reader| reader.terminal)
    }

    /// What the answer said.
    pub(crate) fn reading(&mut self, complete: bool) -> Option<Reading> {
        let complete = complete && self.readable;
        self.decoder
            .sink()
            .map(|reader| reader.meter.reading(complete))
    }

    fn split_at_terminal(&mut self, mut piece: Bytes, passed: &mut Passed) {
        // Without edges the whole piece waits.
        if !self.identity {
            passed.held.push_back(piece);
            return;
        }
        let mut start = 0;
        for (end, role) in self.roles() {
            if role == EventRole::Terminal {
                break;
            }
            start = end;
        }
        if start > 0 {
            passed.now.push_back(piece.split_to(start.min(piece.len())));
        }
        passed.held.push_back(piece);
    }

    fn roles(&mut self) -> Vec<(usize, EventRole)> {
        self.decoder
            .sink()
            .map(|reader| std::mem::take(&mut reader.roles))
            .unwrap_or_default()
    }

    /// Forwards whole events, without those to hide.
    fn sort_events(&mut self, piece: Bytes, passed: &mut Passed) {
        let mut roles = self.roles();
        let whole = roles.last().is_some_and(|(end, _)| *end == piece.len());
        let plain = roles.iter().all(|(_, role)| *role == EventRole::Pass);
        if whole && plain && self.carry.is_empty() {
            self.began_to_pass = false;
            passed.now.push_back(piece);
        } else {
            let mut from = 0;
            let mut terminal = false;
            for (end, role) in roles.drain(..) {
                terminal |= role == EventRole::Terminal;
                let event = piece.slice(from..end);
                from = end;
                let began = self.carry.split();
                if role == EventRole::Hide && !std::mem::take(&mut self.began_to_pass) {
                    continue;
                }
                self.began_to_pass = false;
                let out = if terminal {
                    &mut passed.held
                } else {
                    &mut passed.now
                };
                if !began.is_empty() {
                    out.push_back(began.freeze());
                }
                out.push_back(event);
            }
            let rest = piece.slice(from..);
            if terminal {
                passed.held.push_back(rest);
            } else if self.began_to_pass || self.carry.len() + rest.len() > HIDDEN_EVENT_BYTES {
                self.began_to_pass |= !rest.is_empty();
                passed.now.push_back(self.carry.split().freeze());
                passed.now.push_back(rest);
            } else {
                self.carry.extend_from_slice(&rest);
            }
            passed.now.retain(|bytes| !bytes.is_empty());
            passed.held.retain(|bytes| !bytes.is_empty());
        }
        if let Some(reader) = self.decoder.sink() {
            // The list's memory is used again.
            reader.roles = roles;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diamond_providers::{Classified, Provider, RequestFacts};
    use proptest::prelude::*;

    const STREAM: &[u8] = include_bytes!("../../providers/fixtures/openai/chat_stream.sse");

    fn tap(hides: bool, encoding: Encoding) -> Tap {
        let provider = diamond_providers::OpenAi::new();
        let Classified::Forward(route) =
            provider.classify(&http::Method::POST, "/v1/chat/completions")
        else {
            panic!("chat is carried");
        };
        let facts = RequestFacts::default();
        let kind = AnswerKind::EventStream;
        let meter = provider.meter(&route, &facts, kind, hides);
        Tap::new(meter, kind, encoding, hides, 1 << 20)
    }

    fn run(tap: &mut Tap, pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut now, mut held) = (Vec::new(), Vec::new());
        for piece in pieces {
            let passed = tap.push(Bytes::copy_from_slice(piece));
            if !passed.now.is_empty() {
                assert!(held.is_empty(), "nothing overtakes what is held");
            }
            now.extend(passed.now.iter().flatten());
            held.extend(passed.held.iter().flatten());
        }
        now.extend(tap.rest().into_iter().flatten());
        (now, held)
    }

    fn pieces(cuts: &[prop::sample::Index]) -> Vec<&'static [u8]> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(STREAM.len() + 1)).collect();
        places.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for place in places {
            pieces.push(&STREAM[from..place]);
            from = place;
        }
        pieces.push(&STREAM[from..]);
        pieces
    }

    fn without_usage_chunk() -> Vec<u8> {
        let text = std::str::from_utf8(STREAM).unwrap();
        text.split_inclusive("\n\n")
            .filter(|event| !event.contains("\"choices\":[],"))
            .collect::<String>()
            .into_bytes()
    }

    proptest! {
        #[test]
        fn bytes_pass_untouched_in_any_pieces(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12)) {
            let mut tap = tap(false, Encoding::Identity);
            let (mut out, held) = run(&mut tap, &pieces(&cuts));
            prop_assert!(!held.is_empty() && tap.terminal());
            out.extend(held);
            prop_assert_eq!(out, STREAM);
        }

        #[test]
        fn only_the_usage_chunk_is_hidden_in_any_pieces(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12)) {
            let mut tap = tap(true, Encoding::Identity);
            let (mut out, held) = run(&mut tap, &pieces(&cuts));
            prop_assert_eq!(&held, b"data: [DONE]\n\n");
            out.extend(held);
            prop_assert_eq!(out, without_usage_chunk());
            let reading = tap.reading(true).unwrap();
            prop_assert_eq!(reading.quantities.get(diamond_domain::Meter::OutputTokens), 12);
        }
    }

    #[test]
    fn a_stream_in_whole_events_is_held_at_its_terminal_event_only() {
        let (now, held) = run(&mut tap(false, Encoding::Identity), &[STREAM]);
        assert_eq!(held, b"data: [DONE]\n\n");
        assert_eq!(now.len() + held.len(), STREAM.len());
    }

    #[test]
    fn compressed_streams_are_read_and_their_last_piece_is_held() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(STREAM).unwrap();
        let bytes = encoder.finish().unwrap();
        let mut tap = tap(true, Encoding::Gzip);
        let parts: Vec<&[u8]> = bytes.chunks(50).collect();
        let (mut out, held) = run(&mut tap, &parts);
        assert!(!held.is_empty());
        out.extend(held);
        assert_eq!(out, bytes);
        assert!(tap.reading(true).unwrap().provider_usage.is_some());
    }
}
