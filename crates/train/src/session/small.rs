//! Weights small enough for a link: eight bits a number and a scale for every 32 of them, as llama.cpp's `Q8_0` has it, with scales of 32 bits;
//! sixteen bits where eight would change what the network predicts. What predicts is written: the averages of the weights, where a run keeps them.

use downhill_compile::Region;
use downhill_model::{BufferKind, ProgramKind};
use downhill_protocol::Part;
use downhill_tensor::UserError;

use super::Session;
use crate::machine::state::State;
use crate::reports::rows::{Rows, samples};
use crate::tensors::{Array, Values, write_arrays};

/// What the bytes begin with, before the bits of a number; no file of safetensors does.
const MAGIC: [u8; 3] = *b"q1.";
/// Numbers that share a scale.
const BLOCK: usize = 32;
/// Bits of a number with its sign; the first that changes no prediction is taken.
const BITS: [u8; 2] = [8, 16];
/// Numbers that are written at most: a link of some thirty thousand characters, or of twice as many with sixteen bits.
const MOST: usize = 20_000;
/// Samples whose predictions are compared, at most.
const SAMPLES: usize = 256;
/// How far a prediction may move: a probability, or a value in standard deviations of the answers.
pub const TOLERANCE: f32 = 0.05;

/// Weights in a few bits each, and what that does to the predictions.
#[derive(Clone, Debug)]
pub struct Small {
    /// For a link.
    pub bytes: Vec<u8>,
    /// Bits of a weight.
    pub bits: u8,
    /// How far a prediction moves at most: a probability, or a value in standard deviations of the answers.
    pub farthest: f32,
    /// Of how many samples, held out where there are such.
    pub samples: usize,
}

/// Largest whole number of these bits with a sign.
fn largest(bits: u8) -> f32 {
    ((1u32 << (bits - 1)) - 1) as f32
}

impl Session {
    /// The weights of now in as few bits as predict what they predict now.
    ///
    /// # Errors
    /// When there are too many of them, one is not finite, the predictions move too far, or the device is lost.
    pub async fn small_weights(&mut self) -> Result<Small, UserError> {
        let numbers: usize = self.machine.layout().entries.iter().map(|entry| entry.len as usize).sum();
        if numbers > MOST {
            return Err(UserError::new(format!("The network has {numbers} weights, and a link holds {MOST} at most."))
                .hint("Export the weights as a file."));
        }
        let state = self.state().await?;
        let mut beside = Session::with_data(self.run.experiment().clone(), self.run.data().clone())?;
        beside.load_weights(&self.weights_of(&state)?).await?;
        let exact = beside.predictions().await?;
        let mut farthest = 0.0;
        for bits in BITS {
            let bytes = self.packed(&state, bits)?;
            beside.take_small(&bytes).await?;
            let moved = exact.iter().zip(beside.predictions().await?).map(|(a, b)| (a - b).abs());
            farthest = moved.fold(0.0, f32::max);
            if farthest <= TOLERANCE {
                return Ok(Small { bytes, bits, farthest, samples: beside.compared() });
            }
        }
        Err(UserError::new(format!(
            "With weights as small as a link holds them a prediction would move by {farthest:.2}, more than the {TOLERANCE} that it may."
        ))
        .hint("Export the weights as a file, which holds them exactly."))
    }

    /// Goes on with weights that [`Session::small_weights`] wrote.
    ///
    /// # Errors
    /// When they are damaged or of another network, or the device is lost.
    pub async fn take_small(&mut self, bytes: &[u8]) -> Result<(), UserError> {
        let file = self.unpacked(bytes)?;
        self.load_weights(&file).await
    }

    /// Takes up the weights of a link, or those of a file that fit; see [`Session::take_weights`].
    ///
    /// # Errors
    /// Those of [`Session::take_weights`] and [`Session::take_small`].
    #[inline(never)]
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(u32, Vec<UserError>), UserError> {
        if !bytes.starts_with(&MAGIC) {
            return self.take_weights(bytes).await;
        }
        let file = self.unpacked(bytes)?;
        self.take_weights(&file).await
    }

