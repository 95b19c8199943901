//! `ai keys:import`: takes keys over from a table, a file of variables, or a Vault or OpenBao.
//!
//! Every key is compared with what the server has before it is put, so a run that was killed is
//! finished by running it again. No value is in an argument, a message or a report.

mod carry_out;
mod csv;
mod env_file;
mod mapping;
mod report;
mod vault;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use diamond_domain::{SecretValue, ServiceId, TenantId};
use zeroize::Zeroizing;

use super::Kind;
use crate::{Terminal, commands::Session, failure::Failure};
use carry_out::carry_out;
use csv::Columns;
use mapping::Mapping;
use report::Report;
use vault::VaultArguments;

/// A file of 10,000 keys has some two.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Where the keys are, and whose they become.
#[derive(Debug, Args)]
#[group(id = "source", required = true, multiple = false, args = ["csv", "env_file", "vault"])]
pub struct Arguments {
    /// A table with a heading (RFC 4180): columns service, tenant, perhaps kind, and key
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// A file of variables: AI_OPENAI_ACME=… or ai-openai-acme=…, with -customer for a customer's
    /// own; other names are left out unless --map says whose they are
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// The address of a Vault or OpenBao: the secrets of a KV version 2 mount, named
    /// ai-openai-acme or ai-openai-acme-customer
    #[arg(long, value_name = "URL")]
    vault: Option<reqwest::Url>,
    #[command(flatten)]
    vault_arguments: VaultArguments,
    /// What the columns are called: service=provider,tenant=customer,kind=type,key=secret
    #[arg(long, value_name = "NAMES", requires = "csv")]
    columns: Option<Columns>,
    /// Whose a variable or secret is: NAME=SERVICE/TENANT or NAME=SERVICE/TENANT/customer; repeat it
    #[arg(long = "map", value_name = "NAME=TARGET", conflicts_with = "csv")]
    mappings: Vec<Mapping>,
    /// What rows of a table are that do not say it
    #[arg(long, value_enum, default_value = "dedicated")]
    kind: Kind,
    /// Show what would happen, ask the services whether they know the keys, and keep nothing
    #[arg(long)]
    plan: bool,
    /// Keep the keys without asking the services whether they know them
    #[arg(long)]
    no_validate: bool,
    /// How many keys are worked on at one time
    #[arg(long, default_value_t = 4, value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=32))]
    concurrency: u16,
}

/// What a key is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub service: ServiceId,
    pub tenant: TenantId,
    pub kind: Kind,
}

/// A key that was found.
#[derive(Debug)]
pub struct Found {
    /// Where, for a person: a line of a file, a path.
    pub place: String,
    pub target: Target,
    pub value: SecretValue,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Keys {
    pub found: Vec<Found>,
    /// Names of what is nobody's key.
    pub left_out: Vec<String>,
}

/// Takes keys over.
pub async fn import(
    arguments: Arguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let keys = match (&arguments.csv, &arguments.env_file, &arguments.vault) {
        (Some(path), ..) => {
            let columns = arguments.columns.clone().unwrap_or_default();
            csv::read(path, &read(path, terminal)?, &columns, arguments.kind)?
        }
        (_, Some(path), _) => env_file::read(path, &read(path, terminal)?, &arguments.mappings)?,
        (_, _, Some(url)) => {
            let (mappings, more) = (&arguments.mappings, &arguments.vault_arguments);
            vault::read(url, more, mappings, session.environment).await?
        }
        _ => return Err(Failure::input("it is not said where the keys are")),
    };
    check_targets(&keys.found)?;
    let client = session.client(terminal)?;
    if !keys.left_out.is_empty() {
        terminal.message(&format!(
            "left out, because their names are no key's: {}",
            crate::table::printable(&keys.left_out.join(", "))
        ));
    }
    let mut report = Report::new(session.is_json(), arguments.plan, &keys.found);
    carry_out(
        keys.found,
        &client,
        carry_out::Manner {
            plan: arguments.plan,
            validate: !arguments.no_validate,
            concurrency: usize::from(arguments.concurrency),
        },
        &mut report,
        terminal,
    )
    .await?;
    report.end(terminal)
}

/// The whole file, wiped when it is dropped.
fn read(path: &Path, terminal: &mut Terminal) -> Result<Zeroizing<String>, Failure> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Failure::input(format!("{shown} cannot be read: {error}"));
    let metadata = fs::metadata(path).map_err(cannot)?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Failure::input(format!(
            "{shown} has {} bytes, more than the {FILE_BYTES_MAX} that are read; import it in parts",
            metadata.len()
        )));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        terminal.message(&format!(
            "warning: others may read {shown}, and it holds keys"
        ));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(cannot)?);
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::input(format!("{shown} is not text (UTF-8)"))),
    }
}

/// Two keys for one purpose: nobody can tell which is meant.
fn check_targets(found: &[Found]) -> Result<(), Failure> {
    let mut places: BTreeMap<&Target, &str> = BTreeMap::new();
    let mut faults = Vec::new();
    for key in found {
        if let Some(first) = places.insert(&key.target, &key.place) {
            let Target {
                service,
                tenant,
                kind,
            } = &key.target;
            faults.push(format!(
                "{}: the {} key of {tenant} for {service} stands at {first} already",
                key.place,
                kind.as_str()
            ));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::input(faults.join("\n")))
    }
}
