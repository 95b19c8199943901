//! `ai keys:rotate`, `ai keys:provision`, `ai rotations:list`, `ai rotation:show`.

use std::{collections::HashMap, time::Duration};

use clap::Args;
use diamond_api_types::{
    Limit, ListRotationsParams, ListRotationsResponse, ProvisionKeyRequest, RotateAllRequest,
    RotateAllResponse, RotateKeyRequest, RotationResponse,
};
use diamond_domain::{RotationId, ServiceId, TenantId, Tier, UserId};
use indicatif::ProgressBar;

use super::{Session, session::mention_rest};
use crate::{
    Terminal,
    client::{Answer, Client},
    failure::Failure,
    table::{or_dash, printable, render},
};

/// How often is looked how far a rotation is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many rotations are asked for at once while they go on.
const PAGE: u32 = 1_000;

/// Which key, or all of a service.
#[derive(Debug, Args)]
pub struct RotateArguments {
    /// The AI service, such as openai
    #[arg(required_unless_present = "of_service")]
    service: Option<ServiceId>,
    /// The tenant
    #[arg(required_unless_present = "of_service")]
    tenant: Option<TenantId>,
    /// All keys of this service; with --all
    #[arg(
        long = "service", id = "of_service", value_name = "SERVICE", requires = "all",
        conflicts_with_all = ["service", "tenant"]
    )]
    of_service: Option<ServiceId>,
    /// Replace every dedicated key of the service; interrupted, it is simply given again
    #[arg(long, requires = "of_service")]
    all: bool,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", conflicts_with = "all")]
    reason: Option<String>,
    /// Begin, and do not wait until the new key is in use
    #[arg(long)]
    no_wait: bool,
}

/// For whom a first key is made.
#[derive(Debug, Args)]
pub struct ProvisionArguments {
    /// The AI service, such as openai
    service: ServiceId,
    /// The tenant
    tenant: TenantId,
    /// The tier that the tenant is believed to have
    #[arg(long)]
    tier: Option<Tier>,
    /// Who asks for it, for the audit log
    #[arg(long, value_name = "USER")]
    requested_by: Option<UserId>,
}

/// Which rotations.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Of this tenant only
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Of this service only
    #[arg(long)]
    service: Option<ServiceId>,
    /// How many at most
    #[arg(long, value_name = "N")]
    limit: Option<Limit>,
    /// Where to go on
    #[arg(long)]
    cursor: Option<String>,
}

/// Which rotation.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// Its name: rot_…
    rotation: RotationId,
}

/// Replaces a key, or all of a service.
pub async fn rotate(
    arguments: RotateArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    if let Some(service) = &arguments.of_service {
        return rotate_all(service, arguments.no_wait, session, terminal).await;
    }
    let (Some(service), Some(tenant)) = (&arguments.service, &arguments.tenant) else {
        return Err(Failure::input("a service and a tenant are needed"));
    };
    let reason = arguments.reason.as_deref().map(str::parse).transpose();
    let reason = reason.map_err(|error: diamond_api_types::LabelError| {
        Failure::input(format!("--reason cannot be used: {error}"))
    })?;
    let client = session.client(terminal)?;
    let path = ["api", "keys", service.as_str(), tenant.as_str(), "rotate"];
    let answer = client.post(&path, &RotateKeyRequest { reason }).await?;
    let answer = match arguments.no_wait {
        true => answer,
        false => in_use(&client, answer).await?,
    };
    show_one(&answer, session, terminal)
}

/// Makes a first key.
pub async fn provision(
    arguments: ProvisionArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let client = session.client(terminal)?;
    let (service, tenant) = (&arguments.service, &arguments.tenant);
    let path = [
        "api",
        "keys",
        service.as_str(),
        tenant.as_str(),
        "provision",
    ];
    let request = ProvisionKeyRequest {
        requested_by: arguments.requested_by,
        tier: arguments.tier,
    };
    let answer = client.post(&path, &request).await?;
    let answer = in_use(&client, answer).await?;
    show_one(&answer, session, terminal)
}

/// Lists rotations.
pub async fn list(
    arguments: ListArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let query = ListRotationsParams {
        tenant_id: arguments.tenant,
        service: arguments.service,
        limit: arguments.limit,
        cursor: arguments.cursor,
    };
    let client = session.client(terminal)?;
    let answer = client.get(&["api", "rotations"], &query).await?;
    session.present(
        &answer,
        terminal,
        |list: ListRotationsResponse, terminal| {
            terminal.data(&table(&list.items))?;
            mention_rest(list.next_cursor.as_deref(), terminal);
            Ok(())
        },
    )
}

/// Shows a rotation.
pub async fn show(
    arguments: &ShowArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let id = arguments.rotation.to_string();
    let client = session.client(terminal)?;
    let answer = client.get(&["api", "rotations", &id], &()).await?;
    show_one(&answer, session, terminal)
}

