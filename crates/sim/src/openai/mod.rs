//! OpenAI.
//!
//! Shapes from OpenAI's published API description and SDKs; what each endpoint does is said in
//! its file.

mod admin;
mod answer;
mod audio;
mod auth;
mod batches;
mod chat;
mod context;
mod embeddings;
mod error;
mod files;
mod images;
mod models;
mod moderations;
mod outgoing;
mod prompt;
mod realtime;
mod response_object;
mod responses;
mod responses_stream;
mod routes;
mod send;
mod speech;
mod sse;
mod state;
mod transcriptions;
mod vector_stores;

pub(crate) use admin::Organization;
pub(crate) use send::answer;
pub(crate) use state::State;
