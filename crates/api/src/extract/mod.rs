//! What handlers take: who is asking, and the parts of the request, each refused in our envelope.

mod context;
mod json;
mod path;
mod query;

pub use context::{Context, PeerAddress, RequestIdentity};
pub use json::{Json, SecretJson, check_depth, content_type, is_array, read_body};
pub use path::Path;
pub use query::Query;
