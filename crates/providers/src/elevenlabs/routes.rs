//! Every path of ElevenLabs' API and what it is.

use http::Method;

use crate::{
    BodyKind::{Json, Multipart, Opaque},
    Classified,
    Metering::{Deferred, Free, Measured, Usage},
    RefusedRoute,
    table::{self, Row},
};

/// Paths behind `/v1/`. What is counted in credits alone and told by the provider's reports only
/// (music, dubbing, videos, agents) is deferred.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("POST", "text-to-speech/*", "text_to_speech", Usage, Json, false),
    ("POST", "text-to-speech/*/stream", "text_to_speech.stream", Usage, Json, true),
    ("POST", "text-to-speech/*/with-timestamps", "text_to_speech.with_timestamps", Usage, Json, false),
    ("POST", "text-to-speech/*/stream/with-timestamps", "text_to_speech.stream_with_timestamps", Usage, Json, true),
    ("POST", "text-to-dialogue", "text_to_dialogue", Usage, Json, false),
    ("POST", "text-to-dialogue/stream", "text_to_dialogue.stream", Usage, Json, true),
    ("POST", "text-to-dialogue/with-timestamps", "text_to_dialogue.with_timestamps", Usage, Json, false),
    ("POST", "text-to-dialogue/stream/with-timestamps", "text_to_dialogue.stream_with_timestamps", Usage, Json, true),
    ("POST", "speech-to-text", "speech_to_text", Usage, Multipart, false),
    ("*", "speech-to-text/transcripts/*", "speech_to_text.transcripts", Free, Opaque, false),
    ("POST", "voice-changer/*", "voice_changer", Usage, Multipart, false),
    ("POST", "voice-changer/*/stream", "voice_changer.stream", Usage, Multipart, true),
    // The names of the same before 2026.
    ("POST", "speech-to-speech/*", "voice_changer", Usage, Multipart, false),
    ("POST", "speech-to-speech/*/stream", "voice_changer.stream", Usage, Multipart, true),
    ("POST", "sound-generation", "sound_generation", Usage, Json, true),
    ("POST", "audio-isolation", "audio_isolation", Usage, Multipart, false),
    ("POST", "audio-isolation/stream", "audio_isolation.stream", Usage, Multipart, true),
    ("*", "audio-isolation/history/**", "audio_isolation.history", Free, Opaque, false),
    ("POST", "forced-alignment", "forced_alignment", Measured, Multipart, false),
    ("POST", "text-to-voice", "text_to_voice.create", Free, Json, false),
    ("POST", "text-to-voice/create-previews", "text_to_voice.design", Usage, Json, false),
    ("POST", "text-to-voice/design", "text_to_voice.design", Usage, Json, false),
    ("POST", "text-to-voice/*/remix", "text_to_voice.remix", Usage, Json, false),
    ("GET", "text-to-voice/*/stream", "text_to_voice.preview", Free, Opaque, true),
    ("GET", "models", "models", Free, Opaque, false),
    ("POST", "music/plan", "music.plan", Free, Json, false),
    ("*", "music/finetunes/**", "music.finetunes", Free, Opaque, false),
    ("POST", "music/upload", "music.upload", Free, Multipart, false),
    ("POST", "music/stem-separation", "music.stem_separation", Deferred, Multipart, true),
    ("POST", "music/video-to-music", "music.video_to_music", Deferred, Multipart, true),
    ("POST", "music/**", "music", Deferred, Json, true),
    ("GET", "dubbing/**", "dubbing.get", Free, Opaque, false),
    ("DELETE", "dubbing/**", "dubbing.delete", Free, Opaque, false),
    ("POST", "dubbing", "dubbing.create", Deferred, Multipart, false),
    ("*", "dubbing/**", "dubbing", Deferred, Opaque, false),
    ("GET", "flows/**", "flows.get", Free, Opaque, false),
    ("POST", "flows/**", "flows.create", Deferred, Json, false),
    ("POST", "studio/podcasts", "studio.podcasts", Deferred, Json, false),
    ("POST", "studio/projects/*/convert", "studio.convert", Deferred, Opaque, false),
    ("POST", "studio/projects/*/chapters/*/convert", "studio.convert", Deferred, Opaque, false),
    ("*", "studio/**", "studio", Free, Opaque, true),
    ("POST", "productions/orders/*/submit", "productions.submit", Deferred, Opaque, false),
    ("*", "productions/**", "productions", Free, Opaque, false),
    ("POST", "audio-native", "audio_native.create", Deferred, Multipart, false),
    ("POST", "audio-native/content", "audio_native.create", Deferred, Multipart, false),
    ("POST", "audio-native/*/content", "audio_native.create", Deferred, Multipart, false),
    ("*", "audio-native/**", "audio_native", Free, Opaque, false),
    // Short-lived tokens and addresses: what their holder does passes us by.
    ("POST", "single-use-token/*", "single_use_tokens", Deferred, Opaque, false),
    ("GET", "convai/conversation/get-signed-url", "agents.signed_url", Deferred, Opaque, false),
    ("GET", "convai/conversation/get_signed_url", "agents.signed_url", Deferred, Opaque, false),
    ("GET", "convai/conversation/token", "agents.token", Deferred, Opaque, false),
    ("POST", "convai/realtime/client_secrets", "agents.client_secrets", Deferred, Json, false),
    // Agents that talk: what that costs stands in their conversations.
    ("POST", "convai/agents/*/simulate-conversation", "agents.simulate", Deferred, Json, false),
    ("POST", "convai/agents/*/simulate-conversation/stream", "agents.simulate", Deferred, Json, true),
    ("POST", "convai/agents/*/run-tests", "agents.run_tests", Deferred, Json, false),
    ("POST", "convai/test-invocations/*/resubmit", "agents.run_tests", Deferred, Json, false),
    ("POST", "convai/conversations/*/analysis/**", "agents.analysis", Deferred, Json, false),
    ("POST", "convai/batch-calling/submit", "agents.calls", Deferred, Json, false),
    ("POST", "convai/batch-calling/*/retry", "agents.calls", Deferred, Opaque, false),
    ("POST", "convai/outbound-campaigns/campaigns/submit", "agents.calls", Deferred, Opaque, false),
    ("POST", "convai/outbound-campaigns/campaigns/*/resume", "agents.calls", Deferred, Opaque, false),
    ("POST", "convai/outbound-campaigns/attention/*/retry", "agents.calls", Deferred, Opaque, false),
    ("POST", "convai/*/outbound-call", "agents.calls", Deferred, Json, false),
    ("POST", "convai/*/register-call", "agents.calls", Deferred, Json, false),
    ("POST", "convai/*/outbound-message", "agents.calls", Deferred, Json, false),
    ("*", "convai/**", "agents", Free, Opaque, true),
    ("*", "speech-engine/**", "speech_engine", Free, Opaque, false),
    ("*", "voices/**", "voices", Free, Opaque, true),
    ("GET", "shared-voices", "shared_voices", Free, Opaque, false),
    ("POST", "similar-voices", "similar_voices", Free, Opaque, false),
    ("*", "history/**", "history", Free, Opaque, true),
    ("*", "pronunciation-dictionaries/**", "pronunciation_dictionaries", Free, Opaque, false),
    ("*", "assets/**", "assets", Free, Opaque, false),
    ("GET", "audio-effects/**", "audio_effects", Free, Opaque, false),
];

