//! What the handlers are given.

use std::{fmt, sync::Arc, time::Duration};

use diamond_app::App;
use diamond_domain::Clock;

/// Figures that an operator may change.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The largest body of an ordinary request, in bytes.
    pub body_bytes_max: usize,
    /// The largest body of a usage report, in bytes.
    pub usage_body_bytes_max: usize,
    /// How deep objects and arrays may stand in each other in a body.
    pub json_depth_max: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 * 1024,
            usage_body_bytes_max: 8 * 1024 * 1024,
            json_depth_max: 32,
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// Renders the process's metrics in Prometheus' text form.
#[derive(Clone)]
pub struct MetricsHandle(Arc<dyn Fn() -> String + Send + Sync>);

impl MetricsHandle {
    /// A handle that calls `render` at each request.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    /// The metrics now.
    #[must_use]
    pub fn render(&self) -> String {
        (self.0)()
    }
}

impl fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsHandle")
    }
}

/// What the handlers are given. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// The use cases.
    pub app: App,
    /// The process's metrics.
    pub metrics: MetricsHandle,
    /// The time, for request ids and durations.
    pub clock: Arc<dyn Clock>,
    /// Figures.
    pub settings: ApiSettings,
}
