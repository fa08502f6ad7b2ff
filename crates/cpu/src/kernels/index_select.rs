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
            let rows = out[start * width..end * width].chunks_exact(width);
            let found = indices[start..end].iter().map(|index| {
                let at = (word(index) as usize).saturating_mul(stride);
                table.get(at..at.saturating_add(words))
            });
            let zeros = |row: &[Cell<f32>]| row.iter().for_each(|to| to.set(0.0));
            match self.spec.element {
                Element::Word => rows.zip(found).for_each(|(row, entry)| match entry {
                    Some(entry) => row.iter().zip(entry).for_each(|(to, from)| to.set(from.get())),
                    None => zeros(row),
                }),
                Element::Byte { scale, shift } => rows.zip(found).for_each(|(row, entry)| match entry {
                    Some(entry) => decode(entry, scale, shift, row),
                    None => zeros(row),
                }),
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
