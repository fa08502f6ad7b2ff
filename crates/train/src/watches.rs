//! Who watches what: the watches there are, when each is due, and what is queued for one that is. What comes back becomes tensors in
//! `answer.rs`, how much of each is sent is decided in `cut.rs`.

use std::rc::Rc;
use std::time::Duration;

use downhill_compile::{Entry, Region};
use downhill_graph::StepScalars;
use downhill_model::ProgramKind;
use downhill_protocol::{Event, Input, Message, Watch};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::jobs::JobKind;
use crate::rows::Rows;
use crate::session::Session;

/// Points per side of a grid, and points of a line, at most.
const MAX_RESOLUTION: u32 = 256;
const MAX_POINTS: u32 = 4096;
/// A watch takes at most this share of the time: an answer that took long is followed by a longer pause.
const SHARE: u32 = 4;
/// Longest pause that a watch can ask for, in milliseconds.
const LONGEST: f64 = 60_000.0;

/// Everything that is watched.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    watch: Rc<Watch>,
    due: Instant,
    /// The state that its last answer shows.
    shown: Option<(u64, u64)>,
    /// Whether an answer is under way, or there is none to give before the model changes.
    pending: bool,
    /// What its program reads; made once.
    rows: Option<Rc<Rows>>,
    /// Step and parameters of the answer before, for the size of updates.
    before: Option<(u64, Vec<Vec<f32>>)>,
}

impl Watches {
    /// Answers from now on; an earlier watch of the same key is replaced.
    pub fn watch(&mut self, watch: Watch, now: Instant) {
        self.unwatch(watch.key);
        self.watched.push(Watched { watch: Rc::new(watch), due: now, shown: None, pending: false, rows: None, before: None });
    }

    /// Answers no more.
    pub fn unwatch(&mut self, key: u32) {
        self.watched.retain(|w| w.watch.key != key);
    }

    /// Forgets what was made for the model of before; nothing of it may be under way.
    pub fn forget(&mut self) {
        for watched in &mut self.watched {
            (watched.shown, watched.rows, watched.before, watched.pending) = (None, None, None, false);
        }
    }

    /// When the next watch that was not answered for `state` is due.
    pub fn next_due(&self, state: (u64, u64)) -> Option<Instant> {
        self.watched.iter().filter(|w| w.shown != Some(state) && !w.pending).map(|w| w.due).min()
    }

    /// An answer was given; the next comes after the time that was asked for, later where it took long.
    pub fn answered(&mut self, watch: &Rc<Watch>, started: Instant) {
        if let Some(w) = self.watched.iter_mut().find(|w| Rc::ptr_eq(&w.watch, watch)) {
            w.pending = false;
            let every = if w.watch.every_ms.is_finite() { w.watch.every_ms.clamp(0.0, LONGEST) } else { 0.0 };
            w.due = started + (started.elapsed() * SHARE).max(Duration::from_secs_f64(every / 1000.0));
        }
    }

    /// Remembers the parameters of an answer and returns those of the one before with their step.
    pub fn exchange_parameters(
        &mut self,
        watch: &Rc<Watch>,
        step: u64,
        parameters: Vec<Vec<f32>>,
    ) -> Option<(u64, Vec<Vec<f32>>)> {
        let watched = self.watched.iter_mut().find(|w| Rc::ptr_eq(&w.watch, watch))?;
        watched.before.replace((step, parameters))
    }

    /// Takes a watch that is due, as being answered for `state`.
    fn take_due(&mut self, now: Instant, state: (u64, u64)) -> Option<(Rc<Watch>, Option<Rc<Rows>>)> {
        let due = |w: &&mut Watched| w.due <= now && w.shown != Some(state) && !w.pending;
        let watched = self.watched.iter_mut().find(due)?;
        (watched.shown, watched.pending) = (Some(state), true);
        Some((watched.watch.clone(), watched.rows.clone()))
    }

    fn keep_rows(&mut self, watch: &Rc<Watch>, rows: &Rc<Rows>) {
        if let Some(watched) = self.watched.iter_mut().find(|w| Rc::ptr_eq(&w.watch, watch)) {
            watched.rows = Some(rows.clone());
        }
    }
}

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct AnswerJob {
    /// What was asked.
    pub watch: Rc<Watch>,
    /// What its program reads.
    pub rows: Rc<Rows>,
    /// Parameters that are asked for; the first read holds them one after the other.
    pub parameters: Vec<Entry>,
    /// How the words of the other reads are to be put together.
    pub layout: ReadLayout,
    /// When it was queued.
    pub started: Instant,
    /// The run it belongs to.
    pub run: u32,
}

