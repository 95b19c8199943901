//! From a request to a call that may be made: who, what, for whom.

use std::{net::SocketAddr, sync::Arc};

use diamond_admission::{CallMark, TenantAccess};
use diamond_domain::{Alarm, AlarmCode, RequestId, TraceId};
use diamond_providers::{Classified, Metering, RequestFacts, RequestHead};
use http::request::Parts;
use hyper::body::Incoming;
use jiff::Timestamp;

use crate::{
    attempt::Prepared,
    call::CallContext,
    failure::Failure,
    gateway::{Inner, Refused, Upstream},
    headers,
    inbound::Inbound,
    labels, path,
    pricing::{named, short},
    socket::{self, Conversation},
};

/// When and under which number a request reached us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) request_id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) nanos: u64,
    /// Taken before anything was decided about it.
    pub(crate) mark: CallMark,
}

/// Everything up to the reservation, in the order of the crate's documentation.
pub(crate) async fn admit(
    inner: &Arc<Inner>,
    upstream: &Upstream,
    arrival: Arrival,
    parts: Parts,
    body: Incoming,
    conversation: Option<Conversation>,
    peer: SocketAddr,
) -> Result<(Arc<CallContext>, Prepared), Failure> {
    let provider = &upstream.provider;
    path::check_form(&parts, conversation.is_some())?;
    let presented = provider.presented_token(&parts.headers, parts.uri.query());
    let presented = presented.as_deref();
    let mut who = Refused {
        arrival,
        address: peer.ip(),
        token: None,
        tenant: None,
        service: provider.service(),
    };
    let caller = inner.admission.authenticate(presented, peer.ip());
    let caller = caller.map_err(|refusal| {
        who.token = inner.admission.token_of(presented);
        inner.refused(&who, refusal)
    })?;
    who.token = Some(caller.token().id);
    who.tenant = caller.token().tenant.as_ref();
    let (_, own_path) = path::split(parts.uri.path()).unwrap_or(("", "/"));
    path::check_own_path(own_path)?;
    let class = if conversation.is_some() {
        provider.classify_socket(own_path)
    } else {
        provider.classify(&parts.method, own_path)
    };
    let route = match class {
        Classified::Forward(route) => route,
        Classified::Refuse(refused) => return Err(refused.into()),
    };
    let named = labels::tenant(&parts.headers)?;
    let service = provider.service();
    let access = inner
        .admission
        .gateway_access(&caller, named.as_ref(), service)
        .map_err(|refusal| inner.refused(&who, refusal))?;
    let labels = labels::read(&parts.headers)?;
    if route.metering == Metering::Unknown {
        raise_unknown_route(inner, &access, upstream, &parts, own_path);
    }
    let query = provider.query_to_send(&route, parts.uri.query(), access.tenant());
    let (base, place) = upstream.address(&route);
    let uri = base.join(own_path, query.as_deref()).ok_or_else(|| {
        Failure::own(
            diamond_providers::Fault::BadRequest,
            "path_not_plain",
            "The path is not valid.",
        )
    })?;
    let head = RequestHead {
        path: own_path,
        query: parts.uri.query(),
        headers: &parts.headers,
    };
    let inbound = Inbound::read(provider.as_ref(), &route, &head, body, &inner.settings).await?;
    // What the provider takes as a user may be no user id of ours; then nobody said.
    let provided = inbound
        .facts
        .user
        .as_deref()
        .and_then(|user| user.parse().ok());
    let (user, user_source) = access.resolve_user(labels.user, None, provided)?;
    let estimate = if conversation.is_some() {
        // Nobody knows how long it will last: more is set aside as it goes on.
        Some(socket::SLICE)
    } else {
        inner.most(provider.as_ref(), &route, &inbound.facts, arrival.at)
    };
    let mut headers = parts.headers;
    headers::clean_request(&mut headers);
    headers::limit_encodings(&mut headers, inbound.usage_injected);
    let converses = conversation.is_some();
    if converses {
        socket::ask(&mut headers);
    }
    let context = Arc::new(CallContext {
        request_id: arrival.request_id,
        trace_id: labels.trace_id.unwrap_or_else(TraceId::generate),
        began: arrival.at,
        began_nanos: arrival.nanos,
        mark: arrival.mark,
        tenant: access.tenant().clone(),
        token: caller.token().id,
        address: caller.address(),
        user,
        user_source,
        tags: labels.tags,
        provider: Arc::clone(provider),
        metrics: Arc::clone(&upstream.metrics),
        route,
        model: inbound
            .facts
            .model
            .as_deref()
            .map(short)
            .unwrap_or_default(),
        facts: RequestFacts {
            // One that the caller leaves before it begins does not go on.
            streams: converses || inbound.facts.streams,
            ..inbound.facts.clone()
        },
        usage_injected: inbound.usage_injected,
        converses,
        form: inbound.form(),
    });
    let prepared = Prepared {
        place,
        method: parts.method,
        uri,
        headers,
        inbound,
        conversation,
        access,
        estimate,
    };
    Ok((context, prepared))
}

/// A route of the provider that this version does not know: carried, so that nobody waits for our
/// next release, but never in silence.
fn raise_unknown_route(
    inner: &Inner,
    access: &TenantAccess,
    upstream: &Upstream,
    parts: &Parts,
    own_path: &str,
) {
    // Two segments say which part of the API it is; what follows are names of things.
    let part: Vec<&str> = own_path
        .split('/')
        .filter(|part| !part.is_empty())
        .take(2)
        .collect();
    let service = upstream.provider.service();
    let method = named(parts.method.as_str());
    let subject = format!("{service} {method} /{}", named(&part.join("/")));
    inner.alarms.raise(Alarm {
        code: AlarmCode::UnknownRoute,
        tenant: Some(access.tenant().clone()),
        detail: format!(
            "`{subject}` is a route that is not known here. It is carried, its events are \
             unpriced."
        ),
        subject,
    });
}
