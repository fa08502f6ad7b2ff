//! Snapshots: a safetensors file with parameters under their names, optimizer slots under `optimizer.<slot>.<name>`, and what else a run
//! stands on as JSON in the metadata.

use downhill_compile::StateLayout;
use downhill_data::{Assets, SamplerPosition};
use downhill_model::Experiment;
use downhill_protocol::{Arrays, Event, Message};
use downhill_tensor::UserError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use crate::jobs::JobKind;
use crate::session::Session;
use crate::state::State;
use crate::survive::Kept;

/// Version of the snapshot's form.
const FORMAT: u32 = 1;
/// Key of the metadata.
const KEY: &str = "downhill";

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    format: u32,
    experiment: String,
    step: u64,
    slots_since: u64,
    sampler: SamplerPosition,
    data: String,
}

impl Session {
    /// Queues a snapshot of the state behind all queued steps; [`Event::Saved`] brings it under this number.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn save(&mut self, id: u32) -> Result<(), UserError> {
        let regions = self.state_regions();
        let kept = Kept { position: self.sampler.position(), slots_since: self.slots_since, shows: self.shown_state() };
        self.begin_job(JobKind::Save { id, kept });
        self.read_for_job(&regions)
    }

    /// The snapshot of now, as a file.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn snapshot(&mut self) -> Result<Vec<u8>, UserError> {
        let state = self.state().await?;
        self.write_snapshot(&state, self.queued, self.sampler.position(), self.slots_since)
    }

    pub(crate) fn finish_save(&mut self, id: u32, step: u64, kept: Kept, words: &[Vec<u32>]) {
        let state = State::read(self.engine.layout().clone(), words.first().map_or(&[], Vec::as_slice));
        if id > 0 || self.saves_told {
            let event = self.saved(id, step, &kept, &state);
            self.events.push(event);
        }
        self.remember_as(state, step, kept);
    }

    fn saved(&self, id: u32, step: u64, kept: &Kept, state: &State) -> Message<Event> {
        match self.write_snapshot(state, step, kept.position, kept.slots_since) {
            Ok(bytes) => {
                let mut arrays = Arrays::default();
                let bytes = arrays.blob(bytes);
                arrays.with(Event::Saved { id, step, bytes })
            }
            Err(error) => Message::new(Event::Error { id: (id > 0).then_some(id), error }),
        }
    }

    fn write_snapshot(
        &self,
        state: &State,
        step: u64,
        sampler: SamplerPosition,
        slots_since: u64,
    ) -> Result<Vec<u8>, UserError> {
        let experiment = self.experiment.to_value().to_string();
        let meta = Meta { format: FORMAT, experiment, step, slots_since, sampler, data: self.data.card.hash.clone() };
        let meta =
            serde_json::to_string(&meta).map_err(|e| UserError::new(format!("The snapshot could not be written: {e}.")))?;
        let slots = self.experiment.slots();
        let mut arrays = Vec::new();
        for entry in &state.layout.entries {
            let mut push = |name, values| arrays.push(Array { name, shape: entry.shape.to_vec(), values: Values::F32(values) });
            push(entry.name.clone(), state.parameter(entry));
            for (i, slot) in slots.iter().enumerate() {
                push(slot_name(slot, &entry.name), state.slot(i, entry));
            }
        }
        write_arrays(&arrays, Some(meta))
    }

    /// Takes up a snapshot: its experiment, state and place in the order of samples. The next step is bit for bit that of the run it was
    /// taken from.
    ///
    /// # Errors
    /// When the bytes are no snapshot, or the experiment in it cannot be trained.
    pub fn restore(bytes: &[u8], assets: &dyn Assets) -> Result<Self, UserError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| broken(&e))?;
        let meta = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let meta =
            meta.ok_or_else(|| UserError::new("This file holds weights only, not a run.").hint("Use it as initial weights."))?;
        let meta: Meta = serde_json::from_str(meta).map_err(|e| broken(&e))?;
        if meta.format > FORMAT {
            let message = format!("This snapshot is of version {}, newer than this build understands ({FORMAT}).", meta.format);
            return Err(UserError::new(message).hint("Reload the page, or update the program."));
        }
        let experiment = Experiment::parse(&meta.experiment)?.experiment;
        let mut session = Session::new(experiment, assets)?;
        let slots = session.experiment.slots();
        let state = session.state_from(bytes, &slots)?;
        session.write_state(&state)?;
        if session.data.card.hash == meta.data {
            session.sampler.restore(meta.sampler)?;
        } else {
            session.notes.push("The data is not that of the snapshot; its order starts anew.".to_string());
        }
        (session.done, session.queued, session.slots_since) = (meta.step, meta.step, meta.slots_since.min(meta.step));
        session.touched();
        Ok(session)
    }

    /// Overwrites all parameters with those of a safetensors file; the optimizer starts anew.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub async fn load_weights(&mut self, bytes: &[u8]) -> Result<(), UserError> {
        let state = self.state_from(bytes, &[])?;
        self.settle().await?;
        self.write_state(&state)?;
        self.slots_since = self.queued;
        self.touched();
        self.remember(state);
        Ok(())
    }

    fn state_from(&self, bytes: &[u8], slots: &[&str]) -> Result<State, UserError> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| broken(&e))?;
        let mut state = State::new(self.engine.layout().clone());
        let layout: StateLayout = state.layout.clone();
        for entry in &layout.entries {
            let shape = entry.shape.to_vec();
            state.put(entry, None, &read_tensor(&file, &entry.name, &shape)?);
            for (i, slot) in slots.iter().enumerate() {
                state.put(entry, Some(i), &read_tensor(&file, &slot_name(slot, &entry.name), &shape)?);
            }
        }
        Ok(state)
    }
}

