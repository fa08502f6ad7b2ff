//! Fused elementwise expressions, on the tile machine.

use std::collections::TryReserveError;

use downhill_compile::ExecError;
use downhill_graph::kernel::MapSpec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader, Scratch};
use crate::simd::tile::TILE;
use crate::vm::{MapOp, Target, Walk};

/// Nanoseconds of work between two looks at the clock.
const CHUNK_NS: f32 = 30_000.0;

impl MapOp {
    /// Elements between two looks at the clock: whole tiles.
    pub fn chunk(&self) -> usize {
        ((CHUNK_NS / self.cost) as usize).next_multiple_of(TILE)
    }

    /// Runs the expression from the cursor on; says whether it is finished.
    pub fn go_on(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let run = |cx: &mut Cx<'_>, _: &mut Cursor, start, end| {
            cx.scratch.machine.run(self, &cx.memory, cx.step, (start, end), None, Target::Writes);
        };
        cursor.pieces(cx, self.walk.total(), self.chunk(), f64::from(self.cost), run)
    }
}

impl CpuKernel for MapOp {
    type Spec = MapSpec;

    fn load(spec: &MapSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let walk = Walk::new(&spec.shape, &spec.read_strides);
        MapOp::new(&spec.expr, walk, operands.reads, operands.writes, &|_| false)
    }

    fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
        scratch.machine.reserve(self)
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        self.go_on(cursor, cx)
    }
}
