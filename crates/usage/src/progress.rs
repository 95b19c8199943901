//! How far time has got, whatever somebody does to the clock.

/// Follows a clock in small steps. A leap forward may be a mistake that somebody sets right: it is
/// believed only when the clock has gone on from there for as long as a small step. Never goes back.
#[derive(Debug)]
pub(crate) struct Progress {
    step_us: i64,
    /// Microseconds; `None` before the clock was seen.
    reached_us: Option<i64>,
    /// Where a leap led to, and how far the clock went from there.
    leap: Option<(i64, i64)>,
}

impl Progress {
    pub(crate) const fn new(step_us: i64) -> Self {
        Self {
            step_us,
            reached_us: None,
            leap: None,
        }
    }

    /// The clock says so; how far time has got for certain.
    pub(crate) fn follow(&mut self, now_us: i64) -> i64 {
        let reached = self.reached_us.unwrap_or(now_us);
        let is_step = |from: i64| now_us <= from.saturating_add(self.step_us);
        let reached = if is_step(reached) {
            self.leap = None;
            reached.max(now_us)
        } else {
            let (from, to) = match self.leap {
                Some((from, to)) if now_us >= from && is_step(to) => (from, to.max(now_us)),
                _ => (now_us, now_us),
            };
            let believed = to.saturating_sub(from) >= self.step_us;
            self.leap = (!believed).then_some((from, to));
            if believed { to } else { reached }
        };
        self.reached_us = Some(reached);
        reached
    }

    /// How far time has got for certain; `now_us` before the clock was ever followed.
    pub(crate) fn reached(&self, now_us: i64) -> i64 {
        self.reached_us.unwrap_or(now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(times: &[i64]) -> i64 {
        let mut progress = Progress::new(10);
        times
            .iter()
            .map(|time| progress.follow(*time))
            .last()
            .unwrap()
    }

    #[test]
    fn small_steps_are_followed_and_none_leads_back() {
        assert_eq!(after(&[1_000]), 1_000);
        assert_eq!(after(&[1_000, 1_010, 1_005, 1_015]), 1_015);
        assert_eq!(after(&[1_000, 0]), 1_000);
    }

    #[test]
    fn a_leap_is_believed_when_the_clock_goes_on_from_there() {
        assert_eq!(after(&[1_000, 5_000]), 1_000);
        assert_eq!(after(&[1_000, 5_000, 5_006]), 1_000);
        assert_eq!(after(&[1_000, 5_000, 5_006, 5_012]), 5_012);
        // Another leap begins anew, and so does one that was taken back in between.
        assert_eq!(after(&[1_000, 5_000, 9_000, 9_006]), 1_000);
        assert_eq!(after(&[1_000, 5_000, 5_006, 1_001, 5_012]), 1_001);
        assert_eq!(after(&[1_000, 5_000, 5_006, 4_000, 4_006]), 1_000);
    }
}