/// The one that has a second edition.
#[rustfmt::skip]
const SECOND: &[Row] = &[
    ("GET", "voices", "voices", Free, Opaque, false),
];

/// Conversations, with their version.
#[rustfmt::skip]
const SOCKETS: &[Row] = &[
    ("GET", "v1/text-to-speech/*/stream-input", "text_to_speech.live", Usage, Opaque, true),
    ("GET", "v1/text-to-speech/*/multi-stream-input", "text_to_speech.live", Usage, Opaque, true),
    ("GET", "v1/speech-to-text/realtime", "speech_to_text.live", Usage, Opaque, true),
    // What an agent cost stands in its conversation afterwards.
    ("GET", "v1/convai/conversation", "agents.conversation", Deferred, Opaque, true),
];

/// Management of the workspace: no tenant's token reaches it, whatever its key could do. The user
/// and its subscription are the account's that pays for all tenants.
const MANAGEMENT: RefusedRoute = RefusedRoute {
    forbidden: true,
    code: "management_route_refused",
    message: "The provider's management API is not reachable through the gateway. Keys, service \
              accounts, the subscription and costs are managed with the key manager's own API.",
};

const WITHOUT_VERSION: RefusedRoute = RefusedRoute {
    forbidden: false,
    code: "path_without_version",
    message: "ElevenLabs' paths begin with /v1, which its SDKs add themselves: set the SDK's base \
              URL to …/gateway/elevenlabs.",
};

