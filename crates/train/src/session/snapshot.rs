//! Snapshots and weights: safetensors files with parameters and buffers under their names in PyTorch's `state_dict` and the averages of weights
//! under `ema.<name>`. A snapshot has optimizer slots too, under `optimizer.<slot>.<name>`, what the last batch left to the next under
//! `carried.<name>`, and what else a run stands on as JSON in the metadata.

use downhill_compile::Entry;
use downhill_data::{Assets, SamplerPosition};
use downhill_model::schedules::Plateau;
use downhill_model::{AVERAGE, BufferKind, Experiment};
use downhill_protocol::{Arrays, Event, KeptWeights, Message};
use downhill_tensor::UserError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Session;
use super::job::JobKind;
use crate::machine::checkpoint::Kept;
use crate::machine::state::State;
use crate::tensors::{Array, TensorFile, Values, write_arrays};

/// Steps that a run can have taken, at most: what a number of JSON holds exactly. Counting on from there never overflows.
const MOST_STEPS: u64 = 1 << 53;
/// What the names of states begin with that a batch leaves to the next.
pub(super) const CARRIED: &str = "carried";
/// Version of the snapshot's form.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    format: u32,
    experiment: String,
    step: u64,
    slots_since: u64,
    /// Where a learning rate stands that follows the validation loss.
    #[serde(default)]
    plateau: Vec<u64>,
    sampler: SamplerPosition,
    data: String,
}

