//! From a request to an answer.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_PROTOCOL, UPGRADE,
    },
};
use tokio::time::Instant;

use super::{
    company::{Company, Head},
    outgoing::Outgoing,
    refusal::{Refusal, Trouble, Whose},
    route::{self, Access, Route},
    served::{Charge, Content, Context, Served},
};
use crate::{
    bill::Call,
    body::{Frame, Manner, SimBody},
    faults::FaultKind,
    keys::{Allowance, Key, KeyState, redact},
    limits::Slot,
    recorder::Exchange,
    request::Request,
    router::NoAnswer,
    socket::{self, Course, Talk},
    world::World,
};

/// Answers one request to a company.
pub(crate) async fn answer(
    company: &dyn Company,
    world: &Arc<World>,
    request: Request,
) -> Result<Response<SimBody>, NoAnswer> {
    let mut desk = Desk::open(company, world, &request);
    let Some((route, parts)) = desk.route() else {
        return Ok(desk.refuse(&desk.no_route()));
    };
    world.recorder.keep(
        company.service(),
        route.operation,
        Arc::clone(&desk.exchange),
    );
    if let Err(refusal) = desk.let_in(route) {
        return Ok(desk.refuse(&refusal));
    }
    let nobody = Key::default();
    let key = desk.key.clone().unwrap_or(nobody);
    let faults = world.faults.take(company.service(), route.operation, &key);
    if let Some(refusal) = desk.refuse_where_asked(&key, &faults).await {
        return Ok(desk.refuse(&refusal));
    }
    let context = Context {
        world,
        company,
        request: &request,
        request_id: &desk.request_id,
        key: &key,
        parts,
        faults: &faults,
    };
    match (route.handler)(&context) {
        Ok(served) => desk.serve(route, &key, served, &faults).await,
        Err(refusal) => Ok(desk.refuse(&refusal)),
    }
}

/// One request on its way through.
struct Desk<'a> {
    company: &'a dyn Company,
    world: &'a Arc<World>,
    request: &'a Request,
    request_id: String,
    exchange: Arc<Exchange>,
    came_in: Instant,
    key: Option<Key>,
    allowance: Option<Allowance>,
    slot: Option<Slot>,
}

impl<'a> Desk<'a> {
    fn open(company: &'a dyn Company, world: &'a Arc<World>, request: &'a Request) -> Self {
        let request_id = company.request_id(&world.ids);
        let exchange = Exchange::received(
            &request_id,
            request.method.as_str(),
            request.version,
            &request.path_and_query,
            &request.headers,
            &request.body,
        );
        Self {
            company,
            world,
            request,
            request_id,
            exchange,
            came_in: Instant::now(),
            key: None,
            allowance: None,
            slot: None,
        }
    }

    fn route(&self) -> Option<(&'static Route, Vec<&'a str>)> {
        let request = self.request;
        let socket = socket::is_asked_for(request);
        if request.headers.contains_key(UPGRADE) && !socket {
            return None;
        }
        let routes = self.company.routes();
        route::find(routes, &request.method, socket, &request.segments)
    }

    fn no_route(&self) -> Refusal {
        if socket::is_asked_for(self.request) {
            return self.company.refusal(&Trouble::NotSimulated("A WebSocket"));
        }
        let path = self.request.path_and_query.split('?').next();
        let prefix = format!("/{}", self.company.service().as_str());
        let path = path.unwrap_or_default();
        let path = path.strip_prefix(&prefix).unwrap_or(path);
        let method = self.request.method.as_str();
        self.company.refusal(&Trouble::NoRoute { method, path })
    }

