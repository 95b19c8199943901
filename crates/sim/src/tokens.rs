//! The simulator's own tokenizer: pieces of up to four bytes.

/// The most bytes in a token.
const TOKEN_BYTES: usize = 4;

/// Cuts a text into tokens: each as many whole characters as fit into four bytes. Greedy from the
/// left, so the tokens of a text begin with those of any of its token-aligned prefixes.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(TOKEN_BYTES));
        rest = behind;
        Some(piece)
    })
}

/// How many tokens a text has.
pub(crate) fn count(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len().div_ceil(TOKEN_BYTES) as u64;
    }
    pieces(text).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_bytes_are_a_token_and_a_character_is_never_split() {
        assert_eq!(
            pieces("Hello world").collect::<Vec<_>>(),
            ["Hell", "o wo", "rld"]
        );
        assert_eq!(pieces("aé🙂x").collect::<Vec<_>>(), ["aé", "🙂", "x"]);
        assert_eq!(count(""), 0);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text_and_are_counted(text in "\\PC{0,60}") {
            prop_assert_eq!(pieces(&text).collect::<String>(), text.clone());
            prop_assert_eq!(pieces(&text).count() as u64, count(&text));
        }
    }
}
