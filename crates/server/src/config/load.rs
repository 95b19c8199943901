//! Putting the layers together.

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
    value::{Dict, Value},
};

use super::{Config, check};

/// The embedded default file: every setting, explained.
pub const DEFAULT_FILE: &str = include_str!("../../../../config.default.toml");

/// Why the settings cannot be used: every fault, each by its name.
#[derive(Debug, thiserror::Error)]
#[error("{}", faults.join("\n"))]
pub struct ConfigError {
    /// One line a fault.
    pub faults: Vec<String>,
}

/// Reads the settings: the default file, then `file`, then the environment, then `overrides` from
/// the command line (`server.listen` and its value).
///
/// # Errors
/// [`ConfigError`] with every unknown name and every bad value.
pub fn load(file: Option<&Path>, overrides: &[(&str, Value)]) -> Result<Config, ConfigError> {
    let one = |fault: String| ConfigError {
        faults: vec![fault],
    };
    let defaults: Dict = Figment::from(Toml::string(DEFAULT_FILE))
        .extract()
        .map_err(|error| one(format!("the embedded default file is broken: {error}")))?;
    let mut figment = Figment::from(Toml::string(DEFAULT_FILE));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            one(format!(
                "the configuration file {} cannot be read: {error}",
                path.display()
            ))
        })?;
        figment = figment.merge(Toml::string(&text));
    }
    // Names without a section (`DIAMOND_URL`, `DIAMOND_TOKEN`) are the command line's.
    let environment = Env::prefixed("DIAMOND_")
        .filter(|name| name.as_str().contains("__"))
        .map(|name| name.as_str().replace("__", ".").into());
    figment = figment.merge(environment);
    for (name, value) in overrides {
        figment = figment.merge((*name, value.clone()));
    }
    let mut merged: Dict = figment
        .extract()
        .map_err(|error| one(format!("the configuration is not TOML: {error}")))?;
    let mut faults = Vec::new();
    let defaults = with_declared_services(defaults, &merged);
    check::against(&defaults, &mut merged, &mut PathBuf::new(), &mut faults);
    if !faults.is_empty() {
        return Err(ConfigError { faults });
    }
    let config: Config = Figment::from(figment::providers::Serialized::defaults(Value::from(
        merged,
    )))
    .extract()
    .map_err(|errors| ConfigError {
        faults: errors.into_iter().map(|error| error.to_string()).collect(),
    })?;
    let faults = check::values(&config);
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError { faults })
    }
}

/// Declared services may have a section too: those that are built in, and with a folder of
/// declarations any; whether there is such a service is seen when they are read.
fn with_declared_services(mut defaults: Dict, merged: &Dict) -> Dict {
    let section = || Value::from(Dict::from([("base_url".to_owned(), Value::from(""))]));
    let text = |section: &Dict, name: &str| match section.get(name) {
        Some(Value::String(_, text)) => text.clone(),
        _ => String::new(),
    };
    let own = match (merged.get("declared_services"), merged.get("services")) {
        (Some(Value::Dict(_, folder)), Some(Value::Dict(_, services)))
            if !text(folder, "dir").is_empty() =>
        {
            services.keys().cloned().collect()
        }
        _ => Vec::new(),
    };
    let shipped = diamond_providers::SHIPPED.iter();
    let shipped = shipped.filter_map(|(file, _)| file.strip_suffix(".toml"));
    if let Some(Value::Dict(_, services)) = defaults.get_mut("services") {
        for name in own.into_iter().chain(shipped.map(str::to_owned)) {
            services.entry(name).or_insert_with(section);
        }
    }
    defaults
}
