//! The least server that takes usage reports: axum, the body read and thrown away. Nothing parsed,
//! nothing priced, nobody asked who it is.

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use bytes::Bytes;

use super::{Appender, Appending};

/// The whole body of its answer.
pub const ANSWER: &str = r#"{"taken":1,"refused":0}"#;
/// As diamond-server's own limit.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Plays it until nobody needs it.
pub async fn play(appending: Appending) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/api/usage", post(take))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(appending.open()?);
    let listener = super::listen().await?.tap_io(|stream| {
        // As the server that it is compared with; failing costs only time.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(super::abandoned())
        .await?;
    Ok(())
}

async fn take(State(appender): State<Appender>, _body: Bytes) -> Response {
    if !appender.close().await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    ([(header::CONTENT_TYPE, "application/json")], ANSWER).into_response()
}
