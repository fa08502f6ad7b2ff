//! The conductor of a run. What it consists of stands in four parts that know of each other only what they are handed: the run (what is
//! trained and how far), the machine (what runs it), the pipeline (what is under way) and the reports (what is told of it). Here is what
//! takes more than one of them.

mod advance;
mod answer;
mod compare;
mod diagnose;
mod edit;
pub(crate) mod edited;
mod examine;
mod info;
pub(crate) mod job;
mod look;
pub(crate) mod next;
mod profile;
pub(crate) mod small;
mod snapshot;
mod survive;
mod table_row;
mod verdict;
mod watch;
mod weights;
mod write;

use std::rc::Rc;

use downhill_data::{Assets, Dataset};
use downhill_model::{Checked, Experiment, ProgramKind, Signature, check};
use downhill_protocol::{Event, Message, flat_index};
use downhill_tensor::UserError;

use crate::machine::Machine;
use crate::machine::engine::Loaded;
use crate::machine::state::State;
use crate::pipeline::Pipeline;
use crate::ready::ready;
use crate::reports::Reports;
use crate::reports::curves::Curves;
use crate::run::Run;
use job::JobKind;

/// One experiment being trained: its data, programs and state, and where it stands.
///
/// [`Session::advance`] works until a deadline and what there is to tell piles up for [`Session::take_events`]. Edits take effect between two
/// steps. Functions are asynchronous where a device has to answer; on the CPU, and natively, they are ready at once (see
/// [`crate::ready`]).
pub struct Session {
    pub(crate) run: Run,
    pub(crate) machine: Machine,
    pub(crate) pipeline: Pipeline<JobKind>,
    pub(crate) reports: Reports,
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
        let machine = ready(Machine::new(&checked, &data, None))?;
        let pipeline = Pipeline::new(machine.layout(), checked.experiment.metric_names().len());
        let reports = Reports::new(&checked, data.notes.clone());
        let run = Run::new(checked, Rc::new(data), machine.layout())?;
        let mut session = Self { run, machine, pipeline, reports };
        session.begin()?;
        Ok(session)
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
        let state = self.machine.initial_state(self.run.checked());
        self.machine.write_state(&state)?;
        self.run.begin(self.machine.layout())?;
        self.reports.begin();
        self.remember(state);
        Ok(())
    }

    /// Keeps a copy of the state of now, where the device that holds it can be lost.
    pub(crate) fn remember(&mut self, state: State) {
        self.machine.remember(state, self.run.queued(), self.run.kept());
    }

    /// Parameters, slots and states as they are now.
    pub(crate) async fn state(&mut self) -> Result<State, UserError> {
        self.settle().await?;
        self.machine.read_state().await
    }

    /// A program of this experiment, compiled if need be.
    pub(crate) fn program(&mut self, kind: &ProgramKind) -> Result<Loaded, UserError> {
        self.machine.program(kind, self.run.checked())
    }

    /// Trains until the experiment's steps are done; once they are done, on past them.
    pub fn start(&mut self) {
        self.run.start();
    }

    /// Takes `n` steps, as fast as they come, then rests.
    pub fn step(&mut self, n: u64) {
        self.run.step(n);
    }

    /// Stops after the steps in flight.
    pub fn pause(&mut self) {
        self.run.drive_mut().pause();
    }

    /// Sets the visible pace in steps per second; `None` is flat out.
    pub fn set_pace(&mut self, steps_per_second: Option<f64>) {
        self.run.drive_mut().set_pace(steps_per_second);
    }

    /// Records every step, however fast they come, and keeps its loss for [`Session::take_losses`].
    pub fn keep_losses(&mut self) {
        self.reports.keep_losses();
    }

    /// Steps and their losses (before the step's update) since the last call; nothing unless they are kept.
    pub fn take_losses(&mut self) -> Vec<(u64, f32)> {
        self.reports.take_losses()
    }

    /// Overwrites one element of a parameter, addressed by one number per axis of its shape.
    ///
    /// # Errors
    /// When there is no such parameter or element, or the value is not finite.
    pub fn set_weight(&mut self, parameter: &str, index: &[u32], value: f32) -> Result<(), UserError> {
        let Some(entry) = self.machine.layout().entry(parameter) else {
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
        let o = &self.machine.layout().offsets;
        let at = entry.offset + element as u32;
        let mut places = vec![o.parameters + at];
        // What is predicted changes with the weight, also where that is an average.
        places.extend(self.run.experiment().average_slot().map(|slot| o.slots + slot as u32 * o.parameter_len + at));
        for place in places {
            self.machine.engine_mut().write(place, &[value.to_bits()])?;
        }
        self.run.touched();
        Ok(())
    }

    /// Makes a snapshot every two seconds of training, told as [`Event::Saved`] with number 0.
    pub fn save_regularly(&mut self) {
        self.reports.save_regularly();
    }

    /// What there is to tell since the last call.
    pub fn take_events(&mut self) -> Vec<Message<Event>> {
        self.reports.take_events()
    }

    /// The experiment.
    pub fn experiment(&self) -> &Experiment {
        self.run.experiment()
    }

    /// The experiment with what was found out about it.
    pub fn checked(&self) -> &Checked {
        self.run.checked()
    }

    /// What the model knows of the data.
    pub fn signature(&self) -> &Signature {
        &self.run.checked().signature
    }

    /// The data.
    pub fn data(&self) -> &Dataset {
        self.run.data()
    }

    /// Steps taken.
    pub fn step_count(&self) -> u64 {
        self.run.done()
    }

    /// Number of the run.
    pub fn run_number(&self) -> u32 {
        self.run.number()
    }

    /// Whether it trains.
    pub fn is_running(&self) -> bool {
        self.run.drive().running()
    }

    /// The step whose loss or gradients were not finite, if the run rests because of it.
    pub fn diverged_at(&self) -> Option<u64> {
        self.run.diverged_at()
    }

    /// Programs that are compiled.
    pub fn compiled_programs(&self) -> usize {
        self.machine.programs().compiled()
    }

    /// Curves of all metrics so far.
    pub fn curves(&self) -> &Curves {
        self.reports.curves()
    }

    /// Last evaluation: name (`train_loss`, `validation_accuracy`, …) and value.
    pub fn metrics(&self) -> &[(String, f64)] {
        self.reports.evaluator().metrics()
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
}

/// Makes the samples of an experiment; errors lie under `data.<source>`.
pub(crate) fn build_data(experiment: &Experiment, assets: &dyn Assets) -> Result<Dataset, UserError> {
    experiment.dataset(assets)
}
