//! A certificate authority of the simulated world, made anew at each start and trusted by nobody
//! who was not given it.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use clap::ValueEnum;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// How good the certificate is that the companies show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Certificate {
    /// For this machine, by the authority, for years.
    Valid,
    /// By the authority, for this machine, and long over.
    Expired,
    /// By the authority, for another host.
    WrongHost,
    /// For this machine, by an authority that is in no file.
    Stranger,
}

/// Which protocols the companies offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocols {
    /// HTTP/2 and HTTP/1.1, as the real ones do.
    Both,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
}

impl Protocols {
    fn names(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Both => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// Makes an authority, writes its certificate to `authority_file` (PEM), and makes what a listener
/// shows.
///
/// # Errors
/// When the file cannot be written or the system has no random numbers.
pub fn make(
    authority_file: &Path,
    certificate: Certificate,
    protocols: Protocols,
) -> anyhow::Result<Arc<ServerConfig>> {
    let authority = issuer("Simulated World Authority")?;
    std::fs::write(authority_file, authority.pem())
        .with_context(|| format!("{} cannot be written", authority_file.display()))?;
    let stranger;
    let signer = if certificate == Certificate::Stranger {
        stranger = issuer("Somebody Else")?;
        &stranger
    } else {
        &authority
    };
    let names: &[&str] = match certificate {
        Certificate::WrongHost => &["elsewhere.example"],
        _ => &["localhost", "127.0.0.1", "::1"],
    };
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "A Simulated Company");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = match certificate {
        Certificate::Expired => date_time_ymd(2021, 1, 1),
        _ => date_time_ymd(2120, 1, 1),
    };
    let key = KeyPair::generate()?;
    let leaf = params.signed_by(&key, signer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    config.alpn_protocols = protocols.names();
    Ok(Arc::new(config))
}

fn issuer(name: &str) -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}
