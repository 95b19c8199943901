//! The AI provider: fixed answers with usage, as fast as hyper gives them, and a count of who asked.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{self, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use memchr::memmem;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{DIRECT_KEY, FLOOR_KEY, SUBJECT_KEY};

/// The model of every call; priced by the server's own catalog.
pub const MODEL: &str = "gpt-4o-mini";
/// What every plain call says that it used.
pub const PLAIN_TOKENS: Tokens = Tokens {
    input: 24,
    output: 96,
};
/// What every streamed call says that it used.
pub const STREAM_TOKENS: Tokens = Tokens {
    input: 24,
    output: CONTENT_EVENTS as u64,
};
/// Where the counts are read.
pub const COUNTS_PATH: &str = "/_bench/counts";
/// What a request carries that wants its events one after the other: a field that OpenAI has for the
/// caller's own words.
pub const PACED: &str = r#""metadata":{"pace":"5ms"}"#;
/// How far apart they are then.
pub const PACE: Duration = Duration::from_millis(5);
/// All events of a stream.
pub const STREAM_EVENTS: usize = CONTENT_EVENTS + 3;
/// Events of a stream with content; after them come the finish, the usage and the end mark.
const CONTENT_EVENTS: usize = 50;

const ID: &str = "chatcmpl-BenchBenchBenchBenchBenchBench0";

/// The tokens of one call.
#[derive(Debug, Clone, Copy)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
}

/// The whole body of a plain answer.
pub fn plain_answer() -> Bytes {
    let usage = usage(PLAIN_TOKENS);
    let text = "A key that nobody counts is a bill that nobody expects. ".repeat(2);
    Bytes::from(format!(
        "{{\"id\":\"{ID}\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"{MODEL}\",\
         \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\",\
         \"refusal\":null,\"annotations\":[]}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\
         \"usage\":{usage},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\"}}"
    ))
}

