use serde_json::{Value, json};

use crate::harness::{Sim, chat};

#[tokio::test]
async fn a_plain_answer_costs_what_was_sent_and_said() {
    let sim = Sim::start().await;
    // "user\nwords:6\n" is 13 bytes: 4 tokens. The answer "word1 … word6" is 35 bytes: 9 tokens.
    let answer = sim
        .post("chat/completions", &chat("gpt-4o-mini", "words:6"))
        .await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let text = "word1 word2 word3 word4 word5 word6";
    assert_eq!(body["choices"][0]["message"]["content"], text);
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["model"], "gpt-4o-mini-2024-07-18");
    assert_eq!(body["usage"]["prompt_tokens"], 4);
    assert_eq!(body["usage"]["completion_tokens"], 9);
    assert_eq!(body["usage"]["total_tokens"], 13);

    let call = sim.only_call().await;
    assert_eq!(call["requestId"], answer.header("x-request-id").unwrap());
    assert_eq!(call["keyId"], crate::harness::KEY_ID);
    assert_eq!(call["operation"], "chat.completions");
    let quantities = json!({"requests": 1, "input_tokens": 4, "output_tokens": 9});
    assert_eq!(call["quantities"], quantities);
    // 4 × 0.15/M + 9 × 0.60/M = 0.0000006 + 0.0000054
    assert_eq!(call["costUsd"], "0.000006000");
    assert_eq!(call["cut"], false);
}

fn streamed(mut body: Value, include_usage: Option<bool>) -> Value {
    body["stream"] = json!(true);
    if let Some(include_usage) = include_usage {
        body["stream_options"] = json!({"include_usage": include_usage});
    }
    body
}

#[tokio::test]
async fn a_stream_tells_its_usage_only_when_asked() {
    let sim = Sim::start().await;
    let asked = streamed(chat("gpt-5-mini", "words:6"), Some(true));
    let answer = sim.post("chat/completions", &asked).await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    let events = answer.events();
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some())
    );
    assert_eq!(last["choices"], json!([]));
    // 64 tokens of thinking and 9 of text
    assert_eq!(last["usage"]["completion_tokens"], 73);
    assert_eq!(
        last["usage"]["completion_tokens_details"]["reasoning_tokens"],
        64
    );

    for include_usage in [None, Some(false)] {
        let plain = streamed(chat("gpt-5-mini", "words:6"), include_usage);
        let events = sim.post("chat/completions", &plain).await.events();
        assert!(events.iter().all(|chunk| chunk.get("usage").is_none()));
    }
    let bill = sim.bill().await;
    for call in bill["calls"].as_array().unwrap() {
        assert_eq!(call["quantities"]["output_tokens"], 73);
        assert_eq!(call["quantities"]["reasoning_tokens"], 64);
        // 4 × 0.25/M + 73 × 2/M = 0.000001 + 0.000146
        assert_eq!(call["costUsd"], "0.000147000");
    }
    assert_eq!(bill["totalCostUsd"], "0.000441000");
}

#[tokio::test]
async fn the_chunks_of_a_stream_are_the_text() {
    let sim = Sim::start().await;
    let question = chat("gpt-4.1", "Grüße an alle 🙂 und auf Wiedersehen");
    let whole = sim.post("chat/completions", &question).await.json();
    let mut several = streamed(question, None);
    several["n"] = json!(2);
    let events = sim.post("chat/completions", &several).await.events();
    let said = |index: u64| -> String {
        let choices = events.iter().map(|chunk| &chunk["choices"][0]);
        let own = choices.filter(|choice| choice["index"] == index);
        own.filter_map(|choice| choice["delta"]["content"].as_str())
            .collect()
    };
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(said(0), text);
    assert_eq!(said(1), format!("{text} (answer 2)"));
}

#[tokio::test]
async fn the_limit_on_tokens_is_kept_thinking_included() {
    let sim = Sim::start().await;
    for (model, limit, thinking) in [("gpt-4o", 5, 0), ("gpt-6-luna", 70, 64), ("o3", 10, 10)] {
        let mut question = chat(model, "words:500");
        question["max_completion_tokens"] = json!(limit);
        let body = sim.post("chat/completions", &question).await.json();
        assert_eq!(body["choices"][0]["finish_reason"], "length");
        assert_eq!(body["usage"]["completion_tokens"], limit);
        assert_eq!(
            body["usage"]["completion_tokens_details"]["reasoning_tokens"],
            thinking
        );
    }
    let bill = sim.bill().await;
    let billed = |place: usize| bill["calls"][place]["quantities"]["output_tokens"].clone();
    assert_eq!(
        [billed(0), billed(1), billed(2)],
        [json!(5), json!(70), json!(10)]
    );
}

