//! Copies: where a kernel wants contiguous memory, or a value at a place of its own.

use downhill_graph::kernel::{CopyIntoSpec, Kernel};
use downhill_graph::{Expr, ExprOp, Value};
use downhill_tensor::{Dtype, Shape};
use smallvec::smallvec;

use super::{Lowering, Place};
use crate::CompileError;
use crate::access::View;
use crate::iterate::{Iteration, Walked};
use crate::work::{BufferId, Home, Read};

/// A copy of more dimensions than kernels walk is cut into at most as many.
const MAX_BLOCKS: usize = 256;

impl Lowering<'_> {
    /// Whether a view is all of its buffer, in order.
    pub(super) fn is_whole(&self, buffer: BufferId, view: &View) -> bool {
        view.is_contiguous() && view.offset == 0 && view.numel() == self.work.buffer(buffer).len
    }

    /// A buffer with the value's elements in row-major order.
    pub(super) fn contiguous(&mut self, value: Value) -> Result<BufferId, CompileError> {
        if let Place::Tensor { buffer, view } = self.place(value)?
            && self.is_whole(buffer, &view)
        {
            return Ok(buffer);
        }
        if let Some(&copy) = self.copies.get(&value) {
            return Ok(copy);
        }
        let buffer = self.work.add_buffer(self.graph.shape(value).numel(), Home::Scratch);
        self.copy(value, buffer)?;
        self.copies.insert(value, buffer);
        Ok(buffer)
    }

    /// Writes the value's elements in row-major order into a new buffer.
    pub(super) fn copy(&mut self, value: Value, to: BufferId) -> Result<(), CompileError> {
        let ty = self.graph.ty(value).clone();
        match self.place(value)? {
            Place::Tensor { buffer, view } if ty.dtype == Dtype::U32 && view.is_contiguous() => {
                // Integers are moved as words: a float copy may flush their bits.
                let len = ty.shape.numel() as u32;
                let kernel = Kernel::CopyInto(CopyIntoSpec { outer: 1, len, stride: len, start: 0 });
                self.push(kernel, smallvec![Read { buffer, start: view.offset }], smallvec![to]);
                Ok(())
            }
            Place::Tensor { buffer, view } => self.copy_walk(buffer, &view, &ty.shape, &ty.shape.strides(), to),
            Place::Const(c) => self.fill(ExprOp::Const(c), &ty.shape, to),
            Place::Scalar(id) => self.fill(ExprOp::Scalar(id), &ty.shape, to),
        }
    }

    fn fill(&mut self, with: ExprOp, shape: &Shape, to: BufferId) -> Result<(), CompileError> {
        let mut expr = Expr::default();
        let register = expr.push(with);
        expr.outputs.push(register);
        let (map, reads) = Walked { shape: smallvec![shape.numel()], reads: Vec::new() }.kernel(expr);
        self.push(Kernel::Map(map), reads, smallvec![to]);
        Ok(())
    }

    /// Copies a walk over a tensor's row-major elements; block by block where it has more dimensions than a kernel walks.
    pub(super) fn copy_walk(
        &mut self,
        buffer: BufferId,
        view: &View,
        shape: &[usize],
        strides: &[usize],
        to: BufferId,
    ) -> Result<(), CompileError> {
        let mut space = Iteration::new(shape);
        space.add(buffer, strides, 0, view).ok_or_else(|| self.unsupported("a view that leaves its input"))?;
        let mut expr = Expr::default();
        let register = expr.read(0);
        expr.outputs.push(register);
        let blocks = space.blocks();
        if let [walked] = &blocks[..] {
            let (map, reads) = walked.kernel(expr);
            self.push(Kernel::Map(map), reads, smallvec![to]);
            return Ok(());
        }
        if blocks.len() > MAX_BLOCKS {
            return Err(self.unsupported("more dimensions than kernels walk"));
        }
        let len = shape.iter().product::<usize>() / blocks.len();
        for (i, walked) in blocks.into_iter().enumerate() {
            let part = self.work.add_buffer(len, Home::Scratch);
            let (map, reads) = walked.kernel(expr.clone());
            self.push(Kernel::Map(map), reads, smallvec![part]);
            let spec = CopyIntoSpec { outer: 1, len: len as u32, stride: len as u32, start: (i * len) as u32 };
            let kernel = Kernel::CopyInto(spec);
            self.push(kernel, smallvec![Read { buffer: part, start: 0 }], smallvec![to]);
        }
        Ok(())
    }
}
