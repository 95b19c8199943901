//! A provider that does what it is told, a sink that remembers, and a gateway between.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use diamond_admission::{AccessToken, Admission, TenantPolicy, TokenRecord};
use diamond_domain::{
    Alarm, AlarmSink, Clock, EventId, ManualClock, OpenedCall, Payer, Scope, SecretName,
    SecretValue, SecretVersion, ServiceId, TenantId, Tier, TokenId, UsageEvent, VersionState,
};
use diamond_gateway::{Gateway, GatewayParts, GatewaySettings};
use diamond_keyring::{KeyEntry, KeyRepair, Keyring, RepairError};
use diamond_pricing::Catalog;
use diamond_usage::{AuditDraft, EventSink, RefusalSink, SinkError, Verdict};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use tokio_util::task::TaskTracker;

/// What the provider received.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub path_and_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn bearer(&self) -> &str {
        self.headers["authorization"]
            .to_str()
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap()
    }
}

/// One step of an answer's body.
pub enum Step {
    Bytes(Bytes),
    /// Goes on when it is told to.
    Wait(Arc<Notify>),
    /// Breaks the connection.
    Cut,
}

/// What the provider answers.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub steps: Vec<Step>,
    /// Whether to say the length.
    pub sized: bool,
    /// Nothing is answered before this.
    pub after: Option<Arc<Notify>>,
}

impl Reply {
    pub fn json(body: &'static str) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/json".into())],
            steps: vec![Step::Bytes(Bytes::from_static(body.as_bytes()))],
            sized: true,
            after: None,
        }
    }

    pub fn stream(pieces: Vec<Bytes>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "text/event-stream; charset=utf-8".into())],
            steps: pieces.into_iter().map(Step::Bytes).collect(),
            sized: false,
            after: None,
        }
    }

    pub fn error(status: u16, body: &'static str) -> Self {
        Self {
            status,
            ..Self::json(body)
        }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

struct Script {
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    left: Option<u64>,
    /// Counts down when the answer is let go.
    open: Arc<watch::Sender<usize>>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                std::task::ready!(waiting.as_mut().poll(context));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Cut) => {
                    return Poll::Ready(Some(Err(std::io::Error::other("cut"))));
                }
                Some(Step::Wait(notify)) => {
                    self.waiting = Some(Box::pin(async move { notify.notified().await }));
                }
            }
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.left.map_or_else(
            http_body::SizeHint::default,
            http_body::SizeHint::with_exact,
        )
    }
}

type Answer = dyn Fn(&Seen) -> Reply + Send + Sync;

/// The provider.
pub struct Provider {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Answers under way.
    pub open: watch::Receiver<usize>,
    _tasks: Tasks,
}

/// Serves until dropped.
type Tasks = tokio::task::JoinSet<()>;

impl Provider {
    pub async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (open, watching) = watch::channel(0);
        let open = Arc::new(open);
        let answer: Arc<Answer> = Arc::new(answer);
        let mut tasks = tokio::task::JoinSet::new();
        let log = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, log, open) =
                    (Arc::clone(&answer), Arc::clone(&log), Arc::clone(&open));
                let service = service_fn(move |request| {
                    let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                    let open = Arc::clone(&open);
                    async move { Ok::<_, Infallible>(reply(request, &*answer, &log, open).await) }
                });
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    let _ = connection.await;
                });
            }
        });
        Self {
            address,
            seen,
            open: watching,
            _tasks: tasks,
        }
    }

    pub fn last(&self) -> Seen {
        self.seen.lock().last().cloned().unwrap()
    }
}

