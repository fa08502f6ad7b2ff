//! What is queued for a watch that is due: the rows of its program, its runs and its reads. What comes back becomes tensors in `answer.rs`.

use std::rc::Rc;

use downhill_compile::{Entry, Region};
use downhill_model::{ProgramKind, goes_back};
use downhill_protocol::{Event, Input, Message, Watch};
use downhill_tensor::{UserError, apart};
use web_time::Instant;

use super::Session;
use super::answer::{EFFECTS, OFFSET};
use super::job::JobKind;
use crate::pipeline::Job;
use crate::reports::rows::Rows;
use crate::reports::watches::{AnswerJob, ReadLayout};

/// Points per side of a grid, and points of a line, at most.
const MAX_RESOLUTION: u32 = 256;
const MAX_POINTS: u32 = 4096;

impl Session {
    /// Answers a watch from now on.
    pub fn watch(&mut self, watch: Watch) {
        self.reports.watches().watch(watch, Instant::now());
    }

    /// Answers it no more.
    pub fn unwatch(&mut self, key: u32) {
        self.reports.watches().unwatch(key);
    }

    /// Queues one watch that is due. Says whether there was one.
    pub(crate) fn queue_watches(&mut self, now: Instant) -> Result<bool, UserError> {
        let Some((watch, rows)) = self.reports.watches().take_due(now, self.run.shown_state()) else { return Ok(false) };
        let queued = match (rows, &watch.input) {
            (_, Input::Generated(ask)) => self.watch_text(&watch, ask),
            (Some(rows), _) => self.queue_answer(&watch, rows),
            (None, _) => self.rows_of(&watch.input).map(Rc::new).and_then(|rows| {
                self.reports.watches().keep_rows(&watch, &rows);
                self.queue_answer(&watch, rows)
            }),
        };
        match queued {
            // It counts as under way until the next edit, and training goes on without it.
            Err(error) if self.lost().is_none() => {
                let watch = Watch::clone(&watch);
                self.reports.tell(Message::new(Event::Unanswered { run: self.run.number(), watch, error }));
            }
            queued => queued?,
        }
        Ok(true)
    }

    /// What the program of an input reads.
    fn rows_of(&self, input: &Input) -> Result<Rows, UserError> {
        Ok(match *input {
            Input::State | Input::Generated(_) => Rows::None,
            Input::Batch => Rows::Batch,
            Input::Grid { resolution, low, high } => {
                let resolution = resolution.clamp(2, MAX_RESOLUTION);
                let at = |i| between(low, high, i, resolution);
                let points = (0..resolution).rev().flat_map(|row| (0..resolution).map(move |column| [at(column), at(row)]));
                Rows::points(self.run.data(), &points.collect::<Vec<_>>())?
            }
            Input::Line { points, low, high } => {
                let points = points.clamp(2, MAX_POINTS);
                Rows::points(self.run.data(), &(0..points).map(|i| [between(low, high, i, points), 0.0]).collect::<Vec<_>>())?
            }
            Input::Samples { part, ref rows } => Rows::samples(self.run.data(), part, rows.clone())?,
            Input::Worst { .. }
            | Input::Row { .. }
            | Input::Typed(_)
            | Input::Given(_)
            | Input::Search(_)
            | Input::Occluded { .. } => apart(|| self.special_rows_of(input))?,
        })
    }

