//! What the process was given besides its arguments.

use std::path::PathBuf;

use zeroize::Zeroizing;

/// The environment, read once.
#[derive(Clone, Default)]
pub struct Environment {
    /// `DIAMOND_URL`.
    pub url: Option<String>,
    /// `DIAMOND_TOKEN`.
    pub token: Option<Zeroizing<String>>,
    /// `BAO_TOKEN`, else `VAULT_TOKEN`: for `ai keys:import` alone.
    pub vault_token: Option<Zeroizing<String>>,
    /// `DIAMOND_PROFILE`.
    pub profile: Option<String>,
    /// `DIAMOND_CA_FILE`.
    pub ca_file: Option<PathBuf>,
    /// Where profiles are kept; `None` when there is no home.
    pub config_file: Option<PathBuf>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("url", &self.url)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("vault_token", &self.vault_token.as_ref().map(|_| "…"))
            .field("profile", &self.profile)
            .field("ca_file", &self.ca_file)
            .field("config_file", &self.config_file)
            .finish()
    }
}

impl Environment {
    /// The process's own. An empty variable is as good as none.
    #[must_use]
    pub fn of_process() -> Self {
        let config = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config")));
        Self {
            url: variable("DIAMOND_URL"),
            token: variable("DIAMOND_TOKEN").map(Zeroizing::new),
            vault_token: variable("BAO_TOKEN")
                .or_else(|| variable("VAULT_TOKEN"))
                .map(Zeroizing::new),
            profile: variable("DIAMOND_PROFILE"),
            ca_file: variable("DIAMOND_CA_FILE").map(PathBuf::from),
            config_file: config.map(|folder| folder.join("diamond").join("config.toml")),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the configuration of the command line"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
