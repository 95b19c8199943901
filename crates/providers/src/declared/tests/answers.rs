//! Answers as the providers write them, and what is read from them.

use diamond_domain::{Meter, Money, SecretValue};
use http::{HeaderMap, Method};

use super::*;
use crate::{
    AnswerKind, Classified, EventRole, Fault, OwnError, Reading, ReadingBasis, RequestHead,
    testing::{answer, feed, now, word},
};

fn route(provider: &dyn Provider, path: &str) -> crate::Route {
    match provider.classify(&Method::POST, path) {
        Classified::Forward(route) => route,
        Classified::Refuse(refused) => panic!("{path}: {}", refused.code),
    }
}

fn reading(name: &str, path: &str, request: &str, said: &str, streams: bool) -> Reading {
    let provider = shipped(name);
    let route = route(&*provider, path);
    let headers = HeaderMap::new();
    let head = RequestHead {
        path,
        query: None,
        headers: &headers,
    };
    let head = provider.read_head(&route, &head);
    let facts = provider.read_json(&route, head, request.as_bytes());
    let kind = if streams {
        AnswerKind::EventStream
    } else {
        AnswerKind::Json
    };
    let read = |piece: usize| {
        let mut meter = provider.meter(&route, &facts, kind, false);
        if streams {
            feed(&mut *meter, said.as_bytes(), piece);
        } else {
            said.as_bytes()
                .chunks(piece)
                .for_each(|bytes| meter.bytes(bytes));
        }
        meter.reading(true)
    };
    assert_eq!(read(1), read(1 << 20), "{name}");
    read(7)
}

fn counted(reading: &Reading) -> Vec<(Meter, u64)> {
    let counted = reading.quantities.iter();
    counted
        .filter(|(meter, _)| *meter != Meter::Requests)
        .collect()
}

#[test]
fn groq_counts_as_openai_does_and_in_a_place_of_its_own() {
    let request = r#"{"model":"openai/gpt-oss-20b","messages":[{"role":"user","content":"Hi"}]}"#;
    let path = "/openai/v1/chat/completions";
    let plain = r#"{"id":"1","model":"openai/gpt-oss-20b","choices":[{"message":{"content":"Hello"}}],
        "usage":{"queue_time":0.01,"prompt_tokens":20,"prompt_tokens_details":{"cached_tokens":16},
        "completion_tokens":5,"total_tokens":25},"x_groq":{"id":"req_1"}}"#;
    let expected = [
        (Meter::InputTokens, 20),
        (Meter::CachedInputTokens, 16),
        (Meter::OutputTokens, 5),
    ];
    let plain = reading("groq", path, request, plain, false);
    assert_eq!(counted(&plain), expected);
    assert_eq!(plain.basis, ReadingBasis::Reported);
    assert_eq!(plain.model.as_deref(), Some("openai/gpt-oss-20b"));
    let stream = concat!(
        "data: {\"model\":\"openai/gpt-oss-20b\",\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{}}],\"x_groq\":{\"usage\":{\"prompt_tokens\":20,",
        "\"prompt_tokens_details\":{\"cached_tokens\":16},\"completion_tokens\":5}}}\n\n",
        "data: [DONE]\n\n",
    );
    let stream = reading("groq", path, request, stream, true);
    assert_eq!(counted(&stream), expected);
    // A stream that broke off is guessed, and says so.
    let broken = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello wo\"}}]}\n\n";
    let broken = reading("groq", path, request, broken, true);
    assert_eq!(
        (broken.basis, broken.partial),
        (ReadingBasis::Estimated, true)
    );
    assert_eq!(broken.quantities.get(Meter::OutputTokens), 2);
}

