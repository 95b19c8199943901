//! Server-sent events, in any chunking (WHATWG HTML, section 9.2).

use memchr::memchr2;

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event` field; empty when there was none.
    pub name: &'a [u8],
    /// The `data` fields, joined by line ends.
    pub data: &'a [u8],
    /// Offset in the present chunk behind the blank line that ended the event.
    pub end: usize,
}

/// An event longer than this is reported without its data.
const EVENT_BYTES: usize = 32 << 20;

/// Splits a stream into events. Neither copies nor allocates while events come in one piece.
#[derive(Debug, Default)]
pub struct SseScan {
    /// A line that began in an earlier chunk.
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    too_long: bool,
    /// The last byte was a carriage return: a line feed now belongs to it.
    after_return: bool,
    started: bool,
}

impl SseScan {
    /// A scan at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next bytes; each event that ends in them is handed over.
    pub fn push(&mut self, chunk: &[u8], mut on_event: impl FnMut(SseEvent<'_>)) {
        let mut at = 0;
        // The only `data` line so far, where it stands in this chunk.
        let mut only: Option<(usize, usize)> = None;
        if self.after_return && chunk.first() == Some(&b'\n') {
            at = 1;
        }
        if !chunk.is_empty() {
            self.after_return = false;
        }
        while at < chunk.len() {
            let rest = &chunk[at..];
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.keep_line(rest);
                break;
            };
            let line = at..at + length;
            at += length + 1;
            if rest[length] == b'\r' {
                match chunk.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            if self.line.is_empty() {
                self.take_line(chunk, line.start, line.end, &mut only);
            } else {
                self.keep_line(&chunk[line]);
                let whole = std::mem::take(&mut self.line);
                if !whole.is_empty() {
                    self.take_owned_line(&whole, chunk, &mut only);
                }
                self.line = whole;
                self.line.clear();
                continue;
            }
            let blank = length == 0;
            if blank {
                self.dispatch(chunk, &mut only, at, &mut on_event);
            }
        }
        self.keep_only(chunk, &mut only);
    }

    fn keep_line(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > EVENT_BYTES {
            self.too_long = true;
            // Enough stays to know that this is not a blank line.
            self.line.truncate(16);
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    fn keep_only(&mut self, chunk: &[u8], only: &mut Option<(usize, usize)>) {
        if let Some((start, end)) = only.take() {
            self.data.extend_from_slice(&chunk[start..end]);
        }
    }

    fn take_line(
        &mut self,
        chunk: &[u8],
        start: usize,
        end: usize,
        only: &mut Option<(usize, usize)>,
    ) {
        let mut start = start;
        if !self.started && start < end {
            self.started = true;
            if chunk[start..end].starts_with(b"\xef\xbb\xbf") {
                start += 3;
            }
        }
        let line = &chunk[start..end];
        if let Some(value) = field(line, b"data") {
            let value_start = end - value.len();
            if self.has_data {
                self.keep_only(chunk, only);
                self.append_data(value);
            } else {
                self.has_data = true;
                *only = Some((value_start, end));
            }
        } else if let Some(value) = field(line, b"event") {
            self.name.clear();
            self.name.extend_from_slice(value);
        }
    }

    fn take_owned_line(&mut self, line: &[u8], chunk: &[u8], only: &mut Option<(usize, usize)>) {
        let line = if self.started {
            line
        } else {
            self.started = true;
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        if let Some(value) = field(line, b"data") {
            self.keep_only(chunk, only);
            if self.has_data {
                self.append_data(value);
            } else {
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
        } else if let Some(value) = field(line, b"event") {
            self.name.clear();
            self.name.extend_from_slice(value);
        }
    }

    fn append_data(&mut self, value: &[u8]) {
        if self.data.len() + value.len() + 1 > EVENT_BYTES {
            self.too_long = true;
            self.data.clear();
            return;
        }
        self.data.push(b'\n');
        self.data.extend_from_slice(value);
    }

    fn dispatch(
        &mut self,
        chunk: &[u8],
        only: &mut Option<(usize, usize)>,
        end: usize,
        on_event: &mut impl FnMut(SseEvent<'_>),
    ) {
        let data = match only.take() {
            Some((start, end)) => &chunk[start..end],
            None => self.data.as_slice(),
        };
        let data = if self.too_long { b"".as_slice() } else { data };
        on_event(SseEvent {
            name: &self.name,
            data,
            end,
        });
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.too_long = false;
    }
}

/// The value of a field's line, without the one blank behind the colon.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest {
        [] => Some(rest),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Owned = (Vec<u8>, Vec<u8>);

    fn events(chunks: &[&[u8]]) -> Vec<Owned> {
        let mut scan = SseScan::new();
        let mut found = Vec::new();
        for chunk in chunks {
            scan.push(chunk, |event| {
                assert!(event.end <= chunk.len());
                found.push((event.name.to_vec(), event.data.to_vec()));
            });
        }
        found
    }

    fn line_end() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("\n"), Just("\r\n"), Just("\r")]
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            parts in proptest::collection::vec(
                (prop_oneof![Just("data: "), Just("data:"), Just("event: "), Just(": "), Just("id: "), Just("")], "[a-zé:{} ]{0,6}"),
                0..24,
            ),
            end in line_end(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..16),
        ) {
            let text: String = parts
                .iter()
                .map(|(field, value)| if field.is_empty() { end.to_owned() } else { format!("{field}{value}{end}") })
                .collect::<String>() + end + end;
            let bytes = text.as_bytes();
            let whole = events(&[bytes]);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for place in places {
                chunks.push(&bytes[from..place]);
                from = place;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(&events(&chunks), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&events(&single), &whole);
        }
    }

    #[test]
    fn the_shapes_of_the_standard() {
        let found = events(&[b"\xef\xbb\xbf: hi\n\nevent: a\ndata: one\ndata:two\n\ndata\n\n"]);
        let expected: Vec<Owned> = vec![
            (b"".to_vec(), b"".to_vec()),
            (b"a".to_vec(), b"one\ntwo".to_vec()),
            (b"".to_vec(), b"".to_vec()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn ends_say_where_the_next_event_begins() {
        let mut ends = Vec::new();
        SseScan::new().push(b"data: a\n\ndata: bc\n\n", |event| ends.push(event.end));
        assert_eq!(ends, [9, 19]);
    }
}
