//! `config set-profile`, `config use-profile`, `config list`.

use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::Session;
use crate::{
    Terminal,
    config::{Profile, ProfileFile, server_url},
    failure::Failure,
    table::render,
};

/// A profile to keep. Its address is `--url`, its authorities `--ca-file`, its token comes from
/// standard input.
#[derive(Debug, Args)]
pub struct SetProfile {
    /// The profile's name
    name: String,
    /// Keep the address only; no token is read
    #[arg(long)]
    no_token: bool,
}

/// A profile to prefer.
#[derive(Debug, Args)]
pub struct UseProfile {
    /// The profile's name
    name: String,
}

/// Keeps a profile; the first one becomes the default.
pub fn set_profile(
    arguments: SetProfile,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let SetProfile { name, no_token } = arguments;
    let url = session.named_url().ok_or_else(|| {
        Failure::input_with_hint(
            "a profile needs the server's address",
            format!("diamond config set-profile {name} --url URL < token-file"),
        )
    })?;
    let url = server_url(url)?.to_string();
    let path = path(session)?;
    let mut file = ProfileFile::read(&path)?;
    let token = if no_token {
        None
    } else {
        Some(Zeroizing::new(terminal.secret("token")?.to_string()))
    };
    let profile = Profile {
        url,
        token,
        ca_file: session.named_ca_file(),
    };
    file.profiles.insert(name.clone(), profile);
    file.default_profile.get_or_insert_with(|| name.clone());
    file.write(&path)?;
    terminal.message(&format!("profile `{name}` is kept in {}", path.display()));
    Ok(())
}

/// Chooses the default profile.
pub fn use_profile(
    arguments: &UseProfile,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let path = path(session)?;
    let mut file = ProfileFile::read(&path)?;
    let name = &arguments.name;
    if !file.profiles.contains_key(name) {
        return Err(Failure::input_with_hint(
            format!("there is no profile `{name}`"),
            "diamond config list shows them",
        ));
    }
    file.default_profile = Some(name.clone());
    file.write(&path)?;
    terminal.message(&format!("profile `{name}` is used from now on"));
    Ok(())
}

/// Lists profiles.
pub fn list(session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    let file = ProfileFile::read(&path(session)?)?;
    if session.is_json() {
        let profiles: Vec<_> = file
            .profiles
            .iter()
            .map(|(name, profile)| {
                serde_json::json!({
                    "name": name,
                    "url": profile.url,
                    "default": file.default_profile.as_ref() == Some(name),
                    "hasToken": profile.token.is_some(),
                })
            })
            .collect();
        return terminal.data(&serde_json::json!({ "items": profiles }).to_string());
    }
    terminal.data(&render(
        ["PROFILE", "URL", "DEFAULT", "TOKEN"],
        file.profiles.iter().map(|(name, profile)| {
            let default = file.default_profile.as_ref() == Some(name);
            [
                name.clone(),
                profile.url.clone(),
                if default { "yes" } else { "" }.to_owned(),
                if profile.token.is_some() {
                    "kept"
                } else {
                    "none"
                }
                .to_owned(),
            ]
        }),
    ))
}

fn path(session: &Session<'_>) -> Result<PathBuf, Failure> {
    session
        .environment
        .config_file
        .clone()
        .ok_or_else(|| Failure::input("there is no home folder to keep profiles in (HOME)"))
}
