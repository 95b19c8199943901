//! The life of the server: open, serve, drain, close.

use std::{num::NonZero, sync::Arc, thread::available_parallelism, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, ServerSection},
    hardening::Hardening,
    head::HeadLimits,
    listen::{ConnectionSettings, Front, Stop, listen},
    patience::Patience,
    prometheus,
    tls::Tls,
    wire,
    workers::Workers,
};

/// How long background work may take to write down its last things.
const FINISH_LIMIT: Duration = Duration::from_secs(20);

/// How the server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every open request finished.
    Drained,
    /// Some were cut at the drain limit; what they cost is in the journal.
    Cut,
}

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// When a store cannot be opened, the address cannot be had, or the last writes fail.
pub async fn serve(config: Config, hardening: &Hardening) -> anyhow::Result<Stopped> {
    let stop = Stop::default();
    // First of all, so that a signal during start-up is not lost.
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be watched")?;
    let metrics = prometheus::install()?;
    // Before the stores: a wrong file must not cost a start-up.
    let tls = open_tls(&config.server)?;
    let system = wire::open(&config, metrics, hardening).await?;
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.server.listen))?;
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    let background = CancellationToken::new();
    system.app.start_background(&background);
    let handshakes = tls.as_ref().map(Tls::handshakes);
    if let Some(tls) = tls {
        let (alarms, clock) = (Arc::clone(&system.alarms), Arc::clone(&system.clock));
        let looking = tls.look_after(alarms, clock, background.clone());
        system.tasks.spawn(looking);
    }
    let scheme = if handshakes.is_some() {
        "https"
    } else {
        "http"
    };
    tracing::info!(%address, scheme, "serving");
    let threads = available_parallelism().map_or(1, NonZero::get);
    let front = || Front {
        gateway: system.gateway.with_own_connections(threads),
        api: system.api.clone(),
        shared: Handle::current(),
        behind_proxy: config.server.behind_proxy,
        head: HeadLimits {
            url_bytes_max: config.server.url_bytes_max,
            header_bytes_max: config.server.header_bytes_max as usize,
            headers_max: config.server.headers_max,
        },
    };
    let workers = Workers::start((0..threads).map(|_| front()).collect())
        .context("the threads that carry requests cannot start")?;
    let drained = {
        let serving = listen(
            listener,
            &workers,
            ConnectionSettings {
                connections_max: config.server.connections_max,
                header_timeout: Duration::from_secs(config.server.header_timeout_seconds),
                patience: Patience {
                    idle: Duration::from_secs(config.server.idle_timeout_seconds),
                    unread: Duration::from_secs(config.server.unread_timeout_seconds),
                },
                streams_max: config.server.streams_max,
                header_bytes_max: config.server.header_bytes_max,
                headers_max: config.server.headers_max,
                drain: Duration::from_secs(config.server.drain_seconds),
                tls: handshakes,
            },
            stop.clone(),
            system.gateway.conversations_over(),
            || system.gateway.stop(),
        );
        tokio::pin!(serving);
        let served = tokio::select! {
            drained = &mut serving => Some(drained),
            () = system.app.superseded() => None,
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
        };
        match served {
            Some(drained) => drained,
            None => {
                stop.gently.cancel();
                // Who says it twice does not want to wait.
                tokio::select! {
                    drained = &mut serving => drained,
                    _ = terminate.recv() => { stop.at_once.cancel(); serving.await }
                    _ = interrupt.recv() => { stop.at_once.cancel(); serving.await }
                }
            }
        }
    };
    let superseded = system.app.is_superseded();
    if !drained {
        tracing::warn!("open requests were cut at the drain limit");
    }
    // Requests are over; now what they left behind: closing records first, then the rest.
    background.cancel();
    system.tasks.close();
    if tokio::time::timeout(FINISH_LIMIT, system.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("background work did not finish in time");
    }
    system.close().await?;
    workers.stop();
    tracing::info!("stopped");
    ensure!(
        !superseded,
        "another process serves as this node, on a copy of this data folder: keep one of the two \
         folders, and start another node in an empty one"
    );
    Ok(if drained {
        Stopped::Drained
    } else {
        Stopped::Cut
    })
}

fn open_tls(section: &ServerSection) -> anyhow::Result<Option<Tls>> {
    section
        .tls_files()
        .map(|(certificate, key)| Tls::open(certificate, key).context("TLS cannot be offered"))
        .transpose()
}
