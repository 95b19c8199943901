//! What a handler is given and what it gives back.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::{
    company::Company,
    refusal::{Refusal, Trouble},
};
use crate::{
    body::Frame,
    faults::{FaultKind, Lateness},
    keys::{Key, KeyState},
    multipart::Form,
    prices::{Model, Terms},
    quantities::Quantities,
    request::Request,
    service::Service,
    socket::Talk,
    world::World,
};

/// A call that was let in.
pub(crate) struct Context<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) company: &'a dyn Company,
    pub(crate) request: &'a Request,
    pub(crate) request_id: &'a str,
    /// The key of the call; a key of nobody where the route asks for none.
    pub(crate) key: &'a Key,
    /// What stood in the path where the route has a `{}`.
    pub(crate) parts: Vec<&'a str>,
    /// What goes wrong with this call.
    pub(super) faults: &'a [FaultKind],
}

impl Context<'_> {
    /// The company.
    pub(crate) fn service(&self) -> Service {
        self.company.service()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.request.body)
            .map_err(|_| self.company.refusal(&Trouble::Unreadable))
    }

    /// The body as JSON, where it may be left out.
    pub(crate) fn json_or_empty(&self) -> Result<Value, Refusal> {
        if self.request.body.is_empty() {
            Ok(Value::Null)
        } else {
            self.json()
        }
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Result<Form<'_>, Refusal> {
        let content_type = self.request.header("content-type").unwrap_or_default();
        Form::read(content_type, &self.request.body)
            .ok_or_else(|| self.company.refusal(&Trouble::Unreadable))
    }

    /// A part of the path.
    pub(crate) fn part(&self, place: usize) -> &str {
        self.parts.get(place).copied().unwrap_or_default()
    }

    /// The time.
    pub(crate) fn now(&self) -> i64 {
        self.world.clock.now()
    }

    /// The organization that the key belongs to.
    pub(crate) fn organization(&self) -> &str {
        &self.key.organization_id
    }

    /// The project that the key belongs to.
    pub(crate) fn project(&self) -> &str {
        self.key.project_id.as_deref().unwrap_or_default()
    }

    /// Adds a key that this call made. It works at once, unless a fault makes it late.
    pub(crate) fn mint(&self, key: Key) {
        let late = self.lateness();
        self.world.keys.mint(key, late.as_ref(), self.now());
    }

    /// Changes a key of this company, known by its id, if it fits. A change of what it may do
    /// comes late where a fault says so.
    pub(crate) fn change_key(
        &self,
        id: &str,
        fits: impl Fn(&Key) -> bool,
        change: impl FnOnce(&mut Key),
    ) -> Option<Key> {
        let late = self.lateness();
        self.world
            .keys
            .change_by_id(self.service(), id, fits, change, late.as_ref(), self.now())
    }

    /// Deletes every key of this company that fits.
    pub(crate) fn delete_keys(&self, fits: impl Fn(&Key) -> bool) {
        let late = self.lateness();
        let meant = |key: &Key| key.service == self.service() && fits(key);
        let state = KeyState::Revoked;
        self.world
            .keys
            .put_all(meant, state, late.as_ref(), self.now());
    }

    fn lateness(&self) -> Option<Lateness> {
        self.faults.iter().find_map(|fault| match fault {
            FaultKind::Late(lateness) => Some(*lateness),
            _ => None,
        })
    }
}

/// A call that was served.
pub(crate) struct Served {
    pub(crate) status: StatusCode,
    pub(crate) content: Content,
    /// Beside those that every answer of the company has.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// `None` where it costs nothing and has no line on the bill.
    pub(crate) charge: Option<Charge>,
}

/// The line on the bill, as it stands when the head goes out.
pub(crate) struct Charge {
    pub(crate) model: &'static Model,
    pub(crate) terms: Terms,
    pub(crate) quantities: Quantities,
}

/// Makes the event that says that an answer failed, out of what had been sent.
pub(crate) type Failure = Box<dyn FnOnce(&Quantities) -> Bytes + Send>;

/// What goes out.
pub(crate) enum Content {
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
    /// The request becomes a WebSocket.
    Conversation(Box<dyn Talk>),
}

impl Served {
    /// JSON that costs nothing.
    pub(crate) fn free(body: &Value) -> Self {
        Self {
            status: StatusCode::OK,
            content: Content::Whole {
                content_type: "application/json",
                bytes: body.to_string().into(),
            },
            headers: Vec::new(),
            charge: None,
        }
    }

    /// JSON that costs something.
    pub(crate) fn charged(body: &Value, charge: Charge) -> Self {
        Self {
            charge: Some(charge),
            ..Self::free(body)
        }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// A conversation over a WebSocket.
    pub(crate) fn conversation(talk: impl Talk + 'static, charge: Charge) -> Self {
        Self {
            status: StatusCode::SWITCHING_PROTOCOLS,
            ..Self::content(Content::Conversation(Box::new(talk)), charge)
        }
    }

    /// Any other content that costs something.
    pub(crate) fn content(content: Content, charge: Charge) -> Self {
        Self {
            status: StatusCode::OK,
            content,
            headers: Vec::new(),
            charge: Some(charge),
        }
    }
}
