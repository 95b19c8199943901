//! Nobody waits for a control database that is known to be gone.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use diamond_app::{App, AppError};
use http::Method;

use crate::errors::ApiError;

/// What is answered from memory, the journal and the audit log alone.
const WITHOUT_DATABASE: &[(Method, &str)] = &[
    (Method::POST, "/api/keys/{service}/{tenantId}"),
    (Method::POST, "/api/usage"),
    (Method::GET, "/api/usage/events"),
    (Method::GET, "/api/audit"),
    // It shows what waits in memory when the database cannot be asked.
    (Method::GET, "/api/alarms"),
];

/// Whether a route's handler waits for the control database.
pub fn is_asked(method: &Method, path: &str) -> bool {
    path.starts_with("/api/")
        && !path.starts_with("/api/analytics/")
        && !WITHOUT_DATABASE
            .iter()
            .any(|(known, known_path)| known == method && *known_path == path)
}

/// Answers for a handler that waits for the control database when that does not answer.
pub async fn give_up_when_lost(State(app): State<App>, request: Request, next: Next) -> Response {
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = app.database().is_lost() => {
            ApiError::from(AppError::database_lost()).into_response()
        }
    }
}
