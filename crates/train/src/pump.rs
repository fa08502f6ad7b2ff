use std::time::Duration;

use downhill_compile::{Completed, Progress};
use downhill_protocol::{Event, Message};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::jobs::Reading;
use crate::session::Session;

/// What a session needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do at once.
    Now,
    /// Nothing to do before this moment.
    At(Instant),
    /// Nothing to do until it is told something.
    Rest,
}

/// Longest time between two looks at the metrics ring.
const DRAIN_EVERY: Duration = Duration::from_millis(20);
/// Time between two automatic snapshots.
const SAVE_EVERY: Duration = Duration::from_secs(2);

impl Session {
    /// Works until the deadline at the latest: trains, evaluates, computes watched panels.
    ///
    /// # Errors
    /// When the device is lost or a watched program cannot be compiled.
    pub fn advance(&mut self, deadline: Instant) -> Result<Next, UserError> {
        loop {
            let busy = self.engine.pump(deadline) == Progress::Busy;
            self.collect()?;
            let now = Instant::now();
            if busy || now >= deadline {
                return Ok(Next::Now);
            }
            if let Some(next) = self.queue_more(now, deadline)? {
                return Ok(next);
            }
        }
    }

    /// Queues what is due; says what comes next where nothing is.
    fn queue_more(&mut self, now: Instant, deadline: Instant) -> Result<Option<Next>, UserError> {
        self.rate.mark(now, self.done);
        if self.evaluation_due() {
            self.queue_evaluation()?;
            return Ok(None);
        }
        if self.queue_panels(now)? {
            return Ok(None);
        }
        self.queue_save_when_due(now)?;
        let mut wake = self.panels.next_due(self.shown_state());
        if self.running {
            if self.goal == Some(self.queued) {
                self.finishing = self.experiment.training.steps == self.goal;
                self.running = false;
                return Ok(None);
            }
            match if self.paced { self.pace.due(self.queued, now) } else { Ok(u64::MAX) } {
                Ok(allowed) => {
                    self.train_slice(allowed, deadline)?;
                    return Ok(None);
                }
                Err(due) => wake = Some(wake.map_or(due, |w| w.min(due))),
            }
        }
        if self.recorder.waiting() > 0 {
            self.drain()?;
            return Ok(None);
        }
        if !self.running {
            self.curves.close();
        }
        if std::mem::take(&mut self.finishing) {
            self.events.push(Message::new(Event::Finished { run: self.run, step: self.done }));
        }
        Ok(Some(wake.map_or(Next::Rest, Next::At)))
    }

    /// Evaluations come every `eval_every` steps exactly, before the first step, and where the run rests.
    fn evaluation_due(&self) -> bool {
        let on_the_beat = self.queued.is_multiple_of(self.experiment.training.eval_every.max(1));
        (on_the_beat || !self.running) && self.diverged_at.is_none() && self.evaluation_wanted()
    }

    /// Queues steps and works on them until the deadline, the next evaluation, or the goal. The loop that everything hangs on: no
    /// allocation, no lookup by name.
    fn train_slice(&mut self, mut allowed: u64, deadline: Instant) -> Result<(), UserError> {
        let every = self.experiment.training.eval_every.max(1);
        let stop = (self.queued / every + 1).saturating_mul(every).min(self.goal.unwrap_or(u64::MAX));
        self.diverged_at = None;
        loop {
            let start = Instant::now();
            let left = deadline.saturating_duration_since(start).as_secs_f64();
            let fit = if self.seconds_per_step > 0.0 { (left / self.seconds_per_step).max(1.0) as u64 } else { 1 };
            let steps = fit.min(allowed).min(stop - self.queued).min(u64::from(self.engine.layout().ring / 2)) as u32;
            let steps = self.queue_steps(steps)?;
            allowed -= u64::from(steps);
            if self.engine.pump(deadline) == Progress::Busy {
                return Ok(());
            }
            let end = Instant::now();
            let each = end.duration_since(start).as_secs_f64() / f64::from(steps.max(1));
            self.seconds_per_step = if self.seconds_per_step == 0.0 { each } else { 0.8 * self.seconds_per_step + 0.2 * each };
            self.collect()?;
            let full = self.recorder.free() < self.engine.layout().ring / 2;
            if full || end.duration_since(self.drained) >= DRAIN_EVERY {
                return self.drain();
            }
            if self.queued >= stop || allowed == 0 || end >= deadline || self.diverged_at.is_some() {
                return Ok(());
            }
        }
    }

