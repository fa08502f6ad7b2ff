use std::time::Duration;

use downhill_compile::{Completed, Progress};
use downhill_gpu::GpuDevice;
use downhill_protocol::{Backend, Event, Message};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::jobs::Reading;
use crate::session::{Batch, Session};

/// What a session needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do at once.
    Now,
    /// Nothing to do before the device has done some of what it was given, see [`Session::landing`].
    Device,
    /// Nothing to do before this moment.
    At(Instant),
    /// Nothing to do until it is told something.
    Rest,
}

/// Longest time between two looks at the metrics ring.
const DRAIN_EVERY: Duration = Duration::from_millis(20);
/// On a device everything that is to be read is asked for together, this often: each answer costs a way there and back. Three answers a
/// beat, since inputs that watches upload come in between, and some four of each evaluation stay well below sixty a second.
const BEAT: Duration = Duration::from_millis(80);
/// Time between two evaluations of a run that is watched on a device.
const EVALUATE_EVERY: Duration = Duration::from_millis(320);
/// Batches of steps that a device is given ahead: it works on one while the next is made ready.
const AHEAD: usize = 2;
/// What a step takes at least, in seconds: a coarse clock may see none of it.
const SHORTEST_STEP: f64 = 1e-7;
/// Time between two automatic snapshots.
const SAVE_EVERY: Duration = Duration::from_secs(2);

impl Session {
    /// Works until the deadline at the latest: trains, evaluates, answers what is watched. When the device is lost, the run goes on on
    /// the CPU from where it was last known.
    ///
    /// # Errors
    /// When a watched program cannot be compiled.
    pub async fn advance(&mut self, deadline: Instant) -> Result<Next, UserError> {
        match self.work(deadline).await {
            Err(error) => match self.engine.lost() {
                Some(why) => self.fall_back(&why).map(|()| Next::Now),
                None => Err(error),
            },
            next => next,
        }
    }

    /// Waits until the device has done some of what it was given; at once where the CPU works.
    pub fn landing(&self) -> impl Future<Output = ()> + use<> {
        self.engine.landing()
    }

    async fn work(&mut self, deadline: Instant) -> Result<Next, UserError> {
        loop {
            let room = self.engine.backend() == Backend::Gpu && self.tickets.len() < AHEAD;
            let busy = self.engine.pump(if room { Instant::now() } else { deadline }) == Progress::Busy;
            self.collect()?;
            if self.diverged_at.is_some_and(|bad| bad < self.queued) {
                self.go_back().await?;
            }
            let now = Instant::now();
            if busy && !room {
                return Ok(self.when_busy());
            }
            if now >= deadline {
                return Ok(Next::Now);
            }
            if let Some(next) = self.queue_more(now, deadline, busy)? {
                return Ok(next);
            }
        }
    }

    /// What comes next where something is under way and nothing can be added. Natively a pump waits for the device by itself.
    fn when_busy(&self) -> Next {
        match self.engine.backend() {
            Backend::Gpu if cfg!(target_arch = "wasm32") => Next::Device,
            _ => Next::Now,
        }
    }

