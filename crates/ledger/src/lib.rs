//! The embedded UsageReader: a scan of the journal.
