//! The loop of a run: what is done is taken note of, then what is due is queued: evaluations, answers to watches, snapshots, steps.

use std::time::Duration;

use downhill_compile::Progress;
use downhill_gpu::GpuDevice;
use downhill_protocol::{Backend, Event, Message};
use downhill_tensor::{UserError, apart};
use web_time::Instant;

use super::Session;
use super::job::JobKind;
use super::next::Next;
use crate::pipeline::{Done, Job};

/// Longest time between two looks at the metrics ring.
const DRAIN_EVERY: Duration = Duration::from_millis(20);
/// Time between two reads from a device. Everything that is to be read is asked for together then, because each answer costs a way there and
/// back. The inputs that watches upload part a beat into some three answers, and an evaluation is some four more: that stays well below sixty
/// a second.
const BEAT: Duration = Duration::from_millis(80);
/// Batches of steps that a device is given ahead: it works on one while the next is made ready.
const AHEAD: usize = 2;

impl Session {
    /// Works until the deadline at the latest: trains, evaluates, answers what is watched. When the device is lost, the run goes on on
    /// the CPU from where it was last known.
    ///
    /// # Errors
    /// When a watched program cannot be compiled.
    pub async fn advance(&mut self, deadline: Instant) -> Result<Next, UserError> {
        match self.work(deadline).await {
            Err(error) => match self.lost() {
                Some(why) => self.fall_back(&why).map(|()| Next::Now),
                None => Err(error),
            },
            next => next,
        }
    }

    /// Waits until the device has done some of what it was given; at once where the CPU works.
    pub fn landing(&self) -> impl Future<Output = ()> + use<> {
        self.machine.engine().landing()
    }

