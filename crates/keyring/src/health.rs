//! What becomes of a key's health: by the clock, and by what providers say.

use diamond_domain::KeyHealth;
use jiff::Timestamp;

/// The health as it stands now: what holds until a time is over after it.
pub(crate) fn in_force(health: KeyHealth, now: Timestamp) -> KeyHealth {
    match health {
        KeyHealth::Limited { until } | KeyHealth::Exhausted { until } if now >= until => {
            KeyHealth::Ok
        }
        health => health,
    }
}

/// The health after a report.
///
/// Requests that began before may report late. So an invalid key stays invalid whatever a straggler
/// says (a new value is a new version), and an empty account is not made fuller by a report that
/// only asks to slow down. A success does lift it: somebody has paid.
pub(crate) fn after_report(current: KeyHealth, reported: KeyHealth, now: Timestamp) -> KeyHealth {
    match (in_force(current, now), reported) {
        (KeyHealth::Invalid, _) => KeyHealth::Invalid,
        (current @ KeyHealth::Exhausted { .. }, KeyHealth::Limited { .. } | KeyHealth::Suspect) => {
            current
        }
        (_, reported) => reported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn limits_end_by_the_clock_and_invalid_does_not() {
        let limited = KeyHealth::Limited { until: at(10) };
        let exhausted = KeyHealth::Exhausted { until: at(10) };
        for health in [limited, exhausted] {
            assert_eq!(in_force(health, at(9)), health);
            assert_eq!(in_force(health, at(10)), KeyHealth::Ok);
        }
        for health in [KeyHealth::Ok, KeyHealth::Suspect, KeyHealth::Invalid] {
            assert_eq!(in_force(health, at(1_000_000)), health);
        }
    }

    #[test]
    fn reports_in_every_order() {
        let now = at(5);
        let (ok, suspect, invalid) = (KeyHealth::Ok, KeyHealth::Suspect, KeyHealth::Invalid);
        let limited = KeyHealth::Limited { until: at(10) };
        let exhausted = KeyHealth::Exhausted { until: at(10) };
        let over = KeyHealth::Exhausted { until: at(4) };
        for (current, reported, expected) in [
            (ok, limited, limited),
            (ok, invalid, invalid),
            (limited, ok, ok),
            (suspect, ok, ok),
            (exhausted, ok, ok),
            (exhausted, limited, exhausted),
            (exhausted, suspect, exhausted),
            (exhausted, invalid, invalid),
            (over, limited, limited),
            (invalid, ok, invalid),
            (invalid, limited, invalid),
            (invalid, exhausted, invalid),
        ] {
            let found = after_report(current, reported, now);
            assert_eq!(found, expected, "{current:?} then {reported:?}");
        }
    }
}
