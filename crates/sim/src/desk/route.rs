//! Paths and who answers them.

use http::Method;

use super::{
    refusal::Refusal,
    served::{Context, Served},
};

/// Whose key opens a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// No key at all.
    Open,
    /// An ordinary key; costs nothing.
    Free,
    /// An ordinary key; costs money.
    Paid,
    /// A key that manages others.
    Admin,
}

/// What is done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
    /// A request that becomes a WebSocket.
    Socket,
}

type Handler = fn(&Context<'_>) -> Result<Served, Refusal>;

/// A path and who answers it.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) verb: Verb,
    /// Behind the company's prefix; `{}` stands for any one part.
    pub(crate) path: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) access: Access,
    /// The permission that a restricted key needs, where the company names them by route.
    pub(crate) scope: &'static str,
    pub(super) handler: Handler,
}

impl Verb {
    const fn method(self) -> Method {
        match self {
            Self::Get | Self::Socket => Method::GET,
            Self::Post => Method::POST,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

impl Route {
    fn matches<'a>(
        &self,
        method: &Method,
        socket: bool,
        segments: &'a [String],
    ) -> Option<Vec<&'a str>> {
        if self.verb.method() != *method || (self.verb == Verb::Socket) != socket {
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

/// The route of a path, and the parts that fill its gaps.
pub(super) fn find<'a>(
    routes: &'static [Route],
    method: &Method,
    socket: bool,
    segments: &'a [String],
) -> Option<(&'static Route, Vec<&'a str>)> {
    routes
        .iter()
        .find_map(|route| Some((route, route.matches(method, socket, segments)?)))
}

/// A route that reads, for an ordinary key, free of charge.
pub(crate) const fn get(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Get,
        path,
        operation,
        access: Access::Free,
        scope: "",
        handler,
    }
}

/// The same with POST.
pub(crate) const fn post(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Post,
        ..get(path, operation, handler)
    }
}

/// A route whose request becomes a WebSocket; that costs money.
pub(crate) const fn socket(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Socket,
        access: Access::Paid,
        ..get(path, operation, handler)
    }
}

/// The same with PATCH.
pub(crate) const fn patch(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Patch,
        ..get(path, operation, handler)
    }
}

/// The same with DELETE.
pub(crate) const fn delete(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route {
        verb: Verb::Delete,
        ..get(path, operation, handler)
    }
}

/// A route that costs money.
pub(crate) const fn paid(route: Route) -> Route {
    Route {
        access: Access::Paid,
        ..route
    }
}

/// A route that asks for no key.
pub(crate) const fn open(route: Route) -> Route {
    Route {
        access: Access::Open,
        ..route
    }
}

/// A route of the administration.
pub(crate) const fn managed(route: Route) -> Route {
    Route {
        access: Access::Admin,
        ..route
    }
}

/// A route with the permission that it needs.
pub(crate) const fn scoped(scope: &'static str, route: Route) -> Route {
    Route { scope, ..route }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desk::Company, openai::Openai};

    fn operation(method: Method, path: &str) -> Option<&'static str> {
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        find(Openai.routes(), &method, false, &segments).map(|(route, _)| route.operation)
    }

    #[test]
    fn a_path_is_one_operation() {
        assert_eq!(
            operation(Method::POST, "v1/chat/completions"),
            Some("chat.completions")
        );
        assert_eq!(
            operation(Method::GET, "v1/files/file_1/content"),
            Some("files.content")
        );
        assert_eq!(operation(Method::GET, "v1/chat/completions"), None);
        assert_eq!(operation(Method::GET, "v1/files/file_1/content/more"), None);
    }
}
