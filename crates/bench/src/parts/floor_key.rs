//! The least server that answers a key: axum, a bearer looked up by its hash, a short JSON answer.
//! No policy, no lease; no audit either, unless it is told to write as much.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use bytes::Bytes;

use super::{Appender, Appending, SUBJECT_KEY};

/// The bearer that opens it.
pub const BEARER: &str = "dmd_benchbenchbenchbenchbenchbenchbenchbenchbench0000";
/// How many other bearers share the table.
const OTHERS: u32 = 100_000;

#[derive(Clone)]
struct Keys {
    table: Arc<papaya::HashMap<[u8; 32], Bytes>>,
    appender: Appender,
}

/// The whole body of its answer.
pub fn answer_body() -> Bytes {
    Bytes::from(format!(
        "{{\"service\":\"openai\",\"tenantId\":\"bench\",\"version\":1,\"apiKey\":\"{SUBJECT_KEY}\"}}"
    ))
}

/// Plays it until nobody needs it.
pub async fn play(appending: Appending) -> anyhow::Result<()> {
    let table = papaya::HashMap::new();
    {
        let guard = table.pin();
        guard.insert(*blake3::hash(BEARER.as_bytes()).as_bytes(), answer_body());
        for other in 0..OTHERS {
            guard.insert(*blake3::hash(&other.to_le_bytes()).as_bytes(), Bytes::new());
        }
    }
    let router = Router::new()
        .route("/api/keys/{service}/{tenant}", post(lease))
        .with_state(Keys {
            table: Arc::new(table),
            appender: appending.open()?,
        });
    let listener = super::listen().await?.tap_io(|stream| {
        // As the server that it is compared with; failing costs only time.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(super::abandoned())
        .await?;
    Ok(())
}

async fn lease(State(keys): State<Keys>, headers: HeaderMap, _body: Bytes) -> Response {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let Some(bearer) = bearer else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let hash = blake3::hash(bearer);
    let Some(answer) = keys.table.pin().get(hash.as_bytes()).cloned() else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if !keys.appender.close().await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_json_of_about_120_bytes() {
        let body = answer_body();
        assert!((110..=130).contains(&body.len()), "{}", body.len());
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["apiKey"], SUBJECT_KEY);
    }
}
