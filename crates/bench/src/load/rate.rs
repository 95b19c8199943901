//! Requests at fixed times. Each has the time at which it should be sent, and its latency counts
//! from there: a server that stalls cannot hide by being asked less.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::{JoinHandle, JoinSet},
};

use super::{Load, Senders, Times};
use crate::{load::Connection, stopwatch::Stopwatch};

/// The senders, which take turns, and what wakes them.
pub(super) fn senders(
    connections: Vec<Connection>,
    load: &Arc<Load>,
    rate: u32,
    time: Duration,
    stopwatch: Stopwatch,
) -> (Senders, JoinHandle<()>) {
    let mut senders = JoinSet::new();
    let mut queues = Vec::new();
    for mut connection in connections {
        let (queue, mut due) = unbounded_channel();
        queues.push(queue);
        let load = Arc::clone(load);
        senders.spawn(async move {
            let mut times = Times::default();
            let mut body = Vec::new();
            connection
                .converse(async |conversation| {
                    while let Some(intended) = due.recv().await {
                        let answer = conversation
                            .exchange(load.request(), &mut body, stopwatch)
                            .await?;
                        times.note(
                            answer.first_byte.saturating_sub(intended),
                            stopwatch.elapsed().saturating_sub(intended),
                        )?;
                        load.expectation.check(answer.status, &body)?;
                    }
                    Ok(())
                })
                .await?;
            anyhow::Ok((connection, times))
        });
    }
    // A thread of its own: the runtime's timers are a millisecond apart.
    let pacer = tokio::task::spawn_blocking(move || beat(&queues, rate, time, stopwatch));
    (senders, pacer)
}

fn beat(queues: &[UnboundedSender<Duration>], rate: u32, time: Duration, stopwatch: Stopwatch) {
    let apart = Duration::from_secs(1) / rate;
    let mut intended = stopwatch.elapsed();
    let end = intended + time;
    for queue in queues.iter().cycle() {
        if intended >= end {
            return;
        }
        sleep_until(intended, stopwatch);
        // A sender that ended has failed, and says so itself.
        if queue.send(intended).is_err() {
            return;
        }
        intended += apart;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a load at fixed times waits for the time"
)]
fn sleep_until(intended: Duration, stopwatch: Stopwatch) {
    while let Some(rest) = intended.checked_sub(stopwatch.elapsed()) {
        if rest.is_zero() {
            return;
        }
        std::thread::sleep(rest);
    }
}
