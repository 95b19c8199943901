//! Reads a multipart form as it passes, in any chunking (RFC 7578, RFC 2046).

use memchr::memmem;

use crate::WavHead;

/// A field longer than this is no field that we look for.
const FIELD_BYTES: usize = 64 << 10;
/// Headers of a part longer than this are not a form.
const HEADER_BYTES: usize = 16 << 10;
/// More fields than this are not kept.
const FIELDS: usize = 256;

/// The boundary that a `content-type` names.
#[must_use]
pub fn boundary_of(content_type: &str) -> Option<&str> {
    let (essence, parameters) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"'))
    })?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Behind a delimiter: its line's rest and the part's headers.
    Headers,
    /// Inside a part.
    Content,
    /// Behind the last delimiter, or not a form.
    Done,
}

/// The scan of one form.
#[derive(Debug)]
pub struct MultipartScan {
    /// `\r\n--boundary`
    delimiter: Vec<u8>,
    state: State,
    /// Bytes that may be the beginning of a delimiter, or headers not yet complete.
    carry: Vec<u8>,
    name: String,
    is_file: bool,
    value: Vec<u8>,
    too_long: bool,
    fields: Vec<(String, Vec<u8>)>,
    file: Option<WavHead>,
    total: u64,
}

impl MultipartScan {
    /// A scan at the beginning of a form with this boundary.
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        Self {
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            state: State::Content,
            // The first delimiter stands at the beginning, without a line before it.
            carry: b"\r\n".to_vec(),
            name: String::new(),
            is_file: false,
            value: Vec::new(),
            too_long: true,
            fields: Vec::new(),
            file: None,
            total: 0,
        }
    }

    /// The last field with this name that has passed, as text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().rev().find(|(field, _)| field == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Length of the last sound file that has passed, if it is a WAV file.
    #[must_use]
    pub fn file_milliseconds(&self) -> Option<u64> {
        self.file.as_ref()?.milliseconds()
    }

    /// Bytes of the form so far.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// The next bytes of the form.
    pub fn push(&mut self, chunk: &[u8]) {
        self.total += chunk.len() as u64;
        let mut bytes = std::mem::take(&mut self.carry);
        bytes.extend_from_slice(chunk);
        let mut rest = bytes.as_slice();
        loop {
            match self.state {
                State::Done => break,
                State::Headers => {
                    if rest.starts_with(b"--") {
                        self.state = State::Done;
                        break;
                    }
                    let Some(end) = memmem::find(rest, b"\r\n\r\n") else {
                        if rest.len() > HEADER_BYTES {
                            self.state = State::Done;
                        } else {
                            self.carry = rest.to_vec();
                        }
                        break;
                    };
                    self.begin_part(&rest[..end]);
                    rest = &rest[end + 4..];
                    self.state = State::Content;
                }
                State::Content => {
                    if let Some(end) = memmem::find(rest, &self.delimiter) {
                        self.take(&rest[..end]);
                        self.end_part();
                        rest = &rest[end + self.delimiter.len()..];
                        self.state = State::Headers;
                        continue;
                    }
                    let sure = rest.len().saturating_sub(self.delimiter.len() - 1);
                    self.take(&rest[..sure]);
                    self.carry = rest[sure..].to_vec();
                    break;
                }
            }
        }
    }

    fn begin_part(&mut self, headers: &[u8]) {
        self.name.clear();
        self.value.clear();
        self.too_long = false;
        self.is_file = false;
        for line in String::from_utf8_lossy(headers).split("\r\n") {
            let Some((header, value)) = line.split_once(':') else {
                continue;
            };
            if header.trim().eq_ignore_ascii_case("content-disposition") {
                self.name = parameter(value, "name").unwrap_or_default();
                self.is_file = parameter(value, "filename").is_some();
            }
        }
        if self.is_file {
            self.file = Some(WavHead::default());
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.is_file {
            if let Some(file) = &mut self.file {
                file.push(bytes);
            }
        } else if self.too_long || self.value.len() + bytes.len() > FIELD_BYTES {
            self.too_long = true;
        } else {
            self.value.extend_from_slice(bytes);
        }
    }

    fn end_part(&mut self) {
        if !self.is_file && !self.too_long && self.fields.len() < FIELDS {
            let value = std::mem::take(&mut self.value);
            self.fields.push((std::mem::take(&mut self.name), value));
        }
    }
}

/// A parameter of a `content-disposition`, quoted or not.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, behind)) = rest.split_once(';') {
        let behind = behind.trim_start();
        let (key, value) = behind.split_once('=')?;
        let (value, next) = match value.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim(), &value[end..])
            }
        };
        let key = key.trim().trim_end_matches('*');
        if key.eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(parts: &[(String, Option<&str>, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, filename, content) in parts {
            body.extend(b"--XyZ\r\nContent-Disposition: form-data; name=\"");
            body.extend(name.as_bytes());
            body.extend(b"\"");
            if let Some(filename) = filename {
                body.extend(
                    format!("; filename=\"{filename}\"\r\nContent-Type: audio/wav").bytes(),
                );
            }
            body.extend(b"\r\n\r\n");
            body.extend(content);
            body.extend(b"\r\n");
        }
        body.extend(b"--XyZ--\r\n");
        body
    }

    proptest! {
        #[test]
        fn any_chunking_reads_the_same_fields(
            file in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'X'), any::<u8>()], 0..200),
            model in "[a-z0-9-]{0,12}",
            size in 1_usize..40,
            file_first: bool,
        ) {
            let mut parts = vec![
                ("model".to_owned(), None, model.clone().into_bytes()),
                ("file".to_owned(), Some("a;b.wav"), file),
                ("stream".to_owned(), None, b"true".to_vec()),
            ];
            if file_first {
                parts.swap(0, 1);
            }
            let body = form(&parts);
            let mut scan = MultipartScan::new("XyZ");
            for chunk in body.chunks(size) {
                scan.push(chunk);
            }
            prop_assert_eq!(scan.field("model"), Some(model.as_str()));
            prop_assert_eq!(scan.field("stream"), Some("true"));
            prop_assert_eq!(scan.total_bytes(), body.len() as u64);
        }
    }

    #[test]
    fn boundaries() {
        assert_eq!(
            boundary_of("multipart/form-data; boundary=\"a b\""),
            Some("a b")
        );
        assert_eq!(
            boundary_of("multipart/form-data; charset=x; Boundary=abc"),
            Some("abc")
        );
        assert_eq!(boundary_of("application/json"), None);
    }
}
