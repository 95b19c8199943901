//! Asking a server that could not just now once more.

use std::time::Duration;

use crate::{client::Answer, failure::Failure};

/// How often a server that asks for patience is asked again.
const TRIES: u32 = 6;
/// How long the first wait is; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Asks again when the server could not just now.
///
/// Only what was refused is repeated: of a request whose answer was lost nobody knows whether it
/// was carried out, and the next run will see.
pub async fn patiently(ask: impl AsyncFn() -> Result<Answer, Failure>) -> Result<Answer, Failure> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match ask().await {
            Err(Failure::Refused {
                status: 429 | 503, ..
            }) => {}
            answered => return answered,
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    ask().await
}