    /// Works until everything asked for is done: until the run rests and nothing is queued.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn run_until_rest(&mut self) -> Result<(), UserError> {
        loop {
            match self.advance(Instant::now() + Duration::from_millis(50)).await? {
                Next::Now => {}
                Next::Device => self.landing().await,
                Next::At(_) | Next::Rest => return Ok(()),
            }
        }
    }

    /// Works off what is queued, so that the state stands still between two steps.
    pub(crate) async fn settle(&mut self) -> Result<(), UserError> {
        self.drain()?;
        self.machine.engine_mut().finish().await;
        self.collect()?;
        self.come_back().await
    }

    async fn work(&mut self, deadline: Instant) -> Result<Next, UserError> {
        loop {
            let room = self.on_device() && self.pipeline.batches() < AHEAD;
            let until = if room { Instant::now() } else { deadline };
            let busy = self.machine.engine_mut().pump(until) == Progress::Busy;
            self.collect()?;
            self.come_back().await?;
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

    fn on_device(&self) -> bool {
        self.machine.backend() == Backend::Gpu
    }

    /// What comes next where something is under way and nothing can be added. Natively a pump waits for the device by itself.
    fn when_busy(&self) -> Next {
        if self.on_device() && cfg!(target_arch = "wasm32") { Next::Device } else { Next::Now }
    }

    /// Queues what is due; says what comes next where nothing is. `busy` says that something is under way.
    fn queue_more(&mut self, now: Instant, deadline: Instant, busy: bool) -> Result<Option<Next>, UserError> {
        let on_device = self.on_device();
        let done = self.run.done();
        self.run.drive_mut().mark(now, done);
        if self.reports.evaluation_due(&self.run, on_device, now) {
            let evaluator = self.reports.evaluator_mut();
            evaluator.queue(JobKind::Evaluate, &self.run, &mut self.machine, &mut self.pipeline)?;
            return Ok(None);
        }
        if self.examination_due(now) && self.queue_examination(now)? {
            return Ok(None);
        }
        if self.reports.on_beat(now) && self.queue_watches(now)? {
            self.reports.note_answer(on_device);
            return Ok(None);
        }
        let token = self.token_due(now);
        if token.is_some_and(|due| due <= now) {
            apart(|| self.queue_token())?;
            return Ok(None);
        }
        if self.reports.take_beat(now + BEAT) {
            self.drain()?;
        }
        self.queue_save_when_due(now)?;
        let mut wake = self.reports.next_answer(self.run.shown_state()).into_iter().chain(token).min();
        if self.run.arrived() {
            return Ok(None);
        }
        if self.run.drive().running() && !self.run.awaits_evaluation() {
            let queued = self.run.queued();
            match self.run.drive_mut().due(queued, now) {
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
        if self.pipeline.waiting() > 0 {
            self.drain()?;
            return Ok(None);
        }
        if !self.run.drive().running() {
            self.reports.close_curves();
        }
        if self.run.drive_mut().take_finishing() {
            self.reports.tell(Message::new(Event::Finished { run: self.run.number(), step: self.run.done() }));
        }
        Ok(Some(wake.map_or(Next::Rest, Next::At)))
    }

    /// Queues steps and works on them until the deadline, the next evaluation, or the goal. The loop that everything hangs on: no
    /// allocation, no lookup by name.
    fn train_slice(&mut self, mut allowed: u64, deadline: Instant) -> Result<(), UserError> {
        let on_device = self.on_device();
        let next_evaluation = self.reports.next_evaluation(&self.run, on_device, Instant::now());
        let stop = next_evaluation.min(self.run.drive().goal().unwrap_or(u64::MAX));
        let record_all = self.reports.keeps_losses();
        self.run.note_diverged(None);
        self.reports.signs_mut().divergence = None;
        loop {
            let start = Instant::now();
            let device = self.machine.engine().device();
            let left = device.map_or_else(|| deadline.saturating_duration_since(start), GpuDevice::submit_time);
            let half_ring = u64::from(self.machine.layout().ring / 2) / self.run.micros() as u64;
            let steps = self.machine.steps_in(left).min(allowed).min(stop - self.run.queued()).min(half_ring) as u32;
            let steps = self.pipeline.queue_steps(&mut self.run, &mut self.machine, steps, record_all)?;
            allowed -= u64::from(steps);
            let busy = self.machine.engine_mut().pump(if on_device { start } else { deadline }) == Progress::Busy;
            let end = Instant::now();
            if !on_device && !busy {
                self.machine.note_pace(end.duration_since(start), u64::from(steps));
            }
            self.collect()?;
            let every = if on_device { BEAT } else { DRAIN_EVERY };
            if self.pipeline.is_full(self.machine.layout()) || end.duration_since(self.pipeline.drained()) >= every {
                return self.drain();
            }
            let at_stop = self.run.queued() >= stop || allowed == 0 || self.run.diverged_at().is_some();
            if busy || at_stop || end >= deadline {
                return Ok(());
            }
        }
    }

    /// Asks for the rows of the metrics ring that were written since the last time.
    pub(crate) fn drain(&mut self) -> Result<(), UserError> {
        self.pipeline.drain(self.machine.engine_mut(), self.run.drive().rate())
    }

    /// Takes note of everything that is done.
    pub(crate) fn collect(&mut self) -> Result<(), UserError> {
        let mut completed = self.pipeline.take_completed(self.machine.engine_mut());
        for item in completed.drain(..) {
            match self.pipeline.take_note(item)? {
                // What a batch took on a device is the time since the one before was done.
                Some(Done::Steps(batch, before)) => {
                    if let Some(device) = self.machine.engine().device() {
                        let time = device.time_of(Some(before), batch.submitted, Instant::now());
                        self.machine.note_pace(time, batch.end.saturating_sub(self.run.done()));
                    }
                    self.run.note_done(batch.end);
                }
                Some(Done::Metrics(words)) => {
                    let rows = self.pipeline.rows(&words);
                    if let Some(bad) = self.reports.note_metrics(rows, &self.run) {
                        self.run.note_diverged(Some(bad));
                    }
                }
                Some(Done::Job(job)) => self.finish_job(job),
                None => {}
            }
        }
        self.pipeline.give_back(completed);
        Ok(())
    }

    fn finish_job(&mut self, job: Job<JobKind>) {
        if self.pipeline.is_idle() {
            self.machine.trim();
        }
        match job.kind {
            JobKind::Evaluate => {
                self.reports.evaluator_mut().arrived();
                let rows = self.machine.programs().eval_rows;
                let (checked, data) = (self.run.checked(), self.run.data());
                if let Some(results) = self.reports.evaluator().sum_up(checked, data, rows, &job.words) {
                    if let Some((_, loss)) = results.metrics.iter().find(|(name, _)| name == "validation_loss") {
                        self.run.note_validation(job.step, *loss);
                    }
                    self.reports.note_evaluation(job.step, results);
                    if self.reports.is_out_of_patience(&self.run.experiment().training) {
                        self.run.drive_mut().end_early();
                    }
                }
            }
            JobKind::Examine(examination) => self.finish_examination(examination, job.step, job.words),
            JobKind::Answer(answer) => self.finish_answer(*answer, job.step, job.words),
            JobKind::Token(writer) => apart(|| self.finish_token(*writer, &job.words)),
            JobKind::Save { id, kept } => self.finish_save(id, job.step, kept, &job.words),
        }
    }

    fn queue_save_when_due(&mut self, now: Instant) -> Result<(), UserError> {
        let shown = self.run.shown_state();
        let wanted = self.run.drive().running() || self.machine.remembered().is_some_and(|shows| shows != shown);
        if wanted && self.reports.save_due(now) { self.save(0) } else { Ok(()) }
    }
}
