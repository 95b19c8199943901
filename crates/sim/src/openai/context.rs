//! What a handler is given and what it gives back.

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::error::ApiError;
use crate::{
    body::Frame,
    keys::{DEFAULT_PROJECT, Key},
    multipart::Form,
    prices::{self, Kind, Model, Tier},
    quantities::Quantities,
    request::Request,
    world::World,
};

/// A call that was let in.
pub(super) struct Context<'a> {
    pub(super) world: &'a World,
    pub(super) request: &'a Request,
    pub(super) key: &'a Key,
    /// What stood in the path where the route has a `{}`.
    pub(super) parts: Vec<&'a str>,
}

impl Context<'_> {
    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.request.body).map_err(|_| ApiError::unreadable())
    }

    /// The body as JSON, where it may be left out.
    pub(super) fn json_or_empty(&self) -> Result<Value, ApiError> {
        if self.request.body.is_empty() {
            Ok(Value::Null)
        } else {
            self.json()
        }
    }

    /// The body as a form.
    pub(super) fn form(&self) -> Result<Form<'_>, ApiError> {
        let content_type = self.request.header("content-type").unwrap_or_default();
        Form::read(content_type, &self.request.body).ok_or_else(ApiError::unreadable)
    }

    /// A part of the path.
    pub(super) fn part(&self, place: usize) -> &str {
        self.parts.get(place).copied().unwrap_or_default()
    }

    /// The time.
    pub(super) fn now(&self) -> i64 {
        self.world.clock.now()
    }

    /// The project that the key belongs to.
    pub(super) fn project(&self) -> &str {
        self.key.project_id.as_deref().unwrap_or(DEFAULT_PROJECT)
    }
}

/// The model that a request names, if it is of the right kind.
pub(super) fn model_of(
    name: Option<&str>,
    fits: impl Fn(Kind) -> bool,
) -> Result<&'static Model, ApiError> {
    let name = name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| ApiError::missing("model"))?;
    let model = prices::find(name).ok_or_else(|| ApiError::no_model(name))?;
    if fits(model.kind) {
        return Ok(model);
    }
    let message = format!("The model '{name}' is not supported by this endpoint.");
    Err(ApiError::invalid("model", "unsupported_model", message))
}

/// A call that was served.
pub(super) struct Served {
    pub(super) status: StatusCode,
    pub(super) content: Content,
    /// `None` where it costs nothing and has no line on the bill.
    pub(super) charge: Option<Charge>,
}

/// The line on the bill, as it stands when the head goes out.
pub(super) struct Charge {
    pub(super) model: &'static Model,
    pub(super) tier: Tier,
    pub(super) quantities: Quantities,
}

/// Makes the event that says that an answer failed, out of what had been sent.
pub(super) type Failure = Box<dyn FnOnce(&Quantities) -> Bytes + Send>;

/// What goes out.
pub(super) enum Content {
    Whole {
        content_type: &'static str,
        bytes: Bytes,
    },
    /// Sound, sent piece by piece.
    Pieces {
        content_type: &'static str,
        frames: Vec<Frame>,
    },
    Events {
        frames: Vec<Frame>,
        failure: Failure,
    },
}

impl Served {
    /// JSON that costs nothing.
    pub(super) fn free(body: &Value) -> Self {
        Self {
            status: StatusCode::OK,
            content: Content::Whole {
                content_type: "application/json",
                bytes: body.to_string().into(),
            },
            charge: None,
        }
    }

    /// JSON that costs something.
    pub(super) fn charged(body: &Value, charge: Charge) -> Self {
        Self {
            charge: Some(charge),
            ..Self::free(body)
        }
    }

    /// Any other content that costs something.
    pub(super) fn content(content: Content, charge: Charge) -> Self {
        Self {
            status: StatusCode::OK,
            content,
            charge: Some(charge),
        }
    }
}

/// A page of a list in OpenAI's manner: `limit` and `after` from the query.
pub(super) fn page(request: &Request, objects: Vec<Value>, most: usize) -> Value {
    let limit = request
        .query("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(most);
    let start = request.query("after").and_then(|after| {
        objects
            .iter()
            .position(|object| object["id"] == after)
            .map(|place| place + 1)
    });
    let mut rest: Vec<Value> = objects.into_iter().skip(start.unwrap_or(0)).collect();
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let id = |object: Option<&Value>| object.map_or(Value::Null, |object| object["id"].clone());
    serde_json::json!({
        "object": "list",
        "first_id": id(rest.first()),
        "last_id": id(rest.last()),
        "data": rest,
        "has_more": has_more,
    })
}
