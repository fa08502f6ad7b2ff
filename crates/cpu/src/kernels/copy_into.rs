//! Blocks copied into a part of a larger tensor.

use downhill_compile::ExecError;
use downhill_graph::kernel::CopyIntoSpec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::Operand;

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 16;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct CopyOp {
    spec: CopyIntoSpec,
    from: Operand,
    to: Operand,
}

impl CpuKernel for CopyOp {
    type Spec = CopyIntoSpec;

    fn load(spec: &CopyIntoSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        Ok(Self { spec: *spec, from: operands.reads[0], to: operands.writes[0] })
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let CopyIntoSpec { outer, len, stride, start: first } = self.spec;
        let [len, stride, first] = [len, stride, first].map(|n| n as usize);
        let [from, to] = [&self.from, &self.to].map(|o| cx.memory.cells(o));
        // Elements, not blocks: a single block may be all there is.
        let copy = |_: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            let mut at = start;
            while at < end {
                let (block, column) = (at / len, at % len);
                let run = (len - column).min(end - at);
                let place = block * stride + first + column;
                to[place..place + run].iter().zip(&from[at..at + run]).for_each(|(to, from)| to.set(from.get()));
                at += run;
            }
        };
        cursor.pieces(cx, outer as usize * len, CHUNK, 0.4, copy)
    }
}