pub(super) fn classify_socket(path: &str) -> Classified {
    table::find_socket(SOCKETS, path)
}

pub(super) fn classify(method: &Method, path: &str) -> Classified {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let first = path.strip_prefix("v1/");
    let second = path.strip_prefix("v2/");
    let behind = first.or(second);
    if is_management(behind.unwrap_or(path)) || is_management(path) {
        return Classified::Refuse(MANAGEMENT);
    }
    match (first, second) {
        (Some(behind), _) => Classified::Forward(table::find(ROWS, method, behind)),
        (_, Some(behind)) => Classified::Forward(table::find(SECOND, method, behind)),
        // A base URL with `/v1` of its own leads to two of them.
        _ if table::begins_as(ROWS, path) => Classified::Refuse(WITHOUT_VERSION),
        _ => Classified::Forward(table::UNKNOWN),
    }
}

/// Any spelling that a lenient server might take for a management path.
fn is_management(path: &str) -> bool {
    [
        "workspace",
        "service-account",
        "user",
        "usage",
        "admin",
        "oauth",
    ]
    .iter()
    .any(|word| table::begins_with_word(path, word))
        || [
            "convai/secrets",
            "convai/settings",
            "convai/environment-variables",
        ]
        .iter()
        .any(|start| begins_with_path(path, start))
}

/// What all agents of a workspace share.
fn begins_with_path(path: &str, start: &str) -> bool {
    path.get(..start.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: &str, path: &str) -> Result<&'static str, &'static str> {
        match classify(&method.parse().unwrap(), path) {
            Classified::Forward(route) => Ok(route.operation),
            Classified::Refuse(refused) => Err(refused.code),
        }
    }

    #[test]
    fn every_path_of_the_official_package_has_a_class() {
        let managed = [
            "/v1/workspace",
            "/v1/service-accounts",
            "/v1/user",
            "/v1/usage",
            "/v1/convai/secrets",
            "/v1/convai/settings",
            "/v1/convai/environment-variables",
        ];
        for line in include_str!("../../fixtures/elevenlabs/paths.txt").lines() {
            let mut words = line.split(' ');
            let path = words.next().unwrap();
            for method in words {
                let class = operation(method, path);
                if managed.iter().any(|start| path.starts_with(start)) {
                    assert_eq!(class, Err("management_route_refused"), "{method} {path}");
                } else {
                    assert!(class.is_ok_and(|name| name != "unknown"), "{method} {path}");
                }
            }
        }
    }

    #[test]
    fn ways_around_are_closed() {
        for path in [
            "/v1/service-accounts/sa_1/api-keys",
            "/v1/Service-Accounts",
            "/v2/workspace/analytics/usage",
            "/workspaces/api-keys/disable",
            "/v1/user/subscription",
            "/v1/convai/Secrets",
        ] {
            assert_eq!(
                operation("GET", path),
                Err("management_route_refused"),
                "{path}"
            );
        }
        assert_eq!(
            operation("POST", "/text-to-speech/v"),
            Err("path_without_version")
        );
        assert_eq!(operation("POST", "/v1/brand/new"), Ok("unknown"));
        assert_eq!(
            operation("POST", "/v1/text-to-speech/v/"),
            Ok("text_to_speech")
        );
        assert_eq!(operation("GET", "/v2/voices"), Ok("voices"));
    }
}
