//! Which server, with which token: arguments before environment before profile.

use std::{fs, path::PathBuf};

use reqwest::Url;
use zeroize::Zeroizing;

use super::{Environment, Profile, ProfileFile};
use crate::failure::Failure;

/// Where a server listens when nobody says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// What the command line says about the connection.
#[derive(Debug, Clone, Default)]
pub struct ConnectionArguments {
    /// `--url`
    pub url: Option<String>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--token-file`
    pub token_file: Option<PathBuf>,
    /// `--ca-file`
    pub ca_file: Option<PathBuf>,
}

/// Where to go, and with what.
pub struct Connection {
    /// The server's address.
    pub url: Url,
    /// The access token, if there is one.
    pub token: Option<Zeroizing<String>>,
    /// Certificate authorities to trust besides the machine's, as PEM.
    pub authorities: Option<Vec<u8>>,
    /// Something to tell the person before going on.
    pub warning: Option<&'static str>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Decides.
    ///
    /// A profile's token goes to that profile's address only: naming another address together
    /// with it is refused, so that a slip does not hand the token to a stranger.
    pub fn resolve(
        arguments: &ConnectionArguments,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let profile = named_profile(arguments, environment)?;
        let text = arguments
            .url
            .as_deref()
            .or(environment.url.as_deref())
            .or(profile.as_ref().map(|(_, profile)| profile.url.as_str()))
            .unwrap_or(DEFAULT_URL);
        let url = server_url(text)?;
        let ca_file = arguments
            .ca_file
            .as_ref()
            .or(environment.ca_file.as_ref())
            .or(profile
                .as_ref()
                .and_then(|(_, profile)| profile.ca_file.as_ref()));
        let authorities = ca_file.map(authorities_of_file).transpose()?;
        let explicit = match &arguments.token_file {
            Some(path) => Some(token_of_file(path)?),
            None => environment.token.clone(),
        };
        let token = match (explicit, profile) {
            (Some(token), _) => Some(token),
            (
                None,
                Some((
                    name,
                    Profile {
                        url: own,
                        token: Some(token),
                        ..
                    },
                )),
            ) => {
                if server_url(&own)? != url {
                    return Err(Failure::input_with_hint(
                        format!("the token of profile `{name}` is for {own}, not for {url}"),
                        "set DIAMOND_TOKEN or give --token-file for that server, or make a \
                         profile for it: diamond config set-profile NAME --url URL",
                    ));
                }
                Some(token)
            }
            (None, _) => None,
        };
        let readable = url.scheme() == "http" && !is_loopback(&url) && token.is_some();
        let warning = readable.then_some(
            "warning: the address is not https, so the token and any key travel readable",
        );
        Ok(Self {
            url,
            token,
            authorities,
            warning,
        })
    }
}

/// The profile to use: the named one must exist, the default one may.
fn named_profile(
    arguments: &ConnectionArguments,
    environment: &Environment,
) -> Result<Option<(String, Profile)>, Failure> {
    let wanted = arguments.profile.as_ref().or(environment.profile.as_ref());
    let Some(path) = &environment.config_file else {
        return match wanted {
            Some(name) => Err(Failure::input(format!(
                "profile `{name}` cannot be read: there is no home folder"
            ))),
            None => Ok(None),
        };
    };
    let mut file = ProfileFile::read(path)?;
    let default = file
        .default_profile
        .take()
        .unwrap_or_else(|| "default".to_owned());
    let name = wanted.cloned().unwrap_or(default);
    match file.profiles.remove(&name) {
        Some(profile) => Ok(Some((name, profile))),
        None if wanted.is_none() => Ok(None),
        None => Err(Failure::input_with_hint(
            format!("there is no profile `{name}` in {}", path.display()),
            format!("diamond config set-profile {name} --url URL < token-file"),
        )),
    }
}

/// Reads an address and insists that it is one that requests can be added to.
pub fn server_url(text: &str) -> Result<Url, Failure> {
    let refuse = |why: &str| {
        Failure::input_with_hint(
            format!("the server's address {why}"),
            "an address looks like https://keys.example.com or http://127.0.0.1:8080",
        )
    };
    let url: Url = text.parse().map_err(|_| refuse("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse("begins with http:// or https:// and names a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse(
            "carries no user or password: tokens have their own place",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("has no part behind `?` or `#`"));
    }
    Ok(url)
}

