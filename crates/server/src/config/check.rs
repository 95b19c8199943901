//! Finding every fault in one run.

use std::path::PathBuf;

use diamond_domain::Money;
use figment::value::{Dict, Value};

use super::{Config, PassphraseFrom};

/// Compares what was set with the default file: an unknown name or a value of another type is a
/// fault. A number where a text is wanted becomes the text (the environment cannot say which).
pub(super) fn against(
    defaults: &Dict,
    merged: &mut Dict,
    path: &mut PathBuf,
    faults: &mut Vec<String>,
) {
    for (name, value) in merged.iter_mut() {
        path.push(name);
        let dotted = path
            .iter()
            .map(|part| part.to_string_lossy())
            .collect::<Vec<_>>()
            .join(".");
        match (defaults.get(name), value) {
            (None, _) => faults.push(format!("`{dotted}` is not a setting")),
            (Some(Value::Dict(_, defaults)), Value::Dict(_, merged)) => {
                against(defaults, merged, path, faults);
            }
            (Some(Value::String(..)), Value::String(..))
            | (Some(Value::Num(..)), Value::Num(..))
            | (Some(Value::Bool(..)), Value::Bool(..)) => {}
            (Some(Value::String(..)), value @ (Value::Num(..) | Value::Bool(..))) => {
                if let Some(text) = text_of(value) {
                    *value = Value::from(text);
                }
            }
            (Some(expected), value) => faults.push(format!(
                "`{dotted}` must be {}, not {}",
                type_name(expected),
                type_name(value)
            )),
        }
        path.pop();
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_f64().map(|number| number.to_string())),
        Value::Bool(_, truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a section",
        Value::Array(..) => "a list",
    }
}

