//! What is under way when the server dies: streams of several kinds, reports, keys, administration.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use super::random::Random;
use crate::world::World;

/// How long clients may take to notice that the server is gone; far more than they need.
const NOTICE: Duration = Duration::from_secs(20);

/// What the clients know when the server has died.
#[derive(Default)]
pub struct Known {
    /// Calls whose last byte arrived, by the client's name for them.
    pub finished: Vec<String>,
    /// Reports that were acknowledged, with the names of their events.
    pub acknowledged: Vec<(Value, String)>,
    /// Reports that were sent and not answered.
    pub unanswered: BTreeMap<String, Vec<Value>>,
    /// The purposes for which a key arrived.
    pub revealed: Vec<String>,
    /// Tokens and tenants that arrived.
    pub tokens: Vec<String>,
    pub tenants: Vec<String>,
    /// Answers that nobody expects from a healthy server.
    pub faults: Vec<String>,
}

/// Clients at work, until the server dies.
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    url: String,
    token: String,
    operator: String,
    round: u64,
    client: reqwest::Client,
    known: Mutex<Known>,
    steps: AtomicU64,
    /// Tells how far the load got.
    news: watch::Sender<u64>,
}

impl Load {
    pub async fn begin(world: &World, token: &str, round: u64, streams: usize, seed: u64) -> Self {
        // Most answers pass at once; those of one operation take their time.
        let faults = format!("{}/_sim/faults", world.sim_url);
        world.client.delete(faults).send().await.unwrap();
        let slow = json!({
            "service": "openai", "operation": "responses", "kind": "slow", "ms": 2,
            "times": "forever",
        });
        world.sim_post("/_sim/faults", slow).await;
        let shared = Arc::new(Shared {
            url: world.url.clone(),
            token: token.to_owned(),
            operator: world.operator.clone(),
            round,
            client: reqwest::Client::new(),
            known: Mutex::default(),
            steps: AtomicU64::new(0),
            news: watch::Sender::new(0),
        });
        let mut random = Random::new(seed);
        let mut clients = JoinSet::new();
        for number in 0..streams {
            clients.spawn(Arc::clone(&shared).stream(number, Random::new(random.next())));
        }
        for number in 0..2 {
            clients.spawn(Arc::clone(&shared).report(number, Random::new(random.next())));
            clients.spawn(Arc::clone(&shared).retrieve(number));
        }
        clients.spawn(Arc::clone(&shared).administer());
        Self { shared, clients }
    }

    /// Resolves when so many pieces of answers have arrived.
    pub async fn reaches(&self, steps: u64) {
        let mut news = self.shared.news.subscribe();
        news.wait_for(|reached| *reached >= steps).await.unwrap();
    }

