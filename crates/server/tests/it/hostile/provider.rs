//! A provider that sends whatever bytes a test wants. (The simulator answers in sound HTTP only; its
//! library would not let it do otherwise.)

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What it does once it has heard a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends the same bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Says nothing more and keeps the connection.
    Hang,
}

/// It closes the connection at the end of its script.
pub struct Provider {
    pub url: String,
    script: Arc<Mutex<Vec<Act>>>,
    seen: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::<Mutex<Vec<Act>>>::default();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let (acts, heads) = (Arc::clone(&script), Arc::clone(&seen));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&acts), Arc::clone(&heads)));
            }
        });
        Self {
            url,
            script,
            seen,
            listening,
        }
    }

    /// What it does from now on.
    pub fn will(&self, acts: impl IntoIterator<Item = Act>) {
        *self.script.lock() = acts.into_iter().collect();
    }

    /// The requests that reached it, each with its body.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }

    /// Nobody listens any more.
    pub async fn stop(self) {
        self.listening.abort();
        let _ = self.listening.await;
    }
}

async fn serve(
    mut stream: TcpStream,
    acts: Arc<Mutex<Vec<Act>>>,
    heads: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut heard = Vec::new();
    while !is_whole(&heard) {
        heard.push(stream.read_u8().await.ok()?);
    }
    heads
        .lock()
        .push(String::from_utf8_lossy(&heard).into_owned());
    let acts = acts.lock().clone();
    for act in acts {
        match act {
            Act::Send(bytes) => stream.write_all(&bytes).await.ok()?,
            Act::Repeat(bytes, times) => {
                for _ in 0..times {
                    stream.write_all(&bytes).await.ok()?;
                }
            }
            Act::Hang => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                return None;
            }
        }
    }
    stream.shutdown().await.ok()
}

/// A head, and as much body as it announces.
fn is_whole(heard: &[u8]) -> bool {
    let text = String::from_utf8_lossy(heard);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