impl Session {
    /// Queues a snapshot of the state behind all queued steps; [`Event::Saved`] brings it under this number.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn save(&mut self, id: u32) -> Result<(), UserError> {
        let regions = self.machine.state_regions();
        let kept = self.run.kept();
        self.pipeline.begin_job(JobKind::Save { id, kept }, self.run.queued());
        self.pipeline.read_for_job(self.machine.engine_mut(), &regions)
    }

    /// The snapshot of now, as a file.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn snapshot(&mut self) -> Result<Vec<u8>, UserError> {
        let state = self.state().await?;
        self.write_snapshot(&state, self.run.queued(), &self.run.kept())
    }

    pub(crate) fn finish_save(&mut self, id: u32, step: u64, kept: Kept, words: &[Vec<u32>]) {
        let state = State::read(self.machine.layout().clone(), words.first().map_or(&[], Vec::as_slice));
        if id > 0 || self.reports.saves_told() {
            let event = self.saved(id, step, &kept, &state);
            self.reports.tell(event);
        }
        self.machine.remember(state, step, kept);
    }

    fn saved(&self, id: u32, step: u64, kept: &Kept, state: &State) -> Message<Event> {
        match self.write_snapshot(state, step, kept) {
            Ok(bytes) => {
                let mut arrays = Arrays::default();
                let bytes = arrays.blob(bytes);
                arrays.with(Event::Saved { id, step, bytes })
            }
            Err(error) => Message::new(Event::Error { id: (id > 0).then_some(id), error }),
        }
    }

    fn write_snapshot(&self, state: &State, step: u64, kept: &Kept) -> Result<Vec<u8>, UserError> {
        let meta = Meta {
            format: FORMAT,
            experiment: self.run.experiment().to_value().to_string(),
            step,
            slots_since: kept.slots_since,
            plateau: kept.plateau.to_words(),
            sampler: kept.position,
            data: self.run.data().card.hash.clone(),
        };
        let meta =
            serde_json::to_value(&meta).map_err(|e| UserError::new(format!("The snapshot could not be written: {e}.")))?;
        write_arrays(&self.arrays(state, |_| true), Some(meta.to_string()))
    }

    /// The tensors of a file with some of the slots; what a batch leaves to the next counts as one of them.
    fn arrays<'a>(&self, state: &'a State, takes: impl Fn(&str) -> bool) -> Vec<Array<'a>> {
        let slots = self.run.experiment().slots();
        let mut arrays = Vec::new();
        for entry in &state.layout.entries {
            let mut push = |name, values| arrays.push(Array { name, shape: entry.shape.to_vec(), values: Values::F32(values) });
            push(entry.name.clone(), state.parameter(entry));
            for (i, slot) in slots.iter().enumerate().filter(|(_, slot)| takes(slot)) {
                push(slot_name(slot, &entry.name), state.slot(i, entry));
            }
        }
        for (entry, buffer) in state.layout.states.iter().zip(self.run.checked().buffers()) {
            let (name, values) = (entry.name.clone(), state.state(entry));
            let (name, values) = match buffer.kind {
                BufferKind::Statistic => (name, Values::F32(values)),
                BufferKind::Count => (name, Values::Counts(values)),
                BufferKind::Carried if takes(CARRIED) => (slot_name(CARRIED, &name), Values::F32(values)),
                BufferKind::Carried => continue,
            };
            arrays.push(Array { name, shape: entry.shape.to_vec(), values });
        }
        arrays
    }

    /// What PyTorch's `state_dict` of the model holds, as a safetensors file; `with_averages` adds those of the weights, where there are some.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn weights(&mut self, with_averages: bool) -> Result<Vec<u8>, UserError> {
        let state = self.state().await?;
        write_arrays(&self.arrays(&state, |slot| with_averages && slot == AVERAGE), None)
    }

    /// Takes up a snapshot: its experiment, state and place in the order of samples. The next step is bit for bit that of the run it was
    /// taken from.
    ///
    /// # Errors
    /// When the bytes are no snapshot, or the experiment in it cannot be trained.
    pub fn restore(bytes: &[u8], assets: &dyn Assets) -> Result<Self, UserError> {
        let file = TensorFile::read(bytes)?;
        let meta = Self::meta(&file)?;
        let experiment = Experiment::parse(&meta.experiment)?.experiment;
        let mut session = Session::new(experiment, assets)?;
        session.stand_as(&file, &meta)?;
        Ok(session)
    }

    /// The experiment of a snapshot.
    ///
    /// # Errors
    /// When the bytes are no snapshot, or one of a newer version.
    pub fn saved_experiment(bytes: &[u8]) -> Result<Experiment, UserError> {
        let meta = Self::meta(&TensorFile::read(bytes)?)?;
        Ok(Experiment::parse(&meta.experiment)?.experiment)
    }

    fn meta(file: &TensorFile<'_>) -> Result<Meta, UserError> {
        let meta = file.text();
        let meta =
            meta.ok_or_else(|| UserError::new("This file holds weights only, not a run.").hint("Use it as initial weights."))?;
        let meta: Value = serde_json::from_str(meta).map_err(|e| broken(&e))?;
        let meta = Meta::deserialize(&meta).map_err(|e| broken(&e))?;
        if meta.format > FORMAT {
            let message = format!("This snapshot is of version {}, newer than this build understands ({FORMAT}).", meta.format);
            return Err(UserError::new(message).hint("Reload the page, or update the program."));
        }
        if meta.step > MOST_STEPS {
            let message = format!("The snapshot says that {} steps were taken, more than any run can take.", meta.step);
            return Err(UserError::new(message).hint("Choose another file."));
        }
        Ok(meta)
    }

    /// Takes up the state of a snapshot of this experiment, and the place where it stood.
    fn stand_as(&mut self, file: &TensorFile<'_>, meta: &Meta) -> Result<(), UserError> {
        let mut state = self.state_from(file, true)?;
        let same_data = self.run.data().card.hash == meta.data;
        if !same_data {
            self.begin_streams(&mut state);
        }
        self.machine.write_state(&state)?;
        let position = if same_data { meta.sampler } else { SamplerPosition::default() };
        self.run.order_from(self.machine.layout(), meta.step, position)?;
        if !same_data {
            self.reports.note(["The data is not that of the snapshot; its order starts anew.".to_string()]);
        }
        self.run.stand_at(meta.step, meta.slots_since.min(meta.step));
        self.run.set_plateau(Plateau::from_words(&meta.plateau));
        let layers = self.run.checked().summary.layers.iter().filter(|layer| !layer.parameters.is_empty()).count() as u32;
        self.run.goes_on_with(KeptWeights { layers, of: layers });
        self.run.touched();
        Ok(())
    }

    /// The weights that a run of this experiment begins with, as [`Session::weights`] writes them.
    ///
    /// # Errors
    /// When a tensor's elements do not fill its shape.
    pub fn initial_weights(&self) -> Result<Vec<u8>, UserError> {
        let state = self.machine.initial_state(self.run.checked());
        write_arrays(&self.arrays(&state, |_| false), None)
    }

    /// The state in a file. Without slots, only averages of the weights are read; where there are none they begin with the weights.
    pub(super) fn state_from(&self, file: &TensorFile<'_>, with_slots: bool) -> Result<State, UserError> {
        let layout = self.machine.layout();
        let mut state = State::new(layout.clone());
        let slots = self.run.experiment().slots();
        for entry in &layout.entries {
            let shape = entry.shape.to_vec();
            let weights = file.floats(&entry.name, &shape)?;
            for (i, slot) in slots.iter().enumerate().filter(|(_, slot)| with_slots || **slot == AVERAGE) {
                let name = slot_name(slot, &entry.name);
                let known = with_slots || file.holds(&name);
                state.put(entry, Some(i), &if known { file.floats(&name, &shape)? } else { weights.clone() });
            }
            state.put(entry, None, &weights);
        }
        for (entry, buffer) in layout.states.iter().zip(self.run.checked().buffers()) {
            let is_carried = buffer.kind == BufferKind::Carried;
            if with_slots || !is_carried {
                let name = if is_carried { slot_name(CARRIED, &entry.name) } else { entry.name.clone() };
                state.put_state(entry, &read_buffer(file, &name, entry, buffer.kind)?);
            }
        }
        Ok(state)
    }

    /// The next batch goes on from none: what was left to it belongs to another order of samples.
    pub(super) fn begin_streams(&self, state: &mut State) {
        for (i, buffer) in self.run.checked().buffers().enumerate() {
            if let (BufferKind::Carried, Some(entry)) = (buffer.kind, state.layout.states.get(i).cloned()) {
                state.put_state(&entry, &vec![0.0; entry.len as usize]);
            }
        }
    }
}