fn slot_name(slot: &str, parameter: &str) -> String {
    format!("optimizer.{slot}.{parameter}")
}

/// A tensor to be written to a file.
#[derive(Clone, Debug)]
pub struct Array<'a> {
    /// Name in the file.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Values<'a>,
}

/// Elements of an [`Array`].
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// Whole numbers below 2³¹, written as signed ones, which every reader knows.
    I32(&'a [u32]),
}

/// A safetensors file, with the text under the metadata key `downhill` where there is one.
///
/// # Errors
/// When a tensor's elements do not fill its shape.
pub fn write_arrays(arrays: &[Array<'_>], meta: Option<String>) -> Result<Vec<u8>, UserError> {
    let views = arrays.iter().map(|array| {
        let (dtype, bytes): (Dtype, &[u8]) = match array.values {
            Values::F32(values) => (Dtype::F32, bytemuck::cast_slice(values)),
            Values::I32(values) => (Dtype::I32, bytemuck::cast_slice(values)),
        };
        let view = TensorView::new(dtype, array.shape.clone(), bytes).map_err(|e| broken(&e))?;
        Ok((array.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, UserError>>()?;
    let meta = meta.map(|text| std::iter::once((KEY.to_string(), text)).collect());
    serialize(views, meta).map_err(|e| broken(&e))
}

fn read_tensor(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, UserError> {
    let tensor = file
        .tensor(name)
        .map_err(|_| UserError::at(name, "The file does not hold this tensor.").hint("Its weights belong to another model."))?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        let message = format!(
            "The file holds a {:?} tensor of shape {:?} here; the model needs F32 {shape:?}.",
            tensor.dtype(),
            tensor.shape()
        );
        return Err(UserError::at(name, message).hint("Its weights belong to another model."));
    }
    // The bytes may lie at any address, so they are not cast in place.
    Ok(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

fn broken(error: &dyn std::error::Error) -> UserError {
    UserError::new(format!("The file could not be read as safetensors: {error}."))
}
