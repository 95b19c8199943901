//! Whether the control database answers, as the background work last saw it.

use tokio::sync::watch;

/// Tells those who wait for the control database that it is gone, so that they do not wait until
/// their time is up.
#[derive(Debug)]
pub struct DatabaseWatch(watch::Sender<bool>);

impl Default for DatabaseWatch {
    fn default() -> Self {
        Self(watch::Sender::new(true))
    }
}

impl DatabaseWatch {
    pub(crate) fn set_answers(&self, answers: bool) {
        self.0.send_if_modified(|known| {
            let changed = *known != answers;
            *known = answers;
            changed
        });
    }

    /// Whether it answered when it was last asked.
    #[must_use]
    pub fn answers(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it does not answer.
    pub async fn is_lost(&self) {
        let mut known = self.0.subscribe();
        // The sender lives as long as we do.
        let _ = known.wait_for(|answers| !answers).await;
    }
}