/// Asks until the new key is in use, or nobody but a person can help.
async fn in_use(client: &Client, mut answer: Answer) -> Result<Answer, Failure> {
    loop {
        let rotation: RotationResponse = answer.read()?;
        if !is_under_way(&rotation) || rotation.failures > 2 {
            return Ok(answer);
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let id = rotation.id.to_string();
        answer = client.get(&["api", "rotations", &id], &()).await?;
    }
}

/// Whether the new key is not in use yet and may be without anybody's help.
fn is_under_way(rotation: &RotationResponse) -> bool {
    let open = ["planned", "created", "tested"].contains(&rotation.state.as_str());
    open && !rotation.waits_for_person
}

/// Begins a rotation of every key of the service, and waits until all new keys are in use.
async fn rotate_all(
    service: &ServiceId,
    no_wait: bool,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let client = session.client(terminal)?;
    let path = ["api", "services", service.as_str(), "rotate"];
    let bar = terminal.bar("keys {bar:40} {pos}/{len}");
    let mut begun: Vec<RotationResponse> = Vec::new();
    let mut cursor = None;
    loop {
        let request = RotateAllRequest { cursor };
        let page: RotateAllResponse = client.post(&path, &request).await?.read()?;
        begun.extend(page.items);
        bar.set_length(begun.len() as u64);
        let Some(next) = page.next_cursor else { break };
        cursor = Some(
            next.parse()
                .map_err(|_| Failure::input("the server's cursor cannot be sent back to it"))?,
        );
    }
    if !no_wait {
        wait_for_all(&client, service, &mut begun, &bar).await?;
    }
    bar.finish_and_clear();
    if session.is_json() {
        let items = serde_json::json!({ "items": begun });
        return terminal.data(&items.to_string());
    }
    let count =
        |state: fn(&RotationResponse) -> bool| begun.iter().filter(|one| state(one)).count();
    terminal.data(&format!(
        "{} keys of {service}: {} replaced, {} under way, {} wait for a person, {} failed",
        begun.len(),
        count(|one| one.promoted_at.is_some()),
        count(is_under_way),
        count(|one| one.waits_for_person),
        count(|one| one.state == "failed"),
    ))?;
    let troubled: Vec<RotationResponse> = begun
        .into_iter()
        .filter(|one| one.waits_for_person || one.state == "failed")
        .collect();
    if troubled.is_empty() {
        return Ok(());
    }
    terminal.data(&table(&troubled))?;
    Err(Failure::CheckFailed(format!(
        "{} keys were not replaced",
        troubled.len()
    )))
}

/// Looks at the newest rotations until none of ours is under way.
async fn wait_for_all(
    client: &Client,
    service: &ServiceId,
    begun: &mut [RotationResponse],
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let places = begun.iter().enumerate();
    let places: HashMap<RotationId, usize> = places.map(|(place, one)| (one.id, place)).collect();
    loop {
        let open = begun.iter().filter(|one| is_under_way(one)).count();
        bar.set_position((begun.len() - open) as u64);
        let Some(oldest) = begun
            .iter()
            .filter(|one| is_under_way(one))
            .map(|one| one.id)
            .min()
        else {
            return Ok(());
        };
        tokio::time::sleep(LOOK_EVERY).await;
        let mut cursor = None;
        loop {
            let query = ListRotationsParams {
                tenant_id: None,
                service: Some(service.clone()),
                limit: PAGE.to_string().parse().ok(),
                cursor,
            };
            let answer = client.get(&["api", "rotations"], &query).await?;
            let page: ListRotationsResponse = answer.read()?;
            for found in page.items {
                if let Some(place) = places.get(&found.id) {
                    begun[*place] = found;
                }
            }
            // Newest first: what is older than the oldest open one is over.
            let behind = |next: &String| next.parse().is_ok_and(|id: RotationId| id > oldest);
            cursor = page.next_cursor.filter(behind);
            if cursor.is_none() {
                break;
            }
        }
    }
}

fn show_one(
    answer: &Answer,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    session.present(answer, terminal, |rotation: RotationResponse, terminal| {
        terminal.data(&table(std::slice::from_ref(&rotation)))?;
        if let Some(reason) = &rotation.reason {
            terminal.message(&printable(reason));
        }
        Ok(())
    })
}

fn table(rotations: &[RotationResponse]) -> String {
    render(
        [
            "ROTATION", "SERVICE", "TENANT", "CAUSE", "STATE", ">OLD", ">NEW", "BEGUN", "IN USE",
            "ENDED",
        ],
        rotations.iter().map(|one| {
            let time = |time: Option<jiff::Timestamp>| or_dash(time.map(|at| format!("{at:.0}")));
            [
                one.id.to_string(),
                one.service.to_string(),
                or_dash(one.tenant_id.as_ref()),
                one.cause.clone(),
                match one.waits_for_person {
                    true => "waits for a person".to_owned(),
                    false => one.state.clone(),
                },
                or_dash(one.former_version),
                or_dash(one.version),
                format!("{:.0}", one.created_at),
                time(one.promoted_at),
                time(one.ended_at),
            ]
        }),
    )
}
