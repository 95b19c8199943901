//! Reads the frames of a WebSocket as they pass (RFC 6455, section 5). Nothing is changed and
//! nothing waits: a copy is read, in whatever pieces it comes.

/// A longer text is not kept to be read.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// What a control frame holds at most.
const CONTROL_BYTES_MAX: usize = 125;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// A whole message of text.
    Text(&'a [u8]),
    /// So many more bytes of a message of bytes.
    Binary(u64),
}

/// The frames of one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    stage: Stage,
    /// Whether the message that is under way is text.
    is_text: bool,
    text: Vec<u8>,
    /// Whether something passed that could not be read.
    lost: bool,
    /// What a close frame holds, as far as it has come.
    close: Option<Vec<u8>>,
    closed: bool,
}

#[derive(Debug)]
enum Stage {
    Head {
        bytes: [u8; 14],
        have: usize,
    },
    Payload(Payload),
    /// These are no frames.
    Broken,
}

#[derive(Debug)]
struct Payload {
    opcode: u8,
    last: bool,
    left: u64,
    mask: Option<[u8; 4]>,
    at: usize,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Head {
            bytes: [0; 14],
            have: 0,
        }
    }
}

impl Frames {
    /// Reads the next bytes. Gives where a close frame begins in them, when one does.
    pub(super) fn push(&mut self, bytes: &[u8], mut tell: impl FnMut(Heard<'_>)) -> Option<usize> {
        let mut close_at = None;
        let mut at = 0;
        while at < bytes.len() && !self.closed {
            match &mut self.stage {
                Stage::Broken => break,
                Stage::Head { bytes: head, have } => {
                    let byte = bytes[at];
                    if *have == 0 && byte & 0x0f == CLOSE {
                        close_at = close_at.or(Some(at));
                        self.close = Some(Vec::new());
                    }
                    if let Some(place) = head.get_mut(*have) {
                        *place = byte;
                    }
                    *have += 1;
                    at += 1;
                    if let Some(stage) = payload_of(&head[..*have]) {
                        self.begin(stage);
                        self.end_of_frame(&mut tell);
                    }
                }
                Stage::Payload(payload) => {
                    let rest = &bytes[at..];
                    let left = usize::try_from(payload.left).unwrap_or(usize::MAX);
                    let piece = &rest[..rest.len().min(left)];
                    at += piece.len();
                    self.take(piece, &mut tell);
                    self.end_of_frame(&mut tell);
                }
            }
        }
        close_at
    }

    /// Whether the close frame was there to its end.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The code of the close frame (RFC 6455, section 7.4); `None` when it gave none.
    pub(super) fn close_code(&self) -> Option<u16> {
        let code = self.close.as_deref()?.get(..2)?;
        Some(u16::from_be_bytes(code.try_into().ok()?))
    }

    /// Whether everything that passed could be read.
    pub(super) const fn is_readable(&self) -> bool {
        !self.lost
    }

    /// Whether another frame could begin here.
    pub(super) const fn is_between_frames(&self) -> bool {
        matches!(self.stage, Stage::Head { have: 0, .. })
    }

    fn begin(&mut self, stage: Stage) {
        match &stage {
            Stage::Payload(payload) if payload.opcode == TEXT => {
                self.is_text = true;
                self.text.clear();
            }
            Stage::Payload(payload) if payload.opcode == BINARY => self.is_text = false,
            Stage::Broken => self.lost = true,
            Stage::Payload(_) | Stage::Head { .. } => {}
        }
        self.stage = stage;
    }

    fn take(&mut self, piece: &[u8], tell: &mut impl FnMut(Heard<'_>)) {
        let Stage::Payload(payload) = &mut self.stage else {
            return;
        };
        payload.left -= piece.len() as u64;
        let (opcode, start) = (payload.opcode, payload.at);
        payload.at += piece.len();
        let mask = payload.mask;
        let plain = piece.iter().enumerate().map(|(place, byte)| {
            let mask = mask.map_or(0, |mask| mask[(start + place) % 4]);
            byte ^ mask
        });
        match opcode {
            CLOSE => {
                if let Some(close) = &mut self.close {
                    close.extend(plain.take(CONTROL_BYTES_MAX));
                }
            }
            TEXT | CONTINUATION if self.is_text => {
                if self.text.len() + piece.len() <= TEXT_BYTES_MAX {
                    self.text.extend(plain);
                } else {
                    self.lost = true;
                }
            }
            BINARY | CONTINUATION => tell(Heard::Binary(piece.len() as u64)),
            _ => {}
        }
    }

    fn end_of_frame(&mut self, tell: &mut impl FnMut(Heard<'_>)) {
        let Stage::Payload(payload) = &self.stage else {
            return;
        };
        if payload.left > 0 {
            return;
        }
        let (opcode, last) = (payload.opcode, payload.last);
        self.stage = Stage::default();
        match opcode {
            CLOSE => self.closed = true,
            TEXT | CONTINUATION if last && self.is_text => {
                // A text that was too long is read by nobody.
                if self.text.len() <= TEXT_BYTES_MAX {
                    tell(Heard::Text(&self.text));
                }
                self.text.clear();
            }
            _ => {}
        }
    }
}

/// What follows a head; `None` while it is not whole.
fn payload_of(head: &[u8]) -> Option<Stage> {
    let (&first, &second) = (head.first()?, head.get(1)?);
    let opcode = first & 0x0f;
    // Nothing was agreed on that these bits could mean.
    let unknown = first & 0x70 != 0 || matches!(opcode, 3..=7 | 11..=15);
    if unknown {
        return Some(Stage::Broken);
    }
    let (length, behind) = match second & 0x7f {
        126 => {
            let bytes = head.get(2..4)?;
            (u64::from(u16::from_be_bytes(bytes.try_into().ok()?)), 4)
        }
        127 => (u64::from_be_bytes(head.get(2..10)?.try_into().ok()?), 10),
        length => (u64::from(length), 2),
    };
    let mask = if second & 0x80 == 0 {
        None
    } else {
        Some(head.get(behind..behind + 4)?.try_into().ok()?)
    };
    Some(Stage::Payload(Payload {
        opcode,
        last: first & 0x80 != 0,
        left: length,
        mask,
        at: 0,
    }))
}

/// A close frame of a server's, with a code and a reason.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason.as_bytes()[..reason.len().min(CONTROL_BYTES_MAX - 2)];
    let length = u8::try_from(reason.len() + 2).unwrap_or(2);
    let mut frame = vec![0x80 | CLOSE, length];
    frame.extend(code.to_be_bytes());
    frame.extend(reason);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(opcode: u8, last: bool, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut frame = vec![opcode | if last { 0x80 } else { 0 }];
        let masked = if mask.is_some() { 0x80 } else { 0 };
        match payload.len() {
            length @ 0..126 => frame.push(masked | u8::try_from(length).unwrap()),
            length @ 126..65_536 => {
                frame.push(masked | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                frame.push(masked | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(
            mask.unwrap_or_default()
                .iter()
                .take(if mask.is_some() { 4 } else { 0 }),
        );
        let mask = mask.unwrap_or_default();
        frame.extend(
            payload
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ mask[at % 4]),
        );
        frame
    }

    fn stream() -> Vec<u8> {
        let mask = Some([1, 2, 3, 4]);
        [
            frame(TEXT, true, b"{\"a\":1}", None),
            frame(9, true, b"ping", mask),
            frame(TEXT, false, b"two ", mask),
            frame(10, true, b"", None),
            frame(CONTINUATION, true, b"parts", mask),
            frame(BINARY, false, &[7; 300], mask),
            frame(CONTINUATION, true, &[8; 70_000], None),
            frame(TEXT, true, b"", None),
            close(1008, "enough"),
        ]
        .concat()
    }

    /// What is told, and at which place of all the bytes the close frame began.
    fn read(pieces: &[&[u8]]) -> (Vec<String>, u64, Option<usize>, Frames) {
        let mut frames = Frames::default();
        let (mut texts, mut binary, mut close_at, mut before) = (Vec::new(), 0, None, 0);
        for piece in pieces {
            let at = frames.push(piece, |heard| match heard {
                Heard::Text(text) => texts.push(String::from_utf8(text.to_vec()).unwrap()),
                Heard::Binary(bytes) => binary += bytes,
            });
            close_at = close_at.or(at.map(|at| before + at));
            before += piece.len();
        }
        (texts, binary, close_at, frames)
    }

    proptest! {
        #[test]
        fn any_pieces_say_the_same(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40)) {
            let stream = stream();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for place in places {
                pieces.push(&stream[from..place]);
                from = place;
            }
            pieces.push(&stream[from..]);
            let (texts, binary, close_at, frames) = read(&pieces);
            prop_assert_eq!(texts, ["{\"a\":1}", "two parts", ""]);
            prop_assert_eq!(binary, 70_300);
            prop_assert_eq!(close_at, Some(stream.len() - 10));
            prop_assert!(frames.is_closed() && frames.is_readable());
            prop_assert_eq!(frames.close_code(), Some(1008));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = Frames::default();
            for piece in bytes.chunks(3) {
                frames.push(piece, |_| {});
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_said_to_be_lost() {
        let (texts, _, _, frames) = read(&[&frame(TEXT, true, b"a", None), &[0xf1, 0, 1, 2]]);
        assert_eq!(texts, ["a"]);
        assert!(!frames.is_readable());
    }

    #[test]
    fn a_close_without_a_code_has_none() {
        let (_, _, close_at, frames) = read(&[&[0x88, 0]]);
        assert_eq!((close_at, frames.close_code()), (Some(0), None));
        assert!(frames.is_closed());
        let (_, _, _, frames) = read(&[&[0x81, 2, b'a']]);
        assert!(!frames.is_between_frames());
    }
}