#[tokio::test]
async fn a_tool_is_called_when_the_question_names_it() {
    let sim = Sim::start().await;
    let mut question = chat("gpt-4o", "please use get_weather");
    question["tools"] = json!([{"type": "function", "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }}]);
    let choice = sim.post("chat/completions", &question).await.json()["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "tool_calls");
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "get_weather");
    assert_eq!(function["arguments"], "{\"city\":\"sim\"}");

    let events = sim
        .post("chat/completions", &streamed(question.clone(), None))
        .await
        .events();
    let arguments: String = events
        .iter()
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
        })
        .collect();
    assert_eq!(arguments, "{\"city\":\"sim\"}");
    // name 11 bytes: 3 tokens; arguments 14 bytes: 4 tokens; whole and streamed alike
    for call in sim.bill().await["calls"].as_array().unwrap() {
        assert_eq!(call["quantities"]["output_tokens"], 7);
    }
    question["tool_choice"] = json!("none");
    let body = sim.post("chat/completions", &question).await.json();
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_long_beginning_is_cached_for_its_key() {
    let sim = Sim::start().await;
    // "user\n" + 8,000 + "\n" = 8,006 bytes: 2,002 tokens, kept up to 1,024 + 7 × 128 = 1,920
    let question = chat("gpt-6-sol", &"abcd".repeat(2_000));
    let details = |body: Value| body["usage"]["prompt_tokens_details"].clone();
    let first = details(sim.post("chat/completions", &question).await.json());
    assert_eq!(first["cache_write_tokens"], 1_920);
    assert_eq!(first["cached_tokens"], 0);
    let second = details(sim.post("chat/completions", &question).await.json());
    assert_eq!(second["cache_write_tokens"], 0);
    assert_eq!(second["cached_tokens"], 1_920);
    let bill = sim.bill().await;
    assert_eq!(bill["calls"][0]["quantities"]["cache_write_tokens"], 1_920);
    assert_eq!(bill["calls"][1]["quantities"]["cached_input_tokens"], 1_920);
}

#[tokio::test]
async fn the_answer_says_which_tier_served_it() {
    let sim = Sim::start().await;
    let cases = [
        ("gpt-6-sol", "flex", "flex"),
        ("gpt-6-sol", "fast", "priority"),
        ("gpt-4o-mini", "priority", "priority"),
        ("gpt-4o-mini", "flex", "default"),
        ("gpt-6-sol", "auto", "default"),
    ];
    for (place, (model, asked, served)) in cases.into_iter().enumerate() {
        let mut question = chat(model, "Hello");
        question["service_tier"] = json!(asked);
        let body = sim.post("chat/completions", &question).await.json();
        assert_eq!(body["service_tier"], served, "{model} {asked}");
        assert_eq!(sim.bill().await["calls"][place]["serviceTier"], served);
    }
}

#[tokio::test]
async fn a_wrong_request_is_refused_in_openai_s_shape_and_not_billed() {
    let sim = Sim::start().await;
    let cases = [
        (
            json!({"messages": []}),
            400,
            "missing_required_parameter",
            "model",
        ),
        (
            json!({"model": "gpt-4o"}),
            400,
            "missing_required_parameter",
            "messages",
        ),
        (chat("gpt-nonsense", "Hi"), 404, "model_not_found", ""),
        (chat("whisper-1", "Hi"), 400, "unsupported_model", "model"),
    ];
    for (body, status, code, param) in cases {
        let answer = sim.post("chat/completions", &body).await;
        let error = answer.json()["error"].clone();
        assert_eq!(
            (answer.status, error["code"].as_str()),
            (status, Some(code))
        );
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!(error["param"].as_str().unwrap_or_default(), param);
        assert!(answer.header("x-request-id").is_some());
    }
    let unknown = sim.post("chat/nonsense", &json!({})).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(
        unknown.json()["error"]["message"],
        "Invalid URL (POST /v1/chat/nonsense)"
    );
    let bill = sim.bill().await;
    assert_eq!(bill["calls"], json!([]));
    assert_eq!(bill["refused"]["missing_required_parameter"], 2);
    assert_eq!(bill["refused"]["404"], 1);
}
