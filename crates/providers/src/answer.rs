//! A provider's answer, as its adapter reads it.

use http::HeaderMap;
use jiff::Timestamp;

use crate::ManagementError;

/// A complete answer. The time stands beside it, because providers state pauses as lengths, as
/// times and as dates.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, decoded; an error's may be cut off.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

impl Answer<'_> {
    /// Whether the status is one of success.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The JSON of the body.
    ///
    /// # Errors
    /// [`ManagementError::Unreadable`], which says where and never what: the body may hold a key.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ManagementError> {
        serde_json::from_slice(self.body).map_err(|error| ManagementError::Unreadable {
            reason: format!(
                "not the JSON that was expected, at line {} column {}",
                error.line(),
                error.column()
            ),
        })
    }

    /// Until when to wait by `retry-after-ms` (as some SDKs know it) or `retry-after`: seconds or
    /// an HTTP date (RFC 9110, section 10.2.3). `None` when neither says so readably.
    #[must_use]
    pub fn retry_after(&self) -> Option<Timestamp> {
        let after = |length: jiff::SignedDuration| self.now.checked_add(length).ok();
        let milliseconds = self.header("retry-after-ms").and_then(|text| {
            let milliseconds: f64 = text.parse().ok()?;
            let length = std::time::Duration::try_from_secs_f64(milliseconds / 1e3).ok()?;
            after(length.try_into().ok()?)
        });
        milliseconds.or_else(|| {
            let text = self.header("retry-after")?;
            if let Ok(seconds) = text.parse::<f64>() {
                let length = std::time::Duration::try_from_secs_f64(seconds).ok()?;
                return after(length.try_into().ok()?);
            }
            jiff::fmt::rfc2822::parse(text)
                .ok()
                .map(|date| date.timestamp())
        })
    }
}

impl std::fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body may carry a key that was just made.
        let (status, bytes) = (self.status, self.body.len());
        write!(f, "Answer({status}, {bytes} bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_in_every_notation() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        for (name, text, expected) in [
            ("retry-after", "20", Some("2026-11-28T10:00:20Z")),
            ("retry-after", "1.5", Some("2026-11-28T10:00:01.5Z")),
            ("retry-after-ms", "150", Some("2026-11-28T10:00:00.15Z")),
            (
                "retry-after",
                "Sat, 28 Nov 2026 10:01:00 GMT",
                Some("2026-11-28T10:01:00Z"),
            ),
            ("retry-after", "soon", None),
            ("retry-after", "-3", None),
            ("retry-after", "1e300", None),
            ("other", "20", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                http::HeaderName::from_static(match name {
                    "other" => "x-other",
                    name => name,
                }),
                text.parse().unwrap(),
            );
            let answer = Answer {
                status: 429,
                headers: &headers,
                body: b"",
                now,
            };
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(answer.retry_after(), expected, "{name}: {text}");
        }
    }
}
