//! A declared service as a provider like any other.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use diamond_domain::{Quantities, SecretValue, ServiceId};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::{
    check::{Declaration, Probe},
    manage::DeclaredManagement,
    meter::DeclaredMeter,
    request::{self, RequestReader},
    routes::{self, Measure, Row},
    usage::UsageReader,
    verdict,
};
use crate::{
    Answer, AnswerKind, Classified, Descriptor, ErrorAnswer, Fault, KeyManagement, KeyVerdict,
    ModelLimits, MultipartScan, OutboundRequest, OwnError, Placement, Provider, RequestFacts,
    RequestHead, ResponseMeter, Route, UnusableKey, credential,
};

/// A service that a text declares.
pub struct DeclaredService {
    declaration: Declaration,
    descriptor: Descriptor,
    request: RequestReader,
    readers: Vec<UsageReader>,
    /// The names of the rows, which live for as long as the process.
    operations: Vec<&'static str>,
    management: Option<DeclaredManagement>,
}

impl DeclaredService {
    /// The service of a declaration. What it needs for good is made here, so it is made once, at
    /// the start, and never for a text that is only looked at.
    #[must_use]
    pub fn provider(declaration: Declaration) -> Arc<dyn Provider> {
        let operations = declaration
            .rows
            .iter()
            .map(|row| &*row.operation.clone().leak())
            .collect();
        Arc::new(Self {
            descriptor: declaration.descriptor.clone(),
            request: RequestReader::of(&declaration.request),
            readers: declaration.usage.iter().map(UsageReader::of).collect(),
            operations,
            management: declaration.management.clone().map(|plan| {
                DeclaredManagement::new(
                    plan,
                    declaration.verdicts.clone(),
                    declaration.descriptor.placements.clone(),
                )
            }),
            declaration,
        })
    }

    fn reading(&self, route: &Route) -> (Option<&UsageReader>, Measure) {
        let mut rows = self.declaration.rows.iter();
        let row = rows.find(|row| row.operation == route.operation);
        row.map_or((None, Measure::Nothing), |row| row.reading(&self.readers))
    }

    fn operation(&self, row: &Row) -> &'static str {
        let mut known = self.operations.iter();
        known
            .find(|known| **known == row.operation)
            .copied()
            .unwrap_or("unknown")
    }
}

impl Provider for DeclaredService {
    fn service(&self) -> &ServiceId {
        &self.declaration.service
    }

    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn classify(&self, method: &Method, path: &str) -> Classified {
        let row = routes::find(&self.declaration.rows, method, path);
        routes::classified(row, |row| self.operation(row))
    }

    fn place_key(&self, headers: &mut HeaderMap, key: &SecretValue) -> Result<(), UnusableKey> {
        credential::place(&self.descriptor.placements, headers, key)?;
        for (name, value) in &self.declaration.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        Ok(())
    }

    fn read_head(&self, _: &Route, head: &RequestHead<'_>) -> RequestFacts {
        let path = head.path.strip_prefix('/').unwrap_or(head.path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut rows = self.declaration.rows.iter();
        let model = rows.find_map(|row| row.path.fits(path)).flatten();
        let streams = head.query.is_some_and(|query| {
            credential::parameters(query).any(|(name, value)| name == "alt" && value == "sse")
        });
        RequestFacts {
            model: model.map(str::to_owned),
            streams,
            ..RequestFacts::default()
        }
    }

    fn read_json(&self, _: &Route, head: RequestFacts, body: &[u8]) -> RequestFacts {
        self.request.read_json(head, body)
    }

    fn read_multipart(&self, _: &Route, head: RequestFacts, form: &MultipartScan) -> RequestFacts {
        self.request.read_form(head, form)
    }

    fn prepare_json(&self, route: &Route, facts: &RequestFacts, body: &Bytes) -> Option<Bytes> {
        let (reader, _) = self.reading(route);
        let must_ask = reader.is_some_and(|reader| reader.asked_for_in_streams);
        if !must_ask || !facts.streams || facts.wants_stream_usage {
            return None;
        }
        crate::openai::request::with_usage_asked(body)
    }

    fn ceiling(&self, route: &Route, facts: &RequestFacts, limits: ModelLimits) -> Quantities {
        request::ceiling(route, self.reading(route).1, facts, limits)
    }

    fn meter(
        &self,
        route: &Route,
        facts: &RequestFacts,
        kind: AnswerKind,
        usage_injected: bool,
    ) -> Box<dyn ResponseMeter> {
        let (reader, measure) = self.reading(route);
        let meter = DeclaredMeter {
            metering: route.metering,
            measure,
            reader,
            facts,
            kind,
            usage_injected,
        };
        Box::new(meter.start())
    }

    fn provider_request_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.declaration.request_id.as_ref()?;
        headers.get(name)?.to_str().ok()
    }

