//! A conversation over a WebSocket, billed as it goes.

use std::{io, ops::ControlFlow, sync::Arc, time::Duration};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::frame::{self, Heard, Message, Reader};
use crate::{
    bill::{Bill, Call, Entry},
    faults::FaultKind,
    limits::Slot,
    prices::Model,
    quantities::{Meter, Quantities},
    recorder::Exchange,
};

/// What a company says in a conversation. It decides; somebody else sends and bills.
pub(crate) trait Talk: Send {
    /// What it says before it has heard anything.
    fn open(&mut self) -> Vec<Said>;

    /// What it says to a message.
    fn heard(&mut self, message: Message) -> Vec<Said>;

    /// What is billed when the other party goes.
    fn left(&mut self) -> Vec<(Meter, u64)> {
        Vec::new()
    }

    /// What it says when it fails.
    fn failure(&mut self) -> Message;
}

/// One thing that is said, and what it is on the bill.
pub(crate) struct Said {
    what: What,
    counts: Vec<(Meter, u64)>,
    /// What another model did, which has a line of its own.
    beside: Option<(&'static Model, Quantities)>,
}

enum What {
    Nothing,
    Message(Message),
    Close(u16, &'static str),
}

impl Said {
    /// A message in JSON.
    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self::message(Message::Text(body.to_string()))
    }

    /// A message.
    pub(crate) const fn message(message: Message) -> Self {
        Self::of(What::Message(message))
    }

    /// Silence, but something is billed.
    pub(crate) const fn nothing() -> Self {
        Self::of(What::Nothing)
    }

    /// The end.
    pub(crate) const fn close(code: u16, reason: &'static str) -> Self {
        Self::of(What::Close(code, reason))
    }

    /// The same with what it is on the bill.
    pub(crate) fn billed(mut self, counts: impl Into<Vec<(Meter, u64)>>) -> Self {
        self.counts = counts.into();
        self
    }

    /// The same with what another model did for it.
    pub(crate) fn beside(mut self, model: &'static Model, quantities: Quantities) -> Self {
        self.beside = Some((model, quantities));
        self
    }

    const fn of(what: What) -> Self {
        Self {
            what,
            counts: Vec::new(),
            beside: None,
        }
    }
}

/// Where a conversation waits until its connection is free for it.
pub(crate) type Waiting = Arc<Mutex<Option<Course>>>;

/// The connection that a request came on, as far as it can become another thing.
pub(crate) struct Line {
    pub(crate) upgrade: Mutex<Option<OnUpgrade>>,
    pub(crate) waiting: Waiting,
}

/// A conversation with everything that it needs.
pub(crate) struct Course {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) talk: Box<dyn Talk>,
    pub(crate) bill: Arc<Bill>,
    /// How the lines of other models begin.
    pub(crate) line: Call,
    /// `None` when it is closed.
    pub(crate) entry: Option<Entry>,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) slot: Option<Slot>,
    pub(crate) faults: Vec<FaultKind>,
}

/// What was sent so far.
#[derive(Default)]
struct Sent {
    messages: u64,
    bytes: u64,
}

impl Course {
    /// Talks until one of both ends it.
    pub(crate) async fn run(mut self) {
        let io = match (&mut self.upgrade).await {
            Ok(upgraded) => TokioIo::new(upgraded),
            Err(error) => {
                tracing::debug!(%error, "a connection became no WebSocket");
                return;
            }
        };
        let (mut from, mut to) = tokio::io::split(io);
        if let Err(error) = self.go(&mut from, &mut to).await {
            tracing::debug!(%error, "a conversation broke");
        }
        self.end(false);
        let _ = to.shutdown().await;
    }

    async fn go(
        &mut self,
        from: &mut (impl tokio::io::AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let (mut reader, mut sent) = (Reader::default(), Sent::default());
        let mut said = self.talk.open();
        loop {
            for said in said {
                if self.say(said, &mut sent, to).await?.is_break() {
                    return Ok(());
                }
            }
            said = match reader.next(from).await? {
                Heard::Message(message) => self.talk.heard(message),
                Heard::Ping(bytes) => {
                    to.write_all(&frame::pong(&bytes)).await?;
                    Vec::new()
                }
                Heard::Pong => Vec::new(),
                Heard::Close => {
                    self.end(true);
                    return to.write_all(&frame::close(1000, "")).await;
                }
            };
        }
    }

    /// Closes the line on the bill, before the other party can see the end: it may ask for the
    /// bill then.
    fn end(&mut self, regular: bool) {
        self.slot = None;
        let Some(entry) = self.entry.take() else {
            return;
        };
        entry.add(&self.talk.left());
        if regular {
            entry.finish();
            self.exchange.complete();
        }
    }

    async fn say(
        &mut self,
        said: Said,
        sent: &mut Sent,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<ControlFlow<()>> {
        if matches!(said.what, What::Message(_)) && self.fails(sent, to).await? {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(entry) = &self.entry {
            entry.add(&said.counts);
        }
        if let Some((model, quantities)) = said.beside {
            let line = Call {
                model: model.answers_as.to_owned(),
                quantities,
                ..self.line.clone()
            };
            self.bill.open(line).finish();
        }
        let message = match said.what {
            What::Nothing => return Ok(ControlFlow::Continue(())),
            What::Close(code, reason) => {
                self.end(code == 1000);
                to.write_all(&frame::close(code, reason)).await?;
                return Ok(ControlFlow::Break(()));
            }
            What::Message(message) => frame::of_message(&message),
        };
        to.write_all(&message).await?;
        to.flush().await?;
        sent.messages += 1;
        sent.bytes += message.len() as u64;
        self.exchange.sent(&message.into());
        Ok(ControlFlow::Continue(()))
    }

    /// Waits where a fault says so; whether one ends the conversation here.
    async fn fails(&mut self, sent: &Sent, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<bool> {
        for fault in &self.faults {
            match fault {
                FaultKind::Slow { ms, .. } => {
                    tokio::time::sleep(Duration::from_millis(*ms)).await;
                }
                FaultKind::Cut {
                    after_chunks,
                    after_bytes,
                } => {
                    let enough = after_chunks.is_some_and(|most| sent.messages >= most)
                        || after_bytes.is_some_and(|most| sent.bytes >= most);
                    if enough {
                        return Ok(true);
                    }
                }
                FaultKind::ErrorInStream { after_chunks } if sent.messages >= *after_chunks => {
                    let failure = frame::of_message(&self.talk.failure());
                    self.end(false);
                    to.write_all(&failure).await?;
                    to.write_all(&frame::close(1011, "failed")).await?;
                    return Ok(true);
                }
                _ => {}
            }
        }
        Ok(false)
    }
}
