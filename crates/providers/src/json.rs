//! Picks values out of JSON text as it passes, without building a tree.
//!
//! Answers can be a hundred megabytes of numbers with the usage object at their end; requests can
//! hold pictures. The scan keeps only what its patterns name, gives the same result for any
//! chunking, and says where each value stands so that a request can be changed byte by byte.
//! It does not judge: text that is not JSON ends the scan, what was found before stays.

use memchr::memchr2;

/// Names values: the keys on the way down, `*` for every element of a list.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    path: &'static [&'static str],
    lengths_only: bool,
}

impl Pattern {
    /// Keeps the value's text.
    #[must_use]
    pub const fn value(path: &'static [&'static str]) -> Self {
        Self {
            path,
            lengths_only: false,
        }
    }

    /// Adds up the lengths of strings, keeping nothing.
    #[must_use]
    pub const fn length(path: &'static [&'static str]) -> Self {
        Self {
            path,
            lengths_only: true,
        }
    }
}

/// A value that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Place of the pattern in the list.
    pub pattern: usize,
    /// Offset of the value's first byte.
    pub start: u64,
    /// Offset behind its last byte.
    pub end: u64,
    /// Its text; `None` when it was too long to keep.
    pub raw: Option<Vec<u8>>,
}

/// Values longer than this are noted, not kept.
const KEEP_BYTES: usize = 1 << 20;
/// More values than this are not noted.
const KEEP_VALUES: usize = 4_096;
/// Deeper than any honest body.
const DEPTH: usize = 512;

/// One patterns' bit each.
type Mask = u32;

#[derive(Debug, Clone, Copy)]
struct Frame {
    object: bool,
    mask: Mask,
}

#[derive(Debug, Clone)]
struct Capture {
    pattern: usize,
    depth: usize,
    start: u64,
    /// Where the bytes not yet copied begin in the present chunk.
    from: usize,
    raw: Vec<u8>,
    too_long: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value(Mask),
    FirstKeyOrEnd,
    Key,
    InKey {
        escaped: bool,
    },
    Colon,
    InString {
        mask: Mask,
        start: u64,
        escaped: bool,
    },
    InLiteral,
    AfterValue,
    Skip {
        depth: u32,
        in_string: bool,
        escaped: bool,
    },
    Done,
    Broken,
}

fn all_of(patterns: &[Pattern]) -> Mask {
    patterns.iter().fold(0, |mask, _| mask << 1 | 1)
}

/// The scan of one JSON text.
#[derive(Debug)]
pub struct JsonScan {
    patterns: &'static [Pattern],
    state: State,
    stack: Vec<Frame>,
    key: Vec<u8>,
    captures: Vec<Capture>,
    found: Vec<Found>,
    lengths: Vec<u64>,
    /// Bytes in the chunks before this one.
    before: u64,
}

impl Clone for JsonScan {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.patterns);
        copy.clone_from(self);
        copy
    }

    /// Keeps the memory, as [`JsonScan::restart`] does.
    fn clone_from(&mut self, other: &Self) {
        self.patterns = other.patterns;
        self.state = other.state;
        self.stack.clone_from(&other.stack);
        self.key.clone_from(&other.key);
        self.captures.clone_from(&other.captures);
        self.found.clone_from(&other.found);
        self.lengths.clone_from(&other.lengths);
        self.before = other.before;
    }
}

impl JsonScan {
    /// A scan for at most 32 patterns.
    #[must_use]
    pub fn new(patterns: &'static [Pattern]) -> Self {
        let patterns = &patterns[..patterns.len().min(32)];
        Self {
            patterns,
            state: State::Value(all_of(patterns)),
            stack: Vec::new(),
            key: Vec::new(),
            captures: Vec::new(),
            found: Vec::new(),
            lengths: vec![0; patterns.len()],
            before: 0,
        }
    }

