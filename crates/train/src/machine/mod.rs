//! What runs the steps: the engine with the programs of an experiment, the state in it, and what to do when its device is lost. Nothing here
//! knows why a program is run.

pub(crate) mod checkpoint;
pub(crate) mod engine;
pub(crate) mod programs;
pub(crate) mod state;

use std::time::Duration;

use downhill_compile::{Region, Space, StateLayout};
use downhill_data::Dataset;
use downhill_gpu::GpuDevice;
use downhill_graph::Feed;
use downhill_model::{CACHE, Checked, ProgramKind, init_parameters};
use downhill_protocol::Backend;
use downhill_tensor::UserError;

use checkpoint::{Checkpoint, Kept};
use engine::{Engine, Loaded};
use programs::{Programs, place_data};
use state::State;

/// What a step takes at least, in seconds: a coarse clock may see none of it.
const SHORTEST_STEP: f64 = 1e-7;

/// Of how many tokens of which text something is kept, and the state of the run that it was worked out with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cached {
    /// Number of the text.
    pub text: u32,
    /// What the run showed then.
    pub shows: (u64, u64),
    /// Tokens, from the first.
    pub tokens: usize,
}

/// The engine of a run, on the CPU or on a device.
pub(crate) struct Machine {
    engine: Engine,
    programs: Programs,
    train: Loaded,
    /// Counts up whenever programs were compiled anew.
    builds: u32,
    /// What a training step takes; 0 before that is known.
    seconds_per_step: f64,
    /// Where to go on from when the device is lost; none on the CPU.
    checkpoint: Option<Checkpoint>,
    /// What is kept of a text in the feeds of the program for its next token.
    cached: Option<Cached>,
    /// Why the device was lost that the run was on, until somebody takes note of it.
    lost: Option<String>,
}