    fn special_rows_of(&self, input: &Input) -> Result<Rows, UserError> {
        match *input {
            Input::Worst { limit } => Ok(Rows::worst(limit)),
            Input::Row { row } => Rows::row(self.run.data(), row),
            Input::Typed(ref texts) => Rows::typed(self.run.data(), texts),
            Input::Given(ref values) => Rows::given(self.run.data(), values),
            Input::Search(ref query) => Rows::search(self.run.data(), query),
            Input::Occluded { ref image, side, stride } => self.rows_of(image)?.occluded(self.run.data(), side, stride),
            _ => self.rows_of(input),
        }
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
            run: self.run.number(),
        };
        self.pipeline.begin_job(JobKind::Answer(Box::new(job)), self.run.queued());
        let queued = self.queue_reads(&rows, &parameters, kind.as_ref());
        // All that it asks for may be known here, as that of samples is: then there is nothing to wait for.
        let idle = self.pipeline.take_idle_job();
        let layout = queued?;
        match idle {
            Some(Job { kind: JobKind::Answer(answer), step, .. }) => self.finish_answer(*answer, step, Vec::new()),
            Some(_) => {}
            None => {
                if let Some(JobKind::Answer(answer)) = self.pipeline.last_job() {
                    answer.layout = layout;
                }
            }
        }
        Ok(())
    }

    /// The parameters among the tensors of a watch, each once.
    fn parameters_asked(&self, watch: &Watch) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        for query in &watch.tensors {
            let new = found.iter().all(|entry| entry.name != query.name);
            found.extend(self.machine.layout().entry(&query.name).filter(|_| new).cloned());
        }
        found
    }

    /// The program that gives the other tensors; none where parameters and samples are all that is asked for.
    fn program_for(&self, watch: &Watch, rows: &Rows, parameters: &[Entry]) -> Result<Option<ProgramKind>, UserError> {
        let mut tensors: Vec<String> = Vec::new();
        for query in &watch.tensors {
            let known = parameters.iter().any(|entry| entry.name == query.name) || rows.holds(self.run.data(), &query.name);
            // What is worked out of the answers needs those.
            let of_answers = query.name == OFFSET || (matches!(rows, Rows::Row(_)) && EFFECTS.contains(&query.name.as_str()));
            let name = if of_answers { "output" } else { &query.name };
            if !known && tensors.iter().all(|known| known != name) {
                tensors.push(name.to_string());
            }
        }
        if rows.ranks() && !tensors.iter().any(|name| name == "output") {
            tensors.push("output".to_string());
        }
        let Some(first) = tensors.first() else { return Ok(None) };
        let backward = tensors.iter().find(|name| goes_back(name));
        match (rows, backward) {
            (Rows::None, _) => Err(UserError::at(first, "There is no parameter of this name.")),
            (Rows::Samples { .. }, Some(_)) if rows.count(self.run.data()) == 1 => {
                Ok(Some(ProgramKind::Inspect { rows: 1, tensors, with_gradients: false }))
            }
            (Rows::Samples { .. }, Some(name)) => {
                Err(UserError::at(name, "The loss of samples is known one by one.").hint("Ask about a single one."))
            }
            (Rows::Made { .. } | Rows::Row(_), Some(name)) => {
                let message = "What is drawn or typed has no right answer, so it has no loss.";
                Err(UserError::at(name, message).hint("Choose a sample of the data."))
            }
            (Rows::Batch, _) => Ok(Some(ProgramKind::Inspect {
                rows: self.run.experiment().training.batch_size,
                tensors,
                with_gradients: true,
            })),
            (rows, None) => {
                // The output alone is a forward pass that keeps nothing.
                let only_output = tensors.iter().all(|name| name == "output");
                let chunk =
                    self.machine.programs().panel_rows(rows.count(self.run.data()), !only_output, self.machine.backend());
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
            let [whole, ..] = self.machine.state_regions();
            let region = |entry: &Entry| Region { space: whole.space, offset: whole.offset + entry.offset, len: entry.len };
            let regions: Vec<Region> = parameters.iter().map(region).collect();
            self.pipeline.read_for_job(self.machine.engine_mut(), &regions)?;
        }
        let Some(kind) = kind else { return Ok(ReadLayout::default()) };
        if matches!(rows, Rows::Batch) {
            let regions = self.inspect_step((self.run.queued(), 0), kind)?;
            let regions: Vec<Region> = regions.into_iter().map(|(_, region)| region).collect();
            self.pipeline.read_for_job(self.machine.engine_mut(), &regions)?;
            return Ok(ReadLayout { outputs: self.outputs_of(kind)?, rows: 1, chunk: 1 });
        }
        let count = rows.count(self.run.data());
        let (chunk, answers) = match kind {
            ProgramKind::Predict { rows } => (*rows, false),
            ProgramKind::Inspect { rows, tensors, .. } => (*rows, tensors.iter().any(|name| goes_back(name))),
            _ => return Ok(ReadLayout::default()),
        };
        let program = self.program(kind)?;
        let regions: Vec<Region> = program.outputs.iter().map(|o| o.region).collect();
        let scalars = self.run.plain_scalars();
        for start in (0..count).step_by(chunk.max(1)) {
            for (field, words) in rows.feeds(self.run.checked(), self.run.data(), start..(start + chunk).min(count), answers) {
                self.machine.engine_mut().feed(&format!("rows.{field}"), 0, &words)?;
            }
            self.machine.engine_mut().submit(program.id, &[scalars])?;
            self.pipeline.read_for_job(self.machine.engine_mut(), &regions)?;
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
