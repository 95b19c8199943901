//! Hashes as lower-case hexadecimal text: the one form of bytes that both engines sort and show
//! alike.

use crate::DbError;

pub(crate) fn to_text(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    hash.iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

pub(crate) fn from_text(text: &str, column: &str) -> Result<[u8; 32], DbError> {
    let damaged = || DbError::corrupt(format!("column {column}"));
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(damaged());
    }
    let mut hash = [0_u8; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let high = digit(pair[0]).ok_or_else(damaged)?;
        let low = digit(pair[1]).ok_or_else(damaged)?;
        *byte = high << 4 | low;
    }
    Ok(hash)
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_survives_its_text_and_nothing_else_is_read() {
        let hash: [u8; 32] = std::array::from_fn(|place| (place * 37) as u8);
        let text = to_text(&hash);
        assert_eq!(from_text(&text, "hash").unwrap(), hash);
        assert!(from_text(&text.to_uppercase(), "hash").is_err());
        assert!(from_text(&text[1..], "hash").is_err());
        assert!(from_text(&format!("{}é", &text[2..]), "hash").is_err());
    }
}
