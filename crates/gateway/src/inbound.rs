//! Takes a request's body in: holds what is short or must be read, streams the rest.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use diamond_domain::json_is_deeper_than;
use diamond_providers::{
    BodyKind, Fault, MultipartScan, Provider, RequestFacts, RequestHead, Route, boundary_of,
};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;

use crate::{
    GatewaySettings,
    failure::Failure,
    upload::{Broken, SharedForm, Stream, Upload},
};

/// A request's body and what is known of it.
pub(crate) struct Inbound {
    /// What was read before forwarding; of a form that streams, as far as it had come.
    pub(crate) facts: RequestFacts,
    /// Whether the provider was asked for usage that the caller did not ask for.
    pub(crate) usage_injected: bool,
    body: Source,
    form: Option<SharedForm>,
    broken: Broken,
}

enum Source {
    Held(Bytes),
    Streaming(Option<Upload>),
}

impl Inbound {
    /// Reads as much as the route needs.
    pub(crate) async fn read(
        provider: &dyn Provider,
        route: &Route,
        head: &RequestHead<'_>,
        body: Incoming,
        settings: &GatewaySettings,
    ) -> Result<Self, Failure> {
        let headers = head.headers;
        let said: Option<u64> = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let content_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let boundary = boundary_of(content_type);
        let facts = provider.read_head(route, head);
        if body.is_end_stream() {
            return Ok(Self::held(facts, false, Bytes::new()));
        }
        let readable = route.body != BodyKind::Opaque;
        if readable && headers.contains_key(CONTENT_ENCODING) {
            return Err(Failure::own(
                Fault::UnsupportedMedia,
                "compressed_request",
                "Send the request body without content-encoding: it must be read to be metered.",
            ));
        }
        if readable && boundary.is_none() {
            let bytes = hold(body, said, settings).await?;
            if json_is_deeper_than(&bytes, settings.json_depth_max) {
                return Err(too_deep(settings.json_depth_max));
            }
            let facts = provider.read_json(route, facts, &bytes);
            let changed = provider.prepare_json(route, &facts, &bytes);
            let injected = changed.is_some();
            return Ok(Self::held(facts, injected, changed.unwrap_or(bytes)));
        }
        let form = boundary.filter(|_| readable).map(MultipartScan::new);
        Self::read_upload(provider, route, facts, body, said, form, settings).await
    }

    /// Holds a short upload whole; of a longer one the beginning is read before it streams.
    async fn read_upload(
        provider: &dyn Provider,
        route: &Route,
        known: RequestFacts,
        mut body: Incoming,
        said: Option<u64>,
        mut form: Option<MultipartScan>,
        settings: &GatewaySettings,
    ) -> Result<Self, Failure> {
        let mut head = BytesMut::new();
        let mut ended = false;
        while !ended && head.len() <= settings.held_upload_bytes_max {
            match next_frame(&mut body, settings).await? {
                None => ended = true,
                Some(frame) => {
                    if let Some(bytes) = frame.data_ref() {
                        if let Some(form) = &mut form {
                            form.push(bytes);
                        }
                        head.extend_from_slice(bytes);
                    }
                    ended = body.is_end_stream();
                }
            }
        }
        let head = head.freeze();
        let mut facts = match &form {
            Some(form) => provider.read_multipart(route, known, form),
            None => known,
        };
        facts.body_bytes = said.unwrap_or(head.len() as u64);
        if ended {
            return Ok(Self::held(facts, false, head));
        }
        let form = form.map(|form| Arc::new(Mutex::new(form)));
        let broken = Broken::default();
        Ok(Self {
            facts,
            usage_injected: false,
            body: Source::Streaming(Some(Upload::Streaming(Box::new(Stream::new(
                head,
                body,
                form.clone(),
                said,
                settings.body_silence_timeout,
                Arc::clone(&broken),
            ))))),
            form,
            broken,
        })
    }

    fn held(facts: RequestFacts, usage_injected: bool, bytes: Bytes) -> Self {
        Self {
            facts,
            usage_injected,
            body: Source::Held(bytes),
            form: None,
            broken: Broken::default(),
        }
    }

    /// Whether the body can be sent again.
    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.body, Source::Held(_))
    }

    /// The body to send; `None` when it streamed away with an earlier attempt.
    pub(crate) fn upload(&mut self) -> Option<Upload> {
        match &mut self.body {
            Source::Held(bytes) => Some(Upload::held(bytes.clone())),
            Source::Streaming(upload) => upload.take(),
        }
    }

    /// The form that goes on being read while it passes.
    pub(crate) fn form(&self) -> Option<SharedForm> {
        self.form.clone()
    }

    /// Where it is said how the caller broke a streamed body off.
    pub(crate) fn broken(&self) -> Broken {
        Arc::clone(&self.broken)
    }
}

/// The next piece of a body. A caller that stops sending must not keep a place for ever.
async fn next_frame(
    body: &mut Incoming,
    settings: &GatewaySettings,
) -> Result<Option<Frame<Bytes>>, Failure> {
    match tokio::time::timeout(settings.body_silence_timeout, body.frame()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame)),
        Ok(Some(Err(_))) => Err(Failure::caller_broke_off()),
        Err(_) => Err(Failure::caller_silent()),
    }
}

async fn hold(
    mut body: Incoming,
    said: Option<u64>,
    settings: &GatewaySettings,
) -> Result<Bytes, Failure> {
    let bytes_max = settings.body_bytes_max;
    if said.is_some_and(|said| said > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    while let Some(frame) = next_frame(&mut body, settings).await? {
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        let so_far = first.as_ref().map_or(more.len(), Bytes::len);
        if so_far + bytes.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        // A body in one piece is not copied.
        match first.take() {
            None if more.is_empty() => first = Some(bytes),
            None => more.extend_from_slice(&bytes),
            Some(piece) => {
                let whole = said
                    .and_then(|said| usize::try_from(said).ok())
                    .unwrap_or(0);
                more.reserve(whole.max(piece.len() + bytes.len()));
                more.extend_from_slice(&piece);
                more.extend_from_slice(&bytes);
            }
        }
    }
    Ok(first.unwrap_or_else(|| more.freeze()))
}

fn too_large(bytes_max: usize) -> Failure {
    Failure::own(
        Fault::TooLarge,
        "body_too_large",
        &format!("The request body is longer than the {bytes_max} bytes that are taken here."),
    )
}

fn too_deep(depth_max: usize) -> Failure {
    Failure::own(
        Fault::BadRequest,
        "json_too_deep",
        &format!("Objects and arrays stand at most {depth_max} deep in each other here."),
    )
}
