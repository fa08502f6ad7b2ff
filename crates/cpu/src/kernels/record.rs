//! One row of the metrics ring.

use downhill_compile::ExecError;
use downhill_graph::kernel::RecordSpec;
use smallvec::SmallVec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::Operand;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct RecordOp {
    scalars: SmallVec<[Operand; 4]>,
    flag: Operand,
    ring: Operand,
    rows: u32,
    stride: usize,
}

impl CpuKernel for RecordOp {
    type Spec = RecordSpec;

    fn load(_: &RecordSpec, operands: Bound, loader: &mut Loader<'_>) -> Result<Self, ExecError> {
        let state = loader.offsets();
        if (state.ring_stride as usize) < operands.reads.len() + 2 {
            return Err(loader.fail("a row of the ring is too short"));
        }
        let ring = u64::from(state.ring_rows) * u64::from(state.ring_stride);
        let ring = u32::try_from(ring).map_err(|_| loader.fail("the ring is too long"))?;
        Ok(Self {
            scalars: operands.reads,
            flag: loader.state(state.flag, 1)?,
            ring: loader.state(state.ring, ring)?,
            rows: state.ring_rows,
            stride: state.ring_stride as usize,
        })
    }

    fn run(&self, _: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        if cx.step.record < self.rows {
            let at = cx.step.record as usize * self.stride;
            let row = &cx.memory.cells(&self.ring)[at..at + self.stride];
            row[0].set(f32::from_bits(cx.step.step));
            row[1].set(cx.memory.cells(&self.flag)[0].get());
            for (to, from) in row[2..].iter().zip(&self.scalars) {
                to.set(cx.memory.cells(from)[0].get());
            }
        }
        true
    }
}