    /// Queues what is due; says what comes next where nothing is. `busy` says that something is under way.
    fn queue_more(&mut self, now: Instant, deadline: Instant, busy: bool) -> Result<Option<Next>, UserError> {
        self.rate.mark(now, self.done);
        if self.evaluation_due(now) {
            self.evaluate_from = now + EVALUATE_EVERY;
            self.queue_evaluation()?;
            return Ok(None);
        }
        if now >= self.beat && self.queue_watches(now)? {
            self.on_beat = self.engine.backend() == Backend::Gpu;
            return Ok(None);
        }
        if std::mem::take(&mut self.on_beat) {
            self.beat = now + BEAT;
            self.drain()?;
        }
        self.queue_save_when_due(now)?;
        let mut wake = self.watches.next_due(self.shown_state()).map(|due| due.max(self.beat));
        if self.running {
            if self.goal == Some(self.queued) {
                self.finishing = self.checked.experiment.training.steps == self.goal;
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
        if busy {
            return Ok(Some(self.when_busy()));
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

    fn leaves_out_evaluations(&self, now: Instant) -> bool {
        self.paced && self.engine.backend() == Backend::Gpu && now < self.evaluate_from
    }

    /// Evaluations come every `eval_every` steps exactly, before the first step, and where the run rests. A run that is watched on a
    /// device leaves out those that nobody could tell apart: a fast one would read back hundreds a second.
    fn evaluation_due(&self, now: Instant) -> bool {
        let on_the_beat =
            !self.leaves_out_evaluations(now) && self.queued.is_multiple_of(self.checked.experiment.training.eval_every.max(1));
        (on_the_beat || !self.running) && self.diverged_at.is_none() && self.evaluation_wanted()
    }

    /// The step before which steps end that are queued together: where the next evaluation may be due.
    fn next_evaluation(&self, now: Instant) -> u64 {
        if self.leaves_out_evaluations(now) {
            return u64::MAX;
        }
        let every = self.checked.experiment.training.eval_every.max(1);
        (self.queued / every + 1).saturating_mul(every)
    }

    /// Queues steps and works on them until the deadline, the next evaluation, or the goal. The loop that everything hangs on: no
    /// allocation, no lookup by name.
    fn train_slice(&mut self, mut allowed: u64, deadline: Instant) -> Result<(), UserError> {
        let stop = self.next_evaluation(Instant::now()).min(self.goal.unwrap_or(u64::MAX));
        self.diverged_at = None;
        let gpu = self.engine.backend() == Backend::Gpu;
        loop {
            let start = Instant::now();
            let left = self.engine.device().map_or_else(|| deadline.saturating_duration_since(start), GpuDevice::submit_time);
            let fit =
                if self.seconds_per_step > 0.0 { (left.as_secs_f64() / self.seconds_per_step).max(1.0) as u64 } else { 1 };
            let steps = fit.min(allowed).min(stop - self.queued).min(u64::from(self.engine.layout().ring / 2)) as u32;
            let steps = self.queue_steps(steps)?;
            allowed -= u64::from(steps);
            let busy = self.engine.pump(if gpu { start } else { deadline }) == Progress::Busy;
            let end = Instant::now();
            if !gpu {
                if busy {
                    return Ok(());
                }
                self.note_pace(end.duration_since(start), u64::from(steps));
            }
            self.collect()?;
            let full = self.recorder.free() < self.engine.layout().ring / 2;
            if full || end.duration_since(self.drained) >= if gpu { BEAT } else { DRAIN_EVERY } {
                return self.drain();
            }
            if busy || self.queued >= stop || allowed == 0 || end >= deadline || self.diverged_at.is_some() {
                return Ok(());
            }
        }
    }

    /// Learns what a step takes.
    fn note_pace(&mut self, time: Duration, steps: u64) {
        let each = (time.as_secs_f64() / steps.max(1) as f64).max(SHORTEST_STEP);
        self.seconds_per_step = if self.seconds_per_step == 0.0 { each } else { 0.8 * self.seconds_per_step + 0.2 * each };
    }

    /// Queues at most `wanted` steps; fewer where the ring of batches ends.
    fn queue_steps(&mut self, wanted: u32) -> Result<u32, UserError> {
        let ring = self.engine.layout().ring;
        let first_row = (self.queued % u64::from(ring)) as u32;
        let steps = wanted.min(ring - first_row);
        self.scalars.clear();
        for i in 0..steps {
            let step = self.queued + u64::from(i);
            self.batches.fill(step, i as usize);
            let mut scalars = self.checked.experiment.step_scalars_since(step, self.slots_since);
            scalars.batch = first_row + i;
            if self.losses.is_some() || self.recorder.wants(step) || self.goal == Some(step + 1) {
                scalars.record = self.recorder.hand_out(step);
            }
            self.scalars.push(scalars);
        }
        self.batches.upload(&mut self.engine, first_row, steps as usize)?;
        let ticket = self.engine.submit(self.train.id, &self.scalars)?;
        self.queued += u64::from(steps);
        self.tickets.push_back(Batch { ticket, end: self.queued, submitted: Instant::now() });
        Ok(steps)
    }

    /// Asks for the rows of the metrics ring that were written since the last time.
    pub(crate) fn drain(&mut self) -> Result<(), UserError> {
        self.drained = Instant::now();
        if self.recorder.waiting() == 0 {
            return Ok(());
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
                    if let Some(batch) = self.tickets.pop_front_if(|b| b.ticket == ticket) {
                        self.note_batch(&batch);
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
        Ok(())
    }

    /// Steps have run. What a batch took on a device is the time since the one before was done.
    fn note_batch(&mut self, batch: &Batch) {
        let now = Instant::now();
        if let Some(device) = self.engine.device() {
            let time = device.time_of(Some(self.landed), batch.submitted, now);
            self.note_pace(time, batch.end.saturating_sub(self.done));
        }
        (self.done, self.landed) = (batch.end, now);
    }

    fn note_metrics(&mut self, words: &[u32]) {
        for row in self.recorder.rows(&mut self.recorded_steps, words) {
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
            self.curves.push(self.lr_curve, row.step, self.checked.experiment.lr_at(row.step) as f32);
        }
    }

    fn queue_save_when_due(&mut self, now: Instant) -> Result<(), UserError> {
        let wanted = self.running || self.checkpoint.as_ref().is_some_and(|c| c.kept.shows != self.shown_state());
        if !wanted || self.save_due.is_none_or(|due| now < due) {
            return Ok(());
        }
        self.save_due = Some(now + SAVE_EVERY);
        self.save(0)
    }

    /// Makes a snapshot every two seconds of training, told as [`Event::Saved`] with number 0.
    pub fn save_regularly(&mut self) {
        self.saves_told = true;
        self.save_due = Some(Instant::now() + SAVE_EVERY);
    }

    /// What answers show: the step, and how often the state was changed otherwise.
    pub(crate) fn shown_state(&self) -> (u64, u64) {
        (self.queued, self.edits)
    }
}
