//! The least server that answers a key: axum, a bearer looked up by its hash, a short JSON answer.
//! No policy, no lease, no audit.

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

use super::SUBJECT_KEY;

/// The bearer that opens it.
pub const BEARER: &str = "dmd_benchbenchbenchbenchbenchbenchbenchbenchbench0000";
/// How many other bearers share the table.
const OTHERS: u32 = 100_000;

type Table = papaya::HashMap<[u8; 32], Bytes>;

/// The whole body of its answer.
pub fn answer_body() -> Bytes {
    Bytes::from(format!(
        "{{\"service\":\"openai\",\"tenantId\":\"bench\",\"version\":1,\"apiKey\":\"{SUBJECT_KEY}\"}}"
    ))
}

/// Plays it until nobody needs it.
pub async fn play() -> anyhow::Result<()> {
    let table = Table::new();
    {
        let guard = table.pin();
        guard.insert(*blake3::hash(BEARER.as_bytes()).as_bytes(), answer_body());
        for other in 0..OTHERS {
            guard.insert(*blake3::hash(&other.to_le_bytes()).as_bytes(), Bytes::new());
        }
    }
    let router = Router::new()
        .route("/api/keys/{service}/{tenant}", post(lease))
        .with_state(Arc::new(table));
    let listener = super::listen().await?.tap_io(|stream| {
        // As the server that it is compared with; failing costs only time.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(super::abandoned())
        .await?;
    Ok(())
}

async fn lease(State(table): State<Arc<Table>>, headers: HeaderMap, _body: Bytes) -> Response {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let Some(bearer) = bearer else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match table.pin().get(blake3::hash(bearer).as_bytes()) {
        Some(answer) => {
            ([(header::CONTENT_TYPE, "application/json")], answer.clone()).into_response()
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
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
