use crate::arena::{Memory, Operand, word};
use crate::simd::rows;

/// Rows of a table by index.
#[derive(Clone, Debug)]
pub(crate) struct GatherOp {
    pub table: Operand,
    pub indices: Operand,
    pub out: Operand,
    pub width: usize,
}

impl GatherOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let table = memory.cells(&self.table);
        let out = memory.cells(&self.out);
        for (row, index) in out.chunks_exact(self.width).zip(memory.cells(&self.indices)) {
            let at = (word(index) as usize).saturating_mul(self.width);
            match table.get(at..at.saturating_add(self.width)) {
                Some(entry) => row.iter().zip(entry).for_each(|(to, from)| to.set(from.get())),
                None => row.iter().for_each(|to| to.set(0.0)),
            }
        }
    }
}

/// Rows added up by index, in order.
#[derive(Clone, Debug)]
pub(crate) struct ScatterAddOp {
    pub values: Operand,
    pub indices: Operand,
    pub out: Operand,
    pub width: usize,
}

impl ScatterAddOp {
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
