//! What OpenAI ran on the model's behalf: searches and sandboxes have prices of their own.

use crate::{
    JsonScan,
    openai::stream::{ACTION_TYPE, CONTAINER, OUTPUT_TYPE},
};

/// What the provider ran on the model's behalf.
#[derive(Debug, Default)]
pub(super) struct Tools {
    pub(super) web_searches: u64,
    pub(super) file_searches: u64,
    /// Different ones named in this answer. One that lives on from an earlier answer is counted
    /// again: the answer does not say so, and too much is noticed sooner than too little.
    pub(super) sandboxes: u64,
}

impl Tools {
    /// Counts what an answer lists; of repeated lists the longest.
    pub(super) fn take(&mut self, scan: &JsonScan) {
        let count =
            |pattern, text: &[u8]| scan.all(pattern).filter(|found| is(found, text)).count() as u64;
        // Opening a page or finding a word on it is no search.
        let other = count(ACTION_TYPE, b"\"open_page\"")
            + count(ACTION_TYPE, b"\"find\"")
            + count(ACTION_TYPE, b"\"find_in_page\"");
        let web = count(OUTPUT_TYPE, b"\"web_search_call\"").saturating_sub(other);
        self.web_searches = self.web_searches.max(web);
        self.file_searches = self
            .file_searches
            .max(count(OUTPUT_TYPE, b"\"file_search_call\""));
        if count(OUTPUT_TYPE, b"\"code_interpreter_call\"") > 0 {
            let mut names: Vec<_> = scan
                .all(CONTAINER)
                .filter_map(|found| found.raw.as_deref())
                .collect();
            names.sort_unstable();
            names.dedup();
            self.sandboxes = self.sandboxes.max(names.len() as u64);
        }
    }
}

fn is(found: &crate::Found, text: &[u8]) -> bool {
    found.raw.as_deref() == Some(text)
}
