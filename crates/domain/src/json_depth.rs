//! How deep objects and arrays stand in each other in a JSON text.

use memchr::memchr2;

/// Whether objects and arrays stand deeper in each other than this. Whether the text is JSON is for
/// a parser to say; nothing here depends on it, and nothing recurses.
#[must_use]
pub fn json_is_deeper_than(text: &[u8], depth_max: usize) -> bool {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => at += length_of_string(&text[at..]),
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Up to and with the quotation mark that ends it.
fn length_of_string(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(run) = memchr2(b'"', b'\\', &text[at..]) {
        at += run + 1;
        if text[at - 1] == b'"' {
            return at;
        }
        // Whatever is escaped does not end it.
        at = text.len().min(at + 1);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_outside_of_strings_only() {
        for (text, deeper) in [
            (r#"{"a":[1]}"#, false),
            (r#"[[],[],[[]]]"#, true),
            (r#"["[[[[","\"[[[[","\\",{}]"#, false),
            (r#"["\\",[[]]]"#, true),
            (r#"]]]{"a":{"b":{}}}"#, true),
            (r#"["[[["#, false),
            (r#"["\"#, false),
            ("", false),
        ] {
            assert_eq!(json_is_deeper_than(text.as_bytes(), 2), deeper, "{text}");
        }
        assert!(json_is_deeper_than(&vec![b'['; 1 << 20], 1_000));
    }
}