    /// The scan of a whole text.
    #[must_use]
    pub fn of(patterns: &'static [Pattern], text: &[u8]) -> Self {
        let mut scan = Self::new(patterns);
        scan.push(text);
        scan
    }

    /// Begins anew with other patterns, keeping the memory.
    pub fn restart(&mut self, patterns: &'static [Pattern]) {
        self.patterns = &patterns[..patterns.len().min(32)];
        self.state = State::Value(all_of(self.patterns));
        self.stack.clear();
        self.captures.clear();
        self.found.clear();
        self.lengths.clear();
        self.lengths.resize(self.patterns.len(), 0);
        self.before = 0;
    }

    /// Whether the text's outermost list or object has ended.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Done
    }

    /// Everything found for a pattern, in order.
    pub fn all(&self, pattern: usize) -> impl Iterator<Item = &Found> {
        self.found
            .iter()
            .filter(move |found| found.pattern == pattern)
    }

    /// The last value found for a pattern: of repeated keys, the last one counts.
    #[must_use]
    pub fn last(&self, pattern: usize) -> Option<&Found> {
        self.found
            .iter()
            .rev()
            .find(|found| found.pattern == pattern)
    }

    /// The text of the last value found for a pattern.
    #[must_use]
    pub fn raw(&self, pattern: usize) -> Option<&[u8]> {
        self.last(pattern)?.raw.as_deref()
    }

    /// The last value found for a pattern, read as this type.
    #[must_use]
    pub fn get<T: serde::de::DeserializeOwned>(&self, pattern: usize) -> Option<T> {
        serde_json::from_slice(self.raw(pattern)?).ok()
    }

    /// Sum of the lengths of the strings that a length pattern met.
    #[must_use]
    pub fn length(&self, pattern: usize) -> u64 {
        self.lengths.get(pattern).copied().unwrap_or(0)
    }

    /// The next bytes of the text.
    pub fn push(&mut self, chunk: &[u8]) {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            match self.state {
                State::Value(mask) => at = self.begin_value(mask, byte, at),
                State::FirstKeyOrEnd | State::Key => match byte {
                    b'"' => {
                        self.key.clear();
                        self.state = State::InKey { escaped: false };
                        at += 1;
                    }
                    b'}' if self.state == State::FirstKeyOrEnd => {
                        at += 1;
                        self.close_container(chunk, at);
                    }
                    _ => at = self.blank_or_broken(byte, at),
                },
                State::InKey { escaped } => at = self.read_key(chunk, at, escaped),
                State::Colon => {
                    if byte == b':' {
                        self.state = State::Value(self.mask_of_key());
                        at += 1;
                    } else {
                        at = self.blank_or_broken(byte, at);
                    }
                }
                State::InString {
                    mask,
                    start,
                    escaped,
                } => {
                    at = self.read_string(chunk, at, mask, start, escaped);
                }
                State::InLiteral => {
                    if matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
                        self.end_value(chunk, at);
                    } else {
                        at += 1;
                    }
                }
                State::AfterValue => at = self.after_value(chunk, byte, at),
                State::Skip {
                    depth,
                    in_string,
                    escaped,
                } => {
                    at = self.skip(chunk, at, depth, in_string, escaped);
                }
                State::Done | State::Broken => break,
            }
        }
        for capture in &mut self.captures {
            capture.take(chunk, chunk.len());
            capture.from = 0;
        }
        self.before += chunk.len() as u64;
    }

    fn offset(&self, at: usize) -> u64 {
        self.before + at as u64
    }

    fn blank_or_broken(&mut self, byte: u8, at: usize) -> usize {
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            self.state = State::Broken;
        }
        at + 1
    }

    fn begin_value(&mut self, mask: Mask, byte: u8, at: usize) -> usize {
        match byte {
            b'{' | b'[' => {
                self.begin_captures(mask, at);
                let deeper = self.patterns_deeper_than(mask, self.stack.len());
                if deeper == 0 && !self.stack.is_empty() {
                    self.state = State::Skip {
                        depth: 1,
                        in_string: false,
                        escaped: false,
                    };
                } else if self.stack.len() == DEPTH {
                    self.state = State::Broken;
                } else {
                    let object = byte == b'{';
                    self.stack.push(Frame {
                        object,
                        mask: deeper,
                    });
                    self.state = if object {
                        State::FirstKeyOrEnd
                    } else {
                        State::Value(self.mask_of_element())
                    };
                }
            }
            b'"' => {
                self.begin_captures(mask, at);
                self.state = State::InString {
                    mask,
                    start: self.offset(at),
                    escaped: false,
                };
            }
            b']' if self.stack.last().is_some_and(|frame| !frame.object) => {
                // An empty list, or a comma before the end, which the provider will refuse.
                self.state = State::AfterValue;
                return at;
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.begin_captures(mask, at);
                self.state = State::InLiteral;
            }
            _ => return self.blank_or_broken(byte, at),
        }
        at + 1
    }

    /// Patterns of the mask that go on below a value at this depth.
    fn patterns_deeper_than(&self, mask: Mask, depth: usize) -> Mask {
        self.select(mask, |pattern| pattern.path.len() > depth)
    }

    fn select(&self, mask: Mask, keep: impl Fn(&Pattern) -> bool) -> Mask {
        let mut selected = 0;
        let mut rest = mask;
        while rest != 0 {
            let place = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            if keep(&self.patterns[place]) {
                selected |= 1 << place;
            }
        }
        selected
    }

    fn begin_captures(&mut self, mask: Mask, at: usize) {
        let depth = self.stack.len();
        let mut complete = self.select(mask, |pattern| {
            pattern.path.len() == depth && !pattern.lengths_only
        });
        while complete != 0 {
            let pattern = complete.trailing_zeros() as usize;
            complete &= complete - 1;
            self.captures.push(Capture {
                pattern,
                depth,
                start: self.offset(at),
                from: at,
                raw: Vec::new(),
                too_long: false,
            });
        }
    }

    fn mask_of_key(&self) -> Mask {
        let depth = self.stack.len() - 1;
        let mask = self.stack.last().map_or(0, |frame| frame.mask);
        if self.key.contains(&b'\\') {
            // A key may be spelled with escapes; it is the same key.
            let quoted = [b"\"", self.key.as_slice(), b"\""].concat();
            let Ok(key) = serde_json::from_slice::<String>(&quoted) else {
                return 0;
            };
            return self.select(mask, |pattern| pattern.path[depth] == key);
        }
        self.select(mask, |pattern| pattern.path[depth].as_bytes() == self.key)
    }

    fn mask_of_element(&self) -> Mask {
        let depth = self.stack.len() - 1;
        let mask = self.stack.last().map_or(0, |frame| frame.mask);
        self.select(mask, |pattern| pattern.path[depth] == "*")
    }

    fn read_key(&mut self, chunk: &[u8], at: usize, escaped: bool) -> usize {
        if escaped {
            self.key.push(chunk[at]);
            self.state = State::InKey { escaped: false };
            return at + 1;
        }
        let rest = &chunk[at..];
        let run = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        self.key.extend_from_slice(&rest[..run]);
        match rest.get(run) {
            Some(b'"') => self.state = State::Colon,
            Some(_) => {
                self.key.push(b'\\');
                self.state = State::InKey { escaped: true };
            }
            None => {}
        }
        at + run + 1
    }

    fn read_string(
        &mut self,
        chunk: &[u8],
        at: usize,
        mask: Mask,
        start: u64,
        escaped: bool,
    ) -> usize {
        if escaped {
            self.state = State::InString {
                mask,
                start,
                escaped: false,
            };
            return at + 1;
        }
        let rest = &chunk[at..];
        let run = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        match rest.get(run) {
            Some(b'"') => {
                let depth = self.stack.len();
                let mut measured = self.select(mask, |pattern| {
                    pattern.lengths_only && pattern.path.len() == depth
                });
                while measured != 0 {
                    let pattern = measured.trailing_zeros() as usize;
                    measured &= measured - 1;
                    self.lengths[pattern] += self.offset(at + run) - start - 1;
                }
                self.end_value(chunk, at + run + 1);
            }
            Some(_) => {
                self.state = State::InString {
                    mask,
                    start,
                    escaped: true,
                }
            }
            None => {}
        }
        at + run + 1
    }

    fn skip(
        &mut self,
        chunk: &[u8],
        at: usize,
        mut depth: u32,
        mut in_string: bool,
        mut escaped: bool,
    ) -> usize {
        let mut at = at;
        while let Some(&byte) = chunk.get(at) {
            if in_string {
                if escaped {
                    escaped = false;
                    at += 1;
                    continue;
                }
                let rest = &chunk[at..];
                let Some(run) = memchr2(b'"', b'\\', rest) else {
                    at = chunk.len();
                    break;
                };
                if rest[run] == b'"' {
                    in_string = false;
                } else {
                    escaped = true;
                }
                at += run + 1;
                continue;
            }
            at += 1;
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.end_value(chunk, at);
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.state = State::Skip {
            depth,
            in_string,
            escaped,
        };
        at
    }

    fn after_value(&mut self, chunk: &[u8], byte: u8, at: usize) -> usize {
        let Some(frame) = self.stack.last() else {
            self.state = State::Done;
            return at;
        };
        match (byte, frame.object) {
            (b',', true) => self.state = State::Key,
            (b',', false) => self.state = State::Value(self.mask_of_element()),
            (b'}', true) | (b']', false) => self.close_container(chunk, at + 1),
            _ => return self.blank_or_broken(byte, at),
        }
        at + 1
    }

    fn close_container(&mut self, chunk: &[u8], end: usize) {
        self.stack.pop();
        self.end_value(chunk, end);
    }

    /// A value at the present depth ended before `end`.
    fn end_value(&mut self, chunk: &[u8], end: usize) {
        let depth = self.stack.len();
        while self
            .captures
            .last()
            .is_some_and(|capture| capture.depth == depth)
        {
            let Some(mut capture) = self.captures.pop() else {
                break;
            };
            capture.take(chunk, end);
            if self.found.len() < KEEP_VALUES {
                self.found.push(Found {
                    pattern: capture.pattern,
                    start: capture.start,
                    end: self.offset(end),
                    raw: (!capture.too_long).then_some(capture.raw),
                });
            }
        }
        self.state = if depth == 0 {
            State::Done
        } else {
            State::AfterValue
        };
    }
}

impl Capture {
    fn take(&mut self, chunk: &[u8], end: usize) {
        let bytes = &chunk[self.from..end];
        self.from = end;
        if self.raw.len() + bytes.len() > KEEP_BYTES {
            self.too_long = true;
            self.raw = Vec::new();
        }
        if !self.too_long {
            self.raw.extend_from_slice(bytes);
        }
    }
}

/// Reads a JSON number of seconds as whole milliseconds, without a float: digits beyond the third
/// are rounded half up. `None` for what is not a plain decimal number or is out of range.
#[must_use]
pub fn decimal_seconds_to_milliseconds(number: &str) -> Option<u64> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    // value = digits × 10^(exponent − fraction digits) seconds
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)? + 3;
    let milliseconds = if shift >= 0 {
        digits.checked_mul(10_u128.checked_pow(u32::try_from(shift).ok()?)?)?
    } else {
        match 10_u128.checked_pow(shift.unsigned_abs()) {
            Some(divisor) => (digits + divisor / 2) / divisor,
            None => 0,
        }
    };
    u64::try_from(milliseconds).ok()
}

#[cfg(test)]
mod tests;