/// The events of a streamed answer, each with its `data:` and blank line.
pub fn stream_events() -> Vec<Bytes> {
    let event = |choices: &str, usage: &str| {
        Bytes::from(format!(
            "data: {{\"id\":\"{ID}\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\
             \"model\":\"{MODEL}\",\"service_tier\":\"default\",\
             \"system_fingerprint\":\"fp_0123456789\",\"choices\":[{choices}],\"usage\":{usage}}}\n\n"
        ))
    };
    let content = "{\"index\":0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,\
                   \"finish_reason\":null}";
    let finish = "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}";
    let mut events = vec![event(content, "null"); CONTENT_EVENTS];
    events.push(event(finish, "null"));
    events.push(event("", &usage(STREAM_TOKENS)));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn usage(Tokens { input, output }: Tokens) -> String {
    format!(
        "{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{},\
         \"prompt_tokens_details\":{{\"cached_tokens\":0,\"audio_tokens\":0}},\
         \"completion_tokens_details\":{{\"reasoning_tokens\":0,\"audio_tokens\":0}}}}",
        input + output
    )
}

/// Plays the provider until nobody needs it.
pub async fn play() -> anyhow::Result<()> {
    let provider = Arc::new(Provider::new());
    super::serve(move |request| {
        let provider = Arc::clone(&provider);
        async move { provider.answer(request).await }
    })
    .await
}

struct Provider {
    plain: Bytes,
    events: Arc<[Bytes]>,
    callers: [(String, AtomicU64); 3],
    answers: AtomicU64,
}

type Answer = Response<Either<Full<Bytes>, Events>>;

impl Provider {
    fn new() -> Self {
        let caller = |key: &str| (format!("Bearer {key}"), AtomicU64::new(0));
        Self {
            plain: plain_answer(),
            events: stream_events().into(),
            callers: [SUBJECT_KEY, FLOOR_KEY, DIRECT_KEY].map(caller),
            answers: AtomicU64::new(0),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        if path == COUNTS_PATH {
            return json(StatusCode::OK, self.counts());
        }
        let Some(count) = self.count_of(request.headers()) else {
            return json(StatusCode::UNAUTHORIZED, Bytes::from_static(REFUSED));
        };
        if *request.method() == Method::GET && path == "/v1/models" {
            return json(StatusCode::OK, Bytes::from_static(MODELS));
        }
        if *request.method() != Method::POST || path != "/v1/chat/completions" {
            return json(StatusCode::NOT_FOUND, Bytes::from_static(MISSING));
        }
        let Ok(body) = request.into_body().collect().await else {
            return json(StatusCode::BAD_REQUEST, Bytes::from_static(MISSING));
        };
        count.fetch_add(1, Ordering::Relaxed);
        let body = body.to_bytes();
        let mut answer = if memmem::find(&body, b"\"stream\":true").is_some() {
            let paced = memmem::find(&body, PACED.as_bytes()).is_some();
            let events = Events::new(Arc::clone(&self.events), paced);
            let mut answer = Response::new(Either::Right(events));
            let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        } else {
            json(StatusCode::OK, self.plain.clone())
        };
        // As real ones do, each answer has a name of its own.
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        if let Ok(name) = HeaderValue::try_from(format!("req_{number:032x}")) {
            answer.headers_mut().insert("x-request-id", name);
        }
        answer
    }

    fn count_of(&self, headers: &HeaderMap) -> Option<&AtomicU64> {
        let presented = headers.get(header::AUTHORIZATION)?.as_bytes();
        let caller = self
            .callers
            .iter()
            .find(|(bearer, _)| bearer.as_bytes() == presented)?;
        Some(&caller.1)
    }

    /// How many completions each key asked for: `{"sk-…": 12, …}`.
    fn counts(&self) -> Bytes {
        let counts = self.callers.iter().map(|(bearer, count)| {
            let key = bearer.trim_start_matches("Bearer ").to_owned();
            (key, count.load(Ordering::Relaxed).into())
        });
        let counts: serde_json::Map<String, serde_json::Value> = counts.collect();
        Bytes::from(serde_json::Value::Object(counts).to_string())
    }
}

const REFUSED: &[u8] = br#"{"error":{"message":"Incorrect API key provided.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
const MISSING: &[u8] = br#"{"error":{"message":"Not played here.","type":"invalid_request_error","param":null,"code":null}}"#;
const MODELS: &[u8] = br#"{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1721172741,"owned_by":"system"}]}"#;

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

/// A stream whose events are all there at once, so that what it costs is the carrying, not the
/// waiting; or one that comes event by event, as from a model that thinks.
struct Events {
    all: Arc<[Bytes]>,
    next: usize,
    pauses: Option<Interval>,
}

impl Events {
    fn new(all: Arc<[Bytes]>, paced: bool) -> Self {
        let pauses = paced.then(|| {
            let mut pauses = interval(PACE);
            pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first event is there at once.
            pauses.reset();
            pauses
        });
        Self {
            all,
            next: 0,
            pauses,
        }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let between = 1..this.all.len();
        if let Some(pauses) = &mut this.pauses
            && between.contains(&this.next)
        {
            ready!(pauses.poll_tick(context));
        }
        let event = this.all.get(this.next).cloned();
        this.next += 1;
        task::Poll::Ready(event.map(|event| Ok(Frame::data(event))))
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.all.len()
    }

    fn size_hint(&self) -> SizeHint {
        // A length would spare hyper the chunks that a real stream has.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_plain_answer_is_a_completion_of_the_usual_size() {
        let body = plain_answer();
        assert!((600..=700).contains(&body.len()), "{}", body.len());
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["usage"]["total_tokens"], 120);
        assert_eq!(answer["model"], MODEL);
    }

    #[test]
    fn the_stream_has_53_events_and_ends_with_its_mark() {
        let events = stream_events();
        assert_eq!((events.len(), STREAM_EVENTS), (53, 53));
        let usage = events[51].strip_prefix(b"data: ").unwrap();
        let usage: Value = serde_json::from_slice(usage).unwrap();
        assert_eq!(usage["usage"]["completion_tokens"], 50);
        assert_eq!(usage["choices"], Value::Array(Vec::new()));
        assert_eq!(events[52], "data: [DONE]\n\n");
        for event in &events[..51] {
            let event: Value = serde_json::from_slice(&event[6..]).unwrap();
            assert_eq!(event["usage"], Value::Null);
        }
    }

    #[test]
    fn calls_are_counted_by_the_key_they_came_with() {
        let provider = Provider::new();
        let mut headers = HeaderMap::new();
        assert!(provider.count_of(&headers).is_none());
        headers.insert("authorization", HeaderValue::from_static("Bearer sk-other"));
        assert!(provider.count_of(&headers).is_none());
        let own = HeaderValue::try_from(format!("Bearer {FLOOR_KEY}")).unwrap();
        headers.insert("authorization", own);
        provider
            .count_of(&headers)
            .unwrap()
            .fetch_add(2, Ordering::Relaxed);
        let counts: Value = serde_json::from_slice(&provider.counts()).unwrap();
        assert_eq!(counts[FLOOR_KEY], 2);
        assert_eq!(counts[SUBJECT_KEY], 0);
    }
}