    /// Looks at the key and at everything that limits it.
    fn let_in(&mut self, route: &Route) -> Result<(), Refusal> {
        if route.access == Access::Open {
            return Ok(());
        }
        let refuse = |trouble: Trouble<'_>| Err(self.company.refusal(&trouble));
        let service = self.company.service();
        let Some(value) = self.company.credential(self.request) else {
            return refuse(Trouble::NoKey);
        };
        let now = self.world.clock.now();
        let Some((key, allowance)) = self.world.keys.used(service, &value, now) else {
            return refuse(Trouble::BadKey(&redact(&value)));
        };
        self.exchange.belongs_to(&key.id);
        let paid = route.access == Access::Paid;
        self.allowance = paid.then_some(allowance);
        let key = &*self.key.insert(key);
        let code = key.code.as_deref();
        match key.state {
            KeyState::Revoked | KeyState::Expired | KeyState::Disabled => {
                return refuse(Trouble::BadKey(&key.redacted()));
            }
            KeyState::Restricted => {
                return refuse(Trouble::MissingScope(self.company.scope(route)));
            }
            KeyState::RateLimited => {
                let wait = if allowance.exceeded {
                    allowance.reset_seconds
                } else {
                    1
                };
                return refuse(Trouble::TooFast { code, wait });
            }
            // An empty account shows only where something is to be paid.
            KeyState::Exhausted if paid => {
                let whose = Whose::Key;
                return refuse(Trouble::Exhausted { whose, code });
            }
            KeyState::Exhausted | KeyState::Active => {}
        }
        if !self.company.permits(key, route) {
            return refuse(Trouble::MissingScope(self.company.scope(route)));
        }
        self.company.check(self.request)?;
        if allowance.exceeded {
            let wait = allowance.reset_seconds;
            return refuse(Trouble::TooFast { code, wait });
        }
        if !paid {
            return Ok(());
        }
        if let Some((whose, code)) = self.world.limits.exhausted(key, now) {
            let code = code.as_deref();
            return refuse(Trouble::Exhausted { whose, code });
        }
        if let Some(crowd) = self.company.crowd(key) {
            let most = self.world.limits.of(key, |limit| limit.concurrency);
            let most = most.unwrap_or_else(|| self.company.concurrency());
            match self.world.limits.enter(service, &crowd, most) {
                Some(slot) => self.slot = Some(slot),
                None => return refuse(Trouble::TooMany { most }),
            }
        }
        Ok(())
    }

    /// What a fault does before anything is done.
    async fn refuse_where_asked(&self, key: &Key, faults: &[FaultKind]) -> Option<Refusal> {
        for fault in faults {
            match fault {
                FaultKind::Refuse {
                    status,
                    code,
                    retry_after,
                } => {
                    return Some(self.company.refusal(&Trouble::Asked {
                        status: *status,
                        code: code.as_deref(),
                        retry_after: *retry_after,
                    }));
                }
                FaultKind::Revoke => {
                    let now = self.world.clock.now();
                    let itself = |other: &Key| other.service == key.service && other.id == key.id;
                    self.world
                        .keys
                        .put_all(itself, KeyState::Revoked, None, now);
                    return Some(self.company.refusal(&Trouble::BadKey(&key.redacted())));
                }
                FaultKind::Hang => {
                    self.world
                        .bill
                        .refuse(self.company.service(), Some(&key.id), "hang");
                    std::future::pending::<()>().await;
                }
                _ => {}
            }
        }
        None
    }

    fn refuse(&self, refusal: &Refusal) -> Response<SimBody> {
        let key_id = self.key.as_ref().map(|key| key.id.as_str());
        let service = self.company.service();
        self.world.bill.refuse(service, key_id, &refusal.reason);
        if let Some(id) = key_id {
            self.world.keys.refused(service, id);
        }
        let bytes = refusal.body(&self.request_id);
        let mut headers = self.headers(&refusal.headers, refusal.content_type);
        headers.insert(CONTENT_LENGTH, bytes.len().into());
        self.exchange.answered(refusal.status, &headers);
        let frames = vec![Frame::free(bytes)];
        let exchange = Some(Arc::clone(&self.exchange));
        let body = SimBody::new(frames, Manner::default(), None, exchange);
        respond(refusal.status, headers, body)
    }

