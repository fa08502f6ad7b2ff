//! Entries of a table read by index, rows added up by index, blocks copied.

use std::cell::Cell;

use downhill_graph::kernel::{Element, IndexSelectSpec};

use crate::arena::{Memory, Operand, word};
use crate::simd::rows;

/// Entries of a table by index.
#[derive(Clone, Debug)]
pub(crate) struct IndexSelectOp {
    pub spec: IndexSelectSpec,
    pub table: Operand,
    pub indices: Operand,
    pub out: Operand,
}

impl IndexSelectOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let IndexSelectSpec { width, stride, element, .. } = self.spec;
        let (width, stride) = (width as usize, stride as usize);
        let (table, words) = (memory.cells(&self.table), element.words(width));
        for (row, index) in memory.cells(&self.out).chunks_exact(width).zip(memory.cells(&self.indices)) {
            let at = (word(index) as usize).saturating_mul(stride);
            match (table.get(at..at.saturating_add(words)), element) {
                (None, _) => row.iter().for_each(|to| to.set(0.0)),
                (Some(entry), Element::Word) => row.iter().zip(entry).for_each(|(to, from)| to.set(from.get())),
                (Some(entry), Element::Byte { scale, shift }) => decode(entry, scale, shift, row),
            }
        }
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

/// Rows added up by index, in order.
#[derive(Clone, Debug)]
pub(crate) struct IndexAddOp {
    pub values: Operand,
    pub indices: Operand,
    pub out: Operand,
    pub width: usize,
}

impl IndexAddOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let out = memory.cells(&self.out);
        out.iter().for_each(|c| c.set(0.0));
        for (row, index) in memory.cells(&self.values).chunks_exact(self.width).zip(memory.cells(&self.indices)) {
            let at = (word(index) as usize).saturating_mul(self.width);
            if let Some(entry) = out.get(at..at.saturating_add(self.width)) {
                rows::add_into(entry, row);
            }
        }
    }
}

/// Blocks copied into a larger tensor.
#[derive(Clone, Debug)]
pub(crate) struct CopyOp {
    pub from: Operand,
    pub to: Operand,
    pub len: usize,
    pub stride: usize,
    pub start: usize,
}

impl CopyOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let to = memory.cells(&self.to);
        for (i, block) in memory.cells(&self.from).chunks_exact(self.len).enumerate() {
            let at = i * self.stride + self.start;
            to[at..at + self.len].iter().zip(block).for_each(|(to, from)| to.set(from.get()));
        }
    }
}
