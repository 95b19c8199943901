//! WebSockets (RFC 6455), the server's side: the handshake, the frames, and the conversation.

mod conversation;
mod frame;
mod handshake;

pub(crate) use conversation::{Course, Line, Said, Talk, Waiting};
pub(crate) use frame::Message;
pub(crate) use handshake::{accepted, is_asked_for};
