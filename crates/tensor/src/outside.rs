//! Numbers from outside (a page, a script, a message, a file) as what the standard library panics over: any number gives a duration.

use std::time::Duration;

/// The longest duration that anything waits for: a day, which a browser's timers still hold (2³¹ milliseconds are 24 days).
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Some seconds; none for what is negative or no number, at most [`LONGEST`].
pub fn seconds(seconds: f64) -> Duration {
    // NaN is not greater than 0 either.
    if seconds > 0.0 { Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())) } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_duration() {
        assert_eq!(seconds(1.5), Duration::from_millis(1500));
        for nothing in [0.0, -0.0, -1.0, f64::NEG_INFINITY, f64::NAN, 1e-300] {
            assert_eq!(seconds(nothing), Duration::ZERO, "{nothing}");
        }
        for long in [1e9, 1e300, f64::INFINITY] {
            assert_eq!(seconds(long), LONGEST, "{long}");
        }
    }
}
