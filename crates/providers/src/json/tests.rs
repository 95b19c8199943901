use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const PATTERNS: &[Pattern] = &[
    Pattern::value(&["usage"]),
    Pattern::value(&["usage", "input"]),
    Pattern::value(&["output", "*", "type"]),
    Pattern::length(&["output", "*", "text"]),
    Pattern::value(&["model"]),
];

/// JSON made of the keys that the patterns name, and of traps: braces and quotes in strings.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\{}\\[\\],:é\n]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("usage".to_owned()),
        Just("input".to_owned()),
        Just("output".to_owned()),
        Just("type".to_owned()),
        Just("text".to_owned()),
        Just("model".to_owned()),
        "[a-z\"\\\\]{0,4}",
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn split<'a>(text: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    places.sort_unstable();
    let mut chunks = Vec::new();
    let mut from = 0;
    for place in places {
        chunks.push(&text[from..place]);
        from = place;
    }
    chunks.push(&text[from..]);
    chunks
}

proptest! {
    #[test]
    fn any_chunking_finds_what_a_parser_finds(
        tree in tree(),
        pretty: bool,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let root = json!({"before": [tree.clone()], "usage": tree.clone(), "output": [tree.clone(), tree.clone()], "model": "m"});
        let text = if pretty {
            serde_json::to_vec_pretty(&root).unwrap()
        } else {
            serde_json::to_vec(&root).unwrap()
        };
        let mut scan = JsonScan::new(PATTERNS);
        for chunk in split(&text, &cuts) {
            scan.push(chunk);
        }
        prop_assert!(scan.is_complete());
        prop_assert_eq!(scan.get::<Value>(0), Some(tree.clone()));
        let span = scan.last(0).unwrap();
        let spanned = &text[usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()];
        prop_assert_eq!(Some(spanned), scan.raw(0));
        prop_assert_eq!(scan.get::<Value>(1), tree.get("input").cloned());
        let types: Vec<Value> = scan.all(2).map(|found| serde_json::from_slice(found.raw.as_ref().unwrap()).unwrap()).collect();
        let expected: Vec<Value> = [&tree, &tree].into_iter().filter_map(|item| item.get("type").cloned()).collect();
        prop_assert_eq!(types, expected);
        prop_assert_eq!(scan.get::<String>(4), Some("m".to_owned()));
    }

    #[test]
    fn no_bytes_make_it_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..8)) {
        let mut scan = JsonScan::new(PATTERNS);
        for chunk in &chunks {
            scan.push(chunk);
        }
    }

    #[test]
    fn seconds_are_exact(milliseconds in 0_u64..10_000_000_000) {
        let text = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
        prop_assert_eq!(decimal_seconds_to_milliseconds(&text), Some(milliseconds));
    }
}

#[test]
fn the_last_of_repeated_keys_counts_and_escapes_do_not_hide_one() {
    let scan = JsonScan::of(PATTERNS, br#"{"model":"a","mod\u0065l":"b"}"#);
    assert_eq!(scan.get::<String>(4).as_deref(), Some("b"));
}

#[test]
fn keys_further_down_are_not_the_ones_meant() {
    let scan = JsonScan::of(
        PATTERNS,
        br#"{"data":[{"usage":1,"model":"x"}],"x":{"usage":2}}"#,
    );
    assert!(scan.last(0).is_none() && scan.last(4).is_none());
}

#[test]
fn lengths_are_added_up() {
    let scan = JsonScan::of(
        PATTERNS,
        br#"{"output":[{"text":"abc"},{"text":"de"},{"text":7}]}"#,
    );
    assert_eq!(scan.length(3), 5);
}

#[test]
fn odd_numbers_of_seconds() {
    for (text, expected) in [
        ("9", Some(9_000)),
        ("0.0005", Some(1)),
        ("0.0004", Some(0)),
        ("1.5e1", Some(15_000)),
        ("25e-1", Some(2_500)),
        ("1e-40", Some(0)),
        ("-1", None),
        ("1e99", None),
        ("", None),
        ("NaN", None),
    ] {
        assert_eq!(decimal_seconds_to_milliseconds(text), expected, "{text}");
    }
}
