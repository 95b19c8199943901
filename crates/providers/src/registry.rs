//! Which services there are.

use std::{collections::BTreeMap, sync::Arc};

use diamond_domain::ServiceId;

use crate::{Provider, SERVICES};

/// Every service that is built in.
#[must_use]
pub fn all() -> Registry {
    Registry::of(SERVICES.iter().map(|service| service()))
}

/// The services, by name. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<BTreeMap<ServiceId, Arc<dyn Provider>>>);

impl Registry {
    /// A registry of these services.
    #[must_use]
    pub fn of(providers: impl IntoIterator<Item = Arc<dyn Provider>>) -> Self {
        let by_name = providers
            .into_iter()
            .map(|provider| (provider.service().clone(), provider))
            .collect();
        Self(Arc::new(by_name))
    }

    /// The service with this name.
    #[must_use]
    pub fn get(&self, service: &ServiceId) -> Option<Arc<dyn Provider>> {
        self.0.get(service).cloned()
    }

    /// The names, in order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceId> {
        self.0.keys()
    }

    /// The services, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ServiceId, &Arc<dyn Provider>)> {
        self.0.iter()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
