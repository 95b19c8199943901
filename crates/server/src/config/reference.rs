//! The configuration reference, made from the default file.

use std::fmt::Write as _;

use super::DEFAULT_FILE;

const HEAD: &str = "\
# Configuration

Made from `config.default.toml` by `make generate`; do not edit.

The command line goes before the environment, the environment before the file given by `--config`,
that file before these defaults. Every fault is reported in one run, by its name.
";

/// The reference as Markdown: a table a section, a row a setting.
#[must_use]
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut section = String::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in DEFAULT_FILE.lines() {
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.to_owned();
            comment.clear();
            let _ = write!(
                text,
                "\n## `[{name}]`\n\n| setting | default | environment | meaning |\n|---|---|---|---|\n"
            );
        } else if let Some((name, value)) = line.split_once(" = ") {
            let environment =
                format!("DIAMOND_{}__{}", section.replace('.', "__"), name).to_uppercase();
            let meaning = comment.join(" ").replace('|', "\\|");
            let _ = writeln!(
                text,
                "| `{name}` | `{value}` | `{environment}` | {meaning} |"
            );
            comment.clear();
        } else {
            comment.clear();
        }
    }
    text
}
