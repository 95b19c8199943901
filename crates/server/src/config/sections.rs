//! One struct a section. `config.default.toml` explains every field; it is the only place that
//! gives defaults.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use diamond_domain::{OnUnbounded, Period, ServiceId};
use serde::Deserialize;

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// `[server]`
    pub server: ServerSection,
    /// `[log]`
    pub log: LogSection,
    /// `[database]`
    pub database: DatabaseSection,
    /// `[secrets]`
    pub secrets: SecretsSection,
    /// `[journal]`
    pub journal: JournalSection,
    /// `[audit]`
    pub audit: AuditSection,
    /// `[api]`
    pub api: ApiSection,
    /// `[gateway]`
    pub gateway: GatewaySection,
    /// `[outbound]`
    pub outbound: OutboundSection,
    /// `[leases]`
    pub leases: LeasesSection,
    /// `[rotation]`
    pub rotation: RotationSection,
    /// `[tokens]`
    pub tokens: TokensSection,
    /// `[costs]`
    pub costs: CostsSection,
    /// `[budgets]`
    pub budgets: BudgetsSection,
    /// `[declared_services]`
    pub declared_services: DeclaredServicesSection,
    /// `[services.*]`
    pub services: BTreeMap<ServiceId, ServiceSection>,
}

/// What the server may take for granted of its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A machine to try things on.
    Development,
    /// A machine that keeps other people's keys.
    Production,
}

impl Profile {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// Who says the passphrase at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PassphraseFrom {
    /// Nobody: there is a file.
    #[serde(rename = "")]
    Nobody,
    /// Somebody at the terminal.
    #[serde(rename = "prompt")]
    Prompt,
    /// Whoever feeds standard input.
    #[serde(rename = "stdin")]
    Stdin,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct ServerSection {
    pub profile: Profile,
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub behind_proxy: bool,
    pub tls_certificate_file: PathBuf,
    pub tls_key_file: PathBuf,
    pub connections_max: usize,
    pub streams_max: u32,
    pub url_bytes_max: usize,
    pub header_bytes_max: u32,
    pub headers_max: usize,
    pub header_timeout_seconds: u64,
    pub idle_timeout_seconds: u64,
    pub unread_timeout_seconds: u64,
    pub drain_seconds: u64,
    pub snapshot_staleness_seconds: u64,
}

impl ServerSection {
    /// The files of certificate and private key, when connections are TLS.
    #[must_use]
    pub fn tls_files(&self) -> Option<(&Path, &Path)> {
        let named = |path: &Path| !path.as_os_str().is_empty();
        (named(&self.tls_certificate_file) && named(&self.tls_key_file))
            .then_some((&*self.tls_certificate_file, &*self.tls_key_file))
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct LogSection {
    pub filter: String,
    pub format: LogFormat,
}

/// `[database]`
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct DatabaseSection {
    pub url: String,
}

// A database address may hold a password.
impl std::fmt::Debug for DatabaseSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseSection(…)")
    }
}

/// `[secrets]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct SecretsSection {
    pub master_key_file: PathBuf,
    pub passphrase_file: PathBuf,
    pub passphrase: PassphraseFrom,
    pub next_master_key_file: PathBuf,
    pub next_passphrase_file: PathBuf,
    pub allow_master_key_on_data_volume: bool,
}

/// `[journal]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct JournalSection {
    pub segment_bytes: u64,
    pub reserve_bytes: u64,
    pub dedup_days: u32,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct AuditSection {
    pub checkpoint_seconds: u64,
    pub witness_file: PathBuf,
    pub witness_url: String,
    pub witness_required: bool,
    pub witness_lag_seconds_max: u64,
    pub witness_before_reveal: bool,
    pub allow_witness_on_data_volume: bool,
}

/// `[api]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct ApiSection {
    pub body_bytes_max: usize,
    pub usage_body_bytes_max: usize,
    pub json_depth_max: usize,
    pub timeout_seconds: u64,
}

/// `[gateway]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct GatewaySection {
    pub body_bytes_max: usize,
    pub json_depth_max: usize,
    pub decoded_bytes_max: u64,
    pub connect_timeout_seconds: u64,
    pub body_timeout_seconds: u64,
    pub response_timeout_seconds: u64,
    pub idle_timeout_seconds: u64,
    pub region: String,
}

/// `[outbound]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct OutboundSection {
    pub timeout_seconds: u64,
    pub extra_ca_file: PathBuf,
    pub allow_plain_http: bool,
}

/// `[leases]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct LeasesSection {
    pub max_seconds: u64,
}

/// `[rotation]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct RotationSection {
    pub age_days: u32,
    pub ahead_of_end_hours: u64,
    pub propagation_seconds: u64,
    pub drain_deadline_seconds: u64,
    pub concurrency: usize,
    pub failures_max: u32,
    pub breaker_max: u64,
    pub breaker_window_seconds: u64,
    pub repair_wait_seconds: u64,
    pub sweep_hours: u64,
}

/// `[tokens]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct TokensSection {
    pub lifetime_days: u32,
}

/// `[costs]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct CostsSection {
    pub sga_basis_points: u32,
    pub compliance_basis_points: u32,
    pub price_file: PathBuf,
}

/// `[budgets]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct BudgetsSection {
    pub default_limit_usd: String,
    pub default_period: Period,
    pub default_on_unbounded: OnUnbounded,
    pub reread_seconds: u64,
}

/// `[declared_services]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct DeclaredServicesSection {
    pub dir: PathBuf,
}

/// `[services.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "config.default.toml explains every field")]
pub struct ServiceSection {
    pub base_url: String,
}

/// Whole days.
#[must_use]
pub fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}