/// Outputs of several runs of a program over chunks of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLayout {
    /// Name and shape of each output; the first axis is that of the rows, unless the program ran on a training batch.
    pub outputs: Vec<(String, Vec<u32>)>,
    /// Rows in all.
    pub rows: usize,
    /// Rows per run.
    pub chunk: usize,
}

impl ReadLayout {
    /// Puts the chunks together: the elements of every output, all rows one after the other.
    pub fn gather(&self, reads: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let widths: Vec<usize> = self.outputs.iter().map(|(_, shape)| elements(shape) / self.chunk.max(1)).collect();
        let mut outputs: Vec<Vec<f32>> = widths.iter().map(|width| Vec::with_capacity(width * self.rows)).collect();
        for (i, words) in reads.iter().enumerate() {
            let rows = self.rows.saturating_sub(i * self.chunk).min(self.chunk);
            let mut at = 0;
            for (output, width) in outputs.iter_mut().zip(&widths) {
                output.extend(words.iter().skip(at).take(rows * width).map(|w| f32::from_bits(*w)));
                at += self.chunk * width;
            }
        }
        outputs
    }
}

fn elements(shape: &[u32]) -> usize {
    shape.iter().map(|&n| n as usize).product()
}

impl Session {
    /// Answers a watch from now on.
    pub fn watch(&mut self, watch: Watch) {
        self.watches.watch(watch, Instant::now());
    }

    /// Answers it no more.
    pub fn unwatch(&mut self, key: u32) {
        self.watches.unwatch(key);
    }

    /// Queues one watch that is due. Says whether there was one.
    pub(crate) fn queue_watches(&mut self, now: Instant) -> Result<bool, UserError> {
        let Some((watch, rows)) = self.watches.take_due(now, self.shown_state()) else { return Ok(false) };
        let queued = match rows {
            Some(rows) => self.queue_answer(&watch, rows),
            None => self.rows_of(&watch.input).map(Rc::new).and_then(|rows| {
                self.watches.keep_rows(&watch, &rows);
                self.queue_answer(&watch, rows)
            }),
        };
        match queued {
            // It counts as under way until the next edit, and training goes on without it.
            Err(error) if self.engine.lost().is_none() => {
                let watch = Watch::clone(&watch);
                self.events.push(Message::new(Event::Unanswered { run: self.run, watch, error }));
            }
            queued => queued?,
        }
        Ok(true)
    }

    /// What the program of an input reads.
    fn rows_of(&self, input: &Input) -> Result<Rows, UserError> {
        Ok(match *input {
            Input::State => Rows::None,
            Input::Batch => Rows::Batch,
            Input::Grid { resolution, low, high } => {
                let resolution = resolution.clamp(2, MAX_RESOLUTION);
                let at = |i| between(low, high, i, resolution);
                let points = (0..resolution).rev().flat_map(|row| (0..resolution).map(move |column| [at(column), at(row)]));
                Rows::points(&self.data, &points.collect::<Vec<_>>())?
            }
            Input::Line { points, low, high } => {
                let points = points.clamp(2, MAX_POINTS);
                Rows::points(&self.data, &(0..points).map(|i| [between(low, high, i, points), 0.0]).collect::<Vec<_>>())?
            }
            Input::Samples { part, ref rows } => Rows::samples(&self.data, part, rows.clone())?,
            Input::Worst { limit } => Rows::worst(limit),
            Input::Given(ref values) => Rows::given(&self.data, values)?,
        })
    }

    fn queue_answer(&mut self, watch: &Rc<Watch>, rows: Rc<Rows>) -> Result<(), UserError> {
        let parameters = self.parameters_asked(watch);
        let kind = self.program_for(watch, &rows, &parameters)?;
        if let Some(kind) = &kind {
            // Compiled before anything is queued: where that fails nothing waits for words that never come.
            self.program(kind)?;
        }
        let job = AnswerJob {
            watch: watch.clone(),
            rows: rows.clone(),
            parameters: parameters.clone(),
            layout: ReadLayout::default(),
            started: Instant::now(),
            run: self.run,
        };
        self.begin_job(JobKind::Answer(Box::new(job)));
        let queued = self.queue_reads(&rows, &parameters, kind.as_ref());
        // Words that are read go to the job in front: one that asked for nothing would take those of the next.
        if queued.is_err() && self.jobs.back().is_some_and(|job| job.reads == 0) {
            self.jobs.pop_back();
        }
        let layout = queued?;
        match self.jobs.back_mut() {
            Some(job) if job.reads == 0 => {
                // What it asks for is all known here, as that of samples is: there is nothing to wait for.
                if let Some(job) = self.jobs.pop_back()
                    && let JobKind::Answer(answer) = job.kind
                {
                    self.finish_answer(*answer, job.step, Vec::new());
                }
            }
            Some(job) => {
                if let JobKind::Answer(answer) = &mut job.kind {
                    answer.layout = layout;
                }
            }
            None => {}
        }
        Ok(())
    }

