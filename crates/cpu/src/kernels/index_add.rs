//! Rows added up by index. One pass over the rows adds each to its entry: every entry gets its rows in order, and no rows are sorted for it.

use downhill_compile::ExecError;
use downhill_graph::kernel::IndexAddSpec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::{Operand, word};
use crate::simd::rows;

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 15;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct IndexAddOp {
    width: usize,
    values: Operand,
    indices: Operand,
    out: Operand,
}

impl CpuKernel for IndexAddOp {
    type Spec = IndexAddSpec;
    const AT_ONCE: bool = false;

    fn load(spec: &IndexAddSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let Bound { reads, writes } = operands;
        Ok(Self { width: spec.width as usize, values: reads[0], indices: reads[1], out: writes[0] })
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let [values, indices, out] = [&self.values, &self.indices, &self.out].map(|o| cx.memory.cells(o));
        if cursor.at == 0 {
            out.iter().for_each(|c| c.set(0.0));
        }
        let add = |_: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            let some = values[start * self.width..end * self.width].chunks_exact(self.width);
            for (row, index) in some.zip(&indices[start..end]) {
                let at = (word(index) as usize).saturating_mul(self.width);
                if let Some(entry) = out.get(at..at.saturating_add(self.width)) {
                    rows::add_into(entry, row);
                }
            }
        };
        cursor.pieces(cx, indices.len(), CHUNK / self.width, 0.8 * self.width as f64, add)
    }
}