    async fn serve(
        &mut self,
        route: &Route,
        key: &Key,
        served: Served,
        faults: &[FaultKind],
    ) -> Result<Response<SimBody>, NoAnswer> {
        let content = match served.content {
            Content::Conversation(talk) => {
                let offer = (talk, served.charge);
                return self.converse(route, key, offer, &served.headers, faults);
            }
            content => content,
        };
        let mut outgoing = Outgoing::prepare(content, self.request);
        if let Some(charge) = &served.charge {
            outgoing.fail_where_asked(faults, &charge.quantities);
        }
        let head_delay = outgoing.apply(faults, self.request);
        let mut headers = self.headers(&served.headers, outgoing.content_type);
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
        let service = self.company.service();
        let entry = match served.charge {
            Some(charge) => Some(self.world.bill.open(self.line(route, key, charge))),
            None => {
                self.world
                    .bill
                    .count_unbilled(service, &key.id, route.operation);
                None
            }
        };
        let exchange = Some(Arc::clone(&self.exchange));
        let mut body = SimBody::new(outgoing.frames, outgoing.manner, entry, exchange);
        if faults.contains(&FaultKind::Drop) {
            body.act_without_answer();
            return Err(NoAnswer);
        }
        let refused = faults.iter().find_map(|fault| match fault {
            FaultKind::ActThenRefuse { status, code } => Some(Trouble::Asked {
                status: *status,
                code: code.as_deref(),
                retry_after: None,
            }),
            _ => None,
        });
        if let Some(trouble) = refused {
            body.act_without_answer();
            return Ok(self.refuse(&self.company.refusal(&trouble)));
        }
        body.hold(self.slot.take());
        Ok(respond(served.status, headers, body))
    }

    /// Makes a WebSocket of the connection, and leaves a conversation waiting for it.
    fn converse(
        &mut self,
        route: &Route,
        key: &Key,
        (talk, charge): (Box<dyn Talk>, Option<Charge>),
        headers: &[(&'static str, String)],
        faults: &[FaultKind],
    ) -> Result<Response<SimBody>, NoAnswer> {
        let upgrade = self.request.line.upgrade.lock().take();
        let accepted = socket::accepted(self.request);
        let (Some(accepted), Some(upgrade), Some(charge)) = (accepted, upgrade, charge) else {
            return Ok(self.refuse(&self.company.refusal(&Trouble::Unreadable)));
        };
        let mut headers = self.headers(headers, "");
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let protocol = self.company.subprotocol(self.request);
        let said = [
            (SEC_WEBSOCKET_ACCEPT, Some(accepted)),
            (SEC_WEBSOCKET_PROTOCOL, protocol),
        ];
        for (name, value) in said {
            let value = value.and_then(|value| HeaderValue::from_str(&value).ok());
            value.map(|value| headers.insert(name, value));
        }
        let status = StatusCode::SWITCHING_PROTOCOLS;
        self.exchange.answered(status, &headers);
        let line = self.line(route, key, charge);
        let entry = self.world.bill.open(line.clone());
        if faults.contains(&FaultKind::Drop) {
            return Err(NoAnswer);
        }
        *self.request.line.waiting.lock() = Some(Course {
            upgrade,
            talk,
            bill: Arc::clone(&self.world.bill),
            line,
            entry: Some(entry),
            exchange: Arc::clone(&self.exchange),
            slot: self.slot.take(),
            faults: faults.to_vec(),
        });
        let body = SimBody::new(Vec::new(), Manner::default(), None, None);
        Ok(respond(status, headers, body))
    }

    fn line(&self, route: &Route, key: &Key, charge: Charge) -> Call {
        let client_id = self.request.header("x-client-request-id");
        Call {
            service: self.company.service(),
            request_id: self.request_id.clone(),
            client_request_id: client_id.map(str::to_owned),
            key_id: key.id.clone(),
            organization_id: key.organization_id.clone(),
            project_id: key.project_id.clone(),
            operation: route.operation.to_owned(),
            model: charge.model.answers_as.to_owned(),
            service_tier: charge.terms.tier.as_str().to_owned(),
            factor: charge.terms.factor,
            surcharge_hour: charge.terms.surcharge_hour,
            quantities: charge.quantities,
            served_at: self.world.clock.now(),
            cut: false,
            open: true,
        }
    }

    fn headers(&self, own: &[(&'static str, String)], content_type: &'static str) -> HeaderMap {
        let common = self.company.head(&Head {
            request: self.request,
            request_id: &self.request_id,
            key: self.key.as_ref(),
            allowance: self.allowance,
            crowd: self.slot.as_ref().map(Slot::crowd),
            elapsed_ms: self.came_in.elapsed().as_millis(),
            now: self.world.clock.now(),
        });
        let mut headers = HeaderMap::new();
        for (name, value) in common.iter().chain(own) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers
    }
}

fn respond(status: StatusCode, headers: HeaderMap, body: SimBody) -> Response<SimBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
