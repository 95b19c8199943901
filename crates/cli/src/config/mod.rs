//! Where the server is and with which token to go there.

mod connection;
mod environment;
mod profile;

pub use connection::{Connection, ConnectionArguments, is_loopback, server_url};
pub use environment::Environment;
pub use profile::{Profile, ProfileFile};
