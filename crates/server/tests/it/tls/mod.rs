//! TLS and HTTP/2, in and out.

mod authority;
mod http2;
mod listener;
mod renewal;
mod upstream;

pub use authority::Authority;

use crate::world::{Sim, World};

/// A server that speaks TLS under an authority, and a client that trusts it.
pub async fn start(authority: &Authority, environment: &[(&str, &str)]) -> World {
    let (certificate, key) = authority.files();
    let mut all = vec![
        ("DIAMOND_SERVER__TLS_CERTIFICATE_FILE", &*certificate),
        ("DIAMOND_SERVER__TLS_KEY_FILE", &*key),
    ];
    all.extend_from_slice(environment);
    let sim = Sim::start(&[]).await;
    World::start_beside(sim, &all, None, authority.client()).await
}
