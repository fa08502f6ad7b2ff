use std::collections::VecDeque;
use std::rc::Rc;

use downhill_compile::{Completed, Region, Space, Ticket};
use downhill_data::{Assets, Dataset, SamplerPosition};
use downhill_graph::StepScalars;
use downhill_model::{Checked, Experiment, ProgramKind, Signature, Split, check, init_parameters};
use downhill_protocol::{Event, Message, flat_index};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::batches::Batches;
use crate::curves::Curves;
use crate::edit::Built;
use crate::engine::{Engine, Program};
use crate::evaluate::Evaluator;
use crate::jobs::{Job, Reading};
use crate::pace::{Pace, RateMeter};
use crate::programs::Programs;
use crate::pump::Next;
use crate::ready::ready;
use crate::recorder::Recorder;
use crate::state::State;
use crate::survive::Checkpoint;
use crate::watches::Watches;

/// Steps that were submitted together.
pub(crate) struct Batch {
    pub ticket: Ticket,
    /// Steps taken once these have run.
    pub end: u64,
    pub submitted: Instant,
}

/// One experiment being trained: its data, programs and state, and where it stands.
///
/// [`Session::advance`] works until a deadline and what there is to tell piles up for [`Session::take_events`]. Edits take effect between two
/// steps. Functions are asynchronous where a device has to answer; on the CPU, and natively, they are ready at once (see
/// [`crate::ready`]).
pub struct Session {
    pub(crate) checked: Checked,
    pub(crate) data: Rc<Dataset>,
    pub(crate) engine: Engine,
    pub(crate) programs: Programs,
    pub(crate) train: Program,
    pub(crate) batches: Batches,
    /// Counts up whenever programs were compiled anew.
    pub(crate) build: u32,
    /// Counts up whenever frames of before would not fit any more.
    pub(crate) run: u32,
    /// Steps that have run.
    pub(crate) done: u64,
    /// Steps that were queued.
    pub(crate) queued: u64,
    /// Step at which the optimizer's slots were zero.
    pub(crate) slots_since: u64,
    /// Counts changes of the state that are not steps.
    pub(crate) edits: u64,
    pub(crate) running: bool,
    /// Step to rest at.
    pub(crate) goal: Option<u64>,
    /// Rest was reached by [`Session::goal`] being the experiment's end, which has not been told yet.
    pub(crate) finishing: bool,
    pub(crate) pace: Pace,
    pub(crate) paced: bool,
    pub(crate) rate: RateMeter,
    pub(crate) recorder: Recorder,
    /// Loss of every step, where it is kept.
    pub(crate) losses: Option<Vec<(u64, f32)>>,
    pub(crate) curves: Curves,
    pub(crate) metric_curves: Vec<usize>,
    pub(crate) lr_curve: usize,
    pub(crate) loss: f64,
    pub(crate) evaluator: Evaluator,
    pub(crate) watches: Watches,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) readings: VecDeque<Reading>,
    pub(crate) tickets: VecDeque<Batch>,
    /// When the last of them was done.
    pub(crate) landed: Instant,
    pub(crate) completed: Vec<Completed>,
    /// Steps of the metrics rows that are being read.
    pub(crate) recorded_steps: VecDeque<u64>,
    pub(crate) drained: Instant,
    /// Before this no panel is read from a device; and whether one has been since then.
    pub(crate) beat: Instant,
    pub(crate) on_beat: bool,
    /// Before this a watched run on a device is not evaluated again.
    pub(crate) evaluate_from: Instant,
    pub(crate) scalars: Vec<StepScalars>,
    pub(crate) seconds_per_step: f64,
    /// When the next automatic snapshot is due, and whether it is told.
    pub(crate) save_due: Option<Instant>,
    pub(crate) saves_told: bool,
    /// Where to go on from when the device is lost; none on the CPU.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Why the device was lost that the run was on, until somebody takes note of it.
    pub(crate) lost: Option<String>,
    pub(crate) diverged_at: Option<u64>,
    pub(crate) events: Vec<Message<Event>>,
    pub(crate) notes: Vec<String>,
}

