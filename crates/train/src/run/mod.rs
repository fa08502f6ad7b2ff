//! What is trained and how far it has come: the experiment with its data, the batches of its steps, the counters, and what drives it on.
//! Nothing here runs a step: that is the machine's (`machine/`).

pub(crate) mod batches;
mod drive;
mod pace;

use std::rc::Rc;

use downhill_compile::StateLayout;
use downhill_data::{Dataset, SamplerPosition};
use downhill_graph::StepScalars;
use downhill_model::schedules::Plateau;
use downhill_model::{Checked, Experiment};
use downhill_protocol::KeptWeights;
use downhill_tensor::UserError;

use crate::machine::checkpoint::Kept;
use batches::{Batches, Feeds};
pub(crate) use drive::Drive;

/// An experiment on its data, and where its training stands.
pub(crate) struct Run {
    checked: Checked,
    data: Rc<Dataset>,
    batches: Batches,
    /// Counts up whenever answers of before would not fit any more: at step 0, and when shapes change.
    number: u32,
    /// Steps that have run.
    done: u64,
    /// Steps that were queued.
    queued: u64,
    /// Step at which the optimizer's slots were zero.
    slots_since: u64,
    /// Where a learning rate stands that follows the validation loss.
    plateau: Plateau,
    /// Counts changes of the state that are not steps.
    edits: u64,
    /// The step whose loss or gradients were not finite.
    diverged_at: Option<u64>,
    /// What the run went on with when it was last taken up; `None` where it began with initial weights.
    kept_weights: Option<KeptWeights>,
    drive: Drive,
}

impl Run {
    /// A run that has not begun.
    ///
    /// # Errors
    /// When there are no samples.
    pub fn new(checked: Checked, data: Rc<Dataset>, layout: &StateLayout) -> Result<Self, UserError> {
        let batches = Batches::new((&checked, &data), layout, (0, SamplerPosition::default()))?;
        let drive = Drive::new(checked.experiment.view.pace.steps_per_second());
        Ok(Self {
            checked,
            data,
            batches,
            number: 0,
            done: 0,
            queued: 0,
            slots_since: 0,
            plateau: Plateau::default(),
            edits: 0,
            diverged_at: None,
            kept_weights: None,
            drive,
        })
    }

    /// The experiment with what was found out about it.
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The experiment.
    pub fn experiment(&self) -> &Experiment {
        &self.checked.experiment
    }

    /// The data.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The data, to be kept.
    pub fn shared_data(&self) -> Rc<Dataset> {
        Rc::clone(&self.data)
    }

    /// Number of the run.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Steps that have run.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Steps that were queued; those beyond [`Run::done`] are under way.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// What an answer shows: the step, and how often the state was changed otherwise.
    pub fn shown_state(&self) -> (u64, u64) {
        (self.queued, self.edits)
    }

    /// The learning rate of a step.
    pub fn lr_at(&self, step: u64) -> f64 {
        self.checked.experiment.lr_at(step) * self.plateau.scale_at(step)
    }

    /// Whether the next step's learning rate hangs on an evaluation that is not there yet.
    pub fn awaits_evaluation(&self) -> bool {
        let experiment = &self.checked.experiment;
        experiment.schedule.plateau().is_some() && self.plateau.awaits(self.queued, experiment.training.eval_every)
    }

    /// An evaluation after so many steps was made: where the learning rate follows it and it is due then, it counts once.
    pub fn note_validation(&mut self, step: u64, loss: f64) {
        let experiment = &self.checked.experiment;
        if let Some(rule) = experiment.schedule.plateau()
            && self.plateau.awaits(step, experiment.training.eval_every)
        {
            self.plateau.note(rule, experiment.lr_at(step), step, loss);
        }
    }

    /// The learning rate stands there.
    pub fn set_plateau(&mut self, plateau: Plateau) {
        self.plateau = plateau;
    }

    /// A schedule that begins to follow the validation loss begins here, and one that does not has no falls.
    fn follow(&mut self, next: &Checked) {
        let follows = |checked: &Checked| checked.experiment.schedule.plateau().is_some();
        match (follows(&self.checked), follows(next)) {
            (true, true) => {}
            (false, true) => self.plateau = Plateau::from_step(self.queued),
            (_, false) => self.plateau = Plateau::default(),
        }
    }

    /// What moves the run on.
    pub fn drive(&self) -> &Drive {
        &self.drive
    }

    /// What moves the run on, to be told something.
    pub fn drive_mut(&mut self) -> &mut Drive {
        &mut self.drive
    }

    /// Trains until the experiment's steps are done; once they are done, on past them.
    pub fn start(&mut self) {
        self.drive.start(self.queued, self.checked.experiment.training.steps);
    }

    /// Takes `n` steps, as fast as they come, then rests.
    pub fn step(&mut self, n: u64) {
        self.drive.step(self.queued, n);
    }

    /// Whether the steps that were asked for are queued; from then on it rests.
    pub fn arrived(&mut self) -> bool {
        self.drive.arrived(self.queued, self.checked.experiment.training.steps)
    }

