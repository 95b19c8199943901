//! Every path of OpenAI's API that is played.

use http::Method;

use super::{
    admin, batches, chat,
    context::{Context, Served},
    embeddings,
    error::ApiError,
    files, images, models, moderations, realtime, responses, speech, transcriptions, vector_stores,
};

/// Whose key opens a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// A project's key; costs nothing.
    Free,
    /// A project's key; costs money.
    Paid,
    /// An admin key.
    Admin,
}

/// What is done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Delete,
}

type Handler = fn(&Context<'_>) -> Result<Served, ApiError>;

/// A path and who answers it.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) verb: Verb,
    /// `{}` stands for any one part.
    path: &'static str,
    pub(super) operation: &'static str,
    pub(super) access: Access,
    pub(super) handler: Handler,
}

impl Verb {
    const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Delete => Method::DELETE,
        }
    }
}

impl Route {
    /// The permission that a restricted key needs.
    pub(super) fn scope(&self) -> &'static str {
        let reads = self.verb == Verb::Get;
        match self.access {
            Access::Admin => "api.management",
            Access::Paid => "api.model.request",
            Access::Free if self.path.starts_with("models") => "api.model.read",
            Access::Free if reads => "api.all.read",
            Access::Free => "api.all.write",
        }
    }

    fn matches<'a>(&self, method: &Method, segments: &'a [String]) -> Option<Vec<&'a str>> {
        if self.verb.method() != *method {
            return None;
        }
        let mut wanted = self.path.split('/');
        let mut parts = Vec::new();
        for segment in segments {
            match wanted.next()? {
                "{}" => parts.push(segment.as_str()),
                fixed if fixed == segment => {}
                _ => return None,
            }
        }
        wanted.next().is_none().then_some(parts)
    }
}

/// The route of a path behind `/v1/`, and the parts that fill its gaps.
pub(super) fn find<'a>(
    method: &Method,
    segments: &'a [String],
) -> Option<(&'static Route, Vec<&'a str>)> {
    ROUTES
        .iter()
        .find_map(|route| Some((route, route.matches(method, segments)?)))
}

const fn get(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Get,
        path,
        operation,
        access: Access::Free,
        handler,
    }
}

const fn post(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Post,
        ..get(path, operation, handler)
    }
}

const fn delete(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Delete,
        ..get(path, operation, handler)
    }
}

const fn paid(route: Route) -> Route {
    Route {
        access: Access::Paid,
        ..route
    }
}

const fn managed(route: Route) -> Route {
    Route {
        access: Access::Admin,
        ..route
    }
}

#[rustfmt::skip]
static ROUTES: &[Route] = &[
    paid(post("chat/completions", "chat.completions", chat::create)),
    paid(post("responses", "responses", responses::create)),
    get("responses/{}", "responses.retrieve", responses::retrieve),
    delete("responses/{}", "responses.delete", responses::delete),
    post("responses/{}/cancel", "responses.cancel", responses::cancel),
    get("responses/{}/input_items", "responses.input_items", responses::input_items),
    paid(post("embeddings", "embeddings", embeddings::create)),
    paid(post("moderations", "moderations", moderations::create)),
    paid(post("audio/speech", "audio.speech", speech::create)),
    paid(post("audio/transcriptions", "audio.transcriptions", transcriptions::transcribe)),
    paid(post("audio/translations", "audio.translations", transcriptions::translate)),
    paid(post("images/generations", "images.generations", images::create)),
    get("models", "models.list", models::list),
    get("models/{}", "models.retrieve", models::retrieve),
    post("files", "files.create", files::create),
    get("files", "files.list", files::list),
    get("files/{}", "files.retrieve", files::retrieve),
    get("files/{}/content", "files.content", files::content),
    delete("files/{}", "files.delete", files::delete),
    post("batches", "batches.create", batches::create),
    get("batches", "batches.list", batches::list),
    get("batches/{}", "batches.retrieve", batches::retrieve),
    post("batches/{}/cancel", "batches.cancel", batches::cancel),
    post("vector_stores", "vector_stores.create", vector_stores::create),
    get("vector_stores", "vector_stores.list", vector_stores::list),
    get("vector_stores/{}", "vector_stores.retrieve", vector_stores::retrieve),
    delete("vector_stores/{}", "vector_stores.delete", vector_stores::delete),
    post("realtime/client_secrets", "realtime.client_secrets", realtime::create_secret),
    managed(get("organization/admin_api_keys", "admin_api_keys.list", admin::keys::list_admin)),
    managed(post("organization/admin_api_keys", "admin_api_keys.create", admin::keys::create_admin)),
    managed(get("organization/admin_api_keys/{}", "admin_api_keys.retrieve", admin::keys::retrieve_admin)),
    managed(delete("organization/admin_api_keys/{}", "admin_api_keys.delete", admin::keys::delete_admin)),
    managed(get("organization/projects", "projects.list", admin::projects::list)),
    managed(post("organization/projects", "projects.create", admin::projects::create)),
    managed(get("organization/projects/{}", "projects.retrieve", admin::projects::retrieve)),
    managed(post("organization/projects/{}", "projects.update", admin::projects::update)),
    managed(post("organization/projects/{}/archive", "projects.archive", admin::projects::archive)),
    managed(get("organization/projects/{}/service_accounts", "service_accounts.list", admin::service_accounts::list)),
    managed(post("organization/projects/{}/service_accounts", "service_accounts.create", admin::service_accounts::create)),
    managed(get("organization/projects/{}/service_accounts/{}", "service_accounts.retrieve", admin::service_accounts::retrieve)),
    managed(delete("organization/projects/{}/service_accounts/{}", "service_accounts.delete", admin::service_accounts::delete)),
    managed(post("organization/projects/{}/service_accounts/{}/api_keys", "api_keys.create", admin::keys::create)),
    managed(get("organization/projects/{}/api_keys", "api_keys.list", admin::keys::list)),
    managed(get("organization/projects/{}/api_keys/{}", "api_keys.retrieve", admin::keys::retrieve)),
    managed(post("organization/projects/{}/api_keys/{}", "api_keys.update", admin::keys::update)),
    managed(delete("organization/projects/{}/api_keys/{}", "api_keys.delete", admin::keys::delete)),
    managed(get("organization/costs", "organization.costs", admin::usage::costs)),
    managed(get("organization/usage/{}", "organization.usage", admin::usage::usage)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: Method, path: &str) -> Option<&'static str> {
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        find(&method, &segments).map(|(route, _)| route.operation)
    }

    #[test]
    fn a_path_is_one_operation() {
        assert_eq!(
            operation(Method::POST, "chat/completions"),
            Some("chat.completions")
        );
        assert_eq!(
            operation(Method::GET, "files/file_1/content"),
            Some("files.content")
        );
        assert_eq!(operation(Method::GET, "chat/completions"), None);
        assert_eq!(operation(Method::GET, "files/file_1/content/more"), None);
    }
}