#[test]
fn xai_and_openrouter_state_what_a_call_costs() {
    let request = r#"{"model":"grok-4.5","messages":[]}"#;
    let said = r#"{"model":"grok-4.5","usage":{"prompt_tokens":100,"completion_tokens":10,
        "completion_tokens_details":{"reasoning_tokens":40},"cost_in_usd_ticks":3500005}}"#;
    let found = reading("xai", "/v1/chat/completions", request, said, false);
    assert_eq!(found.quantities.get(Meter::OutputTokens), 50);
    assert_eq!(found.quantities.get(Meter::ReasoningTokens), 40);
    // 3,500,005 / 10 = 350,000.5 nano-dollars: to the even neighbour.
    assert_eq!(found.stated_cost, Some(Money::from_nanos(350_000)));
    let stream = concat!(
        ": OPENROUTER PROCESSING\n\n",
        "data: {\"model\":\"a/b\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"cost\":1.95e-05}}\n\n",
        "data: [DONE]\n\n",
    );
    let path = "/api/v1/chat/completions";
    let found = reading("openrouter", path, request, stream, true);
    assert_eq!(found.stated_cost, Some(Money::from_nanos(19_500)));
    let failed = "data: {\"error\":{\"code\":502},\"choices\":[{\"finish_reason\":\"error\"}]}\n\n";
    assert!(reading("openrouter", path, request, failed, true).failed_inside);
}

