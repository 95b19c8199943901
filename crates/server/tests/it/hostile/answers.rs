//! Providers that refuse, hang, cut and lie: the caller gets the truth or a stable code, and each
//! call is exactly one event that says what is known.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::{
    Heard, ask, is_sound,
    provider::{Act, Provider},
    until,
};
use crate::{settings::full_scale, world::World};

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const EVENT: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";

struct Scene {
    world: World,
    provider: Provider,
    token: String,
    calls: usize,
}

/// What a call came to.
struct Ending {
    heard: Heard,
    event: Value,
}

impl Scene {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let provider = Provider::start().await;
        let mut environment = vec![
            ("DIAMOND_SERVICES__OPENAI__BASE_URL", provider.url.as_str()),
            ("DIAMOND_GATEWAY__RESPONSE_TIMEOUT_SECONDS", "2"),
            ("DIAMOND_GATEWAY__IDLE_TIMEOUT_SECONDS", "2"),
        ];
        environment.extend_from_slice(settings);
        let world = World::start_with(&environment).await;
        world.tenant("zaxon").await;
        let key = json!({ "apiKey": "sk-sample-0001", "validate": false });
        let path = "/api/keys/openai/zaxon/dedicated";
        world
            .operate(reqwest::Method::PUT, path, key)
            .await
            .with(200);
        let token = world.token("zaxon", &["gateway"]).await;
        Self {
            world,
            provider,
            token,
            calls: 0,
        }
    }

    fn request(&self, streams: bool) -> String {
        let body = json!({
            "model": "gpt-4o-mini", "stream": streams,
            "messages": [{ "role": "user", "content": "hi" }],
        })
        .to_string();
        format!(
            "POST /gateway/openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\n\
             authorization: Bearer {}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             accept-encoding: gzip\r\nx-diamond-user: call-{}\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            self.calls,
            body.len()
        )
    }

    /// One call, to its end and its one event.
    async fn call(&mut self, streams: bool, acts: impl IntoIterator<Item = Act>) -> Ending {
        self.provider.will(acts);
        let heard = ask(&self.world, self.request(streams)).await;
        let user = format!("call-{}", self.calls);
        self.calls += 1;
        until("the call is an event", async || {
            self.world.events("zaxon").await.len() == self.calls
        })
        .await;
        let events = self.world.events("zaxon").await;
        let own: Vec<_> = events
            .iter()
            .filter(|event| event["userId"] == *user)
            .collect();
        assert_eq!(own.len(), 1, "{own:?}");
        assert_eq!(self.provider.seen().len(), self.calls, "each was sent once");
        Ending {
            heard,
            event: own[0].clone(),
        }
    }
}

fn head(fields: &str) -> Act {
    Act::Send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").into_bytes())
}

fn json_head(length: usize) -> Act {
    head(&format!(
        "content-type: application/json\r\ncontent-length: {length}"
    ))
}

fn sse_head() -> Act {
    head("content-type: text/event-stream\r\ntransfer-encoding: chunked")
}

fn chunk(text: &str) -> Act {
    Act::Send(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes())
}

