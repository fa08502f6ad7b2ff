//! Another experiment for the run: numbers change at the next step, shapes are compiled anew, weights that still fit stay.

use std::rc::Rc;

use downhill_data::{Assets, Dataset, SamplerPosition};
use downhill_model::{Effect, Experiment, Signature, Training, carry, check, effect, keeps_slots};
use downhill_protocol::KeptWeights;
use downhill_tensor::UserError;

use super::edited::Edited;
use super::{Session, build_data};
use crate::pipeline::Pipeline;

impl Session {
    /// Swaps the experiment.
    ///
    /// Numbers that are step scalars change nothing else; other edits compile anew and keep the weights of layers that did not change. What
    /// says nothing about the weights of before begins a new run at step 0: other data, another seed, other initial weights, layers of which
    /// none keeps its weights. So does `fresh`.
    ///
    /// # Errors
    /// When the new experiment cannot be trained; the old one goes on.
    pub async fn edit(&mut self, experiment: Experiment, assets: &dyn Assets, fresh: bool) -> Result<Edited, UserError> {
        let old = self.run.experiment();
        let effect = effect(old, &experiment);
        let pace = (experiment.view.pace != old.view.pace).then(|| experiment.view.pace.steps_per_second());
        let edited = self.take_up(experiment, assets, effect, fresh).await?;
        if let Some(pace) = pace {
            self.set_pace(pace);
        }
        Ok(edited)
    }

    async fn take_up(
        &mut self,
        experiment: Experiment,
        assets: &dyn Assets,
        effect: Effect,
        fresh: bool,
    ) -> Result<Edited, UserError> {
        if !fresh && effect <= Effect::Live {
            let checked = check(experiment, self.run.checked().signature.clone())?;
            if trains_otherwise(self.run.experiment(), &checked.experiment) {
                self.reports.signs_mut().restart();
            }
            self.run.edit_live(checked);
            return Ok(Edited::Live);
        }
        let old = self.run.experiment();
        let again = old.loss.reconstructs() != experiment.loss.reconstructs();
        let again = again || old.augment != experiment.augment;
        let data = if old.data != experiment.data || old.seed != experiment.seed || again {
            Rc::new(build_data(&experiment, assets)?)
        } else {
            self.run.shared_data()
        };
        let goes_on = self.run.drive().running() && self.run.drive().paced() && !fresh;
        let edited = self.rebuild(experiment, data, fresh || effect == Effect::Fresh).await?;
        if goes_on {
            self.start();
        }
        Ok(edited)
    }

    async fn rebuild(&mut self, experiment: Experiment, data: Rc<Dataset>, fresh: bool) -> Result<Edited, UserError> {
        let checked = check(experiment, Signature::from_dataset(&data))?;
        let machine = self.machine.another(&checked, &data).await?;
        let old = self.state().await?;
        let (before, now) = (self.run.experiment(), &checked.experiment);
        let carried = carry(self.run.checked(), &checked);
        let fresh = fresh || carried.keeps_nothing();
        let same_samples = data.card.hash == self.run.data().card.hash && now.seed == before.seed;
        let batches = |experiment: &Experiment| (experiment.training.batch_size, experiment.training.accumulate);
        let same_batches = same_samples && batches(before) == batches(now);
        let keep_slots = keeps_slots(before, now);
        let kept_slots = if keep_slots { before.slots().len().min(now.slots().len()) } else { 0 };
        let position = if same_samples { self.run.position_before(self.run.queued()) } else { SamplerPosition::default() };
        self.machine = machine;
        self.pipeline = Pipeline::new(self.machine.layout(), now.metric_names().len());
        self.reports.take_up(&checked, data.notes.clone());
        self.run.take_up(checked, data);
        if fresh {
            self.begin()?;
            return Ok(Edited::Fresh);
        }
        let mut new = self.machine.initial_state(self.run.checked());
        new.take_over(&old, &carried, kept_slots, self.run.experiment().average_slot());
        if !same_batches {
            self.begin_streams(&mut new);
        }
        if new.layout.entries != old.layout.entries {
            self.run.renumber();
        }
        self.machine.write_state(&new)?;
        if !keep_slots {
            self.run.slots_are_new();
        }
        self.run.order_from(self.machine.layout(), self.run.queued(), position)?;
        self.run.note_diverged(None);
        self.reports.evaluator_mut().forget();
        self.run.touched();
        let kept = KeptWeights { layers: carried.layers.0, of: carried.layers.1 };
        self.run.goes_on_with(kept);
        self.remember(new);
        Ok(Edited::Rebuilt(kept))
    }
}

/// Whether steps are other steps after an edit of numbers: all but how many there are and how often they are evaluated.
fn trains_otherwise(old: &Experiment, new: &Experiment) -> bool {
    let training = Training { steps: old.training.steps, eval_every: old.training.eval_every, ..new.training.clone() };
    (&old.optimizer, &old.schedule, &old.training) != (&new.optimizer, &new.schedule, &training)
}
