//! How long the tables are trusted without news.

use std::{sync::Arc, time::Duration};

use diamond_admission::{Admission, RefusalKind};
use diamond_domain::{Clock, ManualClock, Scope};
use jiff::{SignedDuration, Timestamp};

use crate::{HOME, House, policy};

impl House {
    fn with_staleness(limit: Duration) -> Self {
        let start = "2025-01-22T10:00:00Z".parse::<Timestamp>().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let admission = Arc::new(Admission::new(clock.clone()).with_staleness(limit));
        admission.upsert_tenant(policy("zaxon"));
        Self { admission, clock }
    }

    fn mark(&self) {
        self.admission.mark_current(self.clock.monotonic_nanos());
    }
}

#[test]
fn nobody_is_let_in_before_the_first_news_or_too_long_after_the_last() {
    let house = House::with_staleness(Duration::from_secs(60));
    let (token, _) = house.token(Some("zaxon"), &[Scope::Gateway], |_| {});
    let refusal = house.authenticate(&token).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.kind()),
        ("stale_snapshot", RefusalKind::Unavailable)
    );
    assert!(refusal.to_string().contains("60 s"), "{refusal}");

    // At the very beginning of the clock, too.
    house.mark();
    house.authenticate(&token).unwrap();
    house.clock.advance(SignedDuration::from_secs(60));
    house.authenticate(&token).unwrap();
    house.clock.advance(SignedDuration::from_nanos(1));
    assert_eq!(
        house.authenticate(&token).unwrap_err().code(),
        "stale_snapshot"
    );

    house.mark();
    house.authenticate(&token).unwrap();
    // Late news of an earlier instant takes nothing back.
    house.admission.mark_current(0);
    house.authenticate(&token).unwrap();
}

#[test]
fn a_clock_that_somebody_sets_makes_nothing_stale() {
    let house = House::with_staleness(Duration::from_secs(60));
    let (token, _) = house.token(Some("zaxon"), &[], |_| {});
    house.mark();
    house.clock.set("2025-02-22T10:00:00Z".parse().unwrap());
    house.authenticate(&token).unwrap();
}

#[test]
fn what_is_too_old_to_decide_by_says_nothing_of_tokens() {
    let house = House::with_staleness(Duration::from_secs(60));
    let stranger = diamond_admission::AccessToken::generate();
    for (presented, code) in [
        (None, "missing_token"),
        (Some("sk-proj-abc"), "malformed_token"),
        (Some(stranger.expose()), "stale_snapshot"),
    ] {
        let refusal = house.admission.authenticate(presented, HOME).unwrap_err();
        assert_eq!(refusal.code(), code);
    }
}

#[test]
fn without_a_bound_the_tables_are_trusted_for_ever() {
    let house = House::new();
    let (token, _) = house.token(Some("zaxon"), &[], |_| {});
    house.clock.advance(SignedDuration::from_hours(24 * 89));
    house.authenticate(&token).unwrap();
}
