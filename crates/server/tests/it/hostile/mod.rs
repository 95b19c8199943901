//! Callers and providers that do not play by the rules.

#![expect(
    clippy::disallowed_methods,
    reason = "a token that expires needs the real time; tasks end with their test"
)]

mod answers;
mod api;
mod clients;
mod http2;
mod labels;
mod paths;
mod provider;

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{errors::must_be_documented, world::World};

/// How long a test waits for what should happen at once, before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection on which anything can be said.
struct Raw(TcpStream);

/// What came back, to the end of the connection.
struct Heard(Vec<u8>);

impl Raw {
    async fn open(world: &World) -> Self {
        let address = world.url.trim_start_matches("http://");
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// The server may have hung up already; what it said before is what counts.
    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// Everything until the server closes.
    async fn hear(mut self) -> Heard {
        let mut heard = Vec::new();
        let reading = async {
            let mut piece = [0; 64 << 10];
            while let Ok(length @ 1..) = self.0.read(&mut piece).await {
                heard.extend_from_slice(&piece[..length]);
            }
        };
        let ended = tokio::time::timeout(PATIENCE, reading).await;
        assert!(ended.is_ok(), "the server keeps the connection open");
        Heard(heard)
    }

    /// The head of the next answer; the connection stays.
    async fn hear_head(&mut self) -> Heard {
        let mut heard = Vec::new();
        let reading = async {
            while !heard.ends_with(b"\r\n\r\n") {
                heard.push(self.0.read_u8().await.unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        Heard(heard)
    }
}

impl Heard {
    /// The status; 0 when the server hung up without a word.
    fn status(&self) -> u16 {
        let status = self.0.get(9..12).and_then(|text| str::from_utf8(text).ok());
        status.map_or(0, |text| text.parse().unwrap())
    }

    fn head(&self) -> String {
        String::from_utf8_lossy(&self.0[..self.body_start()]).to_lowercase()
    }

    fn body_start(&self) -> usize {
        let end = self.0.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        end.map_or(self.0.len(), |end| end + 4)
    }

    fn body(&self) -> &[u8] {
        &self.0[self.body_start()..]
    }

    /// Our code, which must stand in the table under this status; `None` in a bare answer.
    fn code(&self) -> Option<String> {
        let json: Value = serde_json::from_slice(self.body()).ok()?;
        let code = json["error"]["code"].as_str()?.to_owned();
        must_be_documented(self.status(), &code);
        Some(code)
    }

    /// Whether the answer came to the end that its head announced.
    fn is_whole(&self) -> bool {
        if self.head().contains("transfer-encoding: chunked") {
            return self.0.ends_with(b"0\r\n\r\n");
        }
        let head = self.head();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        length.is_none_or(|length| self.body().len() == length)
    }
}

/// Says it on a connection of its own and hears the answer.
async fn ask(world: &World, request: impl AsRef<[u8]>) -> Heard {
    let mut raw = Raw::open(world).await;
    raw.say(request).await;
    raw.hear().await
}

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "in vain: {what}");
}

/// The server lives, answers, and has neither panicked nor failed inside.
async fn is_sound(world: &World) {
    let answer = world.send(reqwest::Method::GET, "/readyz", None, None);
    answer.await.with(200);
    let log = world.server.output();
    assert!(!log.contains("panic"), "{log}");
    assert!(!log.contains("\"http.status\":500"), "{log}");
    assert!(!log.contains("\"code\":\"internal"), "{log}");
}
