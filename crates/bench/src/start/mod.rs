//! How long the server takes from its start to its first answers, and what it holds in memory when
//! nobody asks, on folders of different sizes.

pub mod installation;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use http::{HeaderValue, Method, Request, header};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    arguments::RunArguments,
    checks,
    load::{Connection, Limit, Pace, drive},
    parts::SUBJECT_KEY,
    process::Process,
    report::{StartReport, StartTarget, Starting},
    scenario::{Role, Scenario},
    server::{self, Server, TENANT, exchange},
    session::progress,
    stopwatch::Stopwatch,
};
use installation::KeyHolder;

/// How long after its first answers a server is left alone before its memory is looked at.
const IDLE: Duration = Duration::from_secs(4);
/// How often a server that starts is asked.
const PAUSE: Duration = Duration::from_millis(1);
/// Nobody calls a provider here.
const NO_UPSTREAM: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(
    std::net::Ipv4Addr::LOCALHOST,
    9,
));
/// How many connections bring the events of the journal.
const WRITERS: u16 = 4;
/// The largest journal that a quick run has.
const QUICK_EVENTS: u64 = 100_000;

/// A folder that the server is started on.
struct Case {
    name: String,
    folder: TempDir,
    /// Who asks for a key.
    holders: Vec<KeyHolder>,
}

/// Starts the floor and the server on each folder, in turns.
pub async fn measure(
    arguments: &RunArguments,
    program: &Path,
    dir: &Path,
) -> anyhow::Result<StartReport> {
    let (runs, _) = arguments.extent();
    let events = match arguments.quick {
        true => arguments.events.min(QUICK_EVENTS),
        false => arguments.events,
    };
    progress("start: making an empty installation");
    let empty = empty(program, dir).await?;
    progress("start: making a large installation");
    let large = large(arguments, &empty, dir).await?;
    progress("start: writing a journal");
    let written = written(program, dir, events).await?;
    let events = written.1;
    let cases = [empty, large, written.0];

    let mut floor = Vec::new();
    let mut starts: [Vec<Starting>; 3] = Default::default();
    for run in 0..runs {
        progress(&format!("start: run {} of {runs}", run + 1));
        floor.push(start_floor().await?);
        for (case, starts) in cases.iter().zip(&mut starts) {
            let holder = pick(&case.holders, run);
            starts.push(start(program, &case.folder, holder).await?);
        }
    }
    let checks = vec![
        "every start of an installation with keys handed out the right one, and ended well"
            .to_owned(),
        checked(program, &cases[2].folder, events).await?,
    ];
    let mut targets = vec![StartTarget::new("bare axum".to_owned(), floor)?];
    for (case, starts) in cases.into_iter().zip(starts) {
        targets.push(StartTarget::new(case.name, starts)?);
    }
    Ok(StartReport { targets, checks })
}

/// Another one in each run.
fn pick(holders: &[KeyHolder], run: u32) -> Option<&KeyHolder> {
    let place = usize::try_from(run).ok()?.checked_rem(holders.len())?;
    holders.get(place)
}

fn folder(dir: &Path) -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("diamond-bench-start-")
        .tempdir_in(dir)
        .with_context(|| format!("{} cannot hold a folder", dir.display()))
}