/// Checks what types cannot: ranges, and settings that contradict each other.
pub(super) fn values(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let mut least = |name: &str, value: u64, least: u64| {
        if value < least {
            faults.push(format!("`{name}` must be at least {least}, not {value}"));
        }
    };
    let server = &config.server;
    least("server.connections_max", server.connections_max as u64, 1);
    least("server.streams_max", u64::from(server.streams_max), 1);
    least("server.url_bytes_max", server.url_bytes_max as u64, 256);
    least(
        "server.header_bytes_max",
        u64::from(server.header_bytes_max),
        1024,
    );
    least("server.headers_max", server.headers_max as u64, 16);
    least(
        "server.idle_timeout_seconds",
        server.idle_timeout_seconds,
        1,
    );
    least(
        "server.unread_timeout_seconds",
        server.unread_timeout_seconds,
        1,
    );
    least(
        "server.header_timeout_seconds",
        server.header_timeout_seconds,
        1,
    );
    least(
        "server.snapshot_staleness_seconds",
        server.snapshot_staleness_seconds,
        5,
    );
    least(
        "journal.segment_bytes",
        config.journal.segment_bytes,
        1 << 20,
    );
    least("journal.reserve_bytes", config.journal.reserve_bytes, 65536);
    least(
        "journal.dedup_days",
        u64::from(config.journal.dedup_days),
        1,
    );
    least(
        "audit.checkpoint_seconds",
        config.audit.checkpoint_seconds,
        1,
    );
    least(
        "audit.witness_lag_seconds_max",
        config.audit.witness_lag_seconds_max,
        1,
    );
    let rotation = &config.rotation;
    least("rotation.concurrency", rotation.concurrency as u64, 1);
    least("rotation.failures_max", u64::from(rotation.failures_max), 1);
    least("rotation.breaker_max", rotation.breaker_max, 1);
    least(
        "rotation.breaker_window_seconds",
        rotation.breaker_window_seconds,
        1,
    );
    least("api.body_bytes_max", config.api.body_bytes_max as u64, 1024);
    least("api.timeout_seconds", config.api.timeout_seconds, 1);
    least(
        "api.usage_body_bytes_max",
        config.api.usage_body_bytes_max as u64,
        1024,
    );
    least(
        "gateway.body_bytes_max",
        config.gateway.body_bytes_max as u64,
        1024,
    );
    least(
        "gateway.decoded_bytes_max",
        config.gateway.decoded_bytes_max,
        1 << 20,
    );
    least("api.json_depth_max", config.api.json_depth_max as u64, 8);
    least(
        "gateway.json_depth_max",
        config.gateway.json_depth_max as u64,
        8,
    );
    least(
        "gateway.connect_timeout_seconds",
        config.gateway.connect_timeout_seconds,
        1,
    );
    least(
        "gateway.body_timeout_seconds",
        config.gateway.body_timeout_seconds,
        1,
    );
    least(
        "gateway.response_timeout_seconds",
        config.gateway.response_timeout_seconds,
        1,
    );
    least(
        "gateway.idle_timeout_seconds",
        config.gateway.idle_timeout_seconds,
        1,
    );
    least(
        "outbound.timeout_seconds",
        config.outbound.timeout_seconds,
        1,
    );
    least("leases.max_seconds", config.leases.max_seconds, 1);
    least(
        "tokens.lifetime_days",
        u64::from(config.tokens.lifetime_days),
        1,
    );
    least("budgets.reread_seconds", config.budgets.reread_seconds, 1);
    let mut most = |name: &str, value: u64, most: u64| {
        if value > most {
            faults.push(format!("`{name}` must be at most {most}, not {value}"));
        }
    };
    // Beyond these the HTTP and JSON libraries have limits of their own.
    most("server.url_bytes_max", server.url_bytes_max as u64, 65_534);
    most(
        "server.header_bytes_max",
        u64::from(server.header_bytes_max),
        384 << 10,
    );
    most("server.headers_max", server.headers_max as u64, 1_000);
    most("api.json_depth_max", config.api.json_depth_max as u64, 100);
    let set = |path: &PathBuf| !path.as_os_str().is_empty();
    if set(&server.tls_certificate_file) != set(&server.tls_key_file) {
        faults.push(
            "`server.tls_certificate_file` and `server.tls_key_file` belong together: set both"
                .into(),
        );
    }
    let encrypted = server.behind_proxy || server.tls_files().is_some();
    if !server.listen.ip().is_loopback() && !encrypted {
        faults.push(format!(
            "`server.listen` is {}, which others can reach, and nothing encrypts it: set \
             `server.tls_certificate_file` and `server.tls_key_file`, or `server.behind_proxy` \
             when a proxy in front terminates TLS, or listen on 127.0.0.1",
            server.listen
        ));
    }
    let secrets = &config.secrets;
    let sources = [
        set(&secrets.master_key_file),
        set(&secrets.passphrase_file),
        secrets.passphrase != PassphraseFrom::Nobody,
    ];
    if sources.into_iter().filter(|named| *named).count() > 1 {
        faults.push(
            "`secrets.master_key_file`, `secrets.passphrase_file` and `secrets.passphrase` exclude \
             each other"
                .into(),
        );
    }
    if set(&secrets.next_master_key_file) && set(&secrets.next_passphrase_file) {
        faults.push(
            "`secrets.next_master_key_file` and `secrets.next_passphrase_file` exclude each other"
                .into(),
        );
    }
    let audit = &config.audit;
    let witnessed = set(&audit.witness_file) || !audit.witness_url.is_empty();
    if (audit.witness_required || audit.witness_before_reveal) && !witnessed {
        faults.push(
            "`audit.witness_required` and `audit.witness_before_reveal` need a witness: set \
             `audit.witness_file` or `audit.witness_url`"
                .into(),
        );
    }
    if !audit.witness_url.is_empty() && !is_private_url(&audit.witness_url) {
        faults.push("`audit.witness_url` must be https://, or http:// on this machine".into());
    }
    let limit = &config.budgets.default_limit_usd;
    let is_limit = |limit: Money| !limit.is_negative();
    if !limit.is_empty() && !limit.parse().is_ok_and(is_limit) {
        faults.push(format!(
            "`budgets.default_limit_usd` must be an amount of US dollars such as `1000` or \
             `49.90`, or empty for none, not `{limit}`"
        ));
    }
    for (service, section) in &config.services {
        let url = section.base_url.parse::<hyper::Uri>();
        if let Ok(url) = &url
            && url.scheme_str() == Some("http")
            && !is_this_machine(url.host().unwrap_or_default())
            && !config.outbound.allow_plain_http
        {
            faults.push(format!(
                "`services.{service}.base_url` is `{}`: keys would travel there unencrypted; use \
                 https://, or set `outbound.allow_plain_http` if that network is yours",
                section.base_url
            ));
        }
        let valid = url.is_ok_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.host().is_some()
                && url.query().is_none()
        });
        if !valid || section.base_url.ends_with('/') {
            faults.push(format!(
                "`services.{service}.base_url` must be http:// or https://, a host, perhaps a \
                 path, and no final slash, not `{}`",
                section.base_url
            ));
        }
    }
    faults
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whether what is sent there stays between the two ends.
fn is_private_url(url: &str) -> bool {
    let Ok(url) = url.parse::<hyper::Uri>() else {
        return false;
    };
    let local = url.host().is_some_and(is_this_machine);
    match url.scheme_str() {
        Some("https") => url.host().is_some(),
        Some("http") => local,
        _ => false,
    }
}
