//! From the sections of the configuration to the settings of the crates.

use std::{collections::HashMap, time::Duration};

use anyhow::Context as _;
use diamond_app::AppSettings;
use diamond_billing::{BasisPoints, Overheads};
use diamond_domain::ServiceId;
use diamond_gateway::GatewaySettings;

use crate::config::{Config, days};

pub(super) fn gateway_settings(
    config: &Config,
    upstreams: HashMap<ServiceId, String>,
) -> GatewaySettings {
    let section = &config.gateway;
    GatewaySettings {
        upstreams,
        body_bytes_max: section.body_bytes_max,
        connect_timeout: Duration::from_secs(section.connect_timeout_seconds),
        body_silence_timeout: Duration::from_secs(section.body_timeout_seconds),
        answer_timeout: Duration::from_secs(section.response_timeout_seconds),
        silence_timeout: Duration::from_secs(section.idle_timeout_seconds),
        region: Some(section.region.clone()).filter(|region| !region.is_empty()),
        ..GatewaySettings::default()
    }
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
    })
}
