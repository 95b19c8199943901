use std::{future::Future, pin::pin, task::Poll};

use diamond_db::{Db, DbOptions, system, tenants};

use crate::support::{Place, tenant};

on_both!(a_write_may_be_dropped_at_any_point);

/// What the future comes to, or nothing if it is still waiting after so many polls: it is dropped.
async fn dropped_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn a_write_may_be_dropped_at_any_point(place: &Place) {
    // The one connection is the one that was left.
    let options = DbOptions {
        max_connections: 1,
        ..DbOptions::default()
    };
    let db = Db::connect_with(&place.url(), options).await.unwrap();
    let mut written = 0;
    for polls in 1.. {
        assert!(polls < 1_000, "the write never ends");
        let dropped = tenant(&format!("dropped-{polls}"));
        let ended = dropped_after(polls, tenants::create(&db, &dropped)).await;
        let next = tenant(&format!("next-{polls}"));
        assert!(tenants::create(&db, &next).await.unwrap(), "{polls}");
        assert_eq!(tenants::get(&db, &next.id).await.unwrap(), Some(next));
        // All of it happened, with its entry in the log, or nothing.
        let there = tenants::get(&db, &dropped.id).await.unwrap().is_some();
        written += 1 + u64::from(there);
        assert_eq!(system::last_change(&db).await.unwrap(), written, "{polls}");
        if let Some(created) = ended {
            assert!(created.unwrap() && there);
            assert!(polls > 1, "nothing was dropped");
            return;
        }
    }
}
