//! Which company a request is for.

use std::sync::Arc;

use http::{Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    anthropic::Anthropic,
    body::SimBody,
    control,
    deepgram::Deepgram,
    desk::{self, Company},
    elevenlabs::Elevenlabs,
    hume::Hume,
    openai::Openai,
    plain::Plain,
    request::Request,
    service::Service,
    socket::{Line, Waiting},
    world::World,
};

/// The connection is to close without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the simulated service closed the connection without an answer")]
pub(crate) struct NoAnswer;

/// Answers one request.
pub(crate) async fn answer(
    world: &Arc<World>,
    mut request: http::Request<Incoming>,
    waiting: Waiting,
) -> Result<Response<SimBody>, NoAnswer> {
    let line = Line {
        upgrade: Mutex::new(Some(hyper::upgrade::on(&mut request))),
        waiting,
    };
    let (prefix, request) = Request::read(request, line).await.ok_or(NoAnswer)?;
    if prefix == "_sim" {
        return Ok(control::answer(world, &request));
    }
    match Service::named(&prefix) {
        Some(service) => {
            if let Some(company) = company(service) {
                return desk::answer(company, world, request).await;
            }
            world.bill.refuse(service, None, "not_simulated");
            Ok(json_response(
                StatusCode::NOT_IMPLEMENTED,
                &not_simulated(service),
            ))
        }
        None => {
            let message = format!("no company has the prefix `/{prefix}`");
            let body = json!({"error": {"code": "unknown_prefix", "message": message}});
            Ok(json_response(StatusCode::NOT_FOUND, &body))
        }
    }
}

/// Whoever is played.
fn company(service: Service) -> Option<&'static dyn Company> {
    match service {
        Service::Openai => Some(&Openai),
        Service::Anthropic => Some(&Anthropic),
        Service::Elevenlabs => Some(&Elevenlabs),
        Service::Deepgram => Some(&Deepgram),
        Service::Hume => Some(&Hume),
        Service::Groq => Some(&Plain(Service::Groq)),
        Service::Mistral => Some(&Plain(Service::Mistral)),
        Service::Xai => Some(&Plain(Service::Xai)),
        Service::Cohere => Some(&Plain(Service::Cohere)),
        Service::Openrouter => Some(&Plain(Service::Openrouter)),
        Service::Assemblyai => Some(&Plain(Service::Assemblyai)),
        Service::Cartesia => Some(&Plain(Service::Cartesia)),
        Service::Gemini => Some(&Plain(Service::Gemini)),
        Service::Xero | Service::Pagerduty => None,
    }
}

fn not_simulated(service: Service) -> Value {
    let message = format!(
        "{} has its prefix and its keys here, but its API is not simulated yet",
        service.as_str()
    );
    json!({"error": {"code": "not_simulated", "service": service.as_str(), "message": message}})
}

/// An answer in JSON that is on no bill.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<SimBody> {
    let mut response = Response::new(SimBody::plain(body.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
