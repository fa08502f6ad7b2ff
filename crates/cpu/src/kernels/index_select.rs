//! Entries of a table read by index.

use std::cell::Cell;

use downhill_compile::ExecError;
use downhill_graph::kernel::{Element, IndexSelectSpec};

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::{Operand, word};

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 16;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct IndexSelectOp {
    spec: IndexSelectSpec,
    table: Operand,
    indices: Operand,
    out: Operand,
}

impl CpuKernel for IndexSelectOp {
    type Spec = IndexSelectSpec;

    fn load(spec: &IndexSelectSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        Ok(Self { spec: *spec, table: operands.reads[0], indices: operands.reads[1], out: operands.writes[0] })
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let (width, stride) = (self.spec.width as usize, self.spec.stride as usize);
        let words = self.spec.element.words(width);
        let [table, indices, out] = [&self.table, &self.indices, &self.out].map(|o| cx.memory.cells(o));
        let entries = |_: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            for (row, index) in out[start * width..end * width].chunks_exact(width).zip(&indices[start..end]) {
                let at = (word(index) as usize).saturating_mul(stride);
                match (table.get(at..at.saturating_add(words)), self.spec.element) {
                    (None, _) => row.iter().for_each(|to| to.set(0.0)),
                    (Some(entry), Element::Word) => row.iter().zip(entry).for_each(|(to, from)| to.set(from.get())),
                    (Some(entry), Element::Byte { scale, shift }) => decode(entry, scale, shift, row),
                }
            }
        };
        cursor.pieces(cx, indices.len(), CHUNK / width, 0.5 * width as f64, entries)
    }
}

/// `scale·b + shift` of the bytes in the words.
fn decode(words: &[Cell<f32>], scale: f32, shift: f32, out: &[Cell<f32>]) {
    for (four, from) in out.chunks(4).zip(words) {
        for (to, byte) in four.iter().zip(word(from).to_le_bytes()) {
            to.set(scale * f32::from(byte) + shift);
        }
    }
}
