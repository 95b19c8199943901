//! A simulator and a server, each a process of its own, on ports and in folders of their own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use diamond_test_support::{ServerProcess, binary};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::death::SmallDisk;

/// Every scope but `operator`.
pub const TENANT_SCOPES: &[&str] = &[
    "keys:read",
    "keys:write",
    "keys:reveal",
    "gateway",
    "usage:write",
    "usage:read",
    "cost:read",
    "audit:read",
    "tenants:admin",
    "tokens:admin",
];

/// What the simulator plays and the gateway carries.
const SERVICES: &[&str] = &[
    "openai",
    "anthropic",
    "elevenlabs",
    "deepgram",
    "hume",
    "groq",
    "mistral",
    "xai",
    "cohere",
    "openrouter",
    "assemblyai",
    "cartesia",
    "gemini",
];

/// The simulated outside world.
pub struct Sim {
    process: ServerProcess,
    pub url: String,
}

impl Sim {
    /// Starts it with more arguments.
    pub async fn start(arguments: &[&str]) -> Self {
        let process = ServerProcess::spawn(&binary("diamond-sim"), |command| {
            command.args(["serve", "--listen", "127.0.0.1:0"]);
            command.args(arguments);
        });
        let line = process.line_with("http://127.0.0.1:").await;
        let url = format!("http://{}", address_in(&line));
        Self { process, url }
    }

    /// Where it speaks TLS, when it was told to.
    pub async fn tls_url(&self) -> String {
        let line = self.process.line_with("https://127.0.0.1:").await;
        format!("https://{}", address_in(&line))
    }
}

/// The outside world and the system under test.
pub struct World {
    /// Runs as long as this lives.
    _sim: Sim,
    pub sim_url: String,
    pub server: ServerProcess,
    pub url: String,
    /// Unmounted before the folder goes.
    pub disk: Option<SmallDisk>,
    pub dir: TempDir,
    pub operator: String,
    pub client: reqwest::Client,
    pub environment: Vec<(String, String)>,
}

/// An answer: its status and its JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub json: Value,
}

impl Answer {
    /// The JSON, when the status is this one.
    #[track_caller]
    pub fn with(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.json);
        self.json
    }

    /// The code of our error envelope, when the status is this one.
    #[track_caller]
    pub fn refused(self, status: u16) -> String {
        let json = self.with(status);
        let code = json["error"]["code"].as_str();
        code.unwrap_or_else(|| panic!("no error code in {json}"))
            .to_owned()
    }
}

impl World {
    /// Starts both on SQLite in an empty folder.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A second node beside `first`, on the same database, with a folder of its own.
    pub async fn join(first: &Self, environment: &[(&str, &str)]) -> Self {
        Self::start_as(environment, Some(&first.operator)).await
    }

