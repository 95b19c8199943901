//! Sends management requests to the AI services; what they say is the providers' to know.

use std::{collections::HashMap, time::Duration};

use diamond_domain::ServiceId;
use diamond_providers::{Answer, HeaderText, OutboundRequest};

/// The most of an answer that is read: management answers are small.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// No address is configured for the service.
    #[error("no address is configured for the service {0}")]
    NoAddress(ServiceId),
    /// The service did not answer, or not to the end.
    #[error("the service {service} did not answer")]
    Unreachable {
        /// Which.
        service: ServiceId,
        /// Why; without the address's query and without headers.
        #[source]
        source: reqwest::Error,
    },
    /// Whoever answers there is not believed to be the service.
    #[error("the certificate shown at the address of the service {service} is not trusted")]
    Untrusted {
        /// Which.
        service: ServiceId,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is larger than a management answer can be.
    #[error("the answer of the service {0} is too large")]
    TooLarge(ServiceId),
    /// The request cannot be sent as it is.
    #[error("the request to the service {0} is not valid")]
    Request(ServiceId),
}

/// A whole answer. Its body may hold a key: it is wiped when it is let go.
pub struct ProviderAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: zeroize::Zeroizing<Vec<u8>>,
}

impl ProviderAnswer {
    /// The answer as an adapter reads it.
    #[must_use]
    pub fn at(&self, now: jiff::Timestamp) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
            now,
        }
    }
}

impl std::fmt::Debug for ProviderAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProviderAnswer({})", self.status)
    }
}

/// A client for the services' management APIs.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    addresses: HashMap<ServiceId, String>,
}

impl Outbound {
    /// A client that sends to these addresses (scheme and host, perhaps a path, no final slash)
    /// and trusts, besides the machine's authorities, those whose certificates are given (DER).
    ///
    /// # Errors
    /// When the TLS roots of the system or the given ones cannot be read.
    pub fn new(
        addresses: HashMap<ServiceId, String>,
        timeout: Duration,
        authorities: &[impl AsRef<[u8]>],
    ) -> Result<Self, reqwest::Error> {
        let client = client(timeout, authorities)?;
        Ok(Self { client, addresses })
    }

    /// Where requests to a service go.
    #[must_use]
    pub fn address(&self, service: &ServiceId) -> Option<&str> {
        self.addresses.get(service).map(String::as_str)
    }

    /// Sends the request and reads the answer to its end.
    ///
    /// # Errors
    /// [`OutboundError`] when there is no complete answer.
    pub async fn send(
        &self,
        service: &ServiceId,
        request: OutboundRequest,
    ) -> Result<ProviderAnswer, OutboundError> {
        let address = self
            .addresses
            .get(service)
            .ok_or_else(|| OutboundError::NoAddress(service.clone()))?;
        let url = format!("{address}{}", request.path_and_query);
        let mut builder = self.client.request(request.method, url).body(request.body);
        for (name, text) in request.headers {
            let value = match &text {
                HeaderText::Plain(text) => http::HeaderValue::from_str(text),
                HeaderText::Secret(value) => http::HeaderValue::from_str(value.expose()),
            };
            let mut value = value.map_err(|_| OutboundError::Request(service.clone()))?;
            value.set_sensitive(matches!(text, HeaderText::Secret(_)));
            builder = builder.header(name, value);
        }
        let unreachable = |source: reqwest::Error| {
            let (service, source) = (service.clone(), source.without_url());
            if is_untrusted(&source) {
                OutboundError::Untrusted { service, source }
            } else {
                OutboundError::Unreachable { service, source }
            }
        };
        let mut answer = builder.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(OutboundError::TooLarge(service.clone()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(ProviderAnswer {
            status,
            headers,
            body: body.into(),
        })
    }
}

/// A client that sends to addresses of an operator's choice and nowhere else: it follows no
/// redirects. Besides the machine's authorities, those whose certificates are given (DER) are
/// trusted.
///
/// # Errors
/// When the TLS roots of the system or the given ones cannot be read.
pub(crate) fn client(
    timeout: Duration,
    authorities: &[impl AsRef<[u8]>],
) -> Result<reqwest::Client, reqwest::Error> {
    let authorities = authorities
        .iter()
        .map(|der| reqwest::Certificate::from_der(der.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    reqwest::Client::builder()
        .tls_certs_merge(authorities)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("diamond/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// By the words of rustls, which the client hands on as they are.
fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().starts_with("invalid peer certificate") {
            return true;
        }
        cause = error.source();
    }
    false
}
