//! How fast steps may come, and how fast they do come. Clocks and counts; no engine.

use std::collections::VecDeque;
use std::time::Duration;

use downhill_tensor::seconds;
use web_time::Instant;

/// A pace further behind than this is not caught up with: the machine cannot keep it.
const LARGEST_LAG: f64 = 0.25;

/// Lets steps through at a visible pace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    steps_per_second: Option<f64>,
    since: Option<(Instant, u64)>,
}

impl Pace {
    /// A pace in steps per second; `None`, or what is no pace, is flat out.
    pub fn new(steps_per_second: Option<f64>) -> Self {
        Self { steps_per_second: steps_per_second.filter(|p| p.is_finite() && *p > 0.0), since: None }
    }

    /// Counts from now on: after a rest, or when steps were taken outside the pace.
    pub fn restart(&mut self) {
        self.since = None;
    }

    /// How many steps may be taken now when `step` have been, and when the next one is due where that is none.
    pub fn due(&mut self, step: u64, now: Instant) -> Result<u64, Instant> {
        let Some(rate) = self.steps_per_second else { return Ok(u64::MAX) };
        let (start, first) = *self.since.get_or_insert((now, step));
        let ahead = now.duration_since(start).as_secs_f64() * rate + 1.0 - step.saturating_sub(first) as f64;
        if ahead > (LARGEST_LAG * rate).max(2.0) {
            self.since = Some((now, step));
            return Ok(1);
        }
        if ahead >= 1.0 { Ok(ahead as u64) } else { Err(now + seconds((1.0 - ahead) / rate)) }
    }
}

/// Steps per second over the last second.
#[derive(Clone, Debug, Default)]
pub struct RateMeter {
    marks: VecDeque<(Instant, u64)>,
}

impl RateMeter {
    /// Forgets what was measured: after a rest.
    pub fn restart(&mut self) {
        self.marks.clear();
    }

    /// Notes how many steps have been taken.
    pub fn mark(&mut self, now: Instant, step: u64) {
        if self.marks.back().is_some_and(|(last, _)| now.duration_since(*last) < Duration::from_millis(50)) {
            return;
        }
        self.marks.push_back((now, step));
        while self.marks.len() > 2 && self.marks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= Duration::from_secs(1))
        {
            self.marks.pop_front();
        }
    }

    /// Steps per second; 0 before there is anything to say.
    pub fn rate(&self) -> f64 {
        match (self.marks.front(), self.marks.back()) {
            (Some((start, first)), Some((end, last))) if end > start => {
                last.saturating_sub(*first) as f64 / end.duration_since(*start).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use downhill_tensor::LONGEST;

    use super::*;

    #[test]
    fn a_pace_lets_through_what_the_clock_says_and_names_the_next_moment() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(10.0));
        assert_eq!(pace.due(5, start), Ok(1));
        let next = pace.due(6, start).unwrap_err();
        assert_eq!(next.duration_since(start).as_millis(), 100);
        assert_eq!(pace.due(6, start + Duration::from_millis(250)), Ok(2));
    }

    #[test]
    fn a_machine_that_cannot_keep_the_pace_does_not_run_after_it() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(1000.0));
        assert_eq!(pace.due(0, start), Ok(1));
        assert_eq!(pace.due(1, start + Duration::from_secs(60)), Ok(1));
        assert!(pace.due(2, start + Duration::from_secs(60)).is_err());
    }

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let start = Instant::now();
        let mut meter = RateMeter::default();
        for i in 0..100u64 {
            let steps = if i < 50 { i } else { 50 + (i - 50) * 20 };
            meter.mark(start + Duration::from_millis(i * 100), steps);
        }
        assert!((meter.rate() - 200.0).abs() < 1.0, "{}", meter.rate());
    }

    #[test]
    fn the_slowest_pace_there_is_waits_and_does_not_panic() {
        for rate in [1e-9, 1e-300, f64::MIN_POSITIVE, f64::from_bits(1)] {
            let start = Instant::now();
            let mut pace = Pace::new(Some(rate));
            assert_eq!(pace.due(0, start), Ok(1));
            assert_eq!(pace.due(1, start), Err(start + LONGEST), "{rate:e}");
        }
        let mut fastest = Pace::new(Some(f64::MAX));
        let start = Instant::now();
        assert_eq!((fastest.due(0, start), fastest.due(0, start + Duration::from_millis(1))), (Ok(1), Ok(u64::MAX)));
    }

    #[test]
    fn what_is_no_pace_is_flat_out() {
        assert_eq!(Pace::new(Some(f64::NAN)).due(0, Instant::now()), Ok(u64::MAX));
    }
}
