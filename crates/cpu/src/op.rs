use std::collections::TryReserveError;

use downhill_graph::StepScalars;

use crate::arena::{Memory, Operand};
use crate::budget::Budget;
use crate::kernels::{AccuracyOp, CopyOp, IndexAddOp, IndexSelectOp, LossOp, RecordOp, ReduceOp, RowsOp, UpdateOp, norm};
use crate::matmul::{Cursor, MatMulOp, Panels};
use crate::vm::{Machine, MapOp, Target};

/// A loaded kernel.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Map(MapOp),
    Reduce(ReduceOp),
    MatMul(Box<MatMulOp>),
    Rows(RowsOp),
    Loss(LossOp),
    Accuracy(AccuracyOp),
    IndexSelect(IndexSelectOp),
    IndexAdd(IndexAddOp),
    Copy(CopyOp),
    Norm { reads: Vec<Operand>, out: Operand },
    Update(UpdateOp),
    Record(RecordOp),
}

/// A loaded plan.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub ops: Vec<Op>,
    /// Nanoseconds of each op, roughly.
    pub costs: Vec<f64>,
    /// First batch row that a feed does not have.
    pub batches: u64,
}

/// Scratch that all programs share.
#[derive(Default)]
pub(crate) struct Scratch {
    pub machine: Machine,
    pub panels: Panels,
}

impl Scratch {
    /// Makes room for an op, so that running it allocates nothing.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn reserve(&mut self, op: &Op) -> Result<(), TryReserveError> {
        match op {
            Op::Map(map) => self.machine.reserve(map),
            Op::Reduce(reduce) => self.machine.reserve(&reduce.map),
            Op::Update(update) => update.groups.iter().try_for_each(|map| self.machine.reserve(map)),
            Op::MatMul(product) => {
                self.panels.reserve(product)?;
                product.epilogue().map_or(Ok(()), |map| self.machine.reserve(map))
            }
            _ => Ok(()),
        }
    }
}

impl Op {
    /// Runs it, or the part of it that fits into the budget; says whether it is finished. Only matrix products stop in between.
    pub fn run(
        &self,
        cursor: &mut Cursor,
        scratch: &mut Scratch,
        memory: &Memory<'_>,
        step: &StepScalars,
        budget: &mut Budget,
    ) -> bool {
        let machine = &mut scratch.machine;
        match self {
            Op::MatMul(product) => return product.run(cursor, &mut scratch.panels, machine, memory, step, budget),
            Op::Map(map) => machine.run(map, memory, step, (0, map.walk.total()), None, Target::Writes),
            Op::Reduce(reduce) => reduce.run(machine, memory, step),
            Op::Rows(rows) => rows.run(memory),
            Op::Loss(loss) => loss.run(memory),
            Op::Accuracy(accuracy) => accuracy.run(memory),
            Op::IndexSelect(select) => select.run(memory),
            Op::IndexAdd(add) => add.run(memory),
            Op::Copy(copy) => copy.run(memory),
            Op::Norm { reads, out } => norm(reads, out, memory),
            Op::Update(update) => update.run(machine, memory, step),
            Op::Record(record) => record.run(memory, step),
        }
        true
    }
}
