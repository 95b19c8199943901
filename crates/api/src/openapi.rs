//! The OpenAPI document, generated from the handlers and their types.
//!
//! What every route has in common (the token, the errors) is added from the table of routes, so
//! that it cannot be forgotten on one of them.

use diamond_api_types::ErrorResponse;
use http::Method;
use utoipa::{
    OpenApi as _, ToSchema as _,
    openapi::{
        Content, OpenApi, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    RouteInfo,
    routes::{Paths, routes},
};

const SCHEME: &str = "accessToken";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Universal AI Key Manager",
        description = "Brokers the keys of AI services for tenants, meters every call, and shows \
            its True Production Cost. JSON in camelCase, money as decimal strings, times in RFC \
            3339 UTC; lists take `limit` and `cursor` and answer `items` and `nextCursor`.",
    ),
    components(schemas(ErrorResponse))
)]
struct Document;

/// The statuses of errors: number, name of the shared response, meaning.
const ERRORS: [(u16, &str, &str); 11] = [
    (400, "BadRequest", "The request cannot be understood."),
    (
        401,
        "Unauthenticated",
        "There is no token, or none that is known.",
    ),
    (403, "Forbidden", "The token may not do this."),
    (
        404,
        "NotFound",
        "There is no such thing, or it is a stranger's.",
    ),
    (409, "Conflict", "It contradicts the present state."),
    (413, "TooLarge", "The body is too large."),
    (
        415,
        "UnsupportedMediaType",
        "The body is in another form than asked for.",
    ),
    (422, "Unprocessable", "Understood, and not acceptable."),
    (429, "Limited", "A budget or limit is used up."),
    (
        500,
        "Internal",
        "Our fault; the log has it under the request's id.",
    ),
    (503, "Unavailable", "Try again later."),
];

/// The document.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut document = Document::openapi();
    document.merge(Paths::openapi());
    let components = document.components.get_or_insert_default();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token of this installation: `dmd_…`."))
        .build();
    components
        .security_schemes
        .insert(SCHEME.to_owned(), RefOr::T(SecurityScheme::Http(scheme)));
    for (_, name, description) in ERRORS {
        let content = Content::new(Some(Ref::from_schema_name(ErrorResponse::name())));
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", content)
            .build();
        components
            .responses
            .insert(name.to_owned(), RefOr::T(response));
    }
    for route in routes() {
        let item = document.paths.paths.get_mut(route.path);
        if let Some(operation) = item.and_then(|item| operation_mut(item, &route.method)) {
            complete(operation, &route);
        }
    }
    document
}

/// The document as text, as it is served and kept beside the code.
#[must_use]
pub fn openapi_json() -> String {
    // A value of maps and strings always serializes.
    let mut text = openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Adds what follows from the table.
fn complete(operation: &mut Operation, route: &RouteInfo) {
    for (status, name, _) in ERRORS {
        if happens(status, route) {
            let response = RefOr::Ref(Ref::from_response_name(name));
            operation
                .responses
                .responses
                .entry(status.to_string())
                .or_insert(response);
        }
    }
    let Some(scope) = route.scope else {
        operation.security = Some(Vec::new());
        return;
    };
    operation.security = Some(vec![SecurityRequirement::new(SCHEME, [scope.as_str()])]);
    let needs = if route.operator_only {
        format!("Needs the scope `{scope}` and an operator.")
    } else {
        format!("Needs the scope `{scope}`.")
    };
    operation.description = Some(match operation.description.take() {
        Some(text) if !text.is_empty() => format!("{text}\n\n{needs}"),
        _ => needs,
    });
}

/// Whether a route can answer with this status.
fn happens(status: u16, route: &RouteInfo) -> bool {
    let changes = route.method != Method::GET;
    match status {
        500 => true,
        _ if route.public => false,
        409 => changes,
        413 | 415 | 422 => route.sample_body.is_some(),
        _ => true,
    }
}

fn operation_mut<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        serde_json::from_str(&openapi_json()).unwrap()
    }

    fn operations(document: &Value) -> Vec<(String, String, &Value)> {
        let paths = document["paths"].as_object().unwrap();
        paths
            .iter()
            .flat_map(|(path, item)| {
                item.as_object()
                    .unwrap()
                    .iter()
                    .map(move |(method, operation)| {
                        (path.clone(), method.to_uppercase(), operation)
                    })
            })
            .collect()
    }

    #[test]
    fn the_document_and_the_table_say_the_same() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let documented: BTreeSet<_> = operations(&document)
            .into_iter()
            .map(|(path, method, operation)| {
                (
                    path,
                    method,
                    operation["operationId"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        let routed: BTreeSet<_> = routes()
            .into_iter()
            .map(|route| {
                (
                    route.path.to_owned(),
                    route.method.to_string(),
                    route.operation_id.to_owned(),
                )
            })
            .collect();
        assert_eq!(documented, routed);
    }

    #[test]
    fn every_operation_says_how_it_fails_and_who_may() {
        let document = document();
        for (path, method, operation) in operations(&document) {
            assert!(operation["responses"]["500"].is_object(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let public = operation["security"].as_array().unwrap().is_empty();
            assert_eq!(
                operation["responses"]["401"].is_object(),
                !public,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        let pointer = reference.trim_start_matches('#');
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    fields.values().for_each(|value| check(value, document));
                }
                Value::Array(items) => items.iter().for_each(|item| check(item, document)),
                _ => {}
            }
        }
        let document = document();
        check(&document, &document);
    }

    #[test]
    fn every_part_of_a_path_is_described() {
        let document = document();
        for (path, method, operation) in operations(&document) {
            let described: BTreeSet<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect();
            let parts: BTreeSet<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .map(str::to_owned)
                .collect();
            assert_eq!(described, parts, "{method} {path}");
        }
    }
}
