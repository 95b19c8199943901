//! diamond-server as a process: started on an empty folder, set up and asked over HTTP, as anybody
//! would.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    load::Connection,
    parts::SUBJECT_KEY,
    process::{Process, START_LIMIT},
    stopwatch::Stopwatch,
};

/// The tenant whose key is handed out and used.
pub const TENANT: &str = "bench";
const READY_PAUSE: Duration = Duration::from_millis(10);
/// The questions after a run read every event of it; the measured requests take far less.
const API_TIMEOUT_SECONDS: &str = "600";
/// Warnings, and the few lines of its start and end: they explain a connection that it closed.
const LOG_FILTER: &str = "warn,diamond_server::run=info,diamond_server::listen=info";
const LOG_LINES_SHOWN: usize = 20;

/// A running diamond-server with one tenant, its key, and a token.
#[derive(Debug)]
pub struct Server {
    pub process: Arc<Process>,
    /// The token of the tenant's program.
    pub token: String,
    /// Its data folder.
    pub data: PathBuf,
    operator: String,
    log: PathBuf,
    // Removed after the process has ended.
    folder: Option<TempDir>,
}

impl Server {
    /// Starts it with its stores in a new folder under `dir`, and OpenAI at `upstream`, and sets it
    /// up.
    pub async fn start(program: &Path, dir: &Path, upstream: SocketAddr) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("diamond-bench-")
            .tempdir_in(dir)
            .with_context(|| format!("{} cannot hold a folder", dir.display()))?;
        let mut server = Self::start_in(program, folder.path(), upstream).await?;
        server.folder = Some(folder);
        server.set_up().await?;
        Ok(server)
    }

    /// Starts it in a folder that it was started in before, or that is empty; the folder stays.
    pub async fn start_in(
        program: &Path,
        folder: &Path,
        upstream: SocketAddr,
    ) -> anyhow::Result<Self> {
        let data = folder.join("data");
        let log = folder.join("server.log");
        let mut process = launch(program, &data, &log, upstream)?;
        if let Err(error) = ready(&mut process, READY_PAUSE).await {
            return Err(error.context(format!("diamond-server does not start: {}", tail(&log))));
        }
        let file = data.join("operator-token");
        let operator = std::fs::read_to_string(&file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        Ok(Self {
            process: Arc::new(process),
            token: String::new(),
            data,
            operator: operator.trim().to_owned(),
            log,
            folder: None,
        })
    }

    async fn set_up(&mut self) -> anyhow::Result<()> {
        let tenant = json!({ "id": TENANT, "tier": "managed-enterprise" });
        self.tell(Method::POST, "/api/tenants", &tenant).await?;
        let key = json!({ "apiKey": SUBJECT_KEY, "validate": false });
        self.tell(
            Method::PUT,
            &format!("/api/keys/openai/{TENANT}/dedicated"),
            &key,
        )
        .await?;
        let token = json!({
            "tenantId": TENANT,
            "name": "bench",
            "owner": "diamond-bench",
            "purpose": "measuring what a request costs",
            "scopes": ["keys:reveal", "gateway", "usage:write"],
        });
        let answer = self.tell(Method::POST, "/api/tokens", &token).await?;
        let token = answer["token"]
            .as_str()
            .context("a new token has no `token`")?;
        self.token = token.to_owned();
        Ok(())
    }

    /// Asks as the operator.
    pub async fn ask(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    async fn tell(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(method, path, Bytes::from(body.to_string())).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Value> {
        let asked = format!("{method} {path}");
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        let headers = request.headers_mut();
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.operator))?;
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        exchange(self.process.address(), path, request)
            .await
            .context(asked)
    }

    /// Stops it as an operator would, and gives its folder, which holds the data.
    pub async fn stop(self) -> anyhow::Result<TempDir> {
        let process = Arc::into_inner(self.process).context("the server is still in use")?;
        process.terminate().await?;
        self.folder.context("the server's folder is not its own")
    }

    /// The last lines that it logged.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }
}

/// Starts the program on a data folder, on a free port; it is not ready yet.
pub fn launch(
    program: &Path,
    data: &Path,
    log: &Path,
    upstream: SocketAddr,
) -> anyhow::Result<Process> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .arg(data)
        // Settings of whoever runs this must not change what is measured.
        .env_clear()
        .env(
            "DIAMOND_SERVICES__OPENAI__BASE_URL",
            format!("http://{upstream}"),
        )
        .env("DIAMOND_LOG__FILTER", LOG_FILTER)
        .env("DIAMOND_API__TIMEOUT_SECONDS", API_TIMEOUT_SECONDS);
    Process::start(command, address, log)
}

/// Sends one request on a connection of its own; anything but success with JSON is an error.
pub async fn exchange(
    address: SocketAddr,
    path: &str,
    mut request: Request<Full<Bytes>>,
) -> anyhow::Result<Value> {
    *request.uri_mut() = path.parse()?;
    request
        .headers_mut()
        .insert(header::HOST, HeaderValue::try_from(address.to_string())?);
    let mut body = Vec::new();
    let mut connection = Connection::open(address).await?;
    let stopwatch = Stopwatch::start();
    let answer = connection
        .converse(async |conversation| conversation.exchange(request, &mut body, stopwatch).await)
        .await?;
    let status = answer.status;
    if !status.is_success() {
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body)
        .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(&body)))
}

/// Asks until it says that it is ready, with pauses.
pub async fn ready(process: &mut Process, pause: Duration) -> anyhow::Result<()> {
    let waiting = Stopwatch::start();
    loop {
        process.check_alive()?;
        let answer = exchange(process.address(), "/readyz", Request::default()).await;
        let Err(reason) = answer else { return Ok(()) };
        if waiting.elapsed() > START_LIMIT {
            return Err(reason.context("it is not ready"));
        }
        tokio::time::sleep(pause).await;
    }
}

/// An address that nobody has. Somebody could take it before the server does; then it does not
/// start, and says so.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines
        .get(lines.len().saturating_sub(LOG_LINES_SHOWN)..)
        .unwrap_or_default();
    if shown.is_empty() {
        "nothing was logged".into()
    } else {
        format!("\n{}", shown.join("\n"))
    }
}
