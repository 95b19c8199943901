//! TLS on the listener: the certificate that is shown, and its renewal while the server serves.

mod certificates;
mod pair;

use std::{io, path::Path, sync::Arc, time::Duration};

use diamond_domain::{Alarm, AlarmCode, AlarmSink, Clock};
use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use tokio::{
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use certificates::Certificates;
use pair::{Pair, PairError, PairFiles, Stamp};

/// How often the files are looked at. A new pair is read once it has not changed from one look to
/// the next: two files are not written at once.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long before its end a certificate is an alarm.
const EXPIRY_NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How often that is looked at.
const EXPIRY_LOOK_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What every TLS record of a handshake begins with.
const HANDSHAKE: u8 = 22;

/// The listener's TLS.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    certificates: Arc<Certificates>,
    files: PairFiles,
    /// Of the pair that was read last.
    stamp: Stamp,
}

/// Why a connection is not a TLS connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The client speaks without TLS.
    #[error("the client speaks plain HTTP")]
    Plain(TcpStream),
    /// It broke off, or offers nothing that both sides speak.
    #[error("the handshake failed")]
    Failed(#[source] io::Error),
}

impl Tls {
    /// Reads certificate and private key.
    ///
    /// # Errors
    /// [`PairError`] when they cannot be used; the text names the file and what is wrong.
    pub(crate) fn open(certificate: &Path, key: &Path) -> Result<Self, PairError> {
        let files = PairFiles::new(certificate, key);
        let stamp = files.stamp();
        let certificates = Arc::new(Certificates::new(files.read()?));
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .map_err(PairError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificates,
            files,
            stamp,
        })
    }

    /// What shakes hands with a connection.
    pub(crate) fn handshakes(&self) -> Handshakes {
        Handshakes(self.acceptor.clone())
    }

    /// Looks after the files until `stop`: shows a new pair that fits, keeps the old one when the
    /// new one does not, and raises an alarm for that and before the end of the one shown.
    pub(crate) async fn look_after(
        mut self,
        alarms: Arc<dyn AlarmSink>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(signal) => Some(signal),
            Err(error) => {
                tracing::warn!(%error, "SIGHUP cannot be watched; the files are all the same");
                None
            }
        };
        let mut seen = self.stamp;
        let mut told: Option<Timestamp> = None;
        loop {
            let now = clock.now();
            if told.is_none_or(|told| now.duration_since(told).abs() >= EXPIRY_LOOK_EVERY) {
                self.warn_of_the_end(now, &*alarms);
                told = Some(now);
            }
            let asked = async {
                match &mut hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                _ = asked => true,
                () = sleep(LOOK_EVERY) => false,
            };
            let stamp = self.files.stamp();
            let settled = stamp == seen;
            seen = stamp;
            if asked || (settled && stamp != self.stamp) {
                self.stamp = stamp;
                self.renew(clock.now(), &*alarms);
                told = None;
            }
        }
    }

    fn renew(&self, now: Timestamp, alarms: &dyn AlarmSink) {
        let shown = self.certificates.ends();
        let fresh = self.files.read().and_then(|pair| {
            // An old file put back by mistake must not take a good certificate's place.
            if pair.ends <= now && shown > now {
                return Err(PairError::Expired(pair.ends));
            }
            Ok(pair)
        });
        match fresh {
            Ok(pair) => {
                tracing::info!(certificate.ends = %pair.ends, "a new certificate is shown from now on");
                self.certificates.show(pair);
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used; the old one stays");
                alarms.raise(Alarm {
                    code: AlarmCode::TlsCertificateUnusable,
                    tenant: None,
                    subject: "listener".into(),
                    detail: format!(
                        "the new certificate cannot be used, so the old one, which ends at \
                         {shown}, is still shown: {error}"
                    ),
                });
            }
        }
    }

    fn warn_of_the_end(&self, now: Timestamp, alarms: &dyn AlarmSink) {
        let ends = self.certificates.ends();
        if ends.duration_since(now) > EXPIRY_NOTICE {
            return;
        }
        tracing::warn!(certificate.ends = %ends, "the certificate is about to end, or has ended");
        alarms.raise(Alarm {
            code: AlarmCode::TlsCertificateExpiring,
            tenant: None,
            subject: "listener".into(),
            detail: format!(
                "the certificate of the listener ends at {ends}: put a new one in its files"
            ),
        });
    }
}

/// Shakes hands with connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handshakes(TlsAcceptor);

impl Handshakes {
    /// Shakes hands. Takes as long as the client takes.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub(crate) async fn shake(
        &self,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let mut first = [0];
        let looked = stream.peek(&mut first).await;
        if looked.map_err(HandshakeError::Failed)? > 0 && first[0] != HANDSHAKE {
            return Err(HandshakeError::Plain(stream));
        }
        self.0.accept(stream).await.map_err(HandshakeError::Failed)
    }
}