async fn reply(
    request: Request<Incoming>,
    answer: &Answer,
    log: &Mutex<Vec<Seen>>,
    open: Arc<watch::Sender<usize>>,
) -> Response<Script> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let seen = Seen {
        method: parts.method,
        path_and_query: parts.uri.path_and_query().unwrap().to_string(),
        headers: parts.headers,
        body,
    };
    let reply = answer(&seen);
    log.lock().push(seen);
    open.send_modify(|open| *open += 1);
    if let Some(after) = &reply.after {
        after.notified().await;
    }
    let length: u64 = reply
        .steps
        .iter()
        .map(|step| {
            if let Step::Bytes(bytes) = step {
                bytes.len() as u64
            } else {
                0
            }
        })
        .sum();
    let mut response = Response::new(Script {
        steps: reply.steps.into(),
        waiting: None,
        left: reply.sized.then_some(length),
        open,
    });
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Remembers what the gateway tells, and keeps the port's contract: one close an opened call,
/// nothing closed that was not opened, nothing opened twice.
pub struct Sink {
    pub opened: Mutex<HashMap<EventId, OpenedCall>>,
    pub abandoned: Mutex<HashSet<EventId>>,
    pub events: Mutex<Vec<UsageEvent>>,
    pub refuses: AtomicBool,
    /// Closed: closing waits.
    pub gate: watch::Sender<bool>,
    count: watch::Sender<usize>,
}

impl Sink {
    fn new() -> Self {
        Self {
            opened: Mutex::default(),
            abandoned: Mutex::default(),
            events: Mutex::default(),
            refuses: AtomicBool::new(false),
            gate: watch::channel(true).0,
            count: watch::channel(0).0,
        }
    }

    /// Waits until so many events are there.
    pub async fn events(&self, number: usize) -> Vec<UsageEvent> {
        let mut count = self.count.subscribe();
        within(count.wait_for(|count| *count >= number))
            .await
            .unwrap();
        let events = self.events.lock().clone();
        assert_eq!(events.len(), number);
        events
    }

    pub async fn event(&self) -> UsageEvent {
        self.events(1).await.remove(0)
    }
}

#[async_trait]
impl EventSink for Sink {
    fn open(&self, call: &OpenedCall) -> Result<(), SinkError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(SinkError::Full(std::io::ErrorKind::StorageFull.into()));
        }
        let before = self.opened.lock().insert(call.event_id, call.clone());
        assert!(before.is_none(), "a call is opened once");
        Ok(())
    }

    fn abandon(&self, call: EventId) -> Result<(), SinkError> {
        assert!(self.opened.lock().contains_key(&call));
        assert!(self.abandoned.lock().insert(call));
        Ok(())
    }

    async fn close(&self, event: UsageEvent) -> Result<Verdict, SinkError> {
        assert!(self.opened.lock().contains_key(&event.event_id));
        let mut gate = self.gate.subscribe();
        gate.wait_for(|open| *open).await.unwrap();
        let mut events = self.events.lock();
        assert!(events.iter().all(|known| known.event_id != event.event_id));
        events.push(event);
        drop(events);
        self.count.send_modify(|count| *count += 1);
        Ok(Verdict::Accepted)
    }

    fn check(&self) -> Result<(), SinkError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(SinkError::Full(std::io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }

    async fn append(&self, _: Vec<UsageEvent>) -> Result<Vec<Verdict>, SinkError> {
        panic!("the gateway opens and closes its calls");
    }
}

#[derive(Default)]
pub struct Alarms(pub Mutex<Vec<Alarm>>);

impl Alarms {
    pub fn codes(&self) -> Vec<&'static str> {
        self.0
            .lock()
            .iter()
            .map(|alarm| alarm.code.as_str())
            .collect()
    }
}

/// Remembers who was refused.
#[derive(Default)]
pub struct Refusals(pub Mutex<Vec<AuditDraft>>);

impl RefusalSink for Refusals {
    fn refused(&self, draft: AuditDraft) {
        self.0.lock().push(draft);
    }
}

impl AlarmSink for Alarms {
    fn raise(&self, alarm: Alarm) {
        self.0.lock().push(alarm);
    }
}

/// Puts `sk-second` in the place of a dead key, when it may.
pub struct Repair {
    pub keyring: Arc<Keyring>,
    pub may: AtomicBool,
    pub asked: AtomicUsize,
}

