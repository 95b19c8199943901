//! What makes an answer count: a benchmark that counts errors measures how fast errors are.

use std::ops::RangeInclusive;

use anyhow::bail;
use http::StatusCode;
use memchr::memmem;

/// How much of a wrong answer is shown.
const SHOWN_MAX: usize = 2_000;

/// What every answer must be; its status is always 200.
#[derive(Debug, Clone)]
pub struct Expectation {
    length: RangeInclusive<usize>,
    part: memmem::Finder<'static>,
}

impl Expectation {
    /// An answer of just this length with this part in it.
    pub fn exactly(length: usize, part: &'static str) -> Self {
        Self::between(length..=length, part)
    }

    /// An answer of such a length with this part in it.
    pub fn between(length: RangeInclusive<usize>, part: &'static str) -> Self {
        Self {
            length,
            part: memmem::Finder::new(part),
        }
    }

    /// # Errors
    /// When the answer is another one; the error shows it.
    pub fn check(&self, status: StatusCode, body: &[u8]) -> anyhow::Result<()> {
        if status == StatusCode::OK
            && self.length.contains(&body.len())
            && self.part.find(body).is_some()
        {
            return Ok(());
        }
        let shown = String::from_utf8_lossy(body.get(..SHOWN_MAX).unwrap_or(body));
        bail!(
            "not the expected answer (200, {} to {} bytes, with `{}`) but {status}, {} bytes: {shown}",
            self.length.start(),
            self.length.end(),
            String::from_utf8_lossy(self.part.needle()),
            body.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_expected_answer_counts() {
        let expected = Expectation::exactly(10, "[DONE]");
        assert!(expected.check(StatusCode::OK, b"1234[DONE]").is_ok());
        assert!(expected.check(StatusCode::OK, b"123[DONE]").is_err());
        assert!(expected.check(StatusCode::OK, b"1234567890").is_err());
        assert!(expected.check(StatusCode::CREATED, b"1234[DONE]").is_err());
    }

    #[test]
    fn the_error_shows_what_came_instead() {
        let expected = Expectation::between(3..=5, "k");
        let error = expected
            .check(StatusCode::TOO_MANY_REQUESTS, b"slow down")
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("429") && text.contains("slow down"), "{text}");
    }
}