    fn classify_failure(&self, answer: &Answer<'_>) -> KeyVerdict {
        verdict::by_rules(&self.declaration.verdicts, answer)
            .unwrap_or_else(|| verdict::by_status(answer))
    }

    fn own_error(&self, error: &OwnError) -> ErrorAnswer {
        let kind = match error.fault {
            Fault::Unauthenticated => "authentication_error",
            Fault::Forbidden => "permission_error",
            Fault::PaymentRequired | Fault::Limited => "insufficient_quota",
            Fault::BadGateway | Fault::Unavailable | Fault::GatewayTimeout => "unavailable",
            Fault::Internal => "internal_error",
            Fault::BadRequest
            | Fault::NotFound
            | Fault::Conflict
            | Fault::TooLarge
            | Fault::UnsupportedMedia => "invalid_request_error",
        };
        let body = self.declaration.error_body.filled(&|name| match name {
            "message" => Some(Value::from(error.message.as_str())),
            "code" => Some(Value::from(error.code)),
            "type" => Some(Value::from(kind)),
            "status" => Some(Value::from(error.fault.status())),
            _ => None,
        });
        ErrorAnswer {
            status: error.fault.status(),
            content_type: "application/json",
            headers: error.no_retry_header(),
            body: Bytes::from(body.to_string()),
        }
    }

    fn validation(&self, key: &SecretValue) -> Option<OutboundRequest> {
        let Probe { method, path, body } = self.declaration.validation.as_ref()?;
        let mut request = OutboundRequest::new(method.clone(), path.clone());
        if let Some(body) = body {
            request = request.with_json(&body.filled(&|_| None));
        }
        for (name, value) in &self.declaration.headers {
            let text = value.to_str().unwrap_or_default();
            request = request.with_header(name.clone(), text);
        }
        authorized(request, &self.descriptor.placements, key)
    }

    fn read_validation(&self, answer: &Answer<'_>) -> KeyVerdict {
        // A success may say that the key is none.
        self.classify_failure(answer)
    }

    fn management(&self) -> Option<&dyn KeyManagement> {
        Some(self.management.as_ref()?)
    }
}

/// A request with the key in the first header that a credential may stand in.
pub(super) fn authorized(
    request: OutboundRequest,
    placements: &[Placement],
    key: &SecretValue,
) -> Option<OutboundRequest> {
    let (name, scheme) = placements.iter().find_map(|placement| match placement {
        Placement::Header { name, scheme } => Some((name, scheme)),
        Placement::Query { .. } | Placement::Subprotocol { .. } => None,
    })?;
    let name = name.parse::<HeaderName>().ok()?;
    let value = match scheme {
        Some(scheme) => SecretValue::new(format!("{scheme} {}", key.expose())),
        None => key.clone(),
    };
    Some(request.with_secret(name, value))
}

/// A header that is sent where the caller sends none.
pub(super) type UsualHeader = (HeaderName, HeaderValue);

/// A text of the declaration as a descriptor holds it.
pub(super) const fn owned(text: String) -> Cow<'static, str> {
    Cow::Owned(text)
}
