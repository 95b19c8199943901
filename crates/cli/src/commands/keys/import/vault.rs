//! Keys in a KV version 2 mount of HashiCorp Vault or OpenBao.
//!
//! <https://openbao.org/api-docs/secret/kv/kv-v2/>: `LIST /v1/{mount}/metadata/{path}` names what
//! is below a path (folders end with a slash), `GET /v1/{mount}/data/{path}` gives the newest
//! version of a secret as an object of fields.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use clap::Args;
use diamond_domain::SecretValue;
use reqwest::{Method, StatusCode, Url, header::HeaderValue};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Found, Keys,
    csv::check_value,
    mapping::{Mapping, target_of},
};
use crate::{Environment, config::is_loopback, failure::Failure};

const TIMEOUT: Duration = Duration::from_secs(30);
/// How deep folders may stand in each other.
const DEPTH_MAX: usize = 16;
/// More secrets are surely not what was meant.
const SECRETS_MAX: usize = 100_000;
/// What the one field that holds a key is usually called.
const FIELDS: [&str; 4] = ["api_key", "apiKey", "key", "value"];

/// Where in the Vault, and as whom.
#[derive(Debug, Args)]
pub struct VaultArguments {
    /// The KV version 2 mount
    #[arg(
        long,
        default_value = "secret",
        value_name = "MOUNT",
        requires = "vault"
    )]
    vault_mount: String,
    /// The folder in it; what lies below is read too
    #[arg(long, default_value = "", value_name = "PATH", requires = "vault")]
    vault_path: String,
    /// The field of each secret that holds the key (else the only one, or api_key, apiKey, key,
    /// value)
    #[arg(long, value_name = "NAME", requires = "vault")]
    vault_field: Option<String>,
    /// File that holds the Vault's token (else BAO_TOKEN, else VAULT_TOKEN)
    #[arg(long, value_name = "FILE", requires = "vault")]
    vault_token_file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Listing {
    data: ListingData,
}

#[derive(Deserialize)]
struct ListingData {
    keys: Vec<String>,
}

#[derive(Deserialize)]
struct Secret {
    data: SecretData,
}

#[derive(Deserialize)]
struct SecretData {
    data: Option<BTreeMap<String, Field>>,
}

/// A field of a secret: only texts can be keys.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Text(Zeroizing<String>),
    Other(serde::de::IgnoredAny),
}

/// Reads every key below the folder.
pub async fn read(
    url: &Url,
    arguments: &VaultArguments,
    mappings: &[Mapping],
    environment: &Environment,
) -> Result<Keys, Failure> {
    let vault = Vault::new(url, arguments, environment)?;
    let mut keys = Keys::default();
    let mut faults = Vec::new();
    let start = arguments.vault_path.trim_matches('/');
    let start = if start.is_empty() {
        String::new()
    } else {
        format!("{start}/")
    };
    let mut folders = vec![start];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let names = vault.list(&folder).await?;
        for name in names {
            seen += 1;
            if seen > SECRETS_MAX {
                return Err(Failure::input(format!(
                    "there are more than {SECRETS_MAX} secrets below the path: name a folder"
                )));
            }
            let path = format!("{folder}{name}");
            if name.ends_with('/') {
                if path.matches('/').count() > DEPTH_MAX {
                    return Err(Failure::input(format!("{path} is too deep")));
                }
                folders.push(path);
                continue;
            }
            // A mapping names the whole path; a name of ours is the last part of it.
            let target = match target_of(&path, mappings) {
                Ok(Some(target)) => Ok(Some(target)),
                Ok(None) | Err(_) => target_of(&name, mappings),
            };
            let place = format!("{}/{path}", arguments.vault_mount);
            match target {
                Ok(None) => keys.left_out.push(path),
                Ok(Some(target)) => match vault.key(&path).await? {
                    Ok(value) => keys.found.push(Found {
                        place,
                        target,
                        value,
                    }),
                    Err(fault) => faults.push(format!("{place}: {fault}")),
                },
                Err(fault) => faults.push(format!("{place}: {fault}")),
            }
        }
    }
    if faults.is_empty() {
        keys.found.sort_by(|one, other| one.place.cmp(&other.place));
        Ok(keys)
    } else {
        faults.sort();
        Err(Failure::input(faults.join("\n")))
    }
}

struct Vault<'a> {
    http: reqwest::Client,
    url: &'a Url,
    token: HeaderValue,
    mount: &'a str,
    field: Option<&'a str>,
}

