//! Ports on the loopback address.

use std::net::{Ipv4Addr, TcpListener};

/// A port on 127.0.0.1 that nobody listened on a moment ago. Where a program can be told to pick
/// one itself (`--listen 127.0.0.1:0`), that is better: nobody can take it in between.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("the loopback address has a free port")
        .port()
}
