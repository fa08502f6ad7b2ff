//! Matrix products as a kernel; how they are computed is `matmul.rs`.

use std::collections::TryReserveError;

use downhill_compile::ExecError;
use downhill_graph::kernel::MatMulSpec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader, Scratch};
use crate::matmul::MatMulOp;

impl CpuKernel for Box<MatMulOp> {
    type Spec = MatMulSpec;

    fn load(spec: &MatMulSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        Ok(Box::new(MatMulOp::new(spec, &operands.reads, &operands.writes)?))
    }

    fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
        scratch.panels.reserve(self)?;
        self.epilogue().map_or(Ok(()), |map| scratch.machine.reserve(map))
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let Scratch { machine, panels, .. } = cx.scratch;
        (**self).run(&mut cursor.block, panels, machine, &cx.memory, cx.step, cx.budget)
    }
}
