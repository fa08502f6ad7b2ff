use std::rc::Rc;

use downhill_data::{Assets, Dataset, SamplerPosition};
use downhill_gpu::GpuDevice;
use downhill_model::{Checked, Effect, Experiment, ProgramKind, Signature, carry, check, effect};
use downhill_tensor::UserError;

use crate::engine::{Engine, Program};
use crate::programs::{self, Programs, place_data};
use crate::session::{Session, build_data};
use crate::state::State;

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// Only numbers changed that every step reads anew: nothing was compiled, nothing lost.
    Live,
    /// Programs were compiled anew; weights that still fit stayed.
    Rebuilt,
    /// Initial weights, step 0.
    Fresh,
}

impl Session {
    /// Swaps the experiment.
    ///
    /// Numbers that are step scalars change nothing else; other edits compile anew and keep the weights of layers that did not change,
    /// unless `fresh`.
    ///
    /// # Errors
    /// When the new experiment cannot be trained; the old one goes on.
    pub async fn edit(&mut self, experiment: Experiment, assets: &dyn Assets, fresh: bool) -> Result<Edited, UserError> {
        let effect = effect(&self.checked.experiment, &experiment);
        let pace = (experiment.view.pace != self.checked.experiment.view.pace).then(|| experiment.view.pace.steps_per_second());
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
            self.checked = check(experiment, self.checked.signature.clone())?;
            self.regoal();
            return Ok(Edited::Live);
        }
        let data = if self.checked.experiment.data != experiment.data || self.checked.experiment.seed != experiment.seed {
            Rc::new(build_data(&experiment, assets)?)
        } else {
            Rc::clone(&self.data)
        };
        let goes_on = self.running && self.paced && !fresh;
        let edited = self.rebuild(experiment, data, fresh || effect == Effect::Fresh).await?;
        if goes_on {
            self.start();
        }
        Ok(edited)
    }

    /// A running run rests at the new end of its training.
    fn regoal(&mut self) {
        if self.running && self.paced {
            self.goal = self.checked.experiment.training.steps.filter(|&end| self.queued < end);
        }
    }

    /// Compiles for what trains now; what does not fit a device goes to the CPU.
    async fn built(&mut self, checked: &Checked, data: &Dataset) -> Result<Built, UserError> {
        let on_device = Built::new(checked, data, self.engine.device()).await;
        match on_device {
            Err(error) if self.engine.device().is_some() => {
                let built = Built::new(checked, data, None).await?;
                self.lost = Some(error.message);
                Ok(built)
            }
            outcome => outcome,
        }
    }

    async fn rebuild(&mut self, experiment: Experiment, data: Rc<Dataset>, fresh: bool) -> Result<Edited, UserError> {
        let checked = check(experiment, Signature::from_dataset(&data))?;
        let experiment = &checked.experiment;
        let built = self.built(&checked, &data).await?;
        let old = self.state().await?;
        let carried = if fresh { Vec::new() } else { carry(&self.checked, &checked) };
        let same_samples = data.card.hash == self.data.card.hash && experiment.seed == self.checked.experiment.seed;
        let keep_slots = experiment.optimizer.name() == self.checked.experiment.optimizer.name()
            && experiment.slots() == self.checked.experiment.slots();
        let position = if same_samples { self.position_before(self.queued) } else { SamplerPosition::default() };
        (self.engine, self.programs, self.train) = (built.engine, built.programs, built.train);
        (self.checked, self.data) = (checked, data);
        self.notes = self.data.notes.clone();
        self.settle_in();
        self.watches.forget();
        if fresh {
            self.reset().await?;
            return Ok(Edited::Fresh);
        }
        let mut new = State::new(self.engine.layout().clone());
        new.parameters = self.initial_weights()?;
        new.take_over(&old, &carried, keep_slots);
        if new.layout.entries != old.layout.entries {
            self.run += 1;
        }
        self.write_state(&new)?;
        if !keep_slots {
            self.slots_since = self.queued;
        }
        self.order_from(self.queued, position)?;
        self.diverged_at = None;
        self.evaluator.forget();
        self.touched();
        self.remember(new);
        Ok(Edited::Rebuilt)
    }
}

/// What a rebuild makes before anything of the old run is given up.
pub(crate) struct Built {
    pub engine: Engine,
    pub programs: Programs,
    pub train: Program,
}

impl Built {
    /// Plans and compiles, for a device or the CPU.
    ///
    /// # Errors
    /// When the programs cannot run there.
    pub async fn new(checked: &Checked, data: &Dataset, device: Option<&GpuDevice>) -> Result<Self, UserError> {
        let (mut programs, spec, graph) = Programs::plan(checked)?;
        let mut engine = Engine::new(&spec, device)?;
        let kind = ProgramKind::Train { batch: checked.experiment.training.batch_size };
        let (train, plan) = engine.load_gently(&graph, &programs::name(&kind)).await?;
        programs.insert(kind, train.clone(), &plan);
        place_data(&mut engine, data, checked)?;
        Ok(Self { engine, programs, train })
    }
}
