//! What was last received and sent, byte for byte, so that a test can prove that a proxy changed
//! nothing.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::service::Service;

/// Headers whose values are credentials.
const CREDENTIALS: [&str; 9] = [
    "authorization",
    "x-api-key",
    "xi-api-key",
    "x-hume-api-key",
    "x-goog-api-key",
    "api-key",
    "cookie",
    "proxy-authorization",
    "sec-websocket-protocol",
];

/// Query parameters whose values are credentials.
const CREDENTIAL_PARAMETERS: [&str; 6] = [
    "api_key",
    "access_token",
    "token",
    "authorization",
    "single_use_token",
    "key",
];

/// One request and what was sent for it.
pub(crate) struct Exchange {
    request_id: String,
    method: String,
    version: Version,
    path: String,
    request_headers: Vec<(String, String)>,
    request_body: Bytes,
    key_id: OnceLock<String>,
    head: OnceLock<(u16, Vec<(String, String)>)>,
    sent: Mutex<Vec<Bytes>>,
    complete: AtomicBool,
}

impl Exchange {
    /// A request that came in.
    pub(crate) fn received(
        request_id: &str,
        method: &str,
        version: Version,
        path: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Arc<Self> {
        Arc::new(Self {
            request_id: request_id.to_owned(),
            method: method.to_owned(),
            version,
            path: without_credentials(path),
            request_headers: listed(headers),
            request_body: body.clone(),
            key_id: OnceLock::new(),
            head: OnceLock::new(),
            sent: Mutex::default(),
            complete: AtomicBool::new(false),
        })
    }

    /// Whose request it is.
    pub(crate) fn belongs_to(&self, key_id: &str) {
        let _ = self.key_id.set(key_id.to_owned());
    }

    /// The head of the answer.
    pub(crate) fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        let _ = self.head.set((status.as_u16(), listed(headers)));
    }

    /// More bytes of the answer went out.
    pub(crate) fn sent(&self, bytes: &Bytes) {
        self.sent.lock().push(bytes.clone());
    }

    /// All bytes went out.
    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// What is told of it.
    pub(crate) fn view(&self) -> Value {
        let sent = self.sent.lock().concat();
        let (status, headers) = self.head.get().cloned().unzip();
        json!({
            "requestId": self.request_id,
            "keyId": self.key_id.get(),
            "request": {
                "method": self.method,
                "version": format!("{:?}", self.version),
                "path": self.path,
                "headers": self.request_headers,
                "bodyText": String::from_utf8_lossy(&self.request_body),
                "bodyBase64": STANDARD.encode(&self.request_body),
            },
            "response": {
                "status": status,
                "headers": headers,
                "bodyBase64": STANDARD.encode(&sent),
                "complete": self.complete.load(Ordering::Acquire),
            },
        })
    }
}

fn without_credentials(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return path.to_owned();
    };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if CREDENTIAL_PARAMETERS.contains(&name) => format!("{name}=***"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", shown.collect::<Vec<_>>().join("&"))
}

fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = if CREDENTIALS.contains(&name.as_str()) {
            "***".to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        (name.as_str().to_owned(), value)
    };
    headers.iter().map(shown).collect()
}

/// The last exchange of every operation.
#[derive(Default)]
pub(crate) struct Recorder {
    last: Mutex<HashMap<(Service, &'static str), Arc<Exchange>>>,
}

impl Recorder {
    /// Remembers an exchange in place of the one before it.
    pub(crate) fn keep(&self, service: Service, operation: &'static str, of: Arc<Exchange>) {
        self.last.lock().insert((service, operation), of);
    }

    /// The last exchange of an operation.
    pub(crate) fn last(&self, service: Service, operation: &str) -> Option<Arc<Exchange>> {
        let last = self.last.lock();
        let found = last
            .iter()
            .find(|((of, name), _)| *of == service && *name == operation);
        found.map(|(_, exchange)| Arc::clone(exchange))
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        self.last.lock().clear();
    }
}