fn send(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn gzip_answer(bytes: &[u8]) -> Vec<Act> {
    let fields = format!(
        "content-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}",
        bytes.len()
    );
    vec![head(&fields), Act::Send(bytes.to_vec())]
}

#[tokio::test]
async fn before_an_answer_begins_there_is_a_code() {
    let mut scene = Scene::start(&[]).await;
    let huge = format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    for (name, acts, status, code) in [
        ("hangs", vec![Act::Hang], 504, "upstream_timeout"),
        (
            "hangs in its head",
            vec![send("HTTP/1.1 200 OK\r\nx"), Act::Hang],
            504,
            "upstream_timeout",
        ),
        ("closes", vec![], 502, "upstream_broke_off"),
        (
            "closes in its head",
            vec![send("HTTP/1.1 200 OK\r\nx: y\r\n")],
            502,
            "upstream_broke_off",
        ),
        (
            "is no HTTP",
            vec![send("SSH-2.0-OpenSSH_9.2\r\n\r\n")],
            502,
            "upstream_broke_off",
        ),
        (
            "a huge header",
            vec![send(&huge)],
            502,
            "upstream_broke_off",
        ),
        ("many headers", vec![send(&many)], 502, "upstream_broke_off"),
        (
            "a status that is none",
            vec![send("HTTP/1.1 999999 X\r\n\r\n")],
            502,
            "upstream_broke_off",
        ),
        (
            "two lengths",
            vec![
                head("content-length: 3\r\ncontent-length: 5"),
                send("abcde"),
            ],
            502,
            "upstream_broke_off",
        ),
        (
            "no length",
            vec![head("content-length: many"), send("x")],
            502,
            "upstream_broke_off",
        ),
        (
            "a header with a NUL",
            vec![head("x: a\0b")],
            502,
            "upstream_broke_off",
        ),
    ] {
        let ended = scene.call(false, acts).await;
        let said = (ended.heard.status(), ended.heard.code());
        assert_eq!(said, (status, Some(code.to_owned())), "{name}");
        let text = String::from_utf8_lossy(ended.heard.body()).into_owned();
        assert!(
            !text.contains("hyper") && !text.contains("127.0.0.1"),
            "{name}: {text}"
        );
        assert_eq!(
            ended.event["outcome"], "interrupted",
            "{name}: {}",
            ended.event
        );
        assert_eq!(ended.event["partial"], true, "{name}");
    }
    is_sound(&scene.world).await;
    // Nobody there: nothing was sent, so nothing was used.
    let Scene {
        world,
        provider,
        token,
        calls,
    } = scene;
    provider.stop().await;
    let request = format!(
        "GET /gateway/openai/v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\n\r\n"
    );
    let heard = ask(&world, request).await;
    let said = (heard.status(), heard.code().unwrap());
    assert_eq!(said, (502, "upstream_unreachable".to_owned()));
    assert_eq!(world.events("zaxon").await.len(), calls);
    is_sound(&world).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_caller_too() {
    let mut scene = Scene::start(&[]).await;
    let half = &ANSWER[..100];
    for (name, streams, acts) in [
        (
            "hangs in its body",
            false,
            vec![json_head(ANSWER.len()), send(half), Act::Hang],
        ),
        (
            "cuts its body",
            false,
            vec![json_head(ANSWER.len()), send(half)],
        ),
        (
            "promises too much",
            false,
            vec![json_head(ANSWER.len() + 1), send(ANSWER)],
        ),
        ("cuts its stream", true, vec![sse_head(), chunk(EVENT)]),
        (
            "hangs in its stream",
            true,
            vec![sse_head(), chunk(EVENT), Act::Hang],
        ),
        (
            "cuts a chunk",
            true,
            vec![sse_head(), send("ffff\r\ndata: {")],
        ),
        (
            "a chunk that is none",
            true,
            vec![sse_head(), chunk(EVENT), send("zz\r\n")],
        ),
        (
            "a chunk beyond all numbers",
            true,
            vec![sse_head(), chunk(EVENT), send("fffffffffffffffff\r\n")],
        ),
    ] {
        let ended = scene.call(streams, acts).await;
        assert_eq!(ended.heard.status(), 200, "{name}");
        assert!(!ended.heard.is_whole(), "{name}: an ending was made up");
        assert_eq!(
            ended.event["outcome"], "interrupted",
            "{name}: {}",
            ended.event
        );
        // What was used stood there in full, although the end did not come.
        let partial = name != "promises too much";
        assert_eq!(ended.event["partial"], partial, "{name}");
    }
    is_sound(&scene.world).await;
}

#[tokio::test]
async fn what_cannot_be_understood_passes_and_its_count_is_partial() {
    let mut scene = Scene::start(&[]).await;
    let whole = gzip(ANSWER.as_bytes());
    let cases = [
        (
            "sound",
            false,
            vec![json_head(ANSWER.len()), send(ANSWER)],
            false,
        ),
        (
            "more than announced",
            false,
            vec![
                json_head(ANSWER.len()),
                send(ANSWER),
                send("HTTP/1.1 200 OK\r\n\r\n"),
            ],
            false,
        ),
        ("sound and compressed", false, gzip_answer(&whole), false),
        ("no JSON", false, vec![json_head(5), send("{{{{[")], true),
        ("not gzip", false, gzip_answer(b"this is not gzip"), true),
        (
            "half of gzip",
            false,
            gzip_answer(&whole[..whole.len() / 2]),
            true,
        ),
        (
            "an unknown encoding",
            false,
            vec![
                head(
                    "content-type: application/json\r\ncontent-encoding: rot13\r\ncontent-length: 3",
                ),
                send("abc"),
            ],
            true,
        ),
        ("no usage", false, vec![json_head(2), send("{}")], true),
    ];
    for (name, streams, acts, partial) in cases {
        let sent = acts.iter().skip(1).take(1);
        let sent: Vec<u8> = sent
            .flat_map(|act| match act {
                Act::Send(bytes) => bytes.clone(),
                _ => Vec::new(),
            })
            .collect();
        let ended = scene.call(streams, acts).await;
        assert_eq!(ended.heard.status(), 200, "{name}");
        assert_eq!(ended.heard.body(), sent, "{name}: not byte for byte");
        assert_eq!(
            ended.event["outcome"], "succeeded",
            "{name}: {}",
            ended.event
        );
        assert_eq!(ended.event["partial"], partial, "{name}: {}", ended.event);
    }
    let end = Act::Send(b"0\r\n\r\n".to_vec());
    for (name, events) in [
        (
            "events that are no JSON",
            "data: {{{\n\ndata: \u{0}\n\nfoo\n\n:\n\n",
        ),
        ("an event without an end", "data: {\"id\":"),
        ("nothing", ":\n\n"),
    ] {
        let acts = [sse_head(), chunk(events), end.clone()];
        let ended = scene.call(true, acts).await;
        assert_eq!(ended.heard.status(), 200, "{name}");
        assert!(ended.heard.is_whole(), "{name}");
        // A stream without its usage did not end as streams do.
        assert_eq!(
            ended.event["outcome"], "interrupted",
            "{name}: {}",
            ended.event
        );
        assert_eq!(ended.event["partial"], true, "{name}");
    }
    is_sound(&scene.world).await;
}

/// The most memory that the server has held, in MiB.
fn peak_mib(world: &World) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib >> 10
}

#[tokio::test]
async fn an_answer_without_end_is_read_in_bounded_memory() {
    let settings = [("DIAMOND_GATEWAY__DECODED_BYTES_MAX", "8388608")];
    let mut scene = Scene::start(&settings).await;
    let before = peak_mib(&scene.world);
    // A thousand bytes for each byte that is sent.
    let mib = if full_scale() { 1_024 } else { 48 };
    // What it says at its end is not waited for; what says it within the limit is believed.
    let behind_blanks = |mib: usize| gzip(&[&vec![b' '; mib << 20], ANSWER.as_bytes()].concat());
    let ended = scene.call(false, gzip_answer(&behind_blanks(4))).await;
    assert_eq!(ended.event["partial"], false, "{}", ended.event);
    let bomb = behind_blanks(mib);
    let ended = scene.call(false, gzip_answer(&bomb)).await;
    assert_eq!(ended.heard.body(), bomb);
    assert_eq!(ended.event["partial"], true);
    let bomb_peak = peak_mib(&scene.world) - before;
    assert!(bomb_peak < 64, "a bomb of {mib} MiB took {bomb_peak} MiB");
    // One line that does not end.
    let piece = vec![b'a'; 1 << 20];
    let pieces = if full_scale() { 1_024 } else { 48 };
    let acts = [
        head("content-type: text/event-stream"),
        send("data: "),
        Act::Repeat(piece, pieces),
    ];
    let ended = scene.call(true, acts).await;
    assert_eq!(ended.event["partial"], true, "{}", ended.event);
    assert!(ended.heard.body().len() > pieces << 20);
    let line_peak = peak_mib(&scene.world) - before;
    // A line is kept up to 32 MiB, in memory that grows by doubling.
    assert!(
        line_peak < 160,
        "a line of {pieces} MiB took {line_peak} MiB"
    );
    println!(
        "report: a bomb of {mib} MiB took {bomb_peak} MiB, a line of {pieces} MiB {line_peak} MiB"
    );
    is_sound(&scene.world).await;
}

#[tokio::test]
async fn headers_of_the_connection_stop_here_in_both_directions() {
    let mut scene = Scene::start(&[]).await;
    scene.provider.will([
        head(&format!(
            "content-type: application/json\r\ncontent-length: {}\r\nconnection: close, x-hop\r\n\
             x-hop: secret\r\nkeep-alive: timeout=5\r\nx-diamond-request-id: forged\r\nx-plain: 1",
            ANSWER.len()
        )),
        send(ANSWER),
    ]);
    let request = scene.request(false).replace(
        "connection: close\r\n",
        "connection: close, X-Mine, x-diamond-user\r\nx-mine: secret\r\nkeep-alive: timeout=9\r\n\
         te: trailers\r\nproxy-authorization: Basic abc\r\nproxy-connection: keep-alive\r\n\
         cookie: a=b\r\nx-forwarded-for: 10.0.0.1\r\nforwarded: for=x\r\nx-kept: 1\r\n",
    );
    let heard = ask(&scene.world, request).await;
    assert_eq!(heard.status(), 200);
    let answer = heard.head();
    assert!(answer.contains("x-plain: 1"), "{answer}");
    for gone in ["x-hop", "keep-alive:", "forged"] {
        assert!(!answer.contains(gone), "{gone} in {answer}");
    }
    let seen = scene.provider.seen().remove(0).to_lowercase();
    assert!(
        seen.contains("x-kept: 1") && seen.contains("bearer sk-sample-0001"),
        "{seen}"
    );
    for gone in [
        "x-mine",
        "keep-alive:",
        "te:",
        "proxy-",
        "cookie",
        "forwarded",
        "x-diamond",
        "dmd_",
    ] {
        let line = seen.lines().find(|line| line.starts_with(gone));
        assert_eq!(line, None, "{seen}");
    }
    scene.calls += 1;
    is_sound(&scene.world).await;
}

#[tokio::test]
async fn two_lengths_are_no_way_to_hide_a_request() {
    let scene = Scene::start(&[]).await;
    scene.provider.will([json_head(ANSWER.len()), send(ANSWER)]);
    let body = r#"{"model":"gpt-4o-mini","messages":[]}"#;
    let hidden = "GET /gateway/openai/v1/models HTTP/1.1\r\nhost: x\r\n\r\n";
    for path in ["chat/completions", "files"] {
        let request = format!(
            "POST /gateway/openai/v1/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\
             \r\n{:x}\r\n{body}\r\n0\r\n\r\n{hidden}",
            scene.token,
            body.len()
        );
        let before = scene.provider.seen().len();
        let mut raw = super::Raw::open(&scene.world).await;
        raw.say(request).await;
        tokio::io::AsyncWriteExt::shutdown(&mut raw.0)
            .await
            .unwrap();
        let heard = raw.hear().await;
        assert!([200, 400].contains(&heard.status()), "{path}");
        // What was hidden carries no token, so it goes nowhere; what was sent went as one request,
        // framed anew.
        let seen = scene.provider.seen();
        assert!(seen.len() <= before + 1, "{seen:?}");
        if let Some(seen) = seen.get(before) {
            let seen = seen.to_lowercase();
            let framings =
                seen.matches("content-length").count() + seen.matches("transfer-enc").count();
            assert_eq!(framings, 1, "{seen}");
            assert!(!seen.contains("content-length: 5\r"), "{seen}");
            assert!(!seen.contains("get /"), "{seen}");
        }
    }
    is_sound(&scene.world).await;
}
