use super::*;
use crate::{BodyKind, Classified};
use proptest::prelude::*;
use serde_json::{Value, json};

fn route(path: &str) -> Route {
    match super::super::routes::classify(&http::Method::POST, path) {
        Classified::Forward(route) => route,
        Classified::Refuse(refused) => panic!("{}", refused.code),
    }
}

fn edited(body: &[u8]) -> Option<Bytes> {
    let chat = route("/v1/chat/completions");
    let body = Bytes::copy_from_slice(body);
    ask_for_usage(&chat, &read_json(&chat, &body), &body)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        "[ -~é\n]{0,16}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_\"{}]{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_edit_adds_the_option_and_nothing_else(
        members in proptest::collection::btree_map("[a-z_]{1,8}", json_value(), 0..5),
        options in prop_oneof![
            Just(None),
            Just(Some(Value::Null)),
            proptest::collection::btree_map(
                prop_oneof![Just("include_usage".to_owned()), Just("include_obfuscation".to_owned()), "[a-z]{1,3}"],
                prop_oneof![Just(json!(false)), Just(Value::Null), json_value()],
                0..3,
            ).prop_map(|map| Some(Value::Object(map.into_iter().collect()))),
        ],
        pretty: bool,
    ) {
        let mut body = json!({"stream": true, "model": "gpt-4o-mini"});
        let object = body.as_object_mut().unwrap();
        for (key, value) in members {
            object.entry(key).or_insert(value);
        }
        match options {
            Some(options) => { object.insert("stream_options".into(), options); }
            None => { object.remove("stream_options"); }
        }
        let wanted = body["stream_options"]["include_usage"] == json!(true);
        let text = if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) }.unwrap();
        let result = edited(&text);
        prop_assert_eq!(result.is_none(), wanted);
        if let Some(result) = result {
            let mut expected = body;
            if !expected["stream_options"].is_object() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = json!(true);
            prop_assert_eq!(serde_json::from_slice::<Value>(&result).unwrap(), expected);
        }
    }
}

#[test]
fn every_other_byte_stays() {
    let body = br#" { "model" : "m" ,"stream":true, "temperature":0.10, "x":"\u00e9" } "#;
    let result = edited(body).unwrap();
    let text = std::str::from_utf8(&result).unwrap();
    let added = r#""stream_options":{"include_usage":true},"#;
    assert_eq!(text.replacen(added, "", 1).as_bytes(), body);
}

#[test]
fn repeated_options_and_broken_bodies() {
    let twice =
        br#"{"stream":true,"stream_options":{"include_usage":true},"stream_options":{"a":1}}"#;
    // The last one counts, so the caller did not ask.
    let result: Value = serde_json::from_slice(&edited(twice).unwrap()).unwrap();
    assert_eq!(
        result["stream_options"],
        json!({"a": 1, "include_usage": true})
    );
    for body in [
        b"{\"stream\":true".as_slice(),
        b"not json",
        b"[]",
        b"{\"stream\":\"yes\"}",
    ] {
        assert_eq!(edited(body), None);
    }
    assert_eq!(edited(br#"{"stream":true,"stream_options":"x"}"#), None);
}

#[test]
fn other_operations_are_left_alone() {
    let responses = route("/v1/responses");
    let body = Bytes::from_static(br#"{"stream":true,"model":"m"}"#);
    assert_eq!(
        ask_for_usage(&responses, &read_json(&responses, &body), &body),
        None
    );
}

#[test]
fn facts() {
    let body = br#"{"model":"gpt-4o","messages":[{"role":"user","content":"abc"},{"role":"user","content":[{"type":"text","text":"defg"}]}],"max_completion_tokens":77,"n":2,"user":"u1","safety_identifier":"s1","stream":true}"#;
    let chat = route("/v1/chat/completions");
    let facts = read_json(&chat, body);
    assert_eq!(facts.model.as_deref(), Some("gpt-4o"));
    assert_eq!(facts.user.as_deref(), Some("s1"));
    assert_eq!(facts.input_text_bytes, 7);
    let limits = ModelLimits {
        max_input_tokens: Some(100),
        max_output_tokens: Some(50),
    };
    let most = ceiling(&chat, &facts, limits);
    assert_eq!(
        (most.get(Meter::InputTokens), most.get(Meter::OutputTokens)),
        (100, 100)
    );
    let speech = read_json(
        &route("/v1/audio/speech"),
        "{\"input\":\"h\\u00e9 😀\",\"model\":\"tts-1\"}".as_bytes(),
    );
    assert_eq!(speech.characters, Some(4));
    assert_eq!(chat.body, BodyKind::Json);
}
