//! From the sections of the configuration to the settings of the crates.

use std::{collections::HashMap, time::Duration};

use anyhow::Context as _;
use diamond_app::{AppSettings, DefaultBudget, RotationSettings, WitnessSettings};
use diamond_billing::{BasisPoints, Overheads};
use diamond_domain::ServiceId;
use diamond_gateway::GatewaySettings;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::config::{AuditSection, BudgetsSection, Config, days};

pub(super) fn gateway_settings(
    config: &Config,
    upstreams: HashMap<ServiceId, String>,
    authorities: Vec<CertificateDer<'static>>,
) -> GatewaySettings {
    let section = &config.gateway;
    GatewaySettings {
        upstreams,
        authorities,
        body_bytes_max: section.body_bytes_max,
        json_depth_max: section.json_depth_max,
        decoded_bytes_max: section.decoded_bytes_max,
        connect_timeout: Duration::from_secs(section.connect_timeout_seconds),
        body_silence_timeout: Duration::from_secs(section.body_timeout_seconds),
        answer_timeout: Duration::from_secs(section.response_timeout_seconds),
        silence_timeout: Duration::from_secs(section.idle_timeout_seconds),
        key_propagation: Duration::from_secs(config.rotation.propagation_seconds),
        region: Some(section.region.clone()).filter(|region| !region.is_empty()),
        ..GatewaySettings::default()
    }
}

/// The authorities that are trusted besides the machine's.
pub(super) fn extra_authorities(config: &Config) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let path = &config.outbound.extra_ca_file;
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let context = || {
        let path = path.display();
        format!(
            "`outbound.extra_ca_file` ({path}) cannot be used: it must hold certificates as PEM"
        )
    };
    let authorities = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(context)?;
    anyhow::ensure!(!authorities.is_empty(), context());
    Ok(authorities)
}

pub(super) fn app_settings(config: &Config) -> anyhow::Result<AppSettings> {
    let share = |points, name| {
        BasisPoints::new(points).with_context(|| format!("`costs.{name}` cannot be used"))
    };
    Ok(AppSettings {
        lease: Duration::from_secs(config.leases.max_seconds),
        token_lifetime: days(config.tokens.lifetime_days),
        snapshot_staleness: Duration::from_secs(config.server.snapshot_staleness_seconds),
        overheads: Overheads {
            sga: share(config.costs.sga_basis_points, "sga_basis_points")?,
            compliance: share(
                config.costs.compliance_basis_points,
                "compliance_basis_points",
            )?,
        },
        default_budget: default_budget(&config.budgets)?,
        budgets_reread: Duration::from_secs(config.budgets.reread_seconds),
    })
}

fn default_budget(section: &BudgetsSection) -> anyhow::Result<Option<DefaultBudget>> {
    if section.default_limit_usd.is_empty() {
        return Ok(None);
    }
    let limit = section.default_limit_usd.parse();
    Ok(Some(DefaultBudget {
        limit: limit.context("`budgets.default_limit_usd` cannot be used")?,
        period: section.default_period,
        on_unbounded: section.default_on_unbounded,
    }))
}

pub(super) fn rotation_settings(config: &Config) -> RotationSettings {
    let section = &config.rotation;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let unless_zero = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
    RotationSettings {
        age: unless_zero(days(section.age_days)),
        ahead_of_end: hours(section.ahead_of_end_hours),
        propagation: Duration::from_secs(section.propagation_seconds),
        drain_deadline: Duration::from_secs(section.drain_deadline_seconds),
        concurrency: section.concurrency,
        failures_max: section.failures_max,
        breaker_max: section.breaker_max,
        breaker_window: Duration::from_secs(section.breaker_window_seconds),
        repair_wait: Duration::from_secs(section.repair_wait_seconds),
        sweep_every: unless_zero(hours(section.sweep_hours)),
        lease: Duration::from_secs(config.leases.max_seconds),
    }
}

pub(super) const fn witness_settings(section: &AuditSection) -> WitnessSettings {
    WitnessSettings {
        every: Duration::from_secs(section.checkpoint_seconds),
        required: section.witness_required,
        lag_max: Duration::from_secs(section.witness_lag_seconds_max),
        before_reveal: section.witness_before_reveal,
    }
}
