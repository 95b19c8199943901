//! Whom we believe to be a provider.

use std::{error::Error, io, sync::Arc};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

use crate::GatewayError;

/// The machine's authorities and these besides. A machine without any can still reach providers on
/// its own network.
pub(crate) fn client_config(
    authorities: &[CertificateDer<'static>],
) -> Result<ClientConfig, GatewayError> {
    let mut roots = RootCertStore::empty();
    let machine = rustls_native_certs::load_native_certs();
    for error in machine.errors {
        tracing::warn!(%error, "some of this machine's certificate authorities cannot be read");
    }
    roots.add_parsable_certificates(machine.certs);
    for authority in authorities {
        roots.add(authority.clone()).map_err(GatewayError::Tls)?;
    }
    if roots.is_empty() {
        tracing::warn!(
            "this machine has no root certificates: providers can be reached without TLS only"
        );
    }
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(GatewayError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Whether a connection failed because the provider's certificate is not to be believed.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An `io::Error` does not count what it carries among its sources.
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|carried| carried as &(dyn Error + 'static));
        let named = carried.unwrap_or(error).downcast_ref::<rustls::Error>();
        if let Some(rustls::Error::InvalidCertificate(_)) = named {
            return true;
        }
        cause = carried.or_else(|| error.source());
    }
    false
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn an_untrusted_certificate_is_found_in_what_carries_it() {
        let refused = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let carried = io::Error::new(io::ErrorKind::InvalidData, refused);
        assert!(is_untrusted(&io::Error::other(carried)));
        let other = rustls::Error::HandshakeNotComplete;
        assert!(!is_untrusted(&io::Error::other(other)));
        assert!(!is_untrusted(&io::Error::from(
            io::ErrorKind::ConnectionRefused
        )));
    }
}
