//! The threads that carry requests.
//!
//! Each has a runtime of its own, which keeps a connection from its first byte to its last, beside
//! the connections to providers that its calls use. So nothing on the way of a request waits until
//! another thread is woken, but for the disk; and a thread sleeps only when it has nothing to do.
//! Whatever may hold a thread up belongs on the runtime that all share.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{Builder, JoinHandle},
};

use tokio::runtime::{self, Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The threads, each with what it serves.
pub(crate) struct Workers<T> {
    workers: Vec<Worker<T>>,
    stop: CancellationToken,
}

struct Worker<T> {
    serves: T,
    runtime: Handle,
    /// Connections that it holds.
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// Counts one connection as held by a worker.
struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: Clone> Workers<T> {
    /// Starts a thread for each item.
    ///
    /// # Errors
    /// When the system has no thread or no event queue left.
    pub(crate) fn start(serve: Vec<T>) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let mut workers = Vec::new();
        for (number, serves) in serve.into_iter().enumerate() {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let handle = runtime.handle().clone();
            let stop = stop.clone();
            let thread = Builder::new()
                .name(format!("requests-{number}"))
                .spawn(move || {
                    runtime.block_on(stop.cancelled());
                    // What is still there was given up at the drain limit.
                    runtime.shutdown_background();
                })?;
            workers.push(Worker {
                serves,
                runtime: handle,
                open: Arc::default(),
                thread,
            });
        }
        Ok(Self { workers, stop })
    }

    /// Runs what `connection` makes on the thread that holds the fewest.
    pub(crate) fn spawn<F>(&self, tasks: &TaskTracker, connection: impl FnOnce(T) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let open = |worker: &&Worker<T>| worker.open.load(Ordering::Relaxed);
        let Some(worker) = self.workers.iter().min_by_key(open) else {
            return;
        };
        worker.open.fetch_add(1, Ordering::Relaxed);
        let held = Held(Arc::clone(&worker.open));
        let connection = connection(worker.serves.clone());
        let task = async move {
            connection.await;
            drop(held);
        };
        tasks.spawn_on(task, &worker.runtime);
    }

    /// Ends the threads; whatever still runs there is dropped.
    pub(crate) fn stop(self) {
        self.stop.cancel();
        for worker in self.workers {
            if worker.thread.join().is_err() {
                tracing::error!("a thread that carried requests had panicked");
            }
        }
    }
}
