//! Every path of Anthropic's API that is played.

use super::{admin, messages, models};
use crate::desk::{Route, get, managed, paid, post};

#[rustfmt::skip]
pub(super) static ROUTES: &[Route] = &[
    paid(post("v1/messages", "messages", messages::create)),
    post("v1/messages/count_tokens", "messages.count_tokens", messages::count_tokens),
    get("v1/models", "models.list", models::list),
    get("v1/models/{}", "models.retrieve", models::retrieve),
    managed(get("v1/organizations/me", "organization.me", admin::me)),
    managed(get("v1/organizations/api_keys", "api_keys.list", admin::keys::list)),
    managed(get("v1/organizations/api_keys/{}", "api_keys.retrieve", admin::keys::retrieve)),
    managed(post("v1/organizations/api_keys/{}", "api_keys.update", admin::keys::update)),
    managed(get("v1/organizations/workspaces", "workspaces.list", admin::workspaces::list)),
    managed(post("v1/organizations/workspaces", "workspaces.create", admin::workspaces::create)),
    managed(get("v1/organizations/workspaces/{}", "workspaces.retrieve", admin::workspaces::retrieve)),
    managed(post("v1/organizations/workspaces/{}", "workspaces.update", admin::workspaces::update)),
    managed(post("v1/organizations/workspaces/{}/archive", "workspaces.archive", admin::workspaces::archive)),
];
