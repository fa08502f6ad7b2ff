//! Whether steps are taken, up to which one, and how fast. Counts and clocks; it takes no step itself.

use web_time::Instant;

use super::pace::{Pace, RateMeter};

/// What moves a run on.
#[derive(Debug)]
pub(crate) struct Drive {
    running: bool,
    /// Step to rest at.
    goal: Option<u64>,
    /// The run has reached the experiment's last step; `Event::Finished` is still to be sent.
    finishing: bool,
    /// Whether steps wait for the pace; those that were counted out by hand do not.
    paced: bool,
    pace: Pace,
    rate: RateMeter,
}

impl Drive {
    /// At rest, with a pace in steps per second; `None` is flat out.
    pub fn new(steps_per_second: Option<f64>) -> Self {
        Self {
            running: false,
            goal: None,
            finishing: false,
            paced: true,
            pace: Pace::new(steps_per_second),
            rate: RateMeter::default(),
        }
    }

    /// Moves on from step `queued` until `end`; from there on, past it.
    pub fn start(&mut self, queued: u64, end: Option<u64>) {
        self.goal = end.filter(|&end| queued < end);
        self.paced = true;
        self.go(queued);
    }

    /// Moves on by `n` steps, as fast as they come.
    pub fn step(&mut self, queued: u64, n: u64) {
        self.goal = Some(queued.saturating_add(n));
        self.paced = false;
        self.go(queued);
    }

    fn go(&mut self, queued: u64) {
        self.running = self.goal != Some(queued);
        self.restart();
    }

    /// Stops after the steps that are queued.
    pub fn pause(&mut self) {
        self.running = false;
        self.goal = None;
    }

    /// Stops, and nothing is to be told of an end.
    pub fn rest(&mut self) {
        self.pause();
        self.finishing = false;
        self.restart();
    }

    /// Pace and rate count from now on.
    pub fn restart(&mut self) {
        self.pace.restart();
        self.rate.restart();
    }

    /// The rate counts from now on.
    pub fn restart_rate(&mut self) {
        self.rate.restart();
    }

    /// What is under way ends at another step.
    pub fn regoal(&mut self, queued: u64, end: Option<u64>) {
        if self.running && self.paced {
            self.goal = end.filter(|&end| queued < end);
        }
    }

    /// Sets the pace in steps per second; `None` is flat out.
    pub fn set_pace(&mut self, steps_per_second: Option<f64>) {
        self.pace = Pace::new(steps_per_second);
    }

    /// Whether steps are taken.
    pub fn running(&self) -> bool {
        self.running
    }

    /// Whether steps wait for the pace.
    pub fn paced(&self) -> bool {
        self.paced
    }

    /// Step to rest at.
    pub fn goal(&self) -> Option<u64> {
        self.goal
    }

    /// Whether the goal is reached; from then on it rests. `end` is the experiment's last step.
    pub fn arrived(&mut self, queued: u64, end: Option<u64>) -> bool {
        let arrived = self.running && self.goal == Some(queued);
        if arrived {
            self.finishing = end == self.goal;
            self.running = false;
        }
        arrived
    }

    /// Rests as at the experiment's end, before it is reached.
    pub fn end_early(&mut self) {
        self.finishing = self.running;
        self.pause();
    }

    /// Whether the end of the experiment was reached, once.
    pub fn take_finishing(&mut self) -> bool {
        std::mem::take(&mut self.finishing)
    }

    /// How many steps may be queued now, or when the next one may.
    pub fn due(&mut self, queued: u64, now: Instant) -> Result<u64, Instant> {
        if self.paced { self.pace.due(queued, now) } else { Ok(u64::MAX) }
    }

    /// Notes how many steps have run.
    pub fn mark(&mut self, now: Instant, done: u64) {
        self.rate.mark(now, done);
    }

    /// Steps per second of late.
    pub fn rate(&self) -> f64 {
        self.rate.rate()
    }
}
