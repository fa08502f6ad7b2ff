//! The same steps on two backends, beside the run, and how far they are apart.

use std::cmp::Reverse;

use downhill_compile::{Region, Space};
use downhill_gpu::GpuDevice;
use downhill_graph::StepScalars;
use downhill_protocol::{Comparison, Difference};
use downhill_tensor::{UserError, sort_short_by_key};

use super::Session;
use super::snapshot::slot_name;
use crate::machine::state::State;
use crate::run::batches::Feeds;

/// Steps that are compared at most: later ones differ by chaos, not by mistake.
const MOST: u32 = 100;

/// What some steps led to.
struct Trained {
    state: State,
    loss: f64,
}

impl Session {
    /// Takes steps from the state of now on a device and on the CPU, beside the run, and tells how far they are apart.
    ///
    /// # Errors
    /// When the programs do not run there, or the device is lost.
    pub async fn compare(&mut self, device: &GpuDevice, steps: u32) -> Result<Comparison, UserError> {
        let steps = steps.clamp(1, MOST.min(self.machine.layout().ring / self.run.micros() as u32));
        self.settle().await?;
        let whole = self.machine.whole_state();
        let words = self.machine.engine_mut().fetch(&[whole]).await?;
        let cpu = self.trained(None, &words, steps).await?;
        let gpu = self.trained(Some(device), &words, steps).await?;
        let mut rows = self.differences(&cpu.state, &gpu.state);
        // The bits of what is not negative are in the order of its size.
        sort_short_by_key(&mut rows, |row| Reverse(row.relative.abs().to_bits()));
        let adapter = device.adapter().name.clone();
        Ok(Comparison { id: 0, steps, adapter, loss: (cpu.loss, gpu.loss), rows })
    }

    /// The next steps of the run, taken by an engine of their own.
    async fn trained(&self, device: Option<&GpuDevice>, words: &[u32], steps: u32) -> Result<Trained, UserError> {
        let mut engine = self.machine.replica(device, (self.run.checked(), self.run.data()), words)?;
        let (batches, scalars) = self.next_batches(steps);
        batches.upload(&mut engine, 0, scalars.len())?;
        engine.submit(self.machine.train().id, &scalars)?;
        let layout = engine.layout().clone();
        let o = &layout.offsets;
        let row = Region { space: Space::Arena, offset: o.ring, len: o.ring_stride };
        let [parameters, slots, states] = self.machine.state_regions();
        let read = engine.fetch(&[row, parameters, slots, states]).await?;
        let (row, state) = read.split_at((o.ring_stride as usize).min(read.len()));
        let loss = row.get(2).map_or(f64::NAN, |word| f64::from(f32::from_bits(*word)));
        Ok(Trained { state: State::read(layout, state), loss })
    }

    /// The batches of the next steps, for the head of their ring, and what these steps are to be run with. The last one is recorded in the
    /// first row of the metrics.
    pub(crate) fn next_batches(&self, steps: u32) -> (Feeds, Vec<StepScalars>) {
        let feeds = self.run.ahead(self.machine.layout(), steps as usize);
        let micros = self.run.micros();
        let rows = steps as usize * micros;
        let scalars = (0..rows).map(|row| {
            let step = self.run.scalars(self.run.queued() + (row / micros) as u64, row % micros);
            let record = if row + 1 == rows { 0 } else { StepScalars::NO_RECORD };
            StepScalars { batch: row as u32, record, ..step }
        });
        (feeds, scalars.collect())
    }

    fn differences(&self, cpu: &State, gpu: &State) -> Vec<Difference> {
        let slots = self.run.experiment().slots();
        let mut rows = Vec::new();
        for entry in &cpu.layout.entries {
            let shape: Vec<u32> = entry.shape.iter().map(|&n| n as u32).collect();
            rows.push(difference(entry.name.clone(), &shape, cpu.parameter(entry), gpu.parameter(entry)));
            for (i, slot) in slots.iter().enumerate() {
                rows.push(difference(slot_name(slot, &entry.name), &shape, cpu.slot(i, entry), gpu.slot(i, entry)));
            }
        }
        for (entry, _) in cpu.layout.states.iter().zip(self.run.checked().buffers()) {
            let shape: Vec<u32> = entry.shape.iter().map(|&n| n as u32).collect();
            rows.push(difference(entry.name.clone(), &shape, cpu.state(entry), gpu.state(entry)));
        }
        rows
    }
}

fn difference(tensor: String, shape: &[u32], cpu: &[f32], gpu: &[f32]) -> Difference {
    let pairs = cpu.iter().zip(gpu).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    // NaN on one side only is the largest difference there is.
    let absolute = pairs.map(|d| if d.is_nan() { f64::INFINITY } else { d }).fold(0.0, f64::max);
    let size = cpu.iter().map(|a| f64::from(a.abs())).fold(0.0, f64::max);
    let relative = if absolute == 0.0 { 0.0 } else { absolute / size };
    Difference { tensor, shape: shape.to_vec(), absolute, relative }
}
