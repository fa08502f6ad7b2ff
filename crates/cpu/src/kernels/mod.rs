//! The kernel families on the CPU: one file each, and one line in the list below.

mod accuracy;
mod assign;
mod attention;
mod copy_into;
mod flat_update;
mod grad_norm;
mod index_add;
mod index_select;
mod layer_norm;
mod loss;
mod map;
mod pool;
mod product;
mod record;
mod reduce;
mod rows;
mod scan;

use std::collections::TryReserveError;

use downhill_compile::ExecError;
use downhill_graph::StepScalars;
use downhill_graph::kernel::Kernel;
use downhill_tensor::apart;

use crate::arena::{Buffer, Memory};
pub(crate) use crate::bind::{Bound, Loader};
use crate::budget::Budget;
use crate::matmul::{self, MatMulOp, Panels};
use crate::vm::{Machine, MapOp};

/// Scratch that all programs share.
#[derive(Default)]
pub(crate) struct Scratch {
    pub machine: Machine,
    pub panels: Panels,
    pub states: scan::States,
    /// Numbers that a kernel keeps while it runs.
    pub floats: Buffer,
}

/// What a kernel runs with.
pub(crate) struct Cx<'a> {
    pub scratch: &'a mut Scratch,
    pub memory: Memory<'a>,
    pub step: &'a StepScalars,
    pub budget: &'a mut Budget,
}

/// Where a kernel that was interrupted goes on; all zero where it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cursor {
    /// The next element, row or block.
    pub at: usize,
    /// The part of it, where a kernel has several: a group of parameters, a tensor.
    pub part: usize,
    /// The next block of a matrix product.
    pub block: matmul::Cursor,
    /// Sums that go on.
    pub sums: [f64; 2],
}

impl Cursor {
    /// Handles `total` pieces from the cursor on, `chunk` at a time (nothing is left out at the end), until the time is up; says whether all are
    /// done. Chunks start at multiples of `chunk` whether it stops between them or not, so that a run that is interrupted gives the same bits.
    pub fn pieces(
        &mut self,
        cx: &mut Cx<'_>,
        total: usize,
        chunk: usize,
        ns_per_piece: f64,
        mut piece: impl FnMut(&mut Cx<'_>, &mut Self, usize, usize),
    ) -> bool {
        let chunk = chunk.max(1);
        loop {
            let (start, end) = (self.at, total.min(self.at.saturating_add(chunk)));
            piece(cx, self, start, end);
            self.at = end;
            if end >= total {
                return true;
            }
            if !cx.budget.spend((end - start) as f64 * ns_per_piece) {
                return false;
            }
        }
    }
}

/// A kernel family on the CPU.
pub(crate) trait CpuKernel: Sized {
    /// The attributes.
    type Spec;

    /// Whether the page can run it from the start. The code of others is fetched when a model needs one of them: see [`apart`].
    const AT_ONCE: bool = true;

    /// Prepares a kernel whose attributes and operands have been checked.
    ///
    /// # Errors
    /// When it cannot run here.
    fn load(spec: &Self::Spec, operands: Bound, loader: &mut Loader<'_>) -> Result<Self, ExecError>;

    /// Makes room in the scratch, so that running allocates nothing.
    ///
    /// # Errors
    /// When memory runs out.
    fn reserve(&self, _scratch: &mut Scratch) -> Result<(), TryReserveError> {
        Ok(())
    }

    /// Runs it, or the part of it that fits into the budget; says whether it is finished. Whoever calls resets the cursor then.
    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool;
}

macro_rules! kernels {
    ($($name:ident => $op:ty),+ $(,)?) => {
        /// A loaded kernel.
        #[derive(Clone, Debug)]
        pub(crate) enum Op {
            $($name($op)),+
        }

        impl Op {
            /// See [`CpuKernel::load`].
            ///
            /// # Errors
            /// When it cannot run here.
            pub fn load(kernel: &Kernel, operands: Bound, loader: &mut Loader<'_>) -> Result<Self, ExecError> {
                Ok(match kernel { $(
                    Kernel::$name(spec) if <$op as CpuKernel>::AT_ONCE => Op::$name(<$op as CpuKernel>::load(spec, operands, loader)?),
                    Kernel::$name(spec) => Op::$name(apart(|| <$op as CpuKernel>::load(spec, operands, loader))?),
                )+ })
            }

            /// See [`CpuKernel::reserve`].
            ///
            /// # Errors
            /// When memory runs out.
            pub fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
                match self { $(
                    Op::$name(op) if <$op as CpuKernel>::AT_ONCE => op.reserve(scratch),
                    Op::$name(op) => apart(|| op.reserve(scratch)),
                )+ }
            }

            /// See [`CpuKernel::run`].
            pub fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
                let finished = match self { $(
                    Op::$name(op) if <$op as CpuKernel>::AT_ONCE => op.run(cursor, cx),
                    Op::$name(op) => apart(|| op.run(cursor, cx)),
                )+ };
                if finished {
                    *cursor = Cursor::default();
                }
                finished
            }
        }
    };
}

kernels! {
    Map => MapOp,
    Reduce => reduce::ReduceOp,
    MatMul => Box<MatMulOp>,
    Pool => pool::PoolOp,
    Rows => rows::RowsOp,
    Attention => attention::AttentionOp,
    LayerNorm => layer_norm::LayerNormOp,
    Loss => loss::LossOp,
    Accuracy => accuracy::AccuracyOp,
    IndexSelect => index_select::IndexSelectOp,
    IndexAdd => index_add::IndexAddOp,
    Scan => Box<scan::ScanOp>,
    CopyInto => copy_into::CopyOp,
    GradNorm => grad_norm::NormOp,
    FlatUpdate => flat_update::UpdateOp,
    Assign => assign::AssignOp,
    Record => record::RecordOp,
}