impl<'a> Vault<'a> {
    fn new(
        url: &'a Url,
        arguments: &'a VaultArguments,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(Failure::input_with_hint(
                format!("keys would come from {url} unencrypted"),
                "use https://, or a Vault on this machine",
            ));
        }
        let token = match &arguments.vault_token_file {
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| {
                    Failure::input(format!("{} cannot be read: {error}", path.display()))
                })?;
                Some(Zeroizing::new(text.trim().to_owned()))
            }
            None => environment.vault_token.clone(),
        };
        let token = token.ok_or_else(|| {
            Failure::input_with_hint(
                "there is no token for the Vault",
                "set BAO_TOKEN or VAULT_TOKEN, or give --vault-token-file",
            )
        })?;
        let mut header = HeaderValue::try_from(token.as_str())
            .map_err(|_| Failure::input("the Vault's token has letters that no token has"))?;
        header.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| Failure::input(format!("no HTTP client can be made: {error}")))?;
        Ok(Self {
            http,
            url,
            token: header,
            mount: arguments.vault_mount.trim_matches('/'),
            field: arguments.vault_field.as_deref(),
        })
    }

    /// What is below a folder; nothing when there is no such folder.
    async fn list(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let url = self.address("metadata", folder)?;
        let (status, body) = self.ask(url, true).await?;
        match status {
            StatusCode::OK => {
                let listing: Listing = self.parsed(&body, status)?;
                Ok(listing.data.keys)
            }
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            status => Err(self.refused(status, folder)),
        }
    }

    /// The key in a secret; the inner error is about this secret alone.
    async fn key(&self, path: &str) -> Result<Result<SecretValue, String>, Failure> {
        let url = self.address("data", path)?;
        let (status, body) = self.ask(url, false).await?;
        let fields = match status {
            StatusCode::OK => {
                let secret: Secret = self.parsed(&body, status)?;
                secret.data.data
            }
            // The newest version was deleted.
            StatusCode::NOT_FOUND => None,
            status => return Err(self.refused(status, path)),
        };
        let Some(mut fields) = fields else {
            return Ok(Err("its newest version was deleted".to_owned()));
        };
        let name = match self.field {
            Some(name) => Some(name.to_owned()),
            None if fields.len() == 1 => fields.keys().next().cloned(),
            None => {
                let usual = FIELDS.iter().find(|name| fields.contains_key(**name));
                usual.map(|name| (*name).to_owned())
            }
        };
        let Some(name) = name else {
            return Ok(Err(format!(
                "which of its {} fields is the key? say it with --vault-field",
                fields.len()
            )));
        };
        Ok(match fields.remove(&name) {
            Some(Field::Text(text)) => {
                check_value(&text).map(|()| SecretValue::new(text.to_string()))
            }
            Some(Field::Other(_)) => Err(format!("its field `{name}` is no text")),
            None => Err(format!("it has no field `{name}`")),
        })
    }

    fn address(&self, what: &str, path: &str) -> Result<Url, Failure> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::input("the Vault's address cannot carry a path"))?
            .pop_if_empty()
            .push("v1")
            .extend(self.mount.split('/'))
            .push(what)
            .extend(path.split('/'));
        Ok(url)
    }

    async fn ask(
        &self,
        mut url: Url,
        list: bool,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), Failure> {
        if list {
            url.set_query(Some("list=true"));
        }
        let request = self
            .http
            .request(Method::GET, url)
            .header("x-vault-token", self.token.clone());
        let unreachable = |error: reqwest::Error| Failure::Unreachable {
            url: self.url.to_string(),
            reason: innermost(&error),
            untrusted: false,
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        Ok((status, Zeroizing::new(body.to_vec())))
    }

    fn parsed<T: for<'de> Deserialize<'de>>(
        &self,
        body: &[u8],
        status: StatusCode,
    ) -> Result<T, Failure> {
        // What serde says of a fault could repeat a value.
        serde_json::from_slice(body).map_err(|_| Failure::Foreign {
            message: format!(
                "{} answered with status {}, but not as a KV version 2 mount does: is `{}` one?",
                self.url,
                status.as_u16(),
                self.mount
            ),
        })
    }

    fn refused(&self, status: StatusCode, path: &str) -> Failure {
        match status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Failure::VaultForbidden {
                message: format!(
                    "the Vault's token may not read {}/{path} (status {})",
                    self.mount,
                    status.as_u16()
                ),
            },
            status => Failure::Foreign {
                message: format!(
                    "{} answered for {}/{path} with status {}",
                    self.url,
                    self.mount,
                    status.as_u16()
                ),
            },
        }
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
