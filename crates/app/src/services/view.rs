//! A service as it is shown.

use diamond_domain::ServiceId;
use diamond_providers::{Capabilities, Descriptor};

use super::ServiceOrigin;

/// A service as it is shown.
#[derive(Debug, Clone)]
pub struct ServiceView {
    /// Its name.
    pub service: ServiceId,
    /// What it is and what it can do.
    pub descriptor: Descriptor,
    /// Where it comes from.
    pub origin: ServiceOrigin,
    /// Where calls go.
    pub base_url: Option<String>,
    /// How many price rows there are.
    pub prices: usize,
}

impl ServiceView {
    pub(crate) fn of(
        descriptor: &Descriptor,
        origin: ServiceOrigin,
        base_url: Option<&str>,
        prices: usize,
        service: ServiceId,
    ) -> Self {
        Self {
            service,
            descriptor: descriptor.clone(),
            origin,
            base_url: base_url.map(str::to_owned),
            prices,
        }
    }

    /// What it can do.
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        self.descriptor.capabilities
    }
}
