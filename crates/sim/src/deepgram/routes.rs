//! Every path of Deepgram's API that is played.

use super::{admin, hearing, live, reading, speech};
use crate::desk::{Route, delete, get, paid, post, scoped, socket};

// Keys that manage and keys that are used are one kind here; the scope decides.
#[rustfmt::skip]
pub(super) static ROUTES: &[Route] = &[
    scoped("usage:write", paid(post("v1/listen", "listen", hearing::create))),
    scoped("usage:write", socket("v1/listen", "listen.live", live::open)),
    scoped("usage:write", paid(post("v1/speak", "speak", speech::create))),
    scoped("usage:write", paid(post("v1/read", "read", reading::create))),
    get("v1/auth/token", "auth.token", admin::auth::token),
    scoped("member", post("v1/auth/grant", "auth.grant", admin::auth::grant)),
    scoped("project:read", get("v1/projects", "projects.list", admin::projects::list)),
    scoped("project:read", get("v1/projects/{}", "projects.retrieve", admin::projects::retrieve)),
    scoped("billing:read", get("v1/projects/{}/balances", "balances.list", admin::projects::balances)),
    scoped("billing:read", get("v1/projects/{}/balances/{}", "balances.retrieve", admin::projects::balance)),
    scoped("keys:read", get("v1/projects/{}/keys", "api_keys.list", admin::keys::list)),
    scoped("keys:write", post("v1/projects/{}/keys", "api_keys.create", admin::keys::create)),
    scoped("keys:read", get("v1/projects/{}/keys/{}", "api_keys.retrieve", admin::keys::retrieve)),
    scoped("keys:write", delete("v1/projects/{}/keys/{}", "api_keys.delete", admin::keys::delete)),
];