fn token_of_file(path: &PathBuf) -> Result<Zeroizing<String>, Failure> {
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| {
            Failure::input(format!(
                "the token file {} cannot be read: {error}",
                path.display()
            ))
        })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn authorities_of_file(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        Failure::input(format!(
            "the file of authorities {} cannot be read: {error}",
            path.display()
        ))
    })
}

/// Whether the host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_profile(folder: &tempfile::TempDir) -> Environment {
        let path = folder.path().join("config.toml");
        let profile = Profile {
            url: "https://keys.example.com".into(),
            token: Some(Zeroizing::new("dmd_profile".into())),
            ca_file: None,
        };
        let file = ProfileFile {
            default_profile: None,
            profiles: [("default".into(), profile)].into(),
        };
        file.write(&path).unwrap();
        Environment {
            config_file: Some(path),
            ..Environment::default()
        }
    }

    #[test]
    fn arguments_come_before_environment_before_profile() {
        let folder = tempfile::tempdir().unwrap();
        let mut environment = with_profile(&folder);
        let mut arguments = ConnectionArguments::default();
        let resolve = |arguments: &ConnectionArguments, environment: &Environment| {
            let connection = Connection::resolve(arguments, environment).unwrap();
            (
                connection.url.to_string(),
                connection.token.unwrap().to_string(),
            )
        };
        assert_eq!(
            resolve(&arguments, &environment),
            ("https://keys.example.com/".into(), "dmd_profile".into())
        );
        environment.url = Some("http://127.0.0.1:1".into());
        environment.token = Some(Zeroizing::new("dmd_environment".into()));
        assert_eq!(
            resolve(&arguments, &environment),
            ("http://127.0.0.1:1/".into(), "dmd_environment".into())
        );
        let token_file = folder.path().join("token");
        fs::write(&token_file, "dmd_file\n").unwrap();
        arguments.url = Some("http://127.0.0.1:2".into());
        arguments.token_file = Some(token_file);
        assert_eq!(
            resolve(&arguments, &environment),
            ("http://127.0.0.1:2/".into(), "dmd_file".into())
        );
    }

    #[test]
    fn a_profile_s_token_does_not_go_to_another_address() {
        let folder = tempfile::tempdir().unwrap();
        let mut environment = with_profile(&folder);
        environment.url = Some("https://evil.example.com".into());
        let refused =
            Connection::resolve(&ConnectionArguments::default(), &environment).unwrap_err();
        assert!(refused.to_string().contains("profile `default`"));
        assert!(!refused.to_string().contains("dmd_profile"));
    }

    #[test]
    fn a_readable_token_is_warned_about() {
        let environment = Environment {
            url: Some("http://keys.example.com".into()),
            token: Some(Zeroizing::new("dmd_x".into())),
            ..Environment::default()
        };
        let arguments = ConnectionArguments::default();
        assert!(
            Connection::resolve(&arguments, &environment)
                .unwrap()
                .warning
                .is_some()
        );
        let loopback = Environment {
            url: Some("http://[::1]:80".into()),
            ..environment
        };
        assert!(
            Connection::resolve(&arguments, &loopback)
                .unwrap()
                .warning
                .is_none()
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for text in [
            "keys.example.com",
            "ftp://a",
            "http://u:p@a",
            "http://a/?x=1",
            "",
        ] {
            assert!(server_url(text).is_err(), "{text}");
        }
    }
}