    /// The parameters among the tensors of a watch, each once.
    fn parameters_asked(&self, watch: &Watch) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        for query in &watch.tensors {
            let new = found.iter().all(|entry| entry.name != query.name);
            found.extend(self.engine.layout().entry(&query.name).filter(|_| new).cloned());
        }
        found
    }

    /// The program that gives the other tensors; none where parameters and samples are all that is asked for.
    fn program_for(&self, watch: &Watch, rows: &Rows, parameters: &[Entry]) -> Result<Option<ProgramKind>, UserError> {
        let mut tensors: Vec<String> = Vec::new();
        for query in &watch.tensors {
            let known = parameters.iter().any(|entry| entry.name == query.name) || rows.holds(&self.data, &query.name);
            if !known && !tensors.contains(&query.name) {
                tensors.push(query.name.clone());
            }
        }
        if rows.ranks() && !tensors.iter().any(|name| name == "output") {
            tensors.push("output".to_string());
        }
        let Some(first) = tensors.first() else { return Ok(None) };
        match rows {
            Rows::None => Err(UserError::at(first, "There is no parameter of this name.")),
            Rows::Batch => Ok(Some(ProgramKind::Inspect {
                rows: self.checked.experiment.training.batch_size,
                tensors,
                with_gradients: true,
            })),
            rows => {
                // The output alone is a forward pass that keeps nothing.
                let only_output = tensors.iter().all(|name| name == "output");
                let chunk = self.programs.panel_rows(rows.count(&self.data), !only_output, self.engine.backend());
                Ok(Some(if only_output {
                    ProgramKind::Predict { rows: chunk }
                } else {
                    ProgramKind::Inspect { rows: chunk, tensors, with_gradients: false }
                }))
            }
        }
    }

    /// Queues the reads of a job: parameters first, then what the program gives.
    fn queue_reads(&mut self, rows: &Rows, parameters: &[Entry], kind: Option<&ProgramKind>) -> Result<ReadLayout, UserError> {
        if !parameters.is_empty() {
            let [whole, _] = self.state_regions();
            let region = |entry: &Entry| Region { space: whole.space, offset: whole.offset + entry.offset, len: entry.len };
            let regions: Vec<Region> = parameters.iter().map(region).collect();
            self.read_for_job(&regions)?;
        }
        let Some(kind) = kind else { return Ok(ReadLayout::default()) };
        if matches!(rows, Rows::Batch) {
            let regions = self.inspect_step(self.queued, kind)?;
            let regions: Vec<Region> = regions.into_iter().map(|(_, region)| region).collect();
            self.read_for_job(&regions)?;
            return Ok(ReadLayout { outputs: self.outputs_of(kind)?, rows: 1, chunk: 1 });
        }
        let count = rows.count(&self.data);
        let (ProgramKind::Predict { rows: chunk } | ProgramKind::Inspect { rows: chunk, .. }) = *kind else {
            return Ok(ReadLayout::default());
        };
        let program = self.program(kind)?;
        let regions: Vec<Region> = program.outputs.iter().map(|o| o.region).collect();
        let scalars = StepScalars { seed: self.checked.experiment.seed, ..StepScalars::default() };
        for start in (0..count).step_by(chunk.max(1)) {
            for (field, words) in rows.feeds(&self.checked, &self.data, start..(start + chunk).min(count)) {
                self.engine.feed(&format!("rows.{field}"), 0, &words)?;
            }
            self.engine.submit(program.id, &[scalars])?;
            self.read_for_job(&regions)?;
        }
        Ok(ReadLayout { outputs: self.outputs_of(kind)?, rows: count, chunk })
    }

    fn outputs_of(&mut self, kind: &ProgramKind) -> Result<Vec<(String, Vec<u32>)>, UserError> {
        let shape = |shape: &[usize]| shape.iter().map(|&n| n as u32).collect();
        Ok(self.program(kind)?.outputs.iter().map(|o| (o.name.clone(), shape(&o.shape))).collect())
    }
}

/// Value `i` of `n` spread evenly from `low` to `high`.
fn between(low: f32, high: f32, i: u32, n: u32) -> f32 {
    low + (high - low) * (i as f32 / (n.max(2) - 1) as f32)
}