    /// What predicts in a state, parameter by parameter in the order of the model, then its buffers; those that count are told apart.
    fn predicting<'a>(&self, state: &'a State) -> Vec<(Array<'a>, bool)> {
        let (layout, average) = (&state.layout, self.run.experiment().average_slot());
        let entries = layout.order.iter().filter_map(|&at| layout.entries.get(at as usize));
        let parameters = entries.map(|entry| {
            let values = average.map_or_else(|| state.parameter(entry), |slot| state.slot(slot, entry));
            (Array { name: entry.name.clone(), shape: entry.shape.to_vec(), values: Values::F32(values) }, false)
        });
        let buffers = layout.states.iter().zip(self.run.checked().buffers());
        let buffers = buffers.filter(|(_, buffer)| buffer.kind != BufferKind::Carried).map(|(entry, buffer)| {
            let (values, is_count) = (state.state(entry), buffer.kind == BufferKind::Count);
            let values = if is_count { Values::Counts(values) } else { Values::F32(values) };
            (Array { name: entry.name.clone(), shape: entry.shape.to_vec(), values }, is_count)
        });
        parameters.chain(buffers).collect()
    }

    fn weights_of(&self, state: &State) -> Result<Vec<u8>, UserError> {
        let arrays: Vec<Array<'_>> = self.predicting(state).into_iter().map(|(array, _)| array).collect();
        write_arrays(&arrays, None)
    }

    fn packed(&self, state: &State, bits: u8) -> Result<Vec<u8>, UserError> {
        let mut bytes = [&MAGIC[..], &[bits]].concat();
        for (array, _) in self.predicting(state) {
            match array.values {
                Values::F32(values) => {
                    for block in values.chunks(BLOCK) {
                        if block.iter().any(|v| !v.is_finite()) {
                            return Err(UserError::at(array.name.as_str(), "It holds something that is not a number."));
                        }
                        let scale = block.iter().fold(0.0f32, |most, v| most.max(v.abs())) / largest(bits);
                        bytes.extend(scale.to_le_bytes());
                        let whole = |v: &f32| if scale > 0.0 { (v / scale).round() as i16 } else { 0 };
                        block.iter().for_each(|v| bytes.extend(&whole(v).to_le_bytes()[..usize::from(bits / 8)]));
                    }
                }
                Values::Counts(values) => values.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
                Values::I32(_) => {}
            }
        }
        Ok(bytes)
    }

    /// The same as a file of safetensors.
    fn unpacked(&self, bytes: &[u8]) -> Result<Vec<u8>, UserError> {
        let other = || {
            UserError::new("The weights in the link are damaged, or belong to another network.")
                .hint("Copy the link again, from # to the last character.")
        };
        let (&bits, mut rest) = bytes.strip_prefix(&MAGIC).and_then(<[u8]>::split_first).ok_or_else(other)?;
        if !BITS.contains(&bits) {
            return Err(other());
        }
        let each = usize::from(bits / 8);
        let number = |rest: &mut &[u8]| {
            let (first, others) = rest.split_first_chunk()?;
            *rest = others;
            Some(f32::from_le_bytes(*first)).filter(|v| v.is_finite())
        };
        let empty = State::new(self.machine.layout().clone());
        let mut all: Vec<Vec<f32>> = Vec::new();
        for (array, is_count) in self.predicting(&empty) {
            let len = array.shape.iter().product::<usize>();
            let mut values = Vec::with_capacity(len);
            while values.len() < len {
                let first = number(&mut rest).ok_or_else(other)?;
                if is_count {
                    values.push(first);
                    continue;
                }
                let (block, others) = rest.split_at_checked(each * BLOCK.min(len - values.len())).ok_or_else(other)?;
                let whole = |v: &[u8]| match *v {
                    [low, high] => i16::from_le_bytes([low, high]),
                    _ => v.first().map_or(0, |&v| i16::from(v.cast_signed())),
                };
                values.extend(block.chunks_exact(each).map(|v| f32::from(whole(v)) * first));
                rest = others;
            }
            all.push(values);
        }
        if !rest.is_empty() {
            return Err(other());
        }
        let mut arrays = Vec::new();
        for ((array, is_count), values) in self.predicting(&empty).into_iter().zip(&all) {
            let values = if is_count { Values::Counts(values) } else { Values::F32(values) };
            arrays.push(Array { values, ..array });
        }
        write_arrays(&arrays, None)
    }

    /// How many samples are compared.
    fn compared(&self) -> usize {
        samples(self.run.data(), Part::Validation).len().min(SAMPLES)
    }

    /// What the network says of the samples that are held out.
    async fn predictions(&mut self) -> Result<Vec<f32>, UserError> {
        let count = self.compared();
        let rows = Rows::samples(self.run.data(), Part::Validation, Some((0..count as u32).collect()))?;
        let chunk = self.machine.programs().panel_rows(count, false, self.machine.backend()).max(1);
        let program = self.program(&ProgramKind::Predict { rows: chunk })?;
        let regions: Vec<Region> = program.outputs.iter().map(|o| o.region).collect();
        let scalars = self.run.plain_scalars();
        let mut all = Vec::new();
        for start in (0..count).step_by(chunk) {
            let range = start..(start + chunk).min(count);
            let taken = range.len();
            for (field, words) in rows.feeds(self.run.checked(), self.run.data(), range, false) {
                self.machine.engine_mut().feed(&format!("rows.{field}"), 0, &words)?;
            }
            self.machine.engine_mut().submit(program.id, &[scalars])?;
            let words = self.machine.engine_mut().fetch(&regions).await?;
            all.extend(words.iter().take(words.len() / chunk * taken).map(|word| f32::from_bits(*word)));
        }
        Ok(all)
    }
}
