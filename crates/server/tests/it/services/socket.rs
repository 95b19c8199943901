//! A client of WebSockets, written for these tests: it masks with nothing and reads whole frames.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Socket {
    stream: TcpStream,
    /// What the handshake was answered, in lower case.
    pub head: String,
    /// The rest of the handshake's answer, when it was refused.
    pub body: String,
}

/// What comes from the other side.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Json(Value),
    Bytes(usize),
    Close(u16),
    /// The connection is gone, without a word.
    Gone,
}

impl Socket {
    /// Opens a WebSocket at an address that begins with `http://`; the answer is kept, whatever it
    /// is.
    pub async fn open(url: &str, headers: &[(&str, &str)]) -> Self {
        let (host, path) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let mut head = format!(
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-extensions: permessage-deflate\r\n"
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        Self {
            stream,
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    #[track_caller]
    pub fn must_be_open(self) -> Self {
        let open = self.head.starts_with("http/1.1 101");
        assert!(open, "{}{}", self.head, self.body);
        self
    }

    /// The status and the JSON of a refusal.
    pub fn refused(&self) -> (u16, Value) {
        let status = self.head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(&self.body).unwrap_or_default())
    }

    pub async fn send(&mut self, body: &Value) {
        self.frame(0x81, body.to_string().as_bytes()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.frame(0x82, bytes).await;
    }

    pub async fn close(&mut self) {
        self.frame(0x88, &1000_u16.to_be_bytes()).await;
    }

    async fn frame(&mut self, first: u8, bytes: &[u8]) {
        let mut frame = vec![first, 0x80 | 127];
        frame.extend((bytes.len() as u64).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(bytes);
        self.stream.write_all(&frame).await.unwrap();
    }

    pub async fn next(&mut self) -> Heard {
        let mut start = [0; 2];
        if self.stream.read_exact(&mut start).await.is_err() {
            return Heard::Gone;
        }
        let length = match start[1] {
            126 => u64::from(self.stream.read_u16().await.unwrap()),
            127 => self.stream.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut bytes).await.unwrap();
        match start[0] {
            0x81 => Heard::Json(serde_json::from_slice(&bytes).unwrap()),
            0x82 => Heard::Bytes(bytes.len()),
            0x88 => Heard::Close(u16::from_be_bytes([bytes[0], bytes[1]])),
            other => panic!("a frame of kind {other:#x}"),
        }
    }

    /// Every message up to one of this type, that one included.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            match self.next().await {
                Heard::Json(body) => {
                    let is_last = body["type"] == kind;
                    heard.push(body);
                    if is_last {
                        return heard;
                    }
                }
                Heard::Bytes(_) => {}
                ended => panic!("{ended:?} after {heard:?}"),
            }
        }
    }

    /// Everything to the end, and how that was.
    pub async fn rest(&mut self) -> (Vec<Value>, Heard) {
        let mut heard = Vec::new();
        loop {
            match self.next().await {
                Heard::Json(body) => heard.push(body),
                Heard::Bytes(_) => {}
                ended => return (heard, ended),
            }
        }
    }
}
