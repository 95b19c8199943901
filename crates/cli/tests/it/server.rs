//! A server that gives one answer to everything and remembers the last request.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What arrived last.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub line: String,
    pub authorization: String,
    pub idempotency_key: String,
    pub body: String,
}

pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn answering(status: u16, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let status = StatusCode::from_u16(status).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let remembered = Arc::clone(&seen);
        let router = Router::new().fallback(move |request: Request| async move {
            *remembered.lock().unwrap() = Seen::default();
            let text = |headers: &HeaderMap, name: &str| {
                let value = headers
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned());
                value.unwrap_or_default()
            };
            let (parts, content) = request.into_parts();
            let content = to_bytes(content, 1 << 20).await.unwrap();
            *remembered.lock().unwrap() = Seen {
                line: format!("{} {}", parts.method, parts.uri),
                authorization: text(&parts.headers, AUTHORIZATION.as_str()),
                idempotency_key: text(&parts.headers, "idempotency-key"),
                body: String::from_utf8(content.to_vec()).unwrap(),
            };
            (status, body)
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's server ends with the test"
        )]
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, task }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Closes the port; its address.
    pub fn stop(self) -> String {
        self.task.abort();
        self.url.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