#[test]
fn cohere_counts_what_is_billed() {
    let request = r#"{"model":"command-a-03-2025","messages":[]}"#;
    let units = r#"{"billed_units":{"input_tokens":7,"output_tokens":9},"tokens":{"input_tokens":70,"output_tokens":90}}"#;
    let plain = format!(r#"{{"id":"1","message":{{}},"usage":{units}}}"#);
    let expected = [(Meter::InputTokens, 7), (Meter::OutputTokens, 9)];
    let plain = reading("cohere", "/v2/chat", request, &plain, false);
    assert_eq!(counted(&plain), expected);
    assert_eq!(plain.model.as_deref(), Some("command-a-03-2025"));
    let stream = format!(
        "event: content-delta\ndata: {{\"type\":\"content-delta\"}}\n\n\
         event: message-end\ndata: {{\"type\":\"message-end\",\"delta\":{{\"usage\":{units}}}}}\n\n"
    );
    let stream = reading("cohere", "/v2/chat", request, &stream, true);
    assert_eq!(counted(&stream), expected);
    let ranked = r#"{"results":[],"meta":{"billed_units":{"search_units":2}}}"#;
    let ranked = reading(
        "cohere",
        "/v2/rerank",
        r#"{"model":"rerank-v3.5"}"#,
        ranked,
        false,
    );
    assert_eq!(counted(&ranked), [(Meter::Credits, 2)]);
}

#[test]
fn gemini_names_its_model_in_the_path_and_counts_thoughts_apart() {
    let usage = |candidates: u64| {
        format!(
            r#""usageMetadata":{{"promptTokenCount":10,"toolUsePromptTokenCount":5,"cachedContentTokenCount":4,"candidatesTokenCount":{candidates},"thoughtsTokenCount":20,"totalTokenCount":99}},"modelVersion":"gemini-2.5-flash""#
        )
    };
    let expected = [
        (Meter::InputTokens, 15),
        (Meter::CachedInputTokens, 4),
        (Meter::OutputTokens, 27),
        (Meter::ReasoningTokens, 20),
    ];
    let request =
        r#"{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":64}}"#;
    let path = "/v1beta/models/gemini-flash-latest:generateContent";
    let plain = reading("gemini", path, request, &format!("{{{}}}", usage(7)), false);
    assert_eq!(counted(&plain), expected);
    assert_eq!(plain.model.as_deref(), Some("gemini-2.5-flash"));
    // Each count stands for everything before it, in events and in a list.
    let path = "/v1beta/models/gemini-flash-latest:streamGenerateContent";
    let events = format!(
        "data: {{{}}}\r\n\r\ndata: {{{}}}\r\n\r\n",
        usage(3),
        usage(7)
    );
    assert_eq!(
        counted(&reading("gemini", path, request, &events, true)),
        expected
    );
    let list = format!("[{{{}}},\n{{{}}}]", usage(3), usage(7));
    assert_eq!(
        counted(&reading("gemini", path, request, &list, false)),
        expected
    );
    let nothing = reading("gemini", path, request, "[{}]", false);
    assert_eq!(nothing.model.as_deref(), Some("gemini-flash-latest"));
    // The other notation states usage in streams only when asked.
    let provider = shipped("gemini");
    let route = route(&*provider, "/v1beta/openai/chat/completions");
    let body = bytes::Bytes::from_static(br#"{"model":"m","stream":true}"#);
    let facts = provider.read_json(&route, crate::RequestFacts::default(), &body);
    let asked = provider.prepare_json(&route, &facts, &body).unwrap();
    assert!(
        std::str::from_utf8(&asked)
            .unwrap()
            .contains("include_usage")
    );
    let mut meter = provider.meter(&route, &facts, AnswerKind::EventStream, true);
    let hidden =
        b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
    assert_eq!(feed(&mut *meter, hidden, 9), [EventRole::Hide]);
}

#[test]
fn mistral_counts_sound_and_cartesia_is_counted_by_us() {
    let said = r#"{"model":"voxtral-mini-transcribe-3","usage":{"prompt_audio_seconds":12,"prompt_tokens":4,"completion_tokens":30}}"#;
    let found = reading("mistral", "/v1/audio/transcriptions", "{}", said, false);
    assert_eq!(found.quantities.get(Meter::AudioMilliseconds), 12_000);
    let request = r#"{"model_id":"sonic-3","transcript":"Grüße 🙂"}"#;
    let found = reading("cartesia", "/tts/bytes", request, "{}", false);
    assert_eq!(found.basis, ReadingBasis::Measured);
    assert_eq!(counted(&found), [(Meter::Characters, 7)]);
    assert_eq!(found.model.as_deref(), Some("sonic-3"));
    let stream = "data: {\"type\":\"chunk\",\"data\":\"AA\"}\n\ndata: {\"type\":\"done\"}\n\n";
    let found = reading("cartesia", "/tts/sse", request, stream, true);
    assert_eq!(counted(&found), [(Meter::Characters, 7)]);
    let later = reading(
        "assemblyai",
        "/v2/transcript",
        r#"{"audio_url":"x"}"#,
        "{}",
        false,
    );
    assert_eq!(later.basis, ReadingBasis::Unknown);
}

#[test]
fn the_rules_of_each_service_judge_its_failures() {
    for (name, status, body, expected) in [
        (
            "groq",
            401,
            r#"{"error":{"message":"Invalid API Key","code":"invalid_api_key"}}"#,
            "invalid",
        ),
        ("groq", 401, "a proxy's page", "unclear"),
        (
            "groq",
            498,
            r#"{"error":{"code":"capacity_exceeded"}}"#,
            "overloaded",
        ),
        (
            "groq",
            429,
            r#"{"error":{"code":"rate_limit_exceeded"}}"#,
            "limited",
        ),
        ("mistral", 401, r#"{"message":"Unauthorized"}"#, "invalid"),
        (
            "mistral",
            429,
            r#"{"object":"error","type":"rate_limited","code":"1300"}"#,
            "limited",
        ),
        (
            "xai",
            400,
            r#"{"code":"x","error":"Incorrect API key provided: xa***"}"#,
            "invalid",
        ),
        (
            "xai",
            400,
            r#"{"code":"x","error":"model is missing"}"#,
            "bad_request",
        ),
        (
            "xai",
            429,
            r#"{"error":"Your team has used all available credits"}"#,
            "exhausted",
        ),
        (
            "cohere",
            401,
            r#"{"message":"invalid api token"}"#,
            "invalid",
        ),
        ("cohere", 402, r#"{"message":"billing"}"#, "exhausted"),
        ("cohere", 200, r#"{"valid":false}"#, "invalid"),
        (
            "cohere",
            200,
            r#"{"valid":true,"organization_id":"o"}"#,
            "valid",
        ),
        (
            "openrouter",
            402,
            r#"{"error":{"code":402,"metadata":{"limit_source":"openrouter_key_limit"}}}"#,
            "exhausted",
        ),
        (
            "openrouter",
            401,
            r#"{"error":{"code":401,"message":"User not found."}}"#,
            "invalid",
        ),
        (
            "assemblyai",
            401,
            r#"{"error":"Invalid API key"}"#,
            "invalid",
        ),
        (
            "assemblyai",
            400,
            r#"{"error":"Your current account balance is negative."}"#,
            "exhausted",
        ),
        (
            "cartesia",
            429,
            r#"{"error_code":"concurrency_limited","title":"t"}"#,
            "crowded",
        ),
        ("cartesia", 401, "unauthorized", "invalid"),
        (
            "gemini",
            400,
            r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"@type":"t"},{"reason":"API_KEY_INVALID"}]}}"#,
            "invalid",
        ),
        (
            "gemini",
            400,
            r#"{"error":{"code":400,"status":"INVALID_ARGUMENT"}}"#,
            "bad_request",
        ),
        (
            "gemini",
            403,
            r#"{"error":{"status":"PERMISSION_DENIED"}}"#,
            "missing_scope",
        ),
        (
            "gemini",
            429,
            r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#,
            "limited",
        ),
        ("gemini", 503, "", "overloaded"),
    ] {
        let provider = shipped(name);
        let headers = HeaderMap::new();
        let verdict = provider.read_validation(&answer(status, &headers, body.as_bytes()));
        assert_eq!(word(&verdict), expected, "{name} {status} {body}");
    }
    let headers = crate::testing::header_map(&[("retry-after", "20")]);
    let limited = shipped("groq").classify_failure(&answer(429, &headers, b""));
    let until = now() + jiff::SignedDuration::from_secs(20);
    assert!(matches!(limited, crate::KeyVerdict::Limited { until: Some(end), .. } if end == until));
}

#[test]
fn keys_stand_where_each_service_wants_them() {
    let key = SecretValue::new("real".into());
    for (name, header, value) in [
        ("groq", "authorization", "Bearer real"),
        ("assemblyai", "authorization", "real"),
        ("gemini", "x-goog-api-key", "real"),
        ("cartesia", "authorization", "Bearer real"),
    ] {
        let provider = shipped(name);
        let mut headers =
            crate::testing::header_map(&[("x-api-key", "dmd_1"), ("authorization", "dmd_1")]);
        provider.place_key(&mut headers, &key).unwrap();
        assert_eq!(headers[header], value, "{name}");
        assert!(headers[header].is_sensitive(), "{name}");
        let probe = provider.validation(&key).unwrap();
        assert!(!format!("{probe:?}").contains("real"), "{name}");
    }
    // What the provider needs besides is sent where the caller does not.
    let provider = shipped("cartesia");
    let mut headers = HeaderMap::new();
    provider.place_key(&mut headers, &key).unwrap();
    assert_eq!(headers["cartesia-version"], "2026-03-01");
    let mut own = crate::testing::header_map(&[("cartesia-version", "2025-04-16")]);
    provider.place_key(&mut own, &key).unwrap();
    assert_eq!(own["cartesia-version"], "2025-04-16");
}

#[test]
fn management_is_out_of_reach_and_our_errors_have_the_services_shape() {
    for (name, method, path) in [
        ("openrouter", Method::POST, "/api/v1/keys"),
        ("openrouter", Method::DELETE, "/api/v1/keys/abc"),
        ("cartesia", Method::GET, "/api-keys"),
        ("xai", Method::POST, "/auth/teams/t/api-keys"),
    ] {
        let classified = shipped(name).classify(&method, path);
        assert!(
            matches!(classified, Classified::Refuse(refused) if refused.forbidden),
            "{name} {path}"
        );
    }
    let unknown = shipped("groq").classify(&Method::POST, "/openai/v2/brand-new");
    assert!(matches!(unknown, Classified::Forward(route) if route.operation == "unknown"));
    let error = OwnError {
        fault: Fault::Forbidden,
        code: "tenant_suspended",
        message: "a \"quoted\" word".into(),
    };
    let body = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&shipped(name).own_error(&error).body).unwrap()
    };
    assert_eq!(
        body("gemini"),
        serde_json::json!({"error": {"code": 403, "message": "a \"quoted\" word", "status": "tenant_suspended"}})
    );
    assert_eq!(body("groq")["error"]["type"], "permission_error");
    assert_eq!(
        body("assemblyai"),
        serde_json::json!({"error": "a \"quoted\" word"})
    );
}
