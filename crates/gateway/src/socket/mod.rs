//! WebSockets: frames pass both ways as they come, a copy is read for metering.
//!
//! A conversation is one call: its `opened` record stands before the handshake is forwarded, its
//! closing record is durable before the provider's close frame leaves. It ends when either party
//! ends it, when neither has said anything for
//! [`GatewaySettings::silence_timeout`](crate::GatewaySettings::silence_timeout), when what it uses
//! is revoked, or when a budget has no room for more of it: money is set aside slice by slice. Extensions are not agreed on, so that frames can be read.

mod frames;
mod session;

use std::sync::Arc;

use diamond_domain::CallOutcome;
use diamond_providers::Fault;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, UPGRADE},
};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use tokio::runtime::Handle;

pub(crate) use self::session::SLICE;
use self::session::Session;
use crate::{
    answer,
    call::{Call, CallContext},
    failure::Failure,
    gateway::Inner,
    headers,
    pool::UpstreamBody,
    relay::GatewayBody,
};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Something that a conversation keeps as long as it lasts: its place among the connections of
/// whoever serves it. It comes with the request, as an extension.
#[derive(Clone)]
pub struct Kept(pub Arc<dyn Send + Sync>);

/// The caller's end of a conversation.
pub(crate) struct Conversation {
    caller: OnUpgrade,
    kept: Option<Kept>,
}

/// The caller's end of a conversation, when the request asks for one.
pub(crate) fn asked_for(request: &mut Request<Incoming>) -> Option<Conversation> {
    let headers = request.headers();
    let is_websocket = headers
        .get(UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let whole = is_websocket
        && request.method() == Method::GET
        && headers.contains_key(SEC_WEBSOCKET_KEY)
        && request.extensions().get::<OnUpgrade>().is_some();
    whole.then(|| Conversation {
        kept: request.extensions_mut().remove(),
        caller: hyper::upgrade::on(request),
    })
}

/// Makes a cleaned request one for a conversation again.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Whether the provider's answer begins a conversation.
pub(crate) fn begins(status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS
}

/// Hands the provider's agreement on and carries the conversation from there.
pub(crate) async fn carry(
    inner: &Arc<Inner>,
    context: &Arc<CallContext>,
    call: Call,
    mut response: Response<UpstreamBody>,
    conversation: Conversation,
) -> Result<Response<GatewayBody>, Failure> {
    let provider = hyper::upgrade::on(&mut response);
    let (mut parts, _) = response.into_parts();
    // What was not asked for would make frames that nobody here can read.
    if parts.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        let written = call.close(Call::unseen(context), CallOutcome::Interrupted);
        written.await.map_err(|_| answer::not_recorded())?;
        return Err(Failure::own(
            Fault::BadGateway,
            "upstream_broke_off",
            "The provider agreed to an extension of the WebSocket that was not asked for.",
        ));
    }
    headers::clean_response(&mut parts.headers);
    parts
        .headers
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    parts.headers.insert(UPGRADE, WEBSOCKET);
    let session = Session::new(inner, context, call);
    let Conversation { caller, kept } = conversation;
    let lasting = async move {
        session.run(caller, provider).await;
        drop(kept);
    };
    inner.conversations.spawn_on(lasting, &Handle::current());
    Ok(Response::from_parts(
        parts,
        GatewayBody::full(bytes::Bytes::new()),
    ))
}
