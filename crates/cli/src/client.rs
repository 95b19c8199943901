//! Requests to the server.

use std::time::Duration;

use diamond_api_types::ErrorResponse;
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::{Connection, is_loopback},
    failure::Failure,
};

const TIMEOUT: Duration = Duration::from_secs(120);
/// A backup may be large.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A server that can be asked.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    authorization: Option<HeaderValue>,
}

/// A successful answer, as it came.
#[derive(Debug)]
pub struct Answer {
    url: String,
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// The body's text, exactly.
    pub fn text(&self) -> Result<&str, Failure> {
        std::str::from_utf8(&self.body).map_err(|_| self.strange())
    }

    /// The body as what it should be.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| self.strange())
    }

    fn strange(&self) -> Failure {
        Failure::Strange {
            url: self.url.clone(),
            status: self.status,
        }
    }
}

/// A large answer, piece by piece.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
    url: String,
}

impl Download {
    /// The next piece; `None` at the end. An answer that breaks off is an error.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, Failure> {
        let piece = self.response.chunk().await;
        piece.map_err(|error| Failure::Unreachable {
            url: self.url.clone(),
            reason: format!("the answer broke off: {}", root_cause(&error)),
            untrusted: false,
        })
    }
}

impl Client {
    /// A client for the connection.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // Somewhere else is not where the token was meant to go.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("diamond/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&connection.url) {
            // What is on this machine is not behind a proxy.
            builder = builder.no_proxy();
        }
        if let Some(pem) = &connection.authorities {
            let authorities = reqwest::Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|authorities| !authorities.is_empty())
                .ok_or_else(|| {
                    Failure::input("the file of authorities holds no certificate in PEM form")
                })?;
            builder = builder.tls_certs_merge(authorities);
        }
        let http = builder
            .build()
            .map_err(|error| Failure::input(format!("no HTTP client can be made: {error}")))?;
        let authorization = match &connection.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::try_from(format!("Bearer {}", token.as_str()))
                    .map_err(|_| Failure::input("the token has letters that no token has"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            http,
            url: connection.url.clone(),
            authorization,
        })
    }

    /// Reads something.
    pub async fn get(&self, path: &[&str], query: &impl Serialize) -> Result<Answer, Failure> {
        self.send(self.request(Method::GET, path)?.query(query))
            .await
    }

    /// Asks for something to be done.
    pub async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Answer, Failure> {
        self.send(json(self.request(Method::POST, path)?, body)?)
            .await
    }

    /// Asks for something to be done that needs no words.
    pub async fn post_empty(&self, path: &[&str]) -> Result<Answer, Failure> {
        self.send(self.request(Method::POST, path)?).await
    }

    /// Asks for something that is too large to be held in memory.
    pub async fn download(&self, path: &[&str]) -> Result<Download, Failure> {
        let request = self.request(Method::POST, path)?.timeout(DOWNLOAD_TIMEOUT);
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            let url = self.url.to_string();
            return Ok(Download { response, url });
        }
        Err(self.refused(response).await?)
    }

    /// Supplies something; repeating it under the same key, if there is one, changes nothing.
    pub async fn put(
        &self,
        path: &[&str],
        body: &impl Serialize,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = self.request(Method::PUT, path)?;
        if let Some(key) = idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        self.send(json(request, body)?).await
    }

    /// Changes something.
    pub async fn patch(
        &self,
        path: &[&str],
        query: &impl Serialize,
        body: &impl Serialize,
    ) -> Result<Answer, Failure> {
        let request = self.request(Method::PATCH, path)?.query(query);
        self.send(json(request, body)?).await
    }

    /// Takes something away.
    pub async fn delete(&self, path: &[&str], query: &impl Serialize) -> Result<Answer, Failure> {
        self.send(self.request(Method::DELETE, path)?.query(query))
            .await
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<reqwest::RequestBuilder, Failure> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::input("the server's address cannot carry a path"))?
            .pop_if_empty()
            .extend(path);
        let mut request = self.http.request(method, url);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return self.whole(response).await;
        }
        Err(self.refused(response).await?)
    }

    async fn whole(&self, response: reqwest::Response) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        Ok(Answer {
            url: self.url.to_string(),
            status,
            body: body.to_vec(),
        })
    }

    /// What the server says of a request that it refuses.
    async fn refused(&self, response: reqwest::Response) -> Result<Failure, Failure> {
        let answer = self.whole(response).await?;
        let error: ErrorResponse = answer.read()?;
        Ok(Failure::Refused {
            status: answer.status,
            body: Box::new(error.error),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let reason = root_cause(error);
        Failure::Unreachable {
            url: self.url.to_string(),
            // The words of rustls; only the hint depends on them.
            untrusted: reason.contains("certificate"),
            reason,
        }
    }
}

fn json(
    request: reqwest::RequestBuilder,
    body: &impl Serialize,
) -> Result<reqwest::RequestBuilder, Failure> {
    let body = serde_json::to_vec(body).map_err(|error| Failure::input(error.to_string()))?;
    Ok(request.header(CONTENT_TYPE, "application/json").body(body))
}

/// The innermost reason: the outer ones only say that sending failed.
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
