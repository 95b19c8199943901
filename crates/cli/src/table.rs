//! Tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Renders rows under a heading; columns whose heading begins with `>` are aligned to the right.
pub fn render<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.map(|heading| heading.trim_start_matches('>').to_owned()));
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    for (index, heading) in headings.iter().enumerate() {
        let Some(column) = table.column_mut(index) else {
            continue;
        };
        column.set_padding((0, 2));
        if heading.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The text without what could move the cursor or colour the screen: names come from others.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// The text, or a dash.
pub fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

/// The words with commas, or what an empty list means.
pub fn list_or(words: impl IntoIterator<Item = impl ToString>, empty: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    if words.is_empty() {
        empty.to_owned()
    } else {
        words.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let text = render(
            ["SERVICE", ">COST"],
            [
                ["openai".to_owned(), "1.5".to_owned()],
                ["hume".to_owned(), "100.25".to_owned()],
            ],
        );
        insta::assert_snapshot!(text, @r"
        SERVICE    COST
        openai      1.5
        hume     100.25
        ");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let text = render(["NAME"], [["a\u{1b}[2Jb".to_owned()]]);
        assert!(!text.contains('\u{1b}'));
    }
}
