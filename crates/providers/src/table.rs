//! Tables of paths: what each service's `routes` is written in.

use http::Method;

use crate::{
    BodyKind::{self, Opaque},
    Classified,
    Metering::{self, Unknown},
    Route,
    provider::NO_SOCKET,
};

/// A row: method (`*` for any), path (`*` is one segment, a last `**` is any further ones),
/// operation, metering, body, whether the answer may be a stream.
pub(crate) type Row = (
    &'static str,
    &'static str,
    &'static str,
    Metering,
    BodyKind,
    bool,
);

/// A route that no table knows.
pub(crate) const UNKNOWN: Route = Route {
    operation: "unknown",
    metering: Unknown,
    body: Opaque,
    may_stream: true,
    replay_safe: false,
};

/// The first row that fits counts, so what is called most stands first.
pub(crate) fn find(rows: &[Row], method: &Method, path: &str) -> Route {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let row = rows
        .iter()
        .find(|row| (row.0 == "*" || row.0 == method) && fits(row.1, path));
    row.map_or(UNKNOWN, |row| Route {
        operation: row.2,
        metering: row.3,
        body: row.4,
        may_stream: row.5,
        replay_safe: true,
    })
}

/// The WebSocket that a path is, by a table of its own.
pub(crate) fn find_socket(rows: &[Row], path: &str) -> Classified {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let route = find(rows, &Method::GET, path);
    if route.metering == Unknown {
        return Classified::Refuse(NO_SOCKET);
    }
    Classified::Forward(route)
}

/// Whether any row's first segment is that of the path.
pub(crate) fn begins_as(rows: &[Row], path: &str) -> bool {
    let first = path.split('/').next();
    rows.iter().any(|row| row.1.split('/').next() == first)
}

/// Whether a path's first segment begins with this word in any spelling that a lenient server
/// might take for it.
pub(crate) fn begins_with_word(path: &str, word: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
    first
        .get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether a path fits a pattern.
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        if expected == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if expected == "*" => {
                if segment.is_empty() {
                    return false;
                }
            }
            Some(segment) if segment == expected => {}
            // `files/**` is also `files` itself.
            _ => return false,
        }
    }
    segments.next().is_none()
}
