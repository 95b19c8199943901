//! `ai services:list` and `ai services:check`.

use std::path::PathBuf;

use clap::Args;
use diamond_api_types::{
    CheckServiceRequest, CheckServiceResponse, KeyMinting, ListServicesResponse,
    ServiceCapabilitiesResponse, ServiceResponse, ServiceSource,
};

use super::Session;
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// A longer declaration is none.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Which file.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The file that declares a service
    file: PathBuf,
}

/// Lists services.
pub async fn list(session: &Session<'_>, terminal: &mut Terminal) -> Result<(), Failure> {
    let answer = session
        .client(terminal)?
        .get(&["api", "services"], &())
        .await?;
    session.present(&answer, terminal, |page: ListServicesResponse, terminal| {
        terminal.data(&render(
            [
                "SERVICE", "NAME", "CODE", "ADDRESS", "KEYS", ">PRICES", "FROM",
            ],
            page.items.iter().map(|service| {
                [
                    service.service.to_string(),
                    name(service),
                    service.component_code.clone(),
                    or_dash(service.base_url.as_ref()),
                    can(&service.capabilities),
                    service.prices.to_string(),
                    from(service),
                ]
            }),
        ))
    })
}

fn name(service: &ServiceResponse) -> String {
    match &service.retired_since {
        Some(day) => format!("{} (ended {day})", service.display_name),
        None => service.display_name.clone(),
    }
}

/// What can be done with keys, in words.
fn can(capabilities: &ServiceCapabilitiesResponse) -> String {
    let made = match capabilities.minting {
        KeyMinting::Api => "made",
        KeyMinting::PersonInPreparedPlace => "put in a prepared place",
        KeyMinting::Person => "put",
    };
    let words = [
        (capabilities.list, "listed"),
        (capabilities.revoke, "revoked"),
        (capabilities.disable, "switched"),
        (capabilities.short_lived, "short-lived"),
    ];
    let words = words.into_iter().filter(|(can, _)| *can);
    let words: Vec<&str> = std::iter::once(made)
        .chain(words.map(|(_, word)| word))
        .collect();
    words.join(", ")
}

fn from(service: &ServiceResponse) -> String {
    match service.source {
        ServiceSource::BuiltIn => "the program".to_owned(),
        ServiceSource::Declared => "a declaration in the program".to_owned(),
        ServiceSource::File => or_dash(service.file.as_ref()),
    }
}

/// Says what is wrong with a file.
pub async fn check(
    arguments: CheckArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let shown = arguments.file.display().to_string();
    let text = read(&arguments.file, &shown)?;
    let request = CheckServiceRequest {
        file: shown.clone(),
        text,
    };
    let answer = session
        .client(terminal)?
        .post(&["api", "services", "check"], &request)
        .await?;
    let found: CheckServiceResponse = answer.read()?;
    session.present(
        &answer,
        terminal,
        |found: CheckServiceResponse, terminal| {
            for problem in &found.problems {
                terminal.data(&format!(
                    "{shown}:{}:{}: {}",
                    problem.line, problem.column, problem.message
                ))?;
            }
            if found.usable {
                terminal.data(&format!("{shown} declares a service"))?;
            }
            Ok(())
        },
    )?;
    match found.problems.len() {
        0 => Ok(()),
        1 => Err(Failure::CheckFailed(format!("{shown} has a fault"))),
        count => Err(Failure::CheckFailed(format!("{shown} has {count} faults"))),
    }
}

fn read(file: &PathBuf, shown: &str) -> Result<String, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::input(format!("{shown} cannot be read: {error}"));
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    if size > FILE_BYTES_MAX {
        let message =
            format!("{shown} is longer than {FILE_BYTES_MAX} bytes: it declares no service");
        return Err(Failure::input(message));
    }
    std::fs::read_to_string(file).map_err(unreadable)
}
