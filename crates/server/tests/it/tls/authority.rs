//! A certificate authority of a test's own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// An authority and, in a folder of its own, the pair of files that it last issued.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

impl Authority {
    /// An authority that has issued a good certificate for this machine.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "A Test's Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let authority = Self { issuer, dir };
        fs::write(authority.file(), authority.issuer.pem()).unwrap();
        let (certificate, key) = authority.issue((2120, 1, 1));
        authority.put(&certificate, &key);
        authority
    }

    /// Its own certificate.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// The files of certificate and key.
    pub fn files(&self) -> (String, String) {
        let path = |name| self.dir.path().join(name).display().to_string();
        (path("certificate.pem"), path("key.pem"))
    }

    /// A certificate for this machine until a day, and its private key, as PEM.
    pub fn issue(&self, until: (i32, u8, u8)) -> (String, String) {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Puts a pair in the files' place, each at once, as programs that renew certificates do.
    pub fn put(&self, certificate: &str, key: &str) {
        let (certificate_file, key_file) = self.files();
        replace(Path::new(&key_file), key);
        replace(Path::new(&certificate_file), certificate);
    }

    /// A client that trusts this authority, with nothing kept of connections before.
    pub fn client(&self) -> reqwest::Client {
        self.builder().build().unwrap()
    }

    /// The same, to be changed.
    pub fn builder(&self) -> reqwest::ClientBuilder {
        let own = reqwest::Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([own])
            .tls_info(true)
            .no_proxy()
    }
}

fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(next, path).unwrap();
}
