//! Writing a call's end down, whatever becomes of whoever waits for it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use diamond_usage::SinkError;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

type Write = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send>>;

/// The closing record on its way to the disk. Dropped before its end (the caller left), it goes on
/// as a tracked task.
pub(crate) struct Closing {
    write: Option<Write>,
    tasks: TaskTracker,
}

impl Closing {
    pub(crate) fn new(
        tasks: TaskTracker,
        write: impl Future<Output = Result<(), SinkError>> + Send + 'static,
    ) -> Self {
        Self {
            write: Some(Box::pin(write)),
            tasks,
        }
    }
}

impl Future for Closing {
    type Output = Result<(), SinkError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(write) = &mut self.write else {
            return Poll::Ready(Ok(()));
        };
        let result = write.as_mut().poll(context);
        if result.is_ready() {
            self.write = None;
        }
        result
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(write) = self.write.take() {
            go_on(&self.tasks, async move {
                if let Err(error) = write.await {
                    tracing::error!(%error, "a call's closing record was not written");
                }
            });
        }
    }
}

/// Goes on with billable work whose request is gone. Without a runtime the process is ending: the
/// `opened` record stays, and the next start finds the call.
pub(crate) fn go_on(tasks: &TaskTracker, work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        tasks.spawn_on(work, &runtime);
    }
}
