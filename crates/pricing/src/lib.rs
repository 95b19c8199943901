//! The dated price catalog and the exact cost of a call, with its provenance.
