//! Spans of time that answers are about, in UTC.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, ToSpan, Unit, ZonedRound, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// Half-open: `from` is inside, `to` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// The first instant inside.
    pub from: Timestamp,
    /// The first instant after.
    pub to: Timestamp,
}

/// Why a span cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The name is not a period.
    #[error("a period is one of hourly, daily, weekly, monthly, quarterly, not `{0}`")]
    Unknown(String),
    /// It would end before it begins.
    #[error("`from` must be before `to`")]
    Reversed,
    /// Beyond the calendar.
    #[error("the time is out of range")]
    Range,
}

impl TimeRange {
    /// The span, if it runs forward.
    ///
    /// # Errors
    /// [`PeriodError::Reversed`] when `to` is not after `from`.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, PeriodError> {
        if from < to {
            Ok(Self { from, to })
        } else {
            Err(PeriodError::Reversed)
        }
    }

    /// Whether the instant is inside.
    #[must_use]
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.from <= instant && instant < self.to
    }
}

/// A named calendar period in UTC. Weeks begin on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// The hour.
    Hourly,
    /// The day.
    Daily,
    /// The week from Monday.
    Weekly,
    /// The month.
    Monthly,
    /// The quarter from January, April, July, October.
    Quarterly,
}

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Self; 5] = [
        Self::Hourly,
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Quarterly,
    ];

    /// The text, as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
        }
    }

    /// When the period around `now` began.
    ///
    /// # Errors
    /// [`PeriodError::Range`] at the ends of the calendar.
    pub fn start(self, now: Timestamp) -> Result<Timestamp, PeriodError> {
        let zoned = now.to_zoned(TimeZone::UTC);
        let midnight = |date: civil::Date| {
            date.to_zoned(TimeZone::UTC)
                .map(|z| z.timestamp())
                .map_err(|_| PeriodError::Range)
        };
        let date = zoned.date();
        match self {
            Self::Hourly => zoned
                .round(
                    ZonedRound::new()
                        .smallest(Unit::Hour)
                        .mode(jiff::RoundMode::Floor),
                )
                .map(|z| z.timestamp())
                .map_err(|_| PeriodError::Range),
            Self::Daily => midnight(date),
            Self::Weekly => {
                let back = i64::from(date.weekday().to_monday_zero_offset());
                midnight(
                    date.checked_sub(back.days())
                        .map_err(|_| PeriodError::Range)?,
                )
            }
            Self::Monthly => midnight(date.first_of_month()),
            Self::Quarterly => {
                let month = (date.month() - 1) / 3 * 3 + 1;
                midnight(civil::Date::new(date.year(), month, 1).map_err(|_| PeriodError::Range)?)
            }
        }
    }

    /// The whole period around `now`, from its start to the start of the next.
    ///
    /// # Errors
    /// [`PeriodError::Range`] at the ends of the calendar.
    pub fn window(self, now: Timestamp) -> Result<TimeRange, PeriodError> {
        let from = self.start(now)?;
        // Longer than the period, and shorter than two.
        let hours: i64 = match self {
            Self::Hourly => 1,
            Self::Daily => 24,
            Self::Weekly => 7 * 24,
            Self::Monthly => 32 * 24,
            Self::Quarterly => 93 * 24,
        };
        let inside_next = from.checked_add(hours.hours());
        let to = self.start(inside_next.map_err(|_| PeriodError::Range)?)?;
        TimeRange::new(from, to)
    }

    /// The period around `now` up to and including `now`, and the same elapsed part of the period
    /// before it (not longer than that period).
    ///
    /// # Errors
    /// [`PeriodError::Range`] at the ends of the calendar.
    pub fn current_and_previous(
        self,
        now: Timestamp,
    ) -> Result<(TimeRange, TimeRange), PeriodError> {
        let range = |_| PeriodError::Range;
        let start = self.start(now)?;
        // An event of this very instant belongs to the answer.
        let end = now.checked_add(1.nanosecond()).map_err(range)?;
        let previous_start = self.start(start.checked_sub(1.nanosecond()).map_err(range)?)?;
        let elapsed = end.duration_since(start);
        let previous_end = previous_start
            .checked_add(elapsed)
            .map_err(range)?
            .min(start);
        Ok((
            TimeRange::new(start, end)?,
            TimeRange::new(previous_start, previous_end)?,
        ))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let found = Self::ALL.into_iter().find(|period| period.as_str() == text);
        found.ok_or_else(|| PeriodError::Unknown(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_where_the_calendar_says() {
        // 2026-11-22 is a Sunday.
        let now: Timestamp = "2026-11-22T13:14:15Z".parse().unwrap();
        for (period, start) in [
            (Period::Hourly, "2026-11-22T13:00:00Z"),
            (Period::Daily, "2026-11-22T00:00:00Z"),
            (Period::Weekly, "2026-11-16T00:00:00Z"),
            (Period::Monthly, "2026-11-01T00:00:00Z"),
            (Period::Quarterly, "2026-10-01T00:00:00Z"),
        ] {
            assert_eq!(period.start(now).unwrap().to_string(), start, "{period}");
        }
    }

    #[test]
    fn windows_follow_one_another_without_a_gap() {
        for period in Period::ALL {
            let mut now: Timestamp = "2027-11-29T13:14:15Z".parse().unwrap();
            for _ in 0..40 {
                let window = period.window(now).unwrap();
                assert!(window.contains(now), "{period} {now}");
                assert_eq!(period.start(now).unwrap(), window.from, "{period}");
                // The first instant of the next window is not one of this.
                assert_eq!(period.start(window.to).unwrap(), window.to, "{period}");
                let last = window.to.checked_sub(1.nanosecond()).unwrap();
                assert_eq!(period.window(last).unwrap(), window, "{period}");
                now = window.to;
            }
        }
    }

    #[test]
    fn the_previous_part_is_as_long_as_what_has_elapsed() {
        let now: Timestamp = "2026-11-22T06:00:00Z".parse().unwrap();
        let (current, previous) = Period::Daily.current_and_previous(now).unwrap();
        assert_eq!(current.from.to_string(), "2026-11-22T00:00:00Z");
        assert!(current.contains(now));
        assert_eq!(previous.from.to_string(), "2026-11-21T00:00:00Z");
        assert_eq!(previous.to.to_string(), "2026-11-21T06:00:00.000000001Z");
    }

    #[test]
    fn the_previous_part_ends_with_its_period() {
        // The 31st day of March is compared with February, which has 28.
        let now: Timestamp = "2027-03-31T12:00:00Z".parse().unwrap();
        let (current, previous) = Period::Monthly.current_and_previous(now).unwrap();
        assert_eq!(previous.to, current.from);
    }
}
