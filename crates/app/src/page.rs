//! A piece of a list.

/// Items in order, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for next; `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page of a list that was asked for one item more than `limit`: the surplus item says
    /// that there is more, and is not shown.
    pub(crate) fn cut(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surplus_item_becomes_the_cursor() {
        let page = Page::cut(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!(
            page,
            Page {
                items: vec![1, 2],
                next: Some("2".into())
            }
        );
        let last = Page::cut(vec![1, 2], 2, ToString::to_string);
        assert_eq!(last.next, None);
    }
}
