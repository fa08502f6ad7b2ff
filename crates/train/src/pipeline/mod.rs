//! What is under way: steps that were queued and have not run, reads that were asked for and have not come, the jobs that wait for them. It
//! hands back what is done; what that means is for others to say.

mod jobs;
mod recorder;

use std::collections::VecDeque;

use downhill_compile::{Completed, Region, StateLayout, Ticket};
use downhill_graph::StepScalars;
use downhill_tensor::UserError;
use web_time::Instant;

use crate::machine::Machine;
use crate::machine::engine::Engine;
use crate::run::Run;
pub(crate) use jobs::Job;
use jobs::Reading;
use recorder::Recorder;
pub(crate) use recorder::Row;

/// Steps that were submitted together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    ticket: Ticket,
    /// Steps taken once these have run.
    pub end: u64,
    /// When they were submitted.
    pub submitted: Instant,
}

/// Something that is done.
pub(crate) enum Done<K> {
    /// Steps have run, and when those before them had.
    Steps(Batch, Instant),
    /// Words of the metrics ring, for [`Pipeline::rows`].
    Metrics(Vec<u32>),
    /// All reads of a job have come.
    Job(Job<K>),
}

/// What is under way.
pub(crate) struct Pipeline<K> {
    recorder: Recorder,
    /// Steps of the metrics rows that are being read.
    recorded: VecDeque<u64>,
    /// When metrics were asked for last.
    drained: Instant,
    tickets: VecDeque<Batch>,
    /// When steps were last known to have run.
    landed: Instant,
    readings: VecDeque<Reading>,
    jobs: VecDeque<Job<K>>,
    /// Room for what steps are run with, and for what is done.
    scalars: Vec<StepScalars>,
    completed: Vec<Completed>,
}

impl<K> Pipeline<K> {
    /// Nothing under way, for programs of this layout that record so many metrics.
    pub fn new(layout: &StateLayout, metrics: usize) -> Self {
        Self {
            recorder: Recorder::new(layout, metrics),
            recorded: VecDeque::new(),
            drained: Instant::now(),
            tickets: VecDeque::new(),
            landed: Instant::now(),
            readings: VecDeque::new(),
            jobs: VecDeque::new(),
            scalars: Vec::with_capacity(layout.ring as usize),
            completed: Vec::new(),
        }
    }

    /// Batches of steps under way.
    pub fn batches(&self) -> usize {
        self.tickets.len()
    }

    /// Whether the metrics ring is half full.
    pub fn is_full(&self, layout: &StateLayout) -> bool {
        self.recorder.free() < layout.ring / 2
    }

    /// Metrics rows that nobody has asked for.
    pub fn waiting(&self) -> usize {
        self.recorder.waiting()
    }

    /// When metrics were asked for last.
    pub fn drained(&self) -> Instant {
        self.drained
    }