/// A parameter by name: its shape and elements, row-major.
pub type NamedParameter = (String, Vec<usize>, Vec<f32>);

impl Session {
    /// Takes up an experiment: makes its data, compiles its training program, draws its initial weights.
    ///
    /// # Errors
    /// When the experiment cannot be trained; the path names the field.
    pub fn new(experiment: Experiment, assets: &dyn Assets) -> Result<Self, UserError> {
        let data = build_data(&experiment, assets)?;
        Self::with_data(experiment, data)
    }

    /// Takes up an experiment on samples that do not come from its source.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn with_data(experiment: Experiment, data: Dataset) -> Result<Self, UserError> {
        let checked = check(experiment, Signature::from_dataset(&data))?;
        let data = Rc::new(data);
        let built = ready(Built::new(&checked, &data, None))?;
        let batches = Batches::new((&checked, &data), built.engine.layout(), (0, SamplerPosition::default()))?;
        let mut session = Self {
            engine: built.engine,
            programs: built.programs,
            train: built.train,
            batches,
            build: 0,
            run: 0,
            done: 0,
            queued: 0,
            slots_since: 0,
            edits: 0,
            running: false,
            goal: None,
            finishing: false,
            pace: Pace::new(checked.experiment.view.pace.steps_per_second()),
            paced: true,
            rate: RateMeter::default(),
            recorder: Recorder::default(),
            losses: None,
            curves: Curves::default(),
            metric_curves: Vec::new(),
            lr_curve: 0,
            loss: f64::NAN,
            evaluator: Evaluator::default(),
            watches: Watches::default(),
            jobs: VecDeque::new(),
            readings: VecDeque::new(),
            tickets: VecDeque::new(),
            landed: Instant::now(),
            completed: Vec::new(),
            recorded_steps: VecDeque::new(),
            drained: Instant::now(),
            beat: Instant::now(),
            on_beat: false,
            evaluate_from: Instant::now(),
            scalars: Vec::new(),
            seconds_per_step: 0.0,
            save_due: None,
            saves_told: false,
            checkpoint: None,
            lost: None,
            diverged_at: None,
            events: Vec::new(),
            notes: data.notes.clone(),
            checked,
            data,
        };
        session.settle_in();
        session.begin()?;
        Ok(session)
    }

    /// Everything that hangs on the layout, after it was made.
    pub(crate) fn settle_in(&mut self) {
        self.build += 1;
        let layout = self.engine.layout();
        let names = self.checked.experiment.metric_names();
        self.recorder = Recorder::new(layout, names.len());
        self.metric_curves = names.iter().map(|name| self.curves.index(name)).collect();
        self.lr_curve = self.curves.index("lr");
        let ring = layout.ring as usize;
        self.scalars = Vec::with_capacity(ring);
        self.evaluator = Evaluator::new(&self.checked.signature);
    }

    /// Makes the batches anew: `step` begins at `position` in the order of samples.
    ///
    /// # Errors
    /// When the position lies beyond the samples.
    pub(crate) fn order_from(&mut self, step: u64, position: SamplerPosition) -> Result<(), UserError> {
        self.batches = Batches::new((&self.checked, &self.data), self.engine.layout(), (step, position))?;
        Ok(())
    }

    /// The same initial weights again, step 0.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn reset(&mut self) -> Result<(), UserError> {
        self.settle().await?;
        self.begin()
    }

    /// Initial weights, step 0, where nothing is under way.
    pub(crate) fn begin(&mut self) -> Result<(), UserError> {
        let mut state = State::new(self.engine.layout().clone());
        state.parameters = self.initial_weights()?;
        self.write_state(&state)?;
        self.order_from(0, SamplerPosition::default())?;
        (self.done, self.queued, self.slots_since) = (0, 0, 0);
        self.run += 1;
        self.loss = f64::NAN;
        self.curves.clear();
        self.evaluator.forget();
        self.rest();
        self.touched();
        self.remember(state);
        Ok(())
    }

    /// Initial parameters in arena order, padding included.
    pub(crate) fn initial_weights(&self) -> Result<Vec<f32>, UserError> {
        let layout = self.engine.layout();
        let mut words = vec![0.0; layout.offsets.parameter_len as usize];
        for parameter in init_parameters(&self.checked) {
            if let Some(entry) = layout.entry(&parameter.name) {
                words[entry.offset as usize..][..entry.len as usize].copy_from_slice(&parameter.values);
            }
        }
        Ok(words)
    }

    /// Overwrites the whole state: parameters and slots, and zero for gradients, flag and ring.
    pub(crate) fn write_state(&mut self, state: &State) -> Result<(), UserError> {
        let layout = self.engine.layout();
        let mut words = vec![0u32; layout.state_len as usize];
        let mut put = |at: u32, values: &[f32]| {
            for (word, value) in words.iter_mut().skip(at as usize).zip(values) {
                *word = value.to_bits();
            }
        };
        put(layout.offsets.parameters, &state.parameters);
        put(layout.offsets.slots, &state.slots);
        self.engine.write(0, &words)
    }

    /// Parameters and slots as they are now.
    pub(crate) async fn state(&mut self) -> Result<State, UserError> {
        self.settle().await?;
        let regions = self.state_regions();
        let words = self.engine.fetch(&regions).await?;
        Ok(State::read(self.engine.layout().clone(), &words))
    }

    /// Where parameters and slots lie.
    pub(crate) fn state_regions(&self) -> [Region; 2] {
        let o = &self.engine.layout().offsets;
        let region = |offset, len| Region { space: Space::Arena, offset, len };
        [region(o.parameters, o.parameter_len), region(o.slots, o.slot_count * o.parameter_len)]
    }

    /// Works off what is queued, so that the state stands still between two steps.
    pub(crate) async fn settle(&mut self) -> Result<(), UserError> {
        self.drain()?;
        self.engine.finish().await;
        self.collect()?;
        if self.diverged_at.is_some_and(|bad| bad < self.queued) {
            self.go_back().await?;
        }
        Ok(())
    }

    /// The state changed other than by a step: panels show it anew.
    pub(crate) fn touched(&mut self) {
        self.edits += 1;
    }

    /// A program of this experiment, compiled if need be.
    pub(crate) fn program(&mut self, kind: &ProgramKind) -> Result<Program, UserError> {
        self.programs.get(kind, &self.checked, &mut self.engine)
    }

    /// Trains until the experiment's steps are done; once they are done, on past them.
    pub fn start(&mut self) {
        self.goal = self.checked.experiment.training.steps.filter(|&end| self.queued < end);
        self.paced = true;
        self.go();
    }

    /// Takes `n` steps, as fast as they come, then rests.
    pub fn step(&mut self, n: u64) {
        self.goal = Some(self.queued.saturating_add(n));
        self.paced = false;
        self.go();
    }

    fn go(&mut self) {
        self.running = self.goal != Some(self.queued);
        self.pace.restart();
        self.rate.restart();
    }

    /// Stops after the steps in flight.
    pub fn pause(&mut self) {
        self.running = false;
        self.goal = None;
    }

    pub(crate) fn rest(&mut self) {
        self.pause();
        self.finishing = false;
        self.pace.restart();
        self.rate.restart();
    }

    /// Sets the visible pace in steps per second; `None` is flat out.
    pub fn set_pace(&mut self, steps_per_second: Option<f64>) {
        self.pace = Pace::new(steps_per_second);
    }

    /// Records every step, however fast they come, and keeps its loss for [`Session::take_losses`].
    pub fn keep_losses(&mut self) {
        self.losses = Some(Vec::new());
    }

    /// Steps and their losses (before the step's update) since the last call; nothing unless they are kept.
    pub fn take_losses(&mut self) -> Vec<(u64, f32)> {
        self.losses.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Overwrites one element of a parameter, addressed by one number per axis of its shape.
    ///
    /// # Errors
    /// When there is no such parameter or element, or the value is not finite.
    pub fn set_weight(&mut self, parameter: &str, index: &[u32], value: f32) -> Result<(), UserError> {
        let Some(entry) = self.engine.layout().entry(parameter) else {
            return Err(UserError::at(parameter, "There is no parameter of this name."));
        };
        let shape: Vec<u32> = entry.shape.iter().map(|&n| n as u32).collect();
        let Some(element) = flat_index(&shape, index) else {
            let words = |numbers: &[u32], between: &str| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(between);
            let message = format!("It is {}, so there is no element [{}].", words(&shape, "×"), words(index, ", "));
            return Err(UserError::at(parameter, message).hint("Give one number per axis, counted from 0."));
        };
        if !value.is_finite() {
            return Err(UserError::at(parameter, "A weight must be a finite number."));
        }
        let at = self.engine.layout().offsets.parameters + entry.offset + element as u32;
        self.engine.write(at, &[value.to_bits()])?;
        self.touched();
        Ok(())
    }

    /// Works until everything asked for is done: until the run rests and nothing is queued.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn run_until_rest(&mut self) -> Result<(), UserError> {
        loop {
            match self.advance(Instant::now() + std::time::Duration::from_millis(50)).await? {
                Next::Now => {}
                Next::Device => self.landing().await,
                Next::At(_) | Next::Rest => return Ok(()),
            }
        }
    }

    /// What there is to tell since the last call.
    pub fn take_events(&mut self) -> Vec<Message<Event>> {
        std::mem::take(&mut self.events)
    }

    /// The experiment.
    pub fn experiment(&self) -> &Experiment {
        &self.checked.experiment
    }

    /// The experiment with what was found out about it.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// What the model knows of the data.
    pub fn signature(&self) -> &Signature {
        &self.checked.signature
    }

    /// The data.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// Steps taken.
    pub fn step_count(&self) -> u64 {
        self.done
    }

    /// Number of the run.
    pub fn run_number(&self) -> u32 {
        self.run
    }

    /// Whether it trains.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// The step whose loss or gradients were not finite, if the run rests because of it.
    pub fn diverged_at(&self) -> Option<u64> {
        self.diverged_at
    }

    /// Programs compiled since the last rebuild.
    pub fn compiled_programs(&self) -> usize {
        self.programs.compiled()
    }

    /// Curves of all metrics so far.
    pub fn curves(&self) -> &Curves {
        &self.curves
    }

    /// Last evaluation: name (`train_loss`, `validation_accuracy`, …) and value.
    pub fn metrics(&self) -> &[(String, f64)] {
        self.evaluator.metrics()
    }

    /// All parameters by name, with shapes.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn parameters(&mut self) -> Result<Vec<NamedParameter>, UserError> {
        let state = self.state().await?;
        let named = state.layout.entries.iter().map(|e| (e.name.clone(), e.shape.to_vec(), state.parameter(e).to_vec()));
        Ok(named.collect())
    }

    /// Where in the order of samples `step` begins.
    pub(crate) fn position_before(&self, step: u64) -> SamplerPosition {
        self.batches.position(step)
    }
}

/// Makes the samples of an experiment; errors lie under `data.<source>`.
pub(crate) fn build_data(experiment: &Experiment, assets: &dyn Assets) -> Result<Dataset, UserError> {
    experiment.data.build(experiment.seed, assets).map_err(|e| e.under(experiment.data.name()).under("data"))
}

/// Splits in the order in which they are evaluated.
pub(crate) const SPLITS: [Split; 2] = [Split::Train, Split::Validation];
