//! The body of an answer as the request and the faults shape it.

use std::time::Duration;

use super::served::{Content, Failure};
use crate::{
    body::{Break, Frame, Manner},
    encoding::{self, Encoding, StreamEncoder},
    faults::FaultKind,
    quantities::Quantities,
    request::Request,
};

/// A whole body that is to break is sent in pieces of this size.
const BREAKABLE_BYTES: usize = 64;

/// The body as it will go out.
pub(super) struct Outgoing {
    pub(super) content_type: &'static str,
    pub(super) frames: Vec<Frame>,
    failure: Option<Failure>,
    pub(super) manner: Manner,
    pub(super) encoding: Option<Encoding>,
    /// What `content-length` says, where it is sent.
    pub(super) length: Option<u64>,
}

impl Outgoing {
    pub(super) fn prepare(content: Content, request: &Request) -> Self {
        let (content_type, frames, failure, whole) = match content {
            Content::Whole {
                content_type,
                bytes,
            } => (content_type, vec![Frame::free(bytes)], None, true),
            Content::Pieces {
                content_type,
                frames,
            } => (content_type, frames, None, false),
            Content::Events { frames, failure } => (
                "text/event-stream; charset=utf-8",
                frames,
                Some(failure),
                false,
            ),
            // What becomes a conversation has no body.
            Content::Conversation(_) => ("", Vec::new(), None, false),
        };
        let mut outgoing = Self {
            content_type,
            frames,
            failure,
            manner: Manner {
                made_whole: whole,
                ..Manner::default()
            },
            encoding: None,
            length: None,
        };
        if whole {
            outgoing.compress_whole(request);
            outgoing.length = Some(outgoing.bytes());
        }
        outgoing
    }

    fn compress_whole(&mut self, request: &Request) {
        let text = self.content_type.starts_with("application/json")
            || self.content_type.starts_with("text/");
        let Some(frame) = self.frames.first_mut() else {
            return;
        };
        if !text || frame.bytes.len() < encoding::LEAST_BYTES {
            return;
        }
        self.encoding = Encoding::accepted(&request.headers);
        if let Some(encoding) = self.encoding {
            frame.bytes = encoding.compress(&frame.bytes);
        }
    }

    fn bytes(&self) -> u64 {
        self.frames
            .iter()
            .map(|frame| frame.bytes.len() as u64)
            .sum()
    }

    /// Ends a stream with the event that says that it failed.
    pub(super) fn fail_where_asked(&mut self, faults: &[FaultKind], head: &Quantities) {
        let after = faults.iter().find_map(|fault| match fault {
            FaultKind::ErrorInStream { after_chunks } => usize::try_from(*after_chunks).ok(),
            _ => None,
        });
        let Some(after) = after else { return };
        let Some(failure) = self.failure.take() else {
            return;
        };
        self.frames
            .truncate(after.min(self.frames.len().saturating_sub(1)));
        let mut sent = head.clone();
        self.frames
            .iter()
            .for_each(|frame| sent.add_all(&frame.counts));
        self.frames.push(Frame::free(failure(&sent)));
        self.manner.fails = true;
    }

    /// Applies the faults that shape the body; returns how long the head is to wait.
    pub(super) fn apply(&mut self, faults: &[FaultKind], request: &Request) -> Duration {
        let whole = self.manner.made_whole;
        let mut head_delay = Duration::ZERO;
        for fault in faults {
            match fault {
                FaultKind::Slow { ms, head_ms } => {
                    head_delay += Duration::from_millis(*head_ms);
                    if whole {
                        head_delay += Duration::from_millis(*ms);
                    } else {
                        self.manner.delay += Duration::from_millis(*ms);
                    }
                }
                FaultKind::Cut {
                    after_chunks,
                    after_bytes,
                } => {
                    let cut = Break {
                        after_chunks: *after_chunks,
                        after_bytes: *after_bytes,
                    };
                    self.manner.cut = Some(cut);
                    if whole {
                        self.frames = split(&self.frames);
                    }
                }
                FaultKind::GzipSse if self.failure.is_some() || self.manner.fails => {
                    self.encoding = Encoding::accepted(&request.headers);
                    self.manner.encoder = self.encoding.map(StreamEncoder::new);
                }
                FaultKind::LieLength => self.length = Some(self.bytes() + 16),
                _ => {}
            }
        }
        head_delay
    }
}

/// The same bytes in small pieces.
fn split(frames: &[Frame]) -> Vec<Frame> {
    let all: Vec<u8> = frames
        .iter()
        .flat_map(|frame| frame.bytes.iter().copied())
        .collect();
    all.chunks(BREAKABLE_BYTES)
        .map(|piece| Frame::free(piece.to_vec()))
        .collect()
}
