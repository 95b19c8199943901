//! Frames (RFC 6455, section 5). No extension is ever agreed on.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest message.
const MOST_BYTES: u64 = 64 << 20;

/// What one party says to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Binary(Bytes),
}

/// What comes over the wire, put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Message(Message),
    Ping(Vec<u8>),
    Pong,
    Close,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Puts messages together out of frames.
#[derive(Default)]
pub(super) struct Reader {
    /// The kind and the bytes of a message that goes on.
    begun: Option<(u8, Vec<u8>)>,
}

impl Reader {
    /// The next thing that comes. Not to be dropped before it is ready.
    pub(super) async fn next(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<Heard> {
        loop {
            let (last, kind, bytes) = frame(from).await?;
            match kind {
                CLOSE => return Ok(Heard::Close),
                PING => return Ok(Heard::Ping(bytes)),
                PONG => return Ok(Heard::Pong),
                CONTINUATION | TEXT | BINARY => {}
                _ => return Err(broken("an unknown kind of frame")),
            }
            let begun = match (kind, self.begun.take()) {
                (CONTINUATION, Some((kind, mut begun))) => {
                    begun.extend(bytes);
                    (kind, begun)
                }
                (TEXT | BINARY, None) => (kind, bytes),
                _ => return Err(broken("a frame that continues nothing")),
            };
            if begun.1.len() as u64 > MOST_BYTES {
                return Err(broken("a message that is too long"));
            }
            if !last {
                self.begun = Some(begun);
                continue;
            }
            let (kind, bytes) = begun;
            if kind == BINARY {
                return Ok(Heard::Message(Message::Binary(bytes.into())));
            }
            let text = String::from_utf8(bytes).map_err(|_| broken("a text that is none"))?;
            return Ok(Heard::Message(Message::Text(text)));
        }
    }
}

async fn frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(bool, u8, Vec<u8>)> {
    let (first, second) = (from.read_u8().await?, from.read_u8().await?);
    if second & 0x80 == 0 {
        return Err(broken("a client's frame without a mask"));
    }
    let length = match second & 0x7f {
        126 => u64::from(from.read_u16().await?),
        127 => from.read_u64().await?,
        short => u64::from(short),
    };
    let length = usize::try_from(length.min(MOST_BYTES + 1)).unwrap_or(usize::MAX);
    if length as u64 > MOST_BYTES {
        return Err(broken("a frame that is too long"));
    }
    let mut mask = [0; 4];
    from.read_exact(&mut mask).await?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    bytes
        .iter_mut()
        .zip(mask.iter().cycle())
        .for_each(|(byte, mask)| *byte ^= mask);
    Ok((first & 0x80 != 0, first & 0x0f, bytes))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A message as one frame.
pub(super) fn of_message(message: &Message) -> Vec<u8> {
    match message {
        Message::Text(text) => made(TEXT, text.as_bytes()),
        Message::Binary(bytes) => made(BINARY, bytes),
    }
}

/// The answer to a ping.
pub(super) fn pong(bytes: &[u8]) -> Vec<u8> {
    made(PONG, bytes)
}

/// The end, and why.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut bytes = code.to_be_bytes().to_vec();
    bytes.extend(reason.as_bytes());
    made(CLOSE, &bytes)
}

fn made(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match bytes.len() {
        length @ 0..=125 => frame.push(length.to_le_bytes()[0]),
        length => match u16::try_from(length) {
            Ok(length) => {
                frame.push(126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        },
    }
    frame.extend(bytes);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame with the mask 1, 2, 3, 4.
    fn masked(first: u8, bytes: &[u8]) -> Vec<u8> {
        let mut frame = made(0, bytes);
        frame[0] = first;
        frame[1] |= 0x80;
        let start = frame.len() - bytes.len();
        let mut whole = frame[..start].to_vec();
        whole.extend([1, 2, 3, 4]);
        let mask = [1, 2, 3, 4].into_iter().cycle();
        whole.extend(bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        whole
    }

    async fn heard(bytes: Vec<u8>) -> Vec<io::Result<Heard>> {
        let (mut bytes, mut reader) = (bytes.as_slice(), Reader::default());
        let mut heard = Vec::new();
        while !bytes.is_empty() {
            heard.push(reader.next(&mut bytes).await);
        }
        heard
    }

    #[tokio::test]
    async fn messages_are_put_together_and_others_come_between() {
        let long = "x".repeat(70_000);
        let bytes = [
            masked(0x01, b"one "),
            masked(0x89, b"?"),
            masked(0x80, b"two"),
            masked(0x81, long.as_bytes()),
            masked(0x82, &[0; 300]),
            masked(0x88, &[3, 232]),
        ];
        let heard = heard(bytes.concat()).await;
        let heard: Vec<Heard> = heard.into_iter().map(Result::unwrap).collect();
        let expected = vec![
            Heard::Ping(b"?".to_vec()),
            Heard::Message(Message::Text("one two".to_owned())),
            Heard::Message(Message::Text(long)),
            Heard::Message(Message::Binary(vec![0; 300].into())),
            Heard::Close,
        ];
        assert_eq!(heard, expected);
    }

    #[tokio::test]
    async fn what_breaks_the_rules_is_refused() {
        for bytes in [
            made(TEXT, b"no mask"),
            masked(0x80, b"continues nothing"),
            masked(0x81, &[0xff]),
            masked(0x83, b"unknown"),
            vec![0x81, 0xff, 255, 255, 255, 255, 0, 0, 0, 0, 1, 2, 3, 4],
        ] {
            assert!(heard(bytes).await.iter().any(Result::is_err));
        }
    }
}
