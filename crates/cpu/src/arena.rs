//! The two buffers of a backend, and the operands that point into them.

use std::cell::Cell;
use std::collections::TryReserveError;

use downhill_compile::{Arg, Space};

use crate::simd::OVERREAD;

#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Chunk([f32; 8]);

/// Zeroed floats, aligned for vectors, with room to read beyond the end.
#[derive(Default)]
pub(crate) struct Buffer {
    chunks: Vec<Chunk>,
    len: usize,
}

impl Buffer {
    fn grow_infallibly(&mut self, len: usize) {
        self.chunks.resize((len + OVERREAD).div_ceil(8), Chunk([0.0; 8]));
        self.len = self.len.max(len);
    }

    /// Makes it at least `len` elements long; new ones are zero, old ones stay.
    pub fn grow(&mut self, len: usize) -> Result<(), TryReserveError> {
        if len > self.len {
            let chunks = len.saturating_add(OVERREAD).div_ceil(8);
            self.chunks.try_reserve_exact(chunks.saturating_sub(self.chunks.len()))?;
            self.grow_infallibly(len);
        }
        Ok(())
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn as_mut_ptr(&mut self) -> *mut f32 {
        self.chunks.as_mut_ptr().cast()
    }

    /// The elements.
    pub fn floats(&self) -> &[f32] {
        // SAFETY: as in `words`.
        unsafe { std::slice::from_raw_parts(self.chunks.as_ptr().cast(), self.len) }
    }

    /// The elements as cells, those beyond the end included.
    pub fn cells(&mut self) -> &[Cell<f32>] {
        // SAFETY: the exclusive borrow is handed on as cells for its whole life; cells have the layout of their content.
        unsafe { std::slice::from_raw_parts(self.chunks.as_mut_ptr().cast(), self.chunks.len() * 8) }
    }

    /// The elements as words.
    pub fn words(&self) -> &[u32] {
        // SAFETY: chunks are plain words without padding and there are at least `len` of them.
        unsafe { std::slice::from_raw_parts(self.chunks.as_ptr().cast(), self.len) }
    }

    /// The elements as words, to be changed.
    pub fn words_mut(&mut self) -> &mut [u32] {
        // SAFETY: as in `words`; every bit pattern is a float.
        unsafe { std::slice::from_raw_parts_mut(self.chunks.as_mut_ptr().cast(), self.len) }
    }
}

/// An operand of a loaded kernel. Its range has been checked against the buffer's length when the plan was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub space: Space,
    pub at: usize,
    pub per_batch: usize,
    /// Elements that the kernel may touch from `at`.
    pub len: usize,
}

impl Operand {
    /// Whether the two share an element.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.space == other.space && self.at < other.at + other.len && other.at < self.at + self.len
    }
}

impl From<&Arg> for Operand {
    fn from(arg: &Arg) -> Self {
        Self {
            space: arg.region.space,
            at: (arg.region.offset + arg.start) as usize,
            per_batch: arg.per_batch as usize,
            len: arg.region.len.saturating_sub(arg.start) as usize,
        }
    }
}

/// Both buffers while kernels run. Kernels may read and write the same elements, so elements are cells.
#[derive(Clone, Copy)]
pub(crate) struct Memory<'a> {
    arena: &'a [Cell<f32>],
    data: &'a [Cell<f32>],
    batch: usize,
}

impl<'a> Memory<'a> {
    pub fn new(arena: &'a mut Buffer, data: &'a mut Buffer) -> Self {
        Self { arena: arena.cells(), data: data.cells(), batch: 0 }
    }

    /// The same memory as the step with this batch row sees it.
    pub fn with_batch(self, batch: u32) -> Self {
        Self { batch: batch as usize, ..self }
    }

    /// The operand's elements.
    #[inline]
    pub fn cells(&self, operand: &Operand) -> &'a [Cell<f32>] {
        let at = operand.at + operand.per_batch * self.batch;
        let space = if operand.space == Space::Arena { self.arena } else { self.data };
        &space[at..at + operand.len]
    }

    /// First element of the operand. Kernels may read [`OVERREAD`] elements beyond its end.
    #[inline]
    pub fn ptr(&self, operand: &Operand) -> *mut f32 {
        let space = if operand.space == Space::Arena { self.arena } else { self.data };
        // SAFETY: loading a plan checks that `at + per_batch·batch + len` does not exceed the buffer, submitting checks the batch.
        unsafe { space.as_ptr().add(operand.at + operand.per_batch * self.batch).cast_mut().cast() }
    }
}

/// One word of an operand.
#[inline]
pub(crate) fn word(cell: &Cell<f32>) -> u32 {
    cell.get().to_bits()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_keeps_its_content_when_it_grows_and_says_when_it_cannot() {
        let mut buffer = Buffer::default();
        buffer.grow(10).unwrap();
        buffer.words_mut()[9] = 7;
        buffer.grow(1000).unwrap();
        assert_eq!((buffer.words()[9], buffer.words()[10], buffer.len()), (7, 0, 1000));
        assert_eq!(buffer.as_mut_ptr() as usize % 16, 0);
        assert!(buffer.grow(usize::MAX / 2).is_err());
        assert_eq!((buffer.words()[9], buffer.len()), (7, 1000));
    }
}
