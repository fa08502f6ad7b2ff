//! Weights of others: a `state_dict` that PyTorch saved as a safetensors file, ours or a GPT-2's, all of it or as far as it fits, with what does not.

use downhill_compile::{Entry, StateLayout};
use downhill_model::{AVERAGE, BufferKind, gpt2};
use downhill_tensor::UserError;

use super::Session;
use super::snapshot::{CARRIED, read_buffer, slot_name};
use crate::machine::state::State;
use crate::tensors::TensorFile;

/// Names that are told of many that do not fit.
const TOLD: usize = 6;
/// What the names of slots in a snapshot begin with.
const SLOTS: &str = "optimizer.";

impl Session {
    /// Overwrites all parameters and buffers with those of a safetensors file; the optimizer starts anew.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape, or is one that the network does not have.
    pub async fn load_weights(&mut self, bytes: &[u8]) -> Result<(), UserError> {
        let file = self.read(bytes)?;
        if let Some(error) = all_in_one(self.misfits(&file)) {
            return Err(error);
        }
        let state = self.state_from(&file, false)?;
        self.settle().await?;
        self.machine.write_state(&state)?;
        self.run.slots_are_new();
        self.run.touched();
        self.remember(state);
        Ok(())
    }

    /// Takes up those parameters and buffers of a safetensors file that fit; the others stay as they are, and the optimizer starts anew. Returns
    /// how many were taken, and what is wrong with the others.
    ///
    /// # Errors
    /// When the file is none, or nothing in it fits.
    pub async fn take_weights(&mut self, bytes: &[u8]) -> Result<(u32, Vec<UserError>), UserError> {
        let file = self.read(bytes)?;
        self.settle().await?;
        let old = self.state().await?;
        let mut state = State::new(self.machine.layout().clone());
        let average = self.run.experiment().average_slot();
        let (mut taken, mut refused) = (0, Vec::new());
        for entry in &old.layout.entries {
            let shape = entry.shape.to_vec();
            let read = file.floats(&entry.name, &shape);
            let averaged = file.floats(&slot_name(AVERAGE, &entry.name), &shape);
            let (weights, averages) = match &read {
                Ok(weights) => (weights.as_slice(), averaged.as_deref().unwrap_or(weights)),
                Err(_) => (old.parameter(entry), average.map_or(&[][..], |slot| old.slot(slot, entry))),
            };
            state.put(entry, None, weights);
            if let Some(slot) = average {
                state.put(entry, Some(slot), averages);
            }
            taken += u32::from(read.is_ok());
            refused.extend(read.err());
        }
        for (entry, kind) in self.buffers(&old.layout) {
            let read = read_buffer(&file, &entry.name, entry, kind);
            state.put_state(entry, read.as_deref().unwrap_or_else(|_| old.state(entry)));
            taken += u32::from(read.is_ok());
            refused.extend(read.err());
        }
        refused.extend(self.unexpected(&file));
        if taken == 0 {
            let first = refused.into_iter().next().map(|error| format!(" {error}")).unwrap_or_default();
            return Err(UserError::new(format!("No tensor of this file fits the network.{first}")));
        }
        self.machine.write_state(&state)?;
        self.run.slots_are_new();
        self.run.note_diverged(None);
        self.run.touched();
        self.remember(state);
        Ok((taken, refused))
    }

    /// A file in which everything has our names, and a weight that two layers share has one.
    fn read<'a>(&self, bytes: &'a [u8]) -> Result<TensorFile<'a>, UserError> {
        let mut file = TensorFile::read(bytes)?;
        if let Some(prefix) = ["", gpt2::PREFIX].into_iter().find(|prefix| file.holds(&format!("{prefix}{}", gpt2::MARK))) {
            for tensor in gpt2::tensors(self.run.checked()) {
                let prefixed = format!("{prefix}{}", tensor.name);
                let name = if file.holds(&prefixed) { prefixed } else { tensor.name };
                file.rename(&name, tensor.ours, tensor.transposed);
            }
        }
        for (other, name) in self.run.checked().ties() {
            file.take_as(&other, name);
        }
        Ok(file)
    }

    /// What keeps the tensors of a file from being all of the network's: missing and mis-shaped ones in the network's order, then those that it
    /// does not have.
    fn misfits(&self, file: &TensorFile<'_>) -> Vec<UserError> {
        let layout = self.machine.layout();
        let parameters = layout.entries.iter().filter_map(|entry| file.floats(&entry.name, &entry.shape).err());
        let buffers = self.buffers(layout).filter_map(|(entry, kind)| read_buffer(file, &entry.name, entry, kind).err());
        parameters.chain(buffers).chain(self.unexpected(file)).collect()
    }

    /// The buffers that a file of weights holds, and what each is.
    fn buffers<'a>(&'a self, layout: &'a StateLayout) -> impl Iterator<Item = (&'a Entry, BufferKind)> {
        let all = layout.states.iter().zip(self.run.checked().buffers().map(|buffer| buffer.kind));
        all.filter(|(_, kind)| *kind != BufferKind::Carried)
    }

    /// The tensors of a file that the network does not have. Slots of an optimizer, averages of its weights and what a batch left to the next are not
    /// meant.
    fn unexpected(&self, file: &TensorFile<'_>) -> Vec<UserError> {
        let layout = self.machine.layout();
        let buffers = self.buffers(layout).map(|(entry, _)| entry);
        let known: Vec<&str> = layout.entries.iter().chain(buffers).map(|entry| entry.name.as_str()).collect();
        let averages = slot_name(AVERAGE, "");
        let own = |name: &str| known.contains(&name.strip_prefix(averages.as_str()).unwrap_or(name));
        let of_run = [SLOTS.to_string(), slot_name(CARRIED, "")];
        let others = file.names().filter(|name| !own(name) && !of_run.iter().any(|begin| name.starts_with(begin)));
        let ties = self.run.checked().ties();
        others
            .map(|name| {
                let tie = ties.iter().find(|(other, _)| other == name);
                let message = tie.map_or_else(
                    || "The network has no tensor of this name.".to_string(),
                    |(_, weight)| format!("In the network this is the same as `{weight}`, and in the file it is not."),
                );
                UserError::at(name, message).hint("Its weights belong to another model.")
            })
            .collect()
    }
}

/// Several errors as one: the first, and the names of the others.
fn all_in_one(errors: Vec<UserError>) -> Option<UserError> {
    let mut errors = errors.into_iter();
    let mut first = errors.next()?;
    let names: Vec<String> = errors.filter_map(|error| error.path).collect();
    if !names.is_empty() {
        let told = names[..names.len().min(TOLD)].join(", ");
        let more = if names.len() > TOLD { ", …" } else { "" };
        first.message.push_str(&format!(" {} more tensors do not fit: {told}{more}.", names.len()));
    }
    Some(first)
}