impl Machine {
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
        Ok(Self { engine, programs, train, builds: 1, seconds_per_step: 0.0, checkpoint: None, cached: None, lost: None })
    }

    /// Another machine for another experiment, on the same device; what does not fit there goes to the CPU.
    ///
    /// # Errors
    /// When the programs cannot run on the CPU either.
    pub async fn another(&self, checked: &Checked, data: &Dataset) -> Result<Self, UserError> {
        let on_device = Self::new(checked, data, self.engine.device()).await;
        let (built, lost) = match on_device {
            Err(error) if self.engine.device().is_some() => (Self::new(checked, data, None).await?, Some(error.message)),
            outcome => (outcome?, None),
        };
        Ok(Self { builds: self.builds + 1, lost: lost.or_else(|| self.lost.clone()), ..built })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to be given work.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// What runs the programs.
    pub fn backend(&self) -> Backend {
        self.engine.backend()
    }

    /// Where state and feeds lie.
    pub fn layout(&self) -> &StateLayout {
        self.engine.layout()
    }

    /// The programs.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The training program.
    pub fn train(&self) -> &Loaded {
        &self.train
    }

    /// How often programs were compiled anew.
    pub fn builds(&self) -> u32 {
        self.builds
    }

    /// A program of the experiment, compiled if need be.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn program(&mut self, kind: &ProgramKind, checked: &Checked) -> Result<Loaded, UserError> {
        self.programs.get(kind, checked, &mut self.engine)
    }

    /// Unloads programs that nobody asked for of late. Nothing queued may refer to one.
    pub fn trim(&mut self) {
        self.programs.trim(&mut self.engine);
    }

    /// The feeds in which is kept what is known of a text, in order of their names in the layout; none where nothing can be.
    pub fn cache(&self) -> impl Iterator<Item = &Feed> {
        self.layout().feeds.iter().map(|(feed, _)| feed).filter(|feed| feed.name.starts_with(CACHE))
    }

    /// What is kept.
    pub fn cached(&self) -> Option<Cached> {
        self.cached
    }

    /// Takes note of what is kept.
    pub fn note_cached(&mut self, cached: Cached) {
        self.cached = Some(cached);
    }

    /// Learns what a step takes.
    pub fn note_pace(&mut self, time: Duration, steps: u64) {
        let each = (time.as_secs_f64() / steps.max(1) as f64).max(SHORTEST_STEP);
        self.seconds_per_step = if self.seconds_per_step == 0.0 { each } else { 0.8 * self.seconds_per_step + 0.2 * each };
    }

    /// Steps that fit into a time; one where nothing is known of them.
    pub fn steps_in(&self, time: Duration) -> u64 {
        if self.seconds_per_step > 0.0 { (time.as_secs_f64() / self.seconds_per_step).max(1.0) as u64 } else { 1 }
    }

    /// The whole state.
    pub fn whole_state(&self) -> Region {
        Region { space: Space::Arena, offset: 0, len: self.layout().state_len }
    }

    /// Where parameters, slots and states lie.
    pub fn state_regions(&self) -> [Region; 3] {
        let o = &self.layout().offsets;
        let region = |offset, len| Region { space: Space::Arena, offset, len };
        let slots = region(o.slots, o.slot_count * o.parameter_len);
        [region(o.parameters, o.parameter_len), slots, region(o.states, o.states_len)]
    }

    /// Parameters, slots and states as they are now, where nothing is under way.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn read_state(&mut self) -> Result<State, UserError> {
        let regions = self.state_regions();
        let words = self.engine.fetch(&regions).await?;
        Ok(State::read(self.layout().clone(), &words))
    }

    /// Overwrites the whole state: parameters, slots and states, and zero for gradients, flag and ring.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn write_state(&mut self, state: &State) -> Result<(), UserError> {
        let layout = self.layout();
        let mut words = vec![0u32; layout.state_len as usize];
        let mut put = |at: u32, values: &[f32]| {
            for (word, value) in words.iter_mut().skip(at as usize).zip(values) {
                *word = value.to_bits();
            }
        };
        put(layout.offsets.parameters, &state.parameters);
        put(layout.offsets.slots, &state.slots);
        put(layout.offsets.states, &state.states);
        self.engine.write(0, &words)
    }

    /// A state with the initial weights and buffers, slots zero but for the averages of the weights, which begin with these.
    pub fn initial_state(&self, checked: &Checked) -> State {
        let layout = self.layout();
        let mut state = State::new(layout.clone());
        for parameter in init_parameters(checked) {
            if let Some(entry) = layout.entry(&parameter.name) {
                state.put(entry, None, &parameter.values);
                if let Some(slot) = checked.experiment.average_slot() {
                    state.put(entry, Some(slot), &parameter.values);
                }
            }
        }
        for (entry, buffer) in layout.states.iter().zip(checked.buffers()) {
            state.put_state(entry, &vec![buffer.value; entry.len as usize]);
        }
        state
    }

    /// An engine of its own with the same programs and data and this state, on a device or (`None`) on the CPU.
    ///
    /// # Errors
    /// When the programs cannot run there.
    pub fn replica(
        &self,
        device: Option<&GpuDevice>,
        (checked, data): (&Checked, &Dataset),
        state: &[u32],
    ) -> Result<Engine, UserError> {
        let mut engine = self.engine.replica(device)?;
        place_data(&mut engine, data, checked)?;
        engine.write(0, state)?;
        Ok(engine)
    }

    /// Goes on on an engine that holds the state already.
    pub fn move_to(&mut self, engine: Engine) {
        self.engine = engine;
        (self.seconds_per_step, self.checkpoint, self.cached) = (0.0, None, None);
    }

    /// Keeps a copy of the state as it was at a step, where the device that holds it can be lost.
    pub fn remember(&mut self, state: State, step: u64, kept: Kept) {
        self.checkpoint = (self.backend() == Backend::Gpu).then_some(Checkpoint { state, step, kept });
    }

    /// What the copy outside of the device shows, if there is one.
    pub fn remembered(&self) -> Option<(u64, u64)> {
        self.checkpoint.as_ref().map(|c| c.kept.shows)
    }

    /// The device is gone: an engine on the CPU takes its place, its state zero. Gives the last copy of the state.
    ///
    /// # Errors
    /// When the CPU has no memory for the programs.
    pub fn fall_back(&mut self, why: &str, (checked, data): (&Checked, &Dataset)) -> Result<Option<Checkpoint>, UserError> {
        self.lost = Some(format!("The GPU was lost ({why})."));
        self.engine = self.engine.replica(None)?;
        (self.seconds_per_step, self.cached) = (0.0, None);
        place_data(&mut self.engine, data, checked)?;
        Ok(self.checkpoint.take())
    }

    /// Why the device was lost that the run was on, once.
    pub fn take_loss(&mut self) -> Option<String> {
        self.lost.take()
    }
}
