//! The table of error codes is complete: a code without a row and a row without a code fail.
//!
//! Codes are texts where an error is made; this reads the source for them. What it could overlook is
//! seen when a test meets it: every answer that passes through [`crate::world::World`] is looked up.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Crates whose errors reach the world.
const CRATES: [&str; 7] = [
    "admission",
    "api",
    "app",
    "gateway",
    "keyring",
    "providers",
    "server",
];

/// Functions whose first argument is a code.
const MAKERS: [&str; 11] = [
    "invalid",
    "not_found",
    "conflict",
    "unavailable",
    "unprocessable",
    "bad_request",
    "forbidden",
    "too_large",
    "unauthenticated",
    "limited",
    "refuse",
];

/// Types whose value stands before a code.
const KINDS: [&str; 3] = ["Fault::", "AppErrorKind::", "StatusCode::"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of docs/errors.md: a code and its statuses.
static TABLE: LazyLock<BTreeMap<String, BTreeSet<u16>>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let (code, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let statuses = rest.split(" | ").next()?;
        let statuses = statuses.split(", ").map(|status| status.parse().unwrap());
        Some((code.to_owned(), statuses.collect()))
    });
    rows.collect()
});

/// Fails when an answer of ours has a code that stands in no row, or under another status.
#[track_caller]
pub fn must_be_documented(status: u16, code: &str) {
    let statuses = TABLE.get(code);
    let statuses = statuses.unwrap_or_else(|| panic!("`{code}` has no row in docs/errors.md"));
    assert!(
        statuses.contains(&status),
        "`{code}` came with {status}, docs/errors.md says {statuses:?}"
    );
}

#[test]
fn every_code_has_a_row_and_every_row_a_code() {
    let mut files = Vec::new();
    for name in CRATES {
        collect(&root().join("crates").join(name).join("src"), &mut files);
    }
    let mut made = BTreeSet::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        made.extend(codes_in(&text));
    }
    let documented: BTreeSet<String> = TABLE.keys().cloned().collect();
    let without_row: Vec<_> = made.difference(&documented).collect();
    let without_code: Vec<_> = documented.difference(&made).collect();
    assert!(
        without_row.is_empty() && without_code.is_empty(),
        "docs/errors.md lacks {without_row:?} and has {without_code:?} too many"
    );
    let rows = TABLE.keys().collect::<Vec<_>>();
    assert!(rows.is_sorted() && rows.len() > 80);
}

#[test]
fn the_reading_of_the_source_sees_every_form() {
    let text = r#"
        AppError::invalid("one", "words"); Failure::own(
            Fault::BadRequest,
            "two", "words");
        RefusedRoute { code: "three" }
        const fn code(&self) -> &'static str { match self { Self::A { .. } => "four", } }
        let (code, why) = match error { A => ("si_x", "words"), B => ("label", 1) };
        concat!(r"{"error":{"code":"five"}}");
        fn label() -> &str { match x { A => "no_code" } }
        counter!("no_code"); invalid("no code");
        #[cfg(test)]
        mod tests { refuse("no_code_either") }
    "#;
    let seen = codes_in(text);
    let seen: Vec<_> = seen.iter().map(String::as_str).collect();
    assert_eq!(seen, ["five", "four", "one", "si_x", "three", "two"]);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

fn codes_in(text: &str) -> BTreeSet<String> {
    let text = text
        .split_once("mod tests {")
        .map_or(text, |(before, _)| before);
    let mut codes = BTreeSet::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('"') {
        let start = at + found + 1;
        at = start;
        let Some(length) = text[start..].find('"') else {
            break;
        };
        let word = &text[start..start + length];
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !word.is_empty()
            && word.bytes().all(plain)
            && makes_code(text[..start - 1].trim_end(), word)
        {
            codes.insert(word.to_owned());
        }
    }
    codes
}

/// Whether what stands before a text says that it is a code.
fn makes_code(before: &str, word: &str) -> bool {
    let name = |text: &str| {
        let start = text.rfind(|letter: char| !letter.is_alphanumeric() && letter != '_');
        text[start.map_or(0, |start| start + 1)..].to_owned()
    };
    if let Some(before) = before.strip_suffix('(') {
        // A code with its words, chosen by an arm, or the argument of a maker. (One word alone is
        // a label there.)
        let chosen = before.trim_end().ends_with("=>") && word.contains('_');
        return chosen || MAKERS.contains(&name(before).as_str());
    }
    if let Some(before) = before.strip_suffix(',') {
        let kind = before.strip_suffix(&name(before)).unwrap_or_default();
        return KINDS.iter().any(|known| kind.ends_with(known));
    }
    if before.ends_with("=>") {
        let function = before.rfind("fn ").map_or("", |start| &before[start + 3..]);
        return function.starts_with("code(");
    }
    before.ends_with("code:") || before.ends_with("\"code\":")
}