#[async_trait]
impl KeyRepair for Repair {
    async fn replace(&self, name: &SecretName, failed: SecretVersion) -> Result<(), RepairError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if !self.may.load(Ordering::SeqCst) {
            return Err(RepairError::NotPossible {
                name: name.clone(),
                reason: "test".into(),
            });
        }
        self.keyring.set_state(name, failed, VersionState::Retiring);
        self.keyring.upsert(KeyEntry {
            name: name.clone(),
            version: failed.next().unwrap(),
            value: SecretValue::new("sk-second".into()),
            state: VersionState::Active,
            payer: Payer::Platform,
        });
        Ok(())
    }

    async fn provide(
        &self,
        service: &ServiceId,
        tenant: &TenantId,
        _tier: Tier,
    ) -> Result<(), RepairError> {
        Err(RepairError::NotPossible {
            name: SecretName::Dedicated {
                service: service.clone(),
                tenant: tenant.clone(),
            },
            reason: "test".into(),
        })
    }
}

/// For how long the gateway's tables may be without news.
pub const STALENESS: Duration = Duration::from_secs(3_600);

/// Everything together.
pub struct Rig {
    pub provider: Provider,
    pub sink: Arc<Sink>,
    pub alarms: Arc<Alarms>,
    pub refusals: Arc<Refusals>,
    pub repair: Arc<Repair>,
    pub keyring: Arc<Keyring>,
    pub admission: Arc<Admission>,
    pub clock: Arc<ManualClock>,
    pub tasks: TaskTracker,
    pub token: String,
    pub address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    _serving: Tasks,
}

pub fn service() -> ServiceId {
    "openai".parse().unwrap()
}

pub fn tenant() -> TenantId {
    "zaxon".parse().unwrap()
}

impl Rig {
    pub async fn new(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(GatewaySettings::default(), answer).await
    }

    pub async fn with(
        settings: GatewaySettings,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let provider = Provider::start(answer).await;
        let base = format!("http://{}/openai", provider.address);
        Self::at(settings, provider, base).await
    }