    /// Queues at most `wanted` steps; fewer where the ring of batches ends.
    fn queue_steps(&mut self, wanted: u32) -> Result<u32, UserError> {
        let ring = self.engine.layout().ring;
        let first_row = (self.queued % u64::from(ring)) as u32;
        let steps = wanted.min(ring - first_row);
        let (stride, batch) = (self.batch_row(), self.experiment.training.batch_size);
        self.scalars.clear();
        for i in 0..steps {
            let step = self.queued + u64::from(i);
            let at = i as usize * stride;
            self.sampler.next_batch(&mut self.indices[at..at + batch]);
            let mut scalars = self.experiment.step_scalars_since(step, self.slots_since);
            scalars.batch = first_row + i;
            if self.losses.is_some() || self.recorder.wants(step) || self.goal == Some(step + 1) {
                scalars.record = self.recorder.hand_out(step);
            }
            self.scalars.push(scalars);
        }
        self.engine.feed("train.indices", first_row, &self.indices[..steps as usize * stride])?;
        let ticket = self.engine.submit(self.train.id, &self.scalars)?;
        self.queued += u64::from(steps);
        self.tickets.push_back((ticket, self.queued));
        Ok(steps)
    }

    /// Asks for the rows of the metrics ring that were written since the last time.
    pub(crate) fn drain(&mut self) -> Result<(), UserError> {
        self.drained = Instant::now();
        if self.recorder.waiting() == 0 {
            return Ok(());
        }
        // At most one such read is under way, for its steps wait in one place.
        if self.readings.contains(&Reading::Metrics) {
            self.engine.finish();
            self.collect()?;
        }
        self.recorder.adapt(self.rate.rate());
        let regions = self.recorder.take(&mut self.recorded_steps);
        let used = if regions[1].len == 0 { &regions[..1] } else { &regions[..] };
        self.engine.read(used)?;
        self.readings.push_back(Reading::Metrics);
        Ok(())
    }

    /// Takes note of everything that is done.
    pub(crate) fn collect(&mut self) -> Result<(), UserError> {
        let mut completed = std::mem::take(&mut self.completed);
        self.engine.take_completed(&mut completed);
        for item in completed.drain(..) {
            match item {
                Completed::Steps(ticket) => {
                    if self.tickets.front().is_some_and(|(t, _)| *t == ticket) {
                        self.done = self.tickets.pop_front().map_or(self.done, |(_, step)| step);
                    }
                }
                Completed::Read(_, words) => match self.readings.pop_front() {
                    Some(Reading::Metrics) => self.note_metrics(&words),
                    Some(Reading::Job) => self.job_read(words),
                    None => {}
                },
                Completed::DeviceLost(why) => return Err(UserError::new(format!("The device was lost: {why}."))),
            }
        }
        self.completed = completed;
        if self.diverged_at.is_some_and(|bad| bad < self.queued) {
            self.go_back()?;
        }
        Ok(())
    }

    fn note_metrics(&mut self, words: &[u32]) {
        for row in self.recorder.rows(&self.recorded_steps, words) {
            if row.flag != 0 {
                // The flag holds the low half of the bad step's number plus one; that step lies at most a ring back.
                let back = (row.step as u32).wrapping_sub(row.flag.wrapping_sub(1));
                self.diverged_at = Some(row.step.saturating_sub(u64::from(back)));
                return;
            }
            if let Some(loss) = row.values.first() {
                self.loss = f64::from(*loss);
                if let Some(losses) = &mut self.losses {
                    losses.push((row.step, *loss));
                }
            }
            for (curve, value) in self.metric_curves.iter().zip(row.values) {
                self.curves.push(*curve, row.step, *value);
            }
            self.curves.push(self.lr_curve, row.step, self.experiment.lr_at(row.step) as f32);
        }
    }

    fn queue_save_when_due(&mut self, now: Instant) -> Result<(), UserError> {
        match self.autosave {
            Some(due) if now >= due && self.running => {
                self.autosave = Some(now + SAVE_EVERY);
                self.save(0)
            }
            _ => Ok(()),
        }
    }

    /// Makes a snapshot every two seconds of training, told as [`Event::Saved`] with number 0.
    pub fn save_regularly(&mut self) {
        self.autosave = Some(Instant::now() + SAVE_EVERY);
    }

    /// What panels show: the step, and how often the state was changed otherwise.
    pub(crate) fn shown_state(&self) -> (u64, u64) {
        (self.queued, self.edits)
    }
}
