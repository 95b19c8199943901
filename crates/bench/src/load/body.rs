//! What a request carries.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// The body of each request of a load.
#[derive(Debug)]
pub enum RequestBody {
    /// Always the same.
    Fixed(Bytes),
    /// Facts with names of their own: none is told twice.
    Numbered(Numbered),
}

impl RequestBody {
    /// The next request's.
    pub fn next(&self) -> Bytes {
        match self {
            Self::Fixed(bytes) => bytes.clone(),
            Self::Numbered(numbered) => numbered.next(),
        }
    }
}

/// A text in which numbers stand that count up from request to request.
#[derive(Debug)]
pub struct Numbered {
    text: Bytes,
    /// Where the numbers stand, and which behind the request's first one.
    places: Vec<(usize, u64)>,
    /// How many numbers a request takes.
    numbers: u64,
    free: AtomicU64,
}

impl Numbered {
    /// What stands in an item for its number.
    pub const MARK: &'static str = "############";

    /// `items` copies of `item`, which has at least one mark, joined by commas within brackets; one
    /// alone without. All marks of an item are the same number.
    pub fn new(item: &str, items: usize) -> Self {
        let text = match items {
            1 => item.to_owned(),
            _ => format!("[{}]", vec![item; items].join(",")),
        };
        let marks_each = item.matches(Self::MARK).count().max(1);
        let marks = text.match_indices(Self::MARK).enumerate();
        Self {
            places: marks
                .map(|(index, (place, _))| (place, (index / marks_each) as u64))
                .collect(),
            numbers: items as u64,
            free: AtomicU64::new(0),
            text: text.into(),
        }
    }

    fn next(&self) -> Bytes {
        let first = self.free.fetch_add(self.numbers, Ordering::Relaxed);
        let mut bytes = self.text.to_vec();
        for &(place, behind) in &self.places {
            let mut number = first + behind;
            for digit in bytes[place..place + Self::MARK.len()].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_comes_twice_and_an_item_has_one() {
        let body = Numbered::new("{a############,b############}", 2);
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(
            text(body.next()),
            "[{a000000000000,b000000000000},{a000000000001,b000000000001}]"
        );
        assert_eq!(
            text(body.next()),
            "[{a000000000002,b000000000002},{a000000000003,b000000000003}]"
        );
        let one = Numbered::new("<############>", 1);
        assert_eq!(text(one.next()), "<000000000000>");
        assert_eq!(text(one.next()), "<000000000001>");
    }
}
