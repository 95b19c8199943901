//! Reads forms with files (RFC 7578).

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) bytes: &'a [u8],
}

/// A form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form<'a> {
    parts: Vec<Part<'a>>,
}

impl<'a> Form<'a> {
    /// Reads a body of this content type; `None` when it is no form.
    pub(crate) fn read(content_type: &str, body: &'a [u8]) -> Option<Self> {
        if !content_type
            .to_ascii_lowercase()
            .starts_with("multipart/form-data")
        {
            return None;
        }
        let boundary = parameter(content_type, "boundary")?;
        let opening = format!("--{boundary}").into_bytes();
        let between = format!("\r\n--{boundary}").into_bytes();
        let mut rest = &body[find(body, &opening)? + opening.len()..];
        let mut parts = Vec::new();
        while let Some(after) = rest.strip_prefix(b"\r\n") {
            let head_end = find(after, b"\r\n\r\n")?;
            let head = String::from_utf8_lossy(&after[..head_end]);
            let content = &after[head_end + 4..];
            let content_end = find(content, &between)?;
            let disposition = head.lines().find(|line| {
                line.to_ascii_lowercase()
                    .starts_with("content-disposition:")
            })?;
            parts.push(Part {
                name: parameter(disposition, "name")?,
                file_name: parameter(disposition, "filename"),
                bytes: &content[..content_end],
            });
            rest = &content[content_end + between.len()..];
        }
        rest.starts_with(b"--").then_some(Self { parts })
    }

    /// The part with this name.
    pub(crate) fn part(&self, name: &str) -> Option<&Part<'a>> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The text of a part.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.part(name)?.bytes).ok()
    }
}

/// The value of `name=` in a header, quoted or not.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (found, value) = parameter.trim().split_once('=')?;
        found
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_are_read_as_they_are() {
        let body = b"--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
            --xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
            Content-Type: audio/wav\r\n\r\n\x00\r\n--x\xff\r\n--xx--\r\n";
        let form = Form::read("multipart/form-data; boundary=xx", body).unwrap();
        assert_eq!(form.text("model"), Some("whisper-1"));
        let file = form.part("file").unwrap();
        assert_eq!(file.file_name.as_deref(), Some("a.wav"));
        assert_eq!(file.bytes, b"\x00\r\n--x\xff");
    }

    #[test]
    fn what_is_no_form_is_refused() {
        assert_eq!(Form::read("application/json", b"{}"), None);
        assert_eq!(
            Form::read("multipart/form-data; boundary=xx", b"--xx\r\nno end"),
            None
        );
    }
}