    /// Queues at most `wanted` steps; fewer where the ring of batches ends. `record_all` records every one of them.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn queue_steps(
        &mut self,
        run: &mut Run,
        machine: &mut Machine,
        wanted: u32,
        record_all: bool,
    ) -> Result<u32, UserError> {
        let micros = run.micros();
        let ring = machine.layout().ring / micros as u32;
        let first = run.queued();
        let first_step = (first % u64::from(ring)) as u32;
        let first_row = first_step * micros as u32;
        let steps = wanted.min(ring - first_step);
        self.scalars.clear();
        for step in (first..).take(steps as usize) {
            for micro in 0..micros {
                run.batches().fill(step, micro, self.scalars.len());
                let mut scalars = run.scalars(step, micro);
                scalars.batch = first_row + self.scalars.len() as u32;
                let recorded = || record_all || self.recorder.wants(step) || run.drive().goal() == Some(step + 1);
                if micro + 1 == micros && recorded() {
                    scalars.record = self.recorder.hand_out(step);
                }
                self.scalars.push(scalars);
            }
        }
        run.batches().upload(machine.engine_mut(), first_row, self.scalars.len())?;
        let train = machine.train().id;
        let ticket = machine.engine_mut().submit(train, &self.scalars)?;
        run.note_queued(u64::from(steps));
        self.tickets.push_back(Batch { ticket, end: run.queued(), submitted: Instant::now() });
        Ok(steps)
    }

    /// Asks for the rows of the metrics ring that were written since the last time, and chooses how many steps share a row at this speed.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn drain(&mut self, engine: &mut Engine, steps_per_second: f64) -> Result<(), UserError> {
        self.drained = Instant::now();
        if self.recorder.waiting() == 0 {
            return Ok(());
        }
        self.recorder.adapt(steps_per_second);
        let regions = self.recorder.take(&mut self.recorded);
        let used = if regions[1].len == 0 { &regions[..1] } else { &regions[..] };
        engine.read(used)?;
        self.readings.push_back(Reading::Metrics);
        Ok(())
    }

    /// The rows in words of the metrics ring.
    pub fn rows<'a>(&'a mut self, words: &'a [u32]) -> impl Iterator<Item = Row<'a>> {
        self.recorder.rows(&mut self.recorded, words)
    }

    /// Begins a job that shows the state behind step `step`; its reads follow by [`Pipeline::read_for_job`].
    pub fn begin_job(&mut self, kind: K, step: u64) {
        self.jobs.push_back(Job { kind, step, reads: 0, words: Vec::new() });
    }

    /// Queues a read for the job begun last.
    ///
    /// # Errors
    /// When a region lies outside its buffer.
    pub fn read_for_job(&mut self, engine: &mut Engine, regions: &[Region]) -> Result<(), UserError> {
        engine.read(regions)?;
        self.readings.push_back(Reading::Job);
        if let Some(job) = self.jobs.back_mut() {
            job.reads += 1;
        }
        Ok(())
    }

    /// The job begun last.
    pub fn last_job(&mut self) -> Option<&mut K> {
        self.jobs.back_mut().map(|job| &mut job.kind)
    }

    /// Takes back the job begun last if it asked for nothing: words that are read go to the job in front, so it would take those of the
    /// next.
    pub fn take_idle_job(&mut self) -> Option<Job<K>> {
        self.jobs.pop_back_if(|job| job.reads == 0)
    }

    /// Whether no job is under way.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Everything that is done, for [`Pipeline::take_note`] one by one; [`Pipeline::give_back`] has to follow.
    pub fn take_completed(&mut self, engine: &mut Engine) -> Vec<Completed> {
        let mut completed = std::mem::take(&mut self.completed);
        engine.take_completed(&mut completed);
        completed
    }

    /// Gives the room for what is done back.
    pub fn give_back(&mut self, completed: Vec<Completed>) {
        self.completed = completed;
    }

    /// Takes note of something that is done; nothing where more of it is to come.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn take_note(&mut self, completed: Completed) -> Result<Option<Done<K>>, UserError> {
        match completed {
            Completed::Steps(ticket) => Ok(self.tickets.pop_front_if(|b| b.ticket == ticket).map(|batch| {
                let before = std::mem::replace(&mut self.landed, Instant::now());
                Done::Steps(batch, before)
            })),
            Completed::Read(_, words) => Ok(match self.readings.pop_front() {
                Some(Reading::Metrics) => Some(Done::Metrics(words)),
                Some(Reading::Job) => self.read_of_job(words).map(Done::Job),
                None => None,
            }),
            Completed::DeviceLost(why) => Err(UserError::new(format!("The device was lost: {why}."))),
        }
    }

    /// Hands words to the job in front, which is done when they were its last.
    fn read_of_job(&mut self, words: Vec<u32>) -> Option<Job<K>> {
        let job = self.jobs.front_mut()?;
        job.words.push(words);
        if job.words.len() < job.reads { None } else { self.jobs.pop_front() }
    }

    /// Metrics rows that were handed out are not new: their steps are to run again.
    pub fn discard_rows(&mut self) {
        self.recorder.discard();
    }

    /// Forgets everything; gives the jobs that nobody will answer.
    pub fn forget(&mut self) -> impl Iterator<Item = K> + use<K> {
        self.readings.clear();
        self.tickets.clear();
        self.completed.clear();
        self.recorder.discard();
        self.recorded.clear();
        std::mem::take(&mut self.jobs).into_iter().map(|job| job.kind)
    }
}
