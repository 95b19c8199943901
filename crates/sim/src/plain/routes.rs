//! Every path that is played, company by company.

use super::{chat, cohere, gemini, hearing, keys, speech, validation};
use crate::{
    desk::{Route, delete, get, managed, open, paid, patch, post},
    service::Service,
};

#[rustfmt::skip]
static GROQ: &[Route] = &[
    paid(post("openai/v1/chat/completions", "chat.completions", chat::create)),
    paid(post("openai/v1/audio/transcriptions", "audio.transcriptions", hearing::transcribe)),
    paid(post("openai/v1/audio/speech", "audio.speech", speech::whole)),
    get("openai/v1/models", "models.list", validation::models),
];

#[rustfmt::skip]
static MISTRAL: &[Route] = &[
    paid(post("v1/chat/completions", "chat.completions", chat::create)),
    paid(post("v1/fim/completions", "fim.completions", chat::create)),
    paid(post("v1/embeddings", "embeddings", chat::embed)),
    paid(post("v1/audio/transcriptions", "audio.transcriptions", hearing::transcribe)),
    get("v1/models", "models.list", validation::models),
];

#[rustfmt::skip]
static XAI: &[Route] = &[
    paid(post("v1/chat/completions", "chat.completions", chat::create)),
    get("v1/models", "models.list", validation::models),
    get("v1/api-key", "api_key", validation::api_key),
];

#[rustfmt::skip]
static COHERE: &[Route] = &[
    paid(post("v2/chat", "chat", cohere::chat)),
    paid(post("v2/embed", "embed", cohere::embed)),
    paid(post("v2/rerank", "rerank", cohere::rerank)),
    // Answers whoever asks: the answer says whether the key is one.
    open(post("v1/check-api-key", "check_api_key", validation::check_key)),
];

#[rustfmt::skip]
static OPENROUTER: &[Route] = &[
    paid(post("api/v1/chat/completions", "chat.completions", chat::create)),
    get("api/v1/models", "models.list", validation::models),
    get("api/v1/key", "key", keys::own),
    managed(get("api/v1/keys", "keys.list", keys::list)),
    managed(post("api/v1/keys", "keys.create", keys::create)),
    managed(get("api/v1/keys/{}", "keys.retrieve", keys::retrieve)),
    managed(patch("api/v1/keys/{}", "keys.update", keys::update)),
    managed(delete("api/v1/keys/{}", "keys.delete", keys::delete)),
];

#[rustfmt::skip]
static ASSEMBLYAI: &[Route] = &[
    paid(post("v2/transcript", "transcripts.create", hearing::begin)),
    get("v2/transcript", "transcripts.list", hearing::list),
    get("v2/transcript/{}", "transcripts.retrieve", hearing::retrieve),
    post("v2/upload", "upload", hearing::upload),
];

#[rustfmt::skip]
static CARTESIA: &[Route] = &[
    paid(post("tts/bytes", "tts.bytes", speech::whole)),
    paid(post("tts/sse", "tts.sse", speech::events)),
    get("voices", "voices.list", validation::voices),
];

#[rustfmt::skip]
static GEMINI: &[Route] = &[
    paid(post("v1beta/models/{}", "generate_content", gemini::generate)),
    paid(post("v1beta/openai/chat/completions", "chat.completions", chat::create)),
    get("v1beta/models", "models.list", validation::models),
];

/// The paths of a company.
pub(super) fn of(service: Service) -> &'static [Route] {
    match service {
        Service::Groq => GROQ,
        Service::Mistral => MISTRAL,
        Service::Xai => XAI,
        Service::Cohere => COHERE,
        Service::Openrouter => OPENROUTER,
        Service::Assemblyai => ASSEMBLYAI,
        Service::Cartesia => CARTESIA,
        Service::Gemini => GEMINI,
        _ => &[],
    }
}