    /// Waits until every client has noticed that the server is gone. One whose library lets it wait
    /// for ever on a connection that is no more is given up: it would learn nothing else.
    pub async fn end(mut self) -> Known {
        let noticed = async { while self.clients.join_next().await.is_some() {} };
        if tokio::time::timeout(NOTICE, noticed).await.is_err() {
            let _ = writeln!(
                std::io::stdout(),
                "report kill: {} clients did not notice that the server is gone",
                self.clients.len()
            );
            self.clients.shutdown().await;
        }
        std::mem::take(&mut *self.shared.known())
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    fn step(&self) {
        let steps = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        self.news.send_replace(steps);
    }

    fn fault(&self, what: &str, status: reqwest::StatusCode, text: &str) {
        let fault = format!("{what}: {status} {text}");
        self.known().faults.push(fault);
    }

    async fn stream(self: Arc<Self>, number: usize, mut random: Random) {
        for turn in 0.. {
            let name = format!("{}-{number}-{turn}", self.round);
            if self.call(&name, &mut random).await.is_err() {
                return;
            }
        }
    }

    /// One call; an error when the server is gone.
    async fn call(&self, name: &str, random: &mut Random) -> reqwest::Result<()> {
        let kind = random.below(6);
        let words = "word ".repeat(1 + usize::try_from(random.below(30)).unwrap());
        let messages = json!([{ "role": "user", "content": words }]);
        let (path, body, end) = match kind {
            0 => (
                "chat/completions",
                json!({ "model": "gpt-4o-mini", "messages": messages }),
                None,
            ),
            // Those who leave do so where there is time for it.
            1 | 5 => (
                "responses",
                json!({ "model": "gpt-4.1", "input": words, "stream": true }),
                Some("response.completed"),
            ),
            _ => (
                "chat/completions",
                json!({ "model": "gpt-4o-mini", "stream": true, "messages": messages }),
                Some("[DONE]"),
            ),
        };
        // Some leave in the middle.
        let leaves_after = (kind == 5).then(|| random.below(8));
        // Some read slowly.
        let pauses = kind == 4;
        let mut response = self
            .client
            .post(format!("{}/gateway/openai/v1/{path}", self.url))
            .bearer_auth(&self.token)
            .header("x-client-request-id", name)
            .header("x-diamond-tags", format!("call={name}"))
            .header("x-diamond-user", format!("{name}@example.com"))
            .json(&body)
            .send()
            .await?;
        let status = response.status();
        if !status.is_success() {
            let text = response.text().await?;
            self.fault(name, status, &text);
            return Ok(());
        }
        let mut text = Vec::new();
        let mut pieces = 0;
        loop {
            if leaves_after.is_some_and(|most| pieces >= most) {
                return Ok(());
            }
            let Some(piece) = response.chunk().await? else {
                break;
            };
            pieces += 1;
            text.extend_from_slice(&piece);
            self.step();
            if pauses {
                tokio::task::yield_now().await;
            }
            // What ends an answer leaves only when its record is durable.
            let whole = text.ends_with(b"\n\n");
            if whole && end.is_some_and(|end| String::from_utf8_lossy(&text).contains(end)) {
                break;
            }
        }
        self.known().finished.push(name.to_owned());
        Ok(())
    }

    async fn report(self: Arc<Self>, number: usize, mut random: Random) {
        for turn in 0.. {
            let name = format!("{}-{number}-{turn}", self.round);
            let count = if random.below(2) == 0 {
                1
            } else {
                1 + random.below(30)
            };
            let reports: Vec<Value> = (0..count)
                .map(|place| {
                    json!({
                        "id": format!("{name}-{place}"), "service": "openai",
                        "model": "gpt-4o-mini", "operation": "chat.completions",
                        "userId": format!("reporter-{}", place % 7),
                        "quantities": { "input_tokens": 100 + place, "output_tokens": 10 },
                    })
                })
                .collect();
            let body = match &reports[..] {
                [one] => one.clone(),
                _ => Value::Array(reports.clone()),
            };
            self.known().unanswered.insert(name.clone(), reports);
            let sent = self
                .client
                .post(format!("{}/api/usage", self.url))
                .bearer_auth(&self.token)
                .json(&body)
                .send();
            let Ok(response) = sent.await else { return };
            let status = response.status();
            let Ok(text) = response.text().await else {
                return;
            };
            if status != 200 {
                self.fault("report", status, &text);
                return;
            }
            let answer: Value = serde_json::from_str(&text).unwrap();
            let mut known = self.known();
            let reports = known.unanswered.remove(&name).unwrap();
            for (report, verdict) in reports.into_iter().zip(answer["items"].as_array().unwrap()) {
                if verdict["verdict"] != "accepted" {
                    known.faults.push(format!("{report}: {verdict}"));
                }
                let event = verdict["eventId"].as_str().unwrap().to_owned();
                known.acknowledged.push((report, event));
            }
            drop(known);
            self.step();
        }
    }

    async fn retrieve(self: Arc<Self>, number: usize) {
        for turn in 0.. {
            let purpose = format!("{}-{number}-{turn}", self.round);
            let sent = self
                .client
                .post(format!("{}/api/keys/openai/zaxon", self.url))
                .bearer_auth(&self.token)
                .json(&json!({ "purpose": purpose, "userId": format!("holder-{number}") }))
                .send();
            let Ok(response) = sent.await else { return };
            let status = response.status();
            let Ok(text) = response.text().await else {
                return;
            };
            if status != 200 {
                self.fault("key", status, &text);
                return;
            }
            self.known().revealed.push(purpose);
            self.step();
        }
    }

    async fn administer(self: Arc<Self>) {
        for turn in 0.. {
            let id = format!("t{}-{turn}", self.round);
            let made = self
                .operate(
                    "/api/tenants",
                    json!({ "id": id, "tier": "managed-enterprise" }),
                )
                .await;
            if made.is_none() {
                return;
            }
            self.known().tenants.push(id);
            let body = json!({
                "tenantId": "zaxon", "name": "test", "owner": "tests", "purpose": "a test",
                "scopes": ["usage:read"],
            });
            let Some(made) = self.operate("/api/tokens", body).await else {
                return;
            };
            let token = made["token"].as_str().unwrap().to_owned();
            self.known().tokens.push(token);
        }
    }

    /// What the server answers; `None` when it is gone.
    async fn operate(&self, path: &str, body: Value) -> Option<Value> {
        let sent = self
            .client
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.operator)
            .json(&body)
            .send();
        let response = sent.await.ok()?;
        let status = response.status();
        let text = response.text().await.ok()?;
        if status != 201 {
            self.fault(path, status, &text);
            return None;
        }
        serde_json::from_str(&text).ok()
    }
}