    /// With a provider that the gateway looks for elsewhere.
    pub async fn at(mut settings: GatewaySettings, provider: Provider, base: String) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse().unwrap()));
        let admission = Arc::new(Admission::new(clock.clone()).with_staleness(STALENESS));
        admission.mark_current(clock.monotonic_nanos());
        let token = AccessToken::generate();
        admission.upsert_tenant(TenantPolicy {
            id: tenant(),
            tier: Tier::ManagedEnterprise,
            suspended: false,
            services: None,
            reveal: false,
        });
        admission.upsert_token(TokenRecord {
            id: TokenId::from_bits(1),
            hash: token.hash(),
            tenant: Some(tenant()),
            name: "test".into(),
            owner: "test".into(),
            purpose: "test".into(),
            scopes: [Scope::Gateway].into_iter().collect(),
            user: None,
            services: None,
            addresses: Vec::new(),
            expires_at: "2027-01-01T00:00:00Z".parse().unwrap(),
            revoked_at: None,
        });
        let keyring = Arc::new(Keyring::new(clock.clone()));
        keyring.upsert(KeyEntry {
            name: SecretName::Dedicated {
                service: service(),
                tenant: tenant(),
            },
            version: SecretVersion::FIRST,
            value: SecretValue::new("sk-first".into()),
            state: VersionState::Active,
            payer: Payer::Platform,
        });
        let repair = Arc::new(Repair {
            keyring: Arc::clone(&keyring),
            may: AtomicBool::new(true),
            asked: AtomicUsize::new(0),
        });
        let refusals = Arc::new(Refusals::default());
        let (sink, alarms) = (Arc::new(Sink::new()), Arc::new(Alarms::default()));
        let tasks = TaskTracker::new();
        settings.upstreams.insert(service(), base);
        let parts = GatewayParts {
            admission: Arc::clone(&admission),
            keyring: Arc::clone(&keyring),
            sink: sink.clone(),
            catalog: Arc::new(Catalog::embedded().unwrap()),
            providers: diamond_providers::all(),
            clock: clock.clone(),
            alarms: alarms.clone(),
            refusals: refusals.clone(),
            tasks: tasks.clone(),
            settings,
        };
        let gateway = Gateway::new(parts, repair.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                let gateway = gateway.clone();
                let service = service_fn(move |request| {
                    let gateway = gateway.clone();
                    async move { Ok::<_, Infallible>(gateway.handle(request, peer).await) }
                });
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    let _ = connection.await;
                });
            }
        });
        Self {
            provider,
            sink,
            alarms,
            refusals,
            repair,
            keyring,
            admission,
            clock,
            tasks,
            token: token.expose().to_owned(),
            address,
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
            _serving: serving,
        }
    }

    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}/gateway/openai{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        within(self.client.request(request)).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Response<Incoming> {
        self.send(
            self.request("POST", path)
                .body(Full::new(body.into()))
                .unwrap(),
        )
        .await
    }

    pub async fn post_text(&self, path: &str, body: impl Into<Bytes>) -> (StatusCode, Bytes) {
        let response = self.post(path, body).await;
        (response.status(), text(response).await)
    }

    /// Gives the tenant one budget of this limit, with nothing spent if it is the first.
    pub fn budget(&self, limit: &str, on_unbounded: diamond_domain::OnUnbounded) {
        let rule = diamond_admission::BudgetRule {
            name: "all".parse().unwrap(),
            user: None,
            token: None,
            service: None,
            model: None,
            period: diamond_domain::Period::Quarterly,
            limit: limit.parse().unwrap(),
            counted: diamond_admission::Counted::default(),
            on_unbounded,
        };
        let now = self.clock.now();
        let budgets = self.admission.budgets();
        budgets.set_rules(&tenant(), vec![rule], now, false);
    }

    /// What was spent of it.
    pub fn spent(&self) -> diamond_domain::Money {
        let states = self.admission.budgets().states(&tenant(), self.clock.now());
        states[0].1.spent
    }

    /// Nothing is left: no pin, no reservation, no work, no call without its end.
    pub async fn is_settled(&self) {
        self.tasks.close();
        within(self.tasks.wait()).await;
        let name = SecretName::Dedicated {
            service: service(),
            tenant: tenant(),
        };
        for number in 1..=2 {
            assert_eq!(
                self.keyring
                    .pins(&name, SecretVersion::new(number).unwrap()),
                0
            );
        }
        assert_eq!(
            self.admission.budgets().reserved(&tenant()),
            diamond_domain::Money::ZERO
        );
        let ended = self.sink.events.lock().len() + self.sink.abandoned.lock().len();
        assert_eq!(self.sink.opened.lock().len(), ended);
    }
}

pub async fn text(response: Response<Incoming>) -> Bytes {
    within(response.into_body().collect())
        .await
        .unwrap()
        .to_bytes()
}

/// Reads until so many events of the stream are there: what arrives together may come as one piece.
pub async fn read_events(body: &mut Incoming, number: usize) {
    let wanted: usize = events_of(SSE)[..number].iter().map(Bytes::len).sum();
    let mut seen = 0;
    while seen < wanted {
        let piece = within(body.frame()).await.unwrap().unwrap();
        seen += piece.into_data().unwrap().len();
    }
}

/// A test that hangs fails with the place where it hangs.
#[track_caller]
pub fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        tokio::time::timeout(Duration::from_secs(20), future)
            .await
            .unwrap_or_else(|_| panic!("nothing happened at {place}"))
    }
}

pub const CHAT: &str =
    r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}"#;
pub const CHAT_STREAM: &str =
    r#"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Say hello"}]}"#;
pub const CHAT_ANSWER: &str = r#"{"id":"chatcmpl-1","model":"gpt-4o-mini-2024-07-18","service_tier":"default","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_tokens_details":{"cached_tokens":400}}}"#;
pub const SSE: &str = include_str!("../../../providers/fixtures/openai/chat_stream.sse");

pub fn events_of(stream: &str) -> Vec<Bytes> {
    stream
        .split_inclusive("\n\n")
        .map(|event| Bytes::copy_from_slice(event.as_bytes()))
        .collect()
}

pub fn without_usage_chunk() -> String {
    SSE.split_inclusive("\n\n")
        .filter(|event| !event.contains("\"choices\":[],"))
        .collect()
}