fn data_of(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

async fn empty(program: &Path, dir: &Path) -> anyhow::Result<Case> {
    let folder = folder(dir)?;
    start(program, &folder, None).await?;
    Ok(Case {
        name: "diamond-server, nothing in it".to_owned(),
        folder,
        holders: Vec::new(),
    })
}

async fn large(arguments: &RunArguments, empty: &Case, dir: &Path) -> anyhow::Result<Case> {
    // In memory, where a hundred thousand commits take seconds.
    let memory = Path::new("/dev/shm");
    let workshop = folder(memory).or_else(|_| self::folder(dir))?;
    copy(&data_of(&empty.folder), &data_of(&workshop))?;
    let extent = arguments.installation;
    let holders = installation::generate(&data_of(&workshop), extent).await?;
    let folder = folder(dir)?;
    copy(&data_of(&workshop), &data_of(&folder))?;
    Ok(Case {
        name: format!(
            "diamond-server, {} tenants, {} keys",
            extent.tenants,
            extent.tenants * extent.keys_per_tenant
        ),
        folder,
        holders,
    })
}

async fn written(program: &Path, dir: &Path, events: u64) -> anyhow::Result<(Case, u64)> {
    let server = Server::start(program, dir, NO_UPSTREAM).await?;
    let batch = Scenario::UsageBatch;
    let load = batch.load(Role::Subject, &server.token)?;
    let each = events / (batch.facts_per_request() as u64) / u64::from(WRITERS);
    let mut open = Vec::new();
    for _ in 0..WRITERS {
        open.push(Connection::open(server.process.address()).await?);
    }
    let limit = Limit::Requests(each.max(1));
    let (open, sent) = drive(open, &load, Pace::Closed, limit).await?;
    drop(open);
    let events = sent.requests() * batch.facts_per_request() as u64;
    let holder = KeyHolder {
        token: server.token.clone(),
        path: format!("/api/keys/openai/{TENANT}"),
        key: SUBJECT_KEY.to_owned(),
    };
    let case = Case {
        name: format!("diamond-server, {events} events in its journal"),
        folder: server.stop().await?,
        holders: vec![holder],
    };
    Ok((case, events))
}

/// Every event is still there, and counted right.
async fn checked(program: &Path, folder: &TempDir, events: u64) -> anyhow::Result<String> {
    let server = Server::start_in(program, folder.path(), NO_UPSTREAM).await?;
    let tokens = Scenario::UsageBatch.tokens();
    let tokens = tokens.context("a report has tokens")?;
    let held = checks::ledger(&server, events, tokens).await?;
    Ok(held.join("; "))
}

async fn start_floor() -> anyhow::Result<Starting> {
    let stopwatch = Stopwatch::start();
    let mut process = Process::start_part(&["floor-usage"]).await?;
    let mut request = Request::default();
    *request.method_mut() = Method::POST;
    exchange(process.address(), "/api/usage", request).await?;
    let ready = stopwatch.elapsed();
    look(&mut process, ready, None).await
}

async fn start(
    program: &Path,
    folder: &TempDir,
    holder: Option<&KeyHolder>,
) -> anyhow::Result<Starting> {
    let log = folder.path().join("server.log");
    let stopwatch = Stopwatch::start();
    let mut process = server::launch(program, &data_of(folder), &log, NO_UPSTREAM)?;
    let ready = server::ready(&mut process, PAUSE).await;
    ready.with_context(|| format!("diamond-server does not start: {}", server::tail(&log)))?;
    let ready = stopwatch.elapsed();
    let first_key = match holder {
        None => None,
        Some(holder) => {
            ask(&process, holder).await?;
            Some(stopwatch.elapsed())
        }
    };
    let starting = look(&mut process, ready, first_key).await?;
    process.terminate().await?;
    Ok(starting)
}

async fn ask(process: &Process, holder: &KeyHolder) -> anyhow::Result<()> {
    let mut request = Request::new(r#"{"userId":"u1"}"#.to_owned().into());
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    let bearer = HeaderValue::try_from(format!("Bearer {}", holder.token))?;
    headers.insert(header::AUTHORIZATION, bearer);
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let answer: Value = exchange(process.address(), &holder.path, request).await?;
    ensure!(
        answer["apiKey"] == holder.key.as_str(),
        "{} was answered with another key",
        holder.path
    );
    Ok(())
}

/// Looks at what a start has cost, now and when the process has been idle.
async fn look(
    process: &mut Process,
    ready: Duration,
    first_key: Option<Duration>,
) -> anyhow::Result<Starting> {
    let used = process.usage()?;
    tokio::time::sleep(IDLE).await;
    process.check_alive()?;
    let memory = process.memory()?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Starting {
        ready_ms: ms(ready),
        first_key_ms: first_key.map(ms),
        cpu_ms: ms(used.0),
        idle_mib: memory.resident_mib,
        peak_mib: memory.peak_mib,
    })
}

/// Copies a folder and the folders in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            std::fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
