//! What happens around every handler.

use std::{sync::Arc, time::Duration};

use diamond_domain::Clock;

mod envelope;
mod guard;
mod observe;

pub use envelope::envelope;
pub use guard::{catch_panic, limit_time};
pub use observe::observe;

/// What the layers need.
#[derive(Debug, Clone)]
pub struct LayerState {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long a request may take.
    pub request_timeout: Duration,
}
