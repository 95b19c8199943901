//! What happens around every handler.
//!
//! One layer, because each one of axum's costs every request a copy of all that is inside it.

pub mod database;
mod envelope;
mod guard;
mod observe;
mod refusals;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use axum::{extract::Request, response::Response};
use diamond_domain::Clock;
use tower::{Layer, Service};

pub use refusals::{CallerSlot, audit_refusals};

use observe::{Observation, Series};

/// What the layer needs.
#[derive(Debug, Clone)]
pub struct LayerState {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long a request may take.
    pub request_timeout: Duration,
}

/// Puts around each handler what happens around every one.
#[derive(Debug, Clone)]
pub struct Surround {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: LayerState,
    series: Series,
}

impl Surround {
    /// With this state.
    pub fn new(state: LayerState) -> Self {
        Self {
            shared: Arc::new(Shared {
                state,
                series: Series::default(),
            }),
        }
    }
}

impl<S> Layer<S> for Surround {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

/// A handler with what happens around it.
#[derive(Debug, Clone)]
pub struct Surrounded<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request> for Surrounded<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    /// From the outside in: the request gets its names, and every error its body, whoever made it;
    /// what is answered is logged and counted; a handler that panics or hangs is given up.
    fn call(&mut self, mut request: Request) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let state = &shared.state;
        let identity = envelope::name(&mut request, &*state.clock);
        let observation = Observation::begin(&request, identity, &*state.clock);
        let called = guard::call(|| self.inner.call(request));
        Box::pin(async move {
            let response = guard::finish(called, shared.state.request_timeout).await;
            observation.end(response.status(), &*shared.state.clock, &shared.series);
            Ok(envelope::close(response, identity))
        })
    }
}
