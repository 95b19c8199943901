//! From a request to an answer: key, faults, handler, bill, head, body.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use tokio::time::Instant;

use super::{
    auth,
    context::{Charge, Context, Served},
    error::ApiError,
    outgoing::Outgoing,
    routes::{self, Access, Route},
};
use crate::{
    bill::Call,
    body::{Frame, Manner, SimBody},
    faults::FaultKind,
    keys::{Allowance, Key},
    recorder::Exchange,
    request::Request,
    router::NoAnswer,
    service::Service,
    world::World,
};

/// Answers one request to OpenAI.
pub(crate) async fn answer(world: &World, request: Request) -> Result<Response<SimBody>, NoAnswer> {
    let desk = Desk::open(world, &request);
    let Some((route, parts)) = desk.route() else {
        return Ok(desk.refuse(None, None, &desk.no_route()));
    };
    world
        .recorder
        .keep(Service::Openai, route.operation, Arc::clone(&desk.exchange));
    let (key, allowance) = match auth::key_of(world, &request) {
        Ok(found) => found,
        Err(error) => return Ok(desk.refuse(None, None, &error)),
    };
    desk.exchange.belongs_to(&key.id);
    let limits = (route.access == Access::Paid).then_some(allowance);
    if let Err(error) = auth::permit(&key, allowance, route) {
        return Ok(desk.refuse(Some(&key), limits, &error));
    }
    let faults = world.faults.take(Service::Openai, route.operation, &key.id);
    for fault in &faults {
        match fault {
            FaultKind::Refuse {
                status,
                code,
                retry_after,
            } => {
                let error = ApiError::of_code(*status, code.as_deref(), *retry_after);
                return Ok(desk.refuse(Some(&key), limits, &error));
            }
            FaultKind::Hang => {
                world.bill.refuse(Service::Openai, Some(&key.id), "hang");
                std::future::pending::<()>().await;
            }
            _ => {}
        }
    }
    let context = Context {
        world,
        request: &request,
        key: &key,
        parts,
    };
    match (route.handler)(&context) {
        Ok(served) => desk.serve(route, &key, limits, served, &faults).await,
        Err(error) => Ok(desk.refuse(Some(&key), limits, &error)),
    }
}

/// One request on its way through.
struct Desk<'a> {
    world: &'a World,
    request: &'a Request,
    request_id: String,
    exchange: Arc<Exchange>,
    came_in: Instant,
}

impl<'a> Desk<'a> {
    fn open(world: &'a World, request: &'a Request) -> Self {
        let request_id = world.ids.fresh("req_");
        let exchange = Exchange::received(
            &request_id,
            request.method.as_str(),
            request.version,
            &request.path_and_query,
            &request.headers,
            &request.body,
        );
        Self {
            world,
            request,
            request_id,
            exchange,
            came_in: Instant::now(),
        }
    }

    fn route(&self) -> Option<(&'static Route, Vec<&'a str>)> {
        let (version, segments) = self.request.segments.split_first()?;
        let upgrade = self.request.headers.contains_key(http::header::UPGRADE);
        if version != "v1" || upgrade {
            None
        } else {
            routes::find(&self.request.method, segments)
        }
    }

    fn no_route(&self) -> ApiError {
        let path = self
            .request
            .path_and_query
            .split('?')
            .next()
            .unwrap_or_default();
        let path = path.strip_prefix("/openai").unwrap_or(path);
        let websocket = self.request.header("upgrade");
        if websocket.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
            return ApiError::not_simulated("A WebSocket");
        }
        ApiError::no_route(self.request.method.as_str(), path)
    }

    fn refuse(
        &self,
        key: Option<&Key>,
        limits: Option<Allowance>,
        error: &ApiError,
    ) -> Response<SimBody> {
        let key_id = key.map(|key| key.id.as_str());
        self.world
            .bill
            .refuse(Service::Openai, key_id, &error.reason());
        let bytes = Bytes::from(error.body().to_string());
        let mut headers = self.headers(limits, "application/json");
        headers.insert(CONTENT_LENGTH, bytes.len().into());
        if let Some(seconds) = error.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        self.exchange.answered(error.status, &headers);
        let frames = vec![Frame::free(bytes)];
        let exchange = Some(Arc::clone(&self.exchange));
        let body = SimBody::new(frames, Manner::default(), None, exchange);
        respond(error.status, headers, body)
    }

    async fn serve(
        &self,
        route: &Route,
        key: &Key,
        limits: Option<Allowance>,
        served: Served,
        faults: &[FaultKind],
    ) -> Result<Response<SimBody>, NoAnswer> {
        let mut outgoing = Outgoing::prepare(served.content, self.request);
        if let Some(charge) = &served.charge {
            outgoing.fail_where_asked(faults, &charge.quantities);
        }
        let head_delay = outgoing.apply(faults, self.request);
        let mut headers = self.headers(limits, outgoing.content_type);
        if let Some(length) = outgoing.length {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if let Some(encoding) = outgoing.encoding {
            headers.insert(
                CONTENT_ENCODING,
                HeaderValue::from_static(encoding.as_str()),
            );
        }
        self.exchange.answered(served.status, &headers);
        if !head_delay.is_zero() {
            tokio::time::sleep(head_delay).await;
        }
        let entry = match served.charge {
            Some(charge) => Some(self.world.bill.open(self.line(route, key, charge))),
            None => {
                self.world
                    .bill
                    .count_unbilled(Service::Openai, &key.id, route.operation);
                None
            }
        };
        let exchange = Some(Arc::clone(&self.exchange));
        let body = SimBody::new(outgoing.frames, outgoing.manner, entry, exchange);
        if faults.contains(&FaultKind::Drop) {
            body.act_without_answer();
            return Err(NoAnswer);
        }
        Ok(respond(served.status, headers, body))
    }

    fn line(&self, route: &Route, key: &Key, charge: Charge) -> Call {
        Call {
            service: Service::Openai,
            request_id: self.request_id.clone(),
            client_request_id: self
                .request
                .header("x-client-request-id")
                .map(str::to_owned),
            key_id: key.id.clone(),
            project_id: key.project_id.clone(),
            operation: route.operation.to_owned(),
            model: charge.model.answers_as.to_owned(),
            service_tier: charge.tier.as_str().to_owned(),
            quantities: charge.quantities,
            served_at: self.world.clock.now(),
            cut: false,
            open: true,
        }
    }

    fn headers(&self, limits: Option<Allowance>, content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        put("x-request-id", self.request_id.clone());
        put("openai-organization", "org-sim".to_owned());
        put("openai-version", "2020-10-01".to_owned());
        put(
            "openai-processing-ms",
            self.came_in.elapsed().as_millis().to_string(),
        );
        if let Some(client_id) = self.request.header("x-client-request-id") {
            put("x-client-request-id", client_id.to_owned());
        }
        if let Some(allowance) = limits {
            let tokens = allowance.limit.saturating_mul(1_000);
            let left = tokens.saturating_sub(self.request.body.len().div_ceil(4) as u64);
            put("x-ratelimit-limit-requests", allowance.limit.to_string());
            put(
                "x-ratelimit-remaining-requests",
                allowance.remaining.to_string(),
            );
            put(
                "x-ratelimit-reset-requests",
                format!("{}s", allowance.reset_seconds),
            );
            put("x-ratelimit-limit-tokens", tokens.to_string());
            put("x-ratelimit-remaining-tokens", left.to_string());
            put(
                "x-ratelimit-reset-tokens",
                format!("{}s", allowance.reset_seconds),
            );
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers
    }
}

fn respond(status: StatusCode, headers: HeaderMap, body: SimBody) -> Response<SimBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