    /// The same with more environment for the server.
    pub async fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_as(environment, None).await
    }

    /// The same with the data folder on a filesystem of its own of this size.
    pub async fn start_on_small_disk(megabytes: u32, environment: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = SmallDisk::mount(&dir.path().join("data"), megabytes);
        let sim = Sim::start(&[]).await;
        let client = reqwest::Client::new();
        Self::start_in(dir, Some(disk), sim, environment, None, client).await
    }

    async fn start_as(environment: &[(&str, &str)], operator: Option<&str>) -> Self {
        let sim = Sim::start(&[]).await;
        Self::start_beside(sim, environment, operator, reqwest::Client::new()).await
    }

    /// Starts the server beside a simulator; `client` is what asks it.
    pub async fn start_beside(
        sim: Sim,
        environment: &[(&str, &str)],
        operator: Option<&str>,
        client: reqwest::Client,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, None, sim, environment, operator, client).await
    }

    async fn start_in(
        dir: TempDir,
        disk: Option<SmallDisk>,
        sim: Sim,
        environment: &[(&str, &str)],
        operator: Option<&str>,
        client: reqwest::Client,
    ) -> Self {
        let sim_url = sim.url.clone();
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (server, url) = serve(&dir, &sim_url, &environment, &client).await;
        let operator = operator.map_or_else(
            || std::fs::read_to_string(dir.path().join("data/operator-token")).unwrap(),
            str::to_owned,
        );
        Self {
            _sim: sim,
            sim_url,
            server,
            url,
            operator: operator.trim().to_owned(),
            disk,
            dir,
            client,
            environment,
        }
    }

    /// Starts the server again on the same folder; the old one must have ended.
    pub async fn start_server_again(&mut self) {
        let (server, url) = serve(&self.dir, &self.sim_url, &self.environment, &self.client).await;
        self.server = server;
        self.url = url;
    }

    /// Starts the server on the folder as it is, sees it refuse, and gives what it said.
    pub fn refuses_to_start(&self) -> String {
        self.start_refused().1
    }

    /// The same, with its exit status.
    pub fn start_refused(&self) -> (Option<i32>, String) {
        let data = self.data();
        let mut server = ServerProcess::spawn(&binary("diamond-server"), |command| {
            command
                .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
                .arg(&data)
                .envs(self.environment.iter().map(|(name, value)| (name, value)));
        });
        let status = server.wait();
        assert!(!status.success(), "it serves: {}", server.output());
        (status.code(), server.output())
    }

    /// Where the server keeps its data.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Sends a request to the API.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
        // What the gateway passes on may be a provider's code; ours come with our name.
        let error: &Value = &json["error"];
        if let (Some(code), Some(_)) = (error["code"].as_str(), error["requestId"].as_str()) {
            crate::errors::must_be_documented(status.as_u16(), code);
        }
        Answer {
            status,
            headers,
            json,
        }
    }

    /// As the operator.
    pub async fn operate(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = (!body.is_null()).then_some(body);
        self.send(method, path, Some(&self.operator), body.as_ref())
            .await
    }

    /// Makes a tenant.
    pub async fn tenant(&self, id: &str) {
        let body = json!({ "id": id, "tier": "managed-enterprise" });
        self.operate(Method::POST, "/api/tenants", body)
            .await
            .with(201);
    }

    /// Makes a tenant's token with these scopes.
    pub async fn token(&self, tenant: &str, scopes: &[&str]) -> String {
        let body = json!({
            "tenantId": tenant, "name": "test", "owner": "tests", "purpose": "a test",
            "scopes": scopes,
        });
        let made = self
            .operate(Method::POST, "/api/tokens", body)
            .await
            .with(201);
        made["token"].as_str().unwrap().to_owned()
    }

    /// A key that the simulator knows.
    pub async fn sim_key(&self) -> String {
        self.sim_key_of("openai").await
    }

    /// A service's key that the simulator knows.
    pub async fn sim_key_of(&self, service: &str) -> String {
        let path = format!("/_sim/keys?service={service}");
        let keys = self.sim_get(&path).await;
        let keys = keys["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["kind"] != "admin").unwrap();
        key["value"].as_str().unwrap().to_owned()
    }

    /// Gives a tenant the simulator's key.
    pub async fn put_key(&self, tenant: &str) {
        self.put_key_of("openai", tenant).await;
    }

    /// Gives a tenant the simulator's key of a service.
    pub async fn put_key_of(&self, service: &str, tenant: &str) {
        let body = json!({ "apiKey": self.sim_key_of(service).await });
        let path = format!("/api/keys/{service}/{tenant}/dedicated");
        self.operate(Method::PUT, &path, body).await.with(200);
    }

    /// A tenant with a key and a token that may do everything of its own.
    pub async fn ready_tenant(&self, id: &str) -> String {
        self.tenant(id).await;
        self.put_key(id).await;
        self.token(id, TENANT_SCOPES).await
    }

    /// Asks the simulator.
    pub async fn sim_get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.sim_url);
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// Tells the simulator.
    pub async fn sim_post(&self, path: &str, body: Value) {
        let url = format!("{}{path}", self.sim_url);
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }

    /// A call through the gateway.
    pub async fn call(&self, path: &str, token: &str, body: &Value) -> reqwest::Response {
        self.client
            .post(format!("{}/gateway/openai/v1/{path}", self.url))
            .bearer_auth(token)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// A small chat completion, to its end.
    pub async fn chat(&self, token: &str, model: &str) -> Value {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] });
        let response = self.call("chat/completions", token, &body).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// All events of a tenant, as the operator sees them.
    pub async fn events(&self, tenant: &str) -> Vec<Value> {
        let path = format!("/api/usage/events?tenantId={tenant}&limit=1000");
        let page = self
            .operate(Method::GET, &path, Value::Null)
            .await
            .with(200);
        page["items"].as_array().unwrap().clone()
    }

    /// The command line, pointed at this server with this token.
    pub fn cli(&self, token: &str) -> Command {
        let mut command = Command::new(binary("diamond"));
        command
            .env("DIAMOND_URL", &self.url)
            .env("DIAMOND_TOKEN", token)
            .env("HOME", self.dir.path())
            .env_remove("XDG_CONFIG_HOME");
        command
    }
}

async fn serve(
    dir: &TempDir,
    sim_url: &str,
    environment: &[(String, String)],
    client: &reqwest::Client,
) -> (ServerProcess, String) {
    let data = dir.path().join("data");
    let mut server = ServerProcess::spawn(&binary("diamond-server"), |command| {
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .env("DIAMOND_LOG__FORMAT", "json")
            .envs(SERVICES.iter().map(|service| {
                let name = service.to_uppercase();
                let address = format!("{sim_url}/{service}");
                (format!("DIAMOND_SERVICES__{name}__BASE_URL"), address)
            }))
            .envs(environment.iter().map(|(name, value)| (name, value)));
    });
    let line = server.line_with("\"serving\"").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let fields = &line["fields"];
    let url = format!(
        "{}://{}",
        fields["scheme"].as_str().unwrap(),
        fields["address"].as_str().unwrap()
    );
    server.until_ready(client, &format!("{url}/readyz")).await;
    (server, url)
}

/// Reads an answer to its end and gives its status: only then is its event sure to be there.
pub async fn to_end(response: reqwest::Response) -> u16 {
    let status = response.status().as_u16();
    response.bytes().await.unwrap();
    status
}

/// Copies a folder, files and folders.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The `127.0.0.1:PORT` in a line.
fn address_in(line: &str) -> String {
    let start = line.find("127.0.0.1:").expect("a line with an address");
    let address: String = line[start..]
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || ".:".contains(*letter))
        .collect();
    address.trim_end_matches(['.', ':']).to_owned()
}

/// Half a dozen decimal digits behind the point are not enough: nano-dollars, exactly.
pub fn nanos(text: &Value) -> i128 {
    text.as_str()
        .unwrap()
        .parse::<diamond_domain::Money>()
        .unwrap()
        .nanos()
}
