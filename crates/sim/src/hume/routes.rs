//! Every path of Hume's APIs that is played.

use super::{chat, decisions, expression, live, runs, speech, token};
use crate::desk::{Route, get, paid, post, scoped, socket};

#[rustfmt::skip]
pub(super) static ROUTES: &[Route] = &[
    post("oauth2-cc/token", "oauth2.token", token::create),
    scoped("tts", paid(post("v0/tts", "tts", speech::whole))),
    scoped("tts", paid(post("v0/tts/file", "tts.file", speech::file))),
    scoped("tts", paid(post("v0/tts/stream/json", "tts.stream", speech::stream))),
    scoped("tts", paid(post("v0/tts/stream/file", "tts.stream_file", speech::stream_file))),
    scoped("tts", get("v0/tts/voices", "tts.voices", speech::voices)),
    scoped("evi", socket("v0/evi/chat", "evi.chat", chat::open)),
    scoped("evi", get("v0/evi/chats", "evi.chats.list", chat::list)),
    scoped("evi", get("v0/evi/chats/{}", "evi.chats.get", chat::retrieve)),
    scoped("decisions", paid(post("v0/decisions/file", "decisions.file", decisions::create))),
    scoped("decisions", post("v0/decisions/file/input_tokens", "decisions.input_tokens", decisions::count)),
    scoped("decisions", get("v0/decisions/run", "decisions.run.list", runs::decisions)),
    scoped("decisions", get("v0/decisions/run/{}", "decisions.run.get", runs::decision)),
    scoped("expression", paid(post("v1/expression/audio/file", "expression.audio", expression::audio))),
    scoped("expression", paid(post("v1/expression/video/file", "expression.video", expression::video))),
    scoped("expression", socket("v1/expression/audio/realtime", "expression.audio.realtime", live::audio)),
    scoped("expression", socket("v1/expression/video/realtime", "expression.video.realtime", live::video)),
    scoped("expression", get("v1/expression/run", "expression.run.list", runs::expressions)),
    scoped("expression", get("v1/expression/run/{}", "expression.run.get", runs::expression)),
];
