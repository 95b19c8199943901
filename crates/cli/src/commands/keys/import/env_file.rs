//! Files of variables, as `.env` loaders and shells read them.

use std::path::Path;

use diamond_domain::SecretValue;
use zeroize::Zeroizing;

use super::{
    Found, Keys,
    csv::check_value,
    mapping::{Mapping, target_of},
};
use crate::failure::Failure;

/// Reads the keys of a file.
pub fn read(path: &Path, text: &str, mappings: &[Mapping]) -> Result<Keys, Failure> {
    let shown = path.display();
    let mut keys = Keys::default();
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{shown}, line {}", number + 1);
        let read = || {
            let Some((name, value)) = assignment(line)? else {
                return Ok(None);
            };
            let Some(target) = target_of(name, mappings)? else {
                return Ok(Some(Err(name.to_owned())));
            };
            let value = unquoted(value)?;
            check_value(&value)?;
            let value = SecretValue::new(value.to_string());
            Ok::<_, String>(Some(Ok((target, value))))
        };
        match read() {
            Ok(None) => {}
            Ok(Some(Err(name))) => keys.left_out.push(name),
            Ok(Some(Ok((target, value)))) => keys.found.push(Found {
                place,
                target,
                value,
            }),
            Err(fault) => faults.push(format!("{place}: {fault}")),
        }
    }
    if faults.is_empty() {
        Ok(keys)
    } else {
        Err(Failure::input(faults.join("\n")))
    }
}

/// The name and what stands behind the sign; `None` for a line without either.
fn assignment(line: &str) -> Result<Option<(&str, &str)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line
        .split_once('=')
        .ok_or("it is neither NAME=VALUE nor a comment")?;
    let name = name.trim();
    let sound = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if name.is_empty() || !name.chars().all(sound) {
        return Err("the name has letters, digits, `_`, `-` and `.` only".to_owned());
    }
    Ok(Some((name, value.trim())))
}

/// The value without its quotes; a key has no letters that would have to be escaped.
fn unquoted(value: &str) -> Result<Zeroizing<String>, String> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inside, behind) = rest
                .split_once(quote)
                .ok_or("a quote is not closed on its line")?;
            let behind = behind.trim();
            if !behind.is_empty() && !behind.starts_with('#') {
                return Err("something stands behind a closing quote".to_owned());
            }
            return Ok(Zeroizing::new(inside.to_owned()));
        }
    }
    let value = value.split_once(" #").map_or(value, |(value, _)| value);
    Ok(Zeroizing::new(value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_keys_by_their_names() {
        let text = "
# keys
AI_OPENAI_ACME=sk-0123456789
export AI_OPENAI_ACME_CUSTOMER=\"sk-abcdefghij\" # theirs
ai-hume-acme = 'hume-0123456'
PATH=/usr/bin
OLD_NAME=sk-klmnopqrst # ours
";
        let map = ["OLD_NAME=anthropic/acme".parse().unwrap()];
        let keys = read(Path::new(".env"), text, &map).unwrap();
        let read: Vec<String> = keys
            .found
            .iter()
            .map(|found| {
                let (target, value) = (&found.target, found.value.expose());
                format!("{} {} {value}", target.service, target.kind.as_str())
            })
            .collect();
        assert_eq!(
            read,
            [
                "openai dedicated sk-0123456789",
                "openai customer sk-abcdefghij",
                "hume dedicated hume-0123456",
                "anthropic dedicated sk-klmnopqrst",
            ]
        );
        assert_eq!(keys.left_out, ["PATH"]);
        assert_eq!(keys.found[3].place, ".env, line 7");
    }

    #[test]
    fn a_fault_names_its_line_and_no_value() {
        for (text, word) in [
            ("AI_OPENAI_ACME", "neither"),
            ("\nAI_OPENAI_ACME='sk-0123456789", "not closed"),
            ("AI_OPENAI_ACME='sk-0123456789' x", "behind"),
            ("AI_OPENAI_ACME=sk-01 23456789", "printable"),
            ("AI_OPENAI_ADMIN=sk-0123456789", "management"),
            ("AI$X=sk-0123456789", "letters"),
        ] {
            let fault = read(Path::new(".env"), text, &[]).unwrap_err().to_string();
            assert!(fault.contains(word) && fault.contains("line"), "{fault}");
            assert!(
                !fault.contains("0123") && !fault.contains("2345"),
                "{fault}"
            );
        }
    }
}
