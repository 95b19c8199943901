//! Every path of OpenAI's API and what it is.

use http::Method;

use crate::{
    BodyKind::{Json, Multipart, Opaque},
    Classified,
    Metering::{Deferred, Free, Measured, Usage},
    RefusedRoute,
    table::{self, Row},
};

/// Paths behind `/v1/`.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("POST", "chat/completions", "chat.completions", Usage, Json, true),
    ("POST", "responses", "responses", Usage, Json, true),
    ("POST", "embeddings", "embeddings", Usage, Json, false),
    ("GET", "models", "models.list", Free, Opaque, false),
    ("GET", "models/*", "models.get", Free, Opaque, false),
    ("DELETE", "models/*", "models.delete", Free, Opaque, false),
    ("POST", "completions", "completions", Usage, Json, true),
    ("POST", "responses/compact", "responses.compact", Usage, Json, false),
    ("POST", "responses/input_tokens", "responses.input_tokens", Free, Json, false),
    ("POST", "responses/*/cancel", "responses.cancel", Free, Opaque, false),
    ("GET", "responses/**", "responses.get", Free, Opaque, true),
    ("DELETE", "responses/*", "responses.delete", Free, Opaque, false),
    ("POST", "decisions", "decisions", Usage, Json, false),
    ("POST", "audio/speech", "audio.speech", Measured, Json, true),
    ("POST", "audio/transcriptions", "audio.transcriptions", Usage, Multipart, true),
    ("POST", "audio/translations", "audio.translations", Usage, Multipart, false),
    ("*", "audio/voices/**", "audio.voices", Free, Opaque, false),
    ("*", "audio/voice_consents/**", "audio.voice_consents", Free, Opaque, false),
    ("POST", "images/generations", "images.generations", Usage, Json, true),
    ("POST", "images/edits", "images.edits", Usage, Multipart, true),
    ("POST", "images/variations", "images.variations", Measured, Multipart, false),
    ("POST", "moderations", "moderations", Free, Json, false),
    // Stored conversations cost nothing to look at.
    ("GET", "chat/completions/**", "chat.completions.get", Free, Opaque, false),
    ("POST", "chat/completions/*", "chat.completions.update", Free, Json, false),
    ("DELETE", "chat/completions/*", "chat.completions.delete", Free, Opaque, false),
    ("*", "conversations/**", "conversations", Free, Opaque, false),
    // Storage is billed by time, not by call; the provider's report brings it.
    ("*", "files/**", "files", Free, Opaque, false),
    ("*", "uploads/**", "uploads", Free, Opaque, false),
    ("*", "vector_stores/**", "vector_stores", Free, Opaque, false),
    ("*", "skills/**", "skills", Free, Opaque, false),
    // A sandbox is billed when it is opened.
    ("POST", "containers", "containers.create", Measured, Json, false),
    ("*", "containers/**", "containers", Free, Opaque, false),
    // Work that costs later.
    ("POST", "batches", "batches.create", Deferred, Json, false),
    ("*", "batches/**", "batches", Free, Opaque, false),
    ("POST", "fine_tuning/jobs", "fine_tuning.jobs.create", Deferred, Json, false),
    ("POST", "fine_tuning/jobs/*/resume", "fine_tuning.jobs.resume", Deferred, Opaque, false),
    ("POST", "fine_tuning/alpha/graders/run", "fine_tuning.graders.run", Deferred, Json, false),
    ("*", "fine_tuning/**", "fine_tuning", Free, Opaque, false),
    ("POST", "evals/*/runs", "evals.runs.create", Deferred, Json, false),
    ("*", "evals/**", "evals", Free, Opaque, false),
    ("POST", "videos", "videos.create", Deferred, Multipart, false),
    ("POST", "videos/*/remix", "videos.remix", Deferred, Json, false),
    ("POST", "videos/edits", "videos.edits", Deferred, Multipart, false),
    ("POST", "videos/extensions", "videos.extensions", Deferred, Multipart, false),
    ("POST", "videos/characters", "videos.characters", Deferred, Multipart, false),
    ("*", "videos/**", "videos", Free, Opaque, false),
    ("POST", "content_provenance_checks", "content_provenance_checks", Deferred, Opaque, false),
    // Short-lived tokens: what their holder does passes us by.
    ("POST", "realtime/client_secrets", "realtime.client_secrets", Deferred, Json, false),
    ("POST", "realtime/sessions", "realtime.sessions", Deferred, Json, false),
    ("POST", "realtime/transcription_sessions", "realtime.sessions", Deferred, Json, false),
    ("POST", "realtime/translations/client_secrets", "realtime.client_secrets", Deferred, Json, false),
    ("POST", "realtime/calls", "realtime.calls", Deferred, Opaque, false),
    ("POST", "realtime/calls/*/accept", "realtime.calls", Deferred, Opaque, false),
    ("POST", "realtime/calls/**", "realtime.calls.control", Free, Opaque, false),
    ("POST", "chatkit/sessions", "chatkit.sessions.create", Deferred, Json, false),
    ("*", "chatkit/**", "chatkit", Free, Opaque, false),
    // Runs state their usage in their stream only.
    ("POST", "threads/runs", "threads.runs", Usage, Json, true),
    ("POST", "threads/*/runs", "threads.runs", Usage, Json, true),
    ("POST", "threads/*/runs/*/submit_tool_outputs", "threads.runs", Usage, Json, true),
    ("*", "threads/**", "threads", Free, Opaque, false),
    ("*", "assistants/**", "assistants", Free, Opaque, false),
];

/// Conversations, with their version.
#[rustfmt::skip]
const SOCKETS: &[Row] = &[
    ("GET", "v1/realtime", "realtime", Usage, Opaque, true),
    ("GET", "v1/responses", "responses.live", Usage, Opaque, true),
    // Its usage is the time that it states, without a price list that knows it.
    ("GET", "v1/live", "live", Deferred, Opaque, true),
];

/// Management of the account: no tenant's token reaches it, whatever its key could do.
const MANAGEMENT: RefusedRoute = RefusedRoute {
    forbidden: true,
    code: "management_route_refused",
    message: "The provider's management API is not reachable through the gateway. Keys, projects \
              and costs are managed with the key manager's own API.",
};

const SOCKET: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "websocket_expected",
    message: "This path is a WebSocket: open it as one.",
};

const WITHOUT_VERSION: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "path_without_version",
    message: "OpenAI's paths begin with /v1: set the SDK's base URL to …/gateway/openai/v1.",
};

pub(super) fn classify_socket(path: &str) -> Classified {
    table::find_socket(SOCKETS, path)
}

pub(super) fn classify(method: &Method, path: &str) -> Classified {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let behind = path.strip_prefix("v1/");
    let resource = behind.unwrap_or(path);
    if is_management(resource) || is_management(path) {
        return Classified::Refuse(MANAGEMENT);
    }
    let Some(behind) = behind else {
        return if table::begins_as(ROWS, path) {
            Classified::Refuse(WITHOUT_VERSION)
        } else {
            Classified::Forward(table::UNKNOWN)
        };
    };
    if matches!(behind, "realtime" | "live") {
        return Classified::Refuse(SOCKET);
    }
    Classified::Forward(table::find(ROWS, method, behind))
}

/// Any spelling that a lenient server might take for a management path.
fn is_management(path: &str) -> bool {
    ["organization", "projects", "dashboard", "admin"]
        .iter()
        .any(|word| table::begins_with_word(path, word))
}

#[cfg(test)]
mod tests;