    /// Takes up numbers that every step reads anew; a run under way rests at the new end of its training.
    pub fn edit_live(&mut self, checked: Checked) {
        self.follow(&checked);
        self.checked = checked;
        self.drive.regoal(self.queued, self.checked.experiment.training.steps);
    }

    /// Takes up another experiment and its data; [`Run::order_from`] has to follow.
    pub fn take_up(&mut self, checked: Checked, data: Rc<Dataset>) {
        self.follow(&checked);
        if data.card.hash != self.data.card.hash || checked.experiment.loss != self.checked.experiment.loss {
            self.plateau.forget_losses();
        }
        (self.checked, self.data) = (checked, data);
    }

    /// Makes the batches anew: `step` begins at `position` in the order of samples.
    ///
    /// # Errors
    /// When the position lies beyond the samples.
    pub fn order_from(&mut self, layout: &StateLayout, step: u64, position: SamplerPosition) -> Result<(), UserError> {
        self.batches = Batches::new((&self.checked, &self.data), layout, (step, position))?;
        Ok(())
    }

    /// Stands at a step, between two steps.
    pub fn stand_at(&mut self, step: u64, slots_since: u64) {
        (self.done, self.queued, self.slots_since) = (step, step, slots_since);
    }

    /// What the run went on with when it was last taken up; `None` where it began with initial weights.
    pub fn kept_weights(&self) -> Option<KeptWeights> {
        self.kept_weights
    }

    /// Goes on with the weights of so many layers.
    pub fn goes_on_with(&mut self, kept: KeptWeights) {
        self.kept_weights = Some(kept);
    }

    /// Stands at step 0 again; answers of before fit no more.
    ///
    /// # Errors
    /// As [`Run::order_from`].
    pub fn begin(&mut self, layout: &StateLayout) -> Result<(), UserError> {
        self.order_from(layout, 0, SamplerPosition::default())?;
        self.stand_at(0, 0);
        self.plateau = Plateau::default();
        self.number += 1;
        self.kept_weights = None;
        self.note_diverged(None);
        self.drive.rest();
        self.touched();
        Ok(())
    }

    /// The state changed other than by a step: what shows it is to be shown anew.
    pub fn touched(&mut self) {
        self.edits += 1;
    }

    /// Answers of before fit no more.
    pub fn renumber(&mut self) {
        self.number += 1;
    }

    /// Numbers on after so many runs of others.
    pub fn number_after(&mut self, runs: u32) {
        self.number += runs;
    }

    /// The optimizer's slots are zero now.
    pub fn slots_are_new(&mut self) {
        self.slots_since = self.queued;
    }

    /// Where in the order of samples a step begins.
    pub fn position_before(&self, step: u64) -> SamplerPosition {
        self.batches.position(step)
    }

    /// What belongs to a copy of the state behind all queued steps besides its words.
    pub fn kept(&self) -> Kept {
        Kept {
            position: self.position_before(self.queued),
            slots_since: self.slots_since,
            plateau: self.plateau.clone(),
            shows: self.shown_state(),
        }
    }

    /// Micro batches of a step.
    pub fn micros(&self) -> usize {
        self.checked.experiment.training.accumulate
    }

    /// What a micro batch of a step is run with.
    pub fn scalars(&self, step: u64, micro: usize) -> StepScalars {
        self.checked.micro_scalars(step, self.slots_since, micro, self.lr_at(step))
    }

    /// What a program that is no step is run with.
    pub fn plain_scalars(&self) -> StepScalars {
        StepScalars { seed: self.checked.experiment.seed, ..StepScalars::default() }
    }

    /// The batches of the steps to come.
    pub fn batches(&mut self) -> &mut Batches {
        &mut self.batches
    }

    /// The batches of `steps` steps from the next one on, beside those of the run.
    pub fn ahead(&self, layout: &StateLayout, steps: usize) -> Feeds {
        self.batches.ahead(&self.checked, layout, self.queued, steps)
    }

    /// The samples of a micro batch of a step as words, a field each.
    pub fn samples(&self, layout: &StateLayout, at: (u64, usize)) -> Vec<(String, Vec<u32>)> {
        self.batches.samples((&self.checked, &self.data), layout, at)
    }

    /// Steps were queued.
    pub fn note_queued(&mut self, steps: u64) {
        self.queued += steps;
    }

    /// All steps before `end` have run.
    pub fn note_done(&mut self, end: u64) {
        self.done = end;
    }

    /// The step whose loss or gradients were not finite, if there was one.
    pub fn diverged_at(&self) -> Option<u64> {
        self.diverged_at
    }

    /// The step that has to be gone back to: it was not finite, and the run stands behind it.
    pub fn astray(&self) -> Option<u64> {
        self.diverged_at.filter(|&bad| bad < self.queued)
    }

    /// A step was not finite, or (`None`) what is known of one does not matter any more.
    pub fn note_diverged(&mut self, step: Option<u64>) {
        self.diverged_at = step;
    }

    /// Stands before a step that was not finite, and rests.
    pub fn back_to(&mut self, step: u64) {
        (self.queued, self.done) = (step, step);
        self.plateau.back_to(step);
        self.drive.rest();
    }
}
