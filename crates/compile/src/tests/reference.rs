//! A plan interpreter in f64, on the kernels' own evaluation; what changes the state is written here. With it this crate checks its plans without a
//! backend.

use downhill_graph::kernel::{CopyIntoSpec, FlatUpdateSpec, Kernel, Numbers};
use downhill_graph::{ScalarId, StepScalars};

use crate::{Arg, Plan, Region, Space, StateOffsets, Step};

/// The two buffers. Arena cells are f64, so that comparisons with the graph interpreter need no tolerance for rounding; integers lie
/// there as the float that has their bits.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Floats.
    pub arena: Vec<f64>,
    /// Words.
    pub data: Vec<u32>,
}

impl Machine {
    /// Buffers for one plan: the state zero, scratch filled with NaN, so that what is read before it is written shows.
    pub fn new(plan: &Plan) -> Self {
        let mut arena = vec![0.0; plan.arena_len as usize];
        arena[plan.state_len as usize..].fill(f64::NAN);
        Self { arena, data: vec![0; plan.data_len as usize] }
    }

    /// Runs the plan once.
    pub fn run(&mut self, plan: &Plan, scalars: &StepScalars) {
        for step in &plan.steps {
            self.step(plan, step, scalars);
        }
    }

    /// Elements of a region, as floats.
    pub fn read(&self, region: Region) -> Vec<f64> {
        (region.offset..region.end()).map(|i| self.cell(region.space, i as usize)).collect()
    }

    fn cell(&self, space: Space, i: usize) -> f64 {
        match space {
            Space::Arena => self.arena[i],
            Space::Data => f64::from(f32::from_bits(self.data[i])),
        }
    }

    fn step(&mut self, plan: &Plan, step: &Step, scalars: &StepScalars) {
        let reads: Vec<Operand<'_>> =
            step.reads.iter().map(|arg| Operand { machine: self, arg: *arg, batch: scalars.batch }).collect();
        let numbers: Vec<&dyn Numbers> = reads.iter().map(|r| r as &dyn Numbers).collect();
        let Some(results) = step.kernel.eval(&numbers, scalars) else {
            drop(numbers);
            return self.effect(plan, step, scalars);
        };
        for (write, values) in step.writes.iter().zip(results) {
            assert_eq!(values.len(), write.region.len as usize, "{} fills its region", step.kernel);
            self.arena[write.region.offset as usize..write.region.end() as usize].copy_from_slice(&values);
        }
    }

    /// What changes what was there before: a copy into a part, the update, a record.
    fn effect(&mut self, plan: &Plan, step: &Step, scalars: &StepScalars) {
        let read = |i: usize, n: usize| Operand { machine: self, arg: step.reads[i], batch: scalars.batch }.at(n);
        match &step.kernel {
            Kernel::CopyInto(CopyIntoSpec { outer, len, stride, start }) => {
                let values: Vec<f64> = (0..(outer * len) as usize).map(|i| read(0, i)).collect();
                let to = (step.writes[0].region.offset + start) as usize;
                for (block, values) in values.chunks_exact(*len as usize).enumerate() {
                    let at = to + block * *stride as usize;
                    self.arena[at..at + values.len()].copy_from_slice(values);
                }
            }
            Kernel::FlatUpdate(spec) => {
                let (loss, factor) = (read(0, 0), if spec.scaled { read(1, 0) } else { 1.0 });
                self.update(spec, &plan.state, loss, factor, scalars);
            }
            Kernel::Assign(spec) => {
                let (from, len) = (plan.state.next_states() as usize, spec.len as usize);
                if self.arena[plan.state.flag as usize] == 0.0 {
                    self.arena.copy_within(from..from + len, plan.state.states as usize);
                }
            }
            Kernel::Record(_) => {
                let row: Vec<f64> = (0..step.reads.len()).map(|i| read(i, 0)).collect();
                self.record(&plan.state, &row, scalars);
            }
            other => panic!("{other} has no evaluation"),
        }
    }

    fn update(&mut self, spec: &FlatUpdateSpec, state: &StateOffsets, loss: f64, factor: f64, scalars: &StepScalars) {
        let flag = state.flag as usize;
        let ranges: Vec<usize> = spec.groups.iter().flat_map(|g| (g.start..g.start + g.len).map(|i| i as usize)).collect();
        let finite = |v: f64| (v as f32).is_finite();
        let fine = finite(loss) && ranges.iter().all(|i| finite(self.arena[state.gradients as usize + i]));
        if self.arena[flag] == 0.0 && !fine {
            self.arena[flag] = word(scalars.step.wrapping_add(1).max(1));
        }
        if self.arena[flag] != 0.0 {
            return;
        }
        for group in &spec.groups {
            let rule = &spec.rules[usize::from(group.rule)];
            let scalar = |id: ScalarId| {
                f64::from(scalars.get(match id {
                    ScalarId::LR => group.lr,
                    ScalarId::DECAY => group.decay,
                    other => other,
                }))
            };
            for i in group.start as usize..(group.start + group.len) as usize {
                let slot = |s: usize| state.slots as usize + s * state.parameter_len as usize + i;
                let weight = state.parameters as usize + i;
                let mut reads = vec![self.arena[weight], self.arena[state.gradients as usize + i] * factor];
                reads.extend((0..rule.slots.len()).map(|s| self.arena[slot(s)]));
                let new = rule.expr.eval(&reads, &scalar, &|_| 0.0);
                self.arena[weight] = new[0];
                (0..rule.slots.len()).for_each(|s| self.arena[slot(s)] = new[1 + s]);
            }
        }
    }

    fn record(&mut self, state: &StateOffsets, row: &[f64], scalars: &StepScalars) {
        if scalars.record == StepScalars::NO_RECORD {
            return;
        }
        let at = (state.ring + scalars.record * state.ring_stride) as usize;
        self.arena[at] = word(scalars.step);
        self.arena[at + 1] = self.arena[state.flag as usize];
        self.arena[at + 2..at + 2 + row.len()].copy_from_slice(row);
    }
}

/// A word as the float that has its bits.
pub fn word(bits: u32) -> f64 {
    f64::from(f32::from_bits(bits))
}

struct Operand<'m> {
    machine: &'m Machine,
    arg: Arg,
    batch: u32,
}

impl Numbers for Operand<'_> {
    fn at(&self, i: usize) -> f64 {
        let Arg { region, start, per_batch } = self.arg;
        assert!(start as usize + i < region.len as usize, "element {i} from {start} lies in {region}");
        self.machine.cell(region.space, (region.offset + start + self.batch * per_batch) as usize + i)
    }

    /// The word as it lies there: a way through a float could change the bits of a NaN.
    fn word(&self, i: usize) -> u32 {
        let Arg { region, start, per_batch } = self.arg;
        match region.space {
            Space::Data => self.machine.data[(region.offset + start + self.batch * per_batch) as usize + i],
            Space::Arena => (self.at(i) as f32).to_bits(),
        }
    }
}
