//! The pair that new connections are shown.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::Pair;

/// Shows one pair, whatever name a client asks for; another one from one moment to the next.
#[derive(Debug)]
pub(super) struct Certificates(ArcSwap<Pair>);

impl Certificates {
    pub(super) fn new(pair: Pair) -> Self {
        Self(ArcSwap::from_pointee(pair))
    }

    /// Shows this pair from now on. Connections that stand are not touched.
    pub(super) fn show(&self, pair: Pair) {
        self.0.store(Arc::new(pair));
    }

    /// When the one that is shown ends.
    pub(super) fn ends(&self) -> Timestamp {
        self.0.load().ends
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}
