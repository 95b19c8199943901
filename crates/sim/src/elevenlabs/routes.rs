//! Every path of ElevenLabs' API that is played.

use super::{admin, hearing, live, models, speech, token, user, voices};
use crate::desk::{Route, delete, get, managed, paid, patch, post, scoped, socket};

#[rustfmt::skip]
pub(super) static ROUTES: &[Route] = &[
    scoped("text_to_speech", paid(post("v1/text-to-speech/{}", "text_to_speech", speech::whole))),
    scoped("text_to_speech", paid(post("v1/text-to-speech/{}/stream", "text_to_speech.stream", speech::stream))),
    scoped("text_to_speech", socket("v1/text-to-speech/{}/stream-input", "text_to_speech.live", live::open)),
    scoped("speech_to_text", paid(post("v1/speech-to-text", "speech_to_text", hearing::create))),
    scoped("models_read", get("v1/models", "models.list", models::list)),
    scoped("voices_read", get("v1/voices", "voices.list", voices::list)),
    scoped("user_read", get("v1/user", "user", user::user)),
    scoped("user_read", get("v1/user/subscription", "user.subscription", user::subscription)),
    post("v1/single-use-token/{}", "single_use_tokens.create", token::create),
    post("v1/workspaces/api-keys/disable", "api_keys.disable_self", admin::keys::disable_self),
    scoped("workspace_read", managed(get("v1/service-accounts", "service_accounts.list", admin::accounts::list))),
    scoped("service_account_write", managed(post("v1/service-accounts", "service_accounts.create", admin::accounts::create))),
    scoped("workspace_read", managed(get("v1/service-accounts/{}/api-keys", "api_keys.list", admin::keys::list))),
    scoped("service_account_write", managed(post("v1/service-accounts/{}/api-keys", "api_keys.create", admin::keys::create))),
    scoped("service_account_write", managed(patch("v1/service-accounts/{}/api-keys/{}", "api_keys.update", admin::keys::update))),
    scoped("service_account_write", managed(post("v1/service-accounts/{}/api-keys/{}/disable", "api_keys.disable", admin::keys::disable))),
    scoped("service_account_write", managed(delete("v1/service-accounts/{}/api-keys/{}", "api_keys.delete", admin::keys::delete))),
];
