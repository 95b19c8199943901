use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{AnswerKind, Classified, RequestHead};

const PLAIN: &str = r#"name = "acme"
display_name = "Acme"
component_code = "30-ACME"
sources = ["https://acme.example/docs"]

[[region]]
name = "global"
base_url = "https://api.acme.example"

[[credential]]
header = "x-acme-key"

[usage.text]
object = ["usage"]
[usage.text.meters]
input_tokens = "in"

[[route]]
method = "POST"
path = "/v1/think"
operation = "think"
metering = "usage"
usage = "text"
body = "json"

[[verdict]]
status = [401]
verdict = "invalid"

[[model]]
name = "acme-1"
valid_from = 2026-10-01
observed = 2026-11-22
source = "https://acme.example/prices"
[model.rates]
input_tokens = "1 / 1000000"
"#;

#[test]
fn what_is_shipped_is_right_and_stands_in_nobodys_way() {
    let mut names = BTreeSet::new();
    let mut codes = BTreeSet::new();
    for provider in crate::all().iter().map(|(_, provider)| provider.clone()) {
        names.insert(provider.service().to_string());
        codes.insert(provider.descriptor().component_code.to_string());
    }
    let built_in = names.len();
    for (file, text) in SHIPPED {
        let declaration = Declaration::read(file, text).unwrap_or_else(|error| panic!("{error}"));
        let service = declaration.service().to_string();
        assert_eq!(*file, format!("{service}.toml"));
        assert!(!service.contains('-'));
        assert!(names.insert(service.clone()), "{service}");
        let code = declaration.descriptor().component_code.to_string();
        assert!(codes.insert(code.clone()), "{code}");
        assert!(declaration.prices().contains(&code), "{service}");
    }
    assert_eq!(names.len(), built_in + 8);
}

/// Each bad text, where it is wrong, and a part of what is said.
#[test]
fn what_is_wrong_is_said_with_its_place() {
    let changed = |from: &str, to: &str| {
        assert!(PLAIN.contains(from), "{from}");
        PLAIN.replace(from, to)
    };
    assert!(Declaration::read("acme.toml", PLAIN).is_ok());
    for (text, line, column, said) in [
        (
            changed("\"acme\"\n", "\"ac-me\"\n"),
            1,
            8,
            "lower-case letters",
        ),
        (changed("30-ACME", "ACME"), 3, 18, "`component_code`"),
        (
            changed("[\"https://acme.example/docs\"]", "[]"),
            4,
            11,
            "`sources` is empty",
        ),
        (
            changed("https://api.acme.example", "http://api.acme.example"),
            8,
            12,
            "https://",
        ),
        (
            changed("https://api.acme.example", "https://api.acme.example/"),
            8,
            12,
            "final slash",
        ),
        (
            changed("header = \"x-acme-key\"", "query = \"key\""),
            10,
            1,
            "never in an address",
        ),
        (changed("x-acme-key", "X-Acme-Key"), 10, 1, "lower case"),
        (
            changed("object = [\"usage\"]", "object = [\"usage..x\"]"),
            14,
            11,
            "no place in JSON",
        ),
        (
            changed("input_tokens = \"in\"", "inputs = \"in\""),
            16,
            10,
            "the meters are input_tokens",
        ),
        (changed("POST", "FETCH"), 19, 10, "none of GET"),
        (
            changed("\"/v1/think\"", "\"v1/think\""),
            20,
            8,
            "begin with `/`",
        ),
        (changed("\"think\"", "\"Think!\""), 21, 13, "no operation"),
        (
            changed("metering = \"usage\"", "metering = \"guess\""),
            22,
            12,
            "must be one of usage",
        ),
        (
            changed("usage = \"text\"", "usage = \"sound\""),
            23,
            9,
            "there is no [usage.sound]",
        ),
        (changed("usage = \"text\"\n", ""), 22, 12, "needs `usage`"),
        (
            changed("status = [401]", "status = [403]"),
            26,
            1,
            "only status 401",
        ),
        (
            changed("status = [401]\n", ""),
            26,
            1,
            "would fit every answer",
        ),
        (
            changed("verdict = \"invalid\"", "verdict = \"dead\""),
            28,
            11,
            "must be one of valid",
        ),
        (
            changed("body = \"json\"", "bodies = \"json\""),
            24,
            1,
            "unknown field `bodies`",
        ),
        (
            changed("path = \"/v1/think\"", "path = 3"),
            20,
            8,
            "expected a string",
        ),
        (changed("[[region]]", "[[region]"), 6, 10, ""),
        (String::new(), 1, 1, "missing field `name`"),
    ] {
        let error = Declaration::read("acme.toml", &text).unwrap_err();
        let found: Vec<_> = error
            .problems
            .iter()
            .filter(|problem| problem.message.contains(said))
            .map(|problem| (problem.line, problem.column))
            .collect();
        assert!(
            found.contains(&(line, column)),
            "{line}:{column} {said}: {error}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = PLAIN
        .replace("30-ACME", "ACME")
        .replace("\"/v1/think\"", "\"v1/think\"")
        .replace("POST", "FETCH");
    let error = Declaration::read("acme.toml", &text).unwrap_err();
    let lines: Vec<usize> = error.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 19, 20]);
    assert!(error.to_string().starts_with("acme.toml:3:18: "), "{error}");
}

/// Whatever a file says, reading it and using what it says ends in an answer.
fn use_it(text: &str) {
    let Ok(declaration) = Declaration::read("x.toml", text) else {
        return;
    };
    let provider = DeclaredService::provider(declaration);
    for path in ["/", "/v1/think", "/v1beta/models/x:generateContent", "//"] {
        let Classified::Forward(route) = provider.classify(&http::Method::POST, path) else {
            continue;
        };
        let headers = http::HeaderMap::new();
        let head = RequestHead {
            path,
            query: None,
            headers: &headers,
        };
        let head = provider.read_head(&route, &head);
        let facts = provider.read_json(&route, head, br#"{"model":"x","input":[1]}"#);
        let mut meter = provider.meter(&route, &facts, AnswerKind::Json, false);
        meter.bytes(br#"{"usage":{"in":1.5,"prompt_tokens":"x"},"usageMetadata":[]}"#);
        meter.reading(true);
        let answer = crate::testing::answer(403, &headers, b"{\"error\":null}");
        let _ = provider.classify_failure(&answer);
        let key = diamond_domain::SecretValue::new("key".into());
        let _ = provider.validation(&key);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics_the_reader(text in "\\PC{0,400}") {
        let _ = Declaration::read("x.toml", &text);
    }

    #[test]
    fn no_change_to_a_right_file_panics_anything(
        which in 0..=SHIPPED.len(),
        from in any::<prop::sample::Index>(),
        length in 0_usize..40,
        put in prop_oneof![
            Just(String::new()), Just("\"".to_owned()), Just("[".to_owned()), Just("\n".to_owned()),
            Just("{id}".to_owned()), Just("*".to_owned()), Just("é🙂".to_owned()), "[a-z0-9.=\\[\\]\"/ ]{0,12}",
        ],
    ) {
        let text = SHIPPED.get(which).map_or(PLAIN, |(_, text)| text);
        let from = text.floor_char_boundary(from.index(text.len() + 1));
        let end = text.floor_char_boundary((from + length).min(text.len()));
        let changed = format!("{}{put}{}", &text[..from], &text[end..]);
        use_it(&changed);
    }
}