/// The elements of a buffer that is called so in a file.
pub(super) fn read_buffer(file: &TensorFile<'_>, name: &str, entry: &Entry, kind: BufferKind) -> Result<Vec<f32>, UserError> {
    if kind == BufferKind::Count { file.counts(name, &entry.shape) } else { file.floats(name, &entry.shape) }
}

/// The name of a parameter's elements in a slot. The averages of the weights, and what a batch leaves to the next, are no part of the optimizer.
pub(crate) fn slot_name(slot: &str, parameter: &str) -> String {
    if [AVERAGE, CARRIED].contains(&slot) { format!("{slot}.{parameter}") } else { format!("optimizer.{slot}.{parameter}") }
}

fn broken(error: &dyn std::error::Error) -> UserError {
    UserError::new(format!("The snapshot could not be read: {error}."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_data::NoAssets;

    use super::*;
    use crate::ready;

    #[test]
    fn a_snapshot_of_more_steps_than_can_be_counted_is_refused() {
        let document = r#"{ "version": 1, "data": "spirals", "model": [{ "linear": { "out": "classes" } }] }"#;
        let mut session = Session::new(Experiment::parse(document).unwrap().experiment, &NoAssets).unwrap();
        let state = ready(session.state()).unwrap();
        let of = |step| session.write_snapshot(&state, step, &session.run.kept()).unwrap();
        let mut late = Session::restore(&of(MOST_STEPS), &NoAssets).unwrap();
        late.step(3);
        ready(late.run_until_rest()).unwrap();
        assert_eq!(late.step_count(), MOST_STEPS + 3);
        let refused = Session::restore(&of(u64::MAX), &NoAssets).map(|_| ()).unwrap_err();
        assert!(refused.message.contains("more than any run"), "{refused}");
    }
}
