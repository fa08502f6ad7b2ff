//! What a backend has to implement: every op lowers to the kernel families listed here, one file each.
//!
//! A kernel holds attributes only. Its operands are given beside it, in the order that [`KernelDef::operands`] names, as `reads` and `writes`
//! (see [`Launch`]). Unless a kernel says otherwise, operands are contiguous and row-major.

mod eval;
mod operands;
mod patches;

use std::fmt;

use smallvec::SmallVec;

pub use eval::Numbers;
pub use operands::{Access, Name, Operands};
pub use patches::{Patches, Window};

use crate::{Expr, StepScalars};

/// Strides in elements, one per dimension of the kernel's iteration space; 0 repeats.
pub type Strides = SmallVec<[u32; 4]>;

/// What is known of a kernel family without a backend. One implementation per file in this folder; `cpu` and `gpu` hold a file of the same name
/// each.
pub trait KernelDef {
    /// Name of the family.
    const FAMILY: &'static str;
    /// Whether it changes the state; such kernels keep their order.
    const EFFECT: bool = false;
    /// Whether it writes a part of its output only, so that several may write one buffer.
    const PARTIAL: bool = false;

    /// Checks that the attributes go together. Backends rely on it.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// What it reads and writes.
    fn operands(&self) -> Operands;

    /// Floating-point operations.
    fn flops(&self) -> u64;

    /// Bytes that it reads and writes.
    fn bytes(&self) -> u64 {
        self.operands().bytes()
    }

    /// Family and the attributes that tell two of one family apart.
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Its outputs in f64, slowly and obviously right; `None` where it changes what was there before: a copy into a part, the state.
    fn eval(&self, _reads: &[&dyn Numbers], _step: &StepScalars) -> Option<Vec<Vec<f64>>> {
        None
    }
}

macro_rules! kernels {
    ($($(#[$doc:meta])* $module:ident::$name:ident($spec:ident)),+ $(,)?) => {
        $(mod $module;
        pub use $module::*;)+

        /// The kernel families: all that a backend implements.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Kernel {
            $($(#[$doc])* $name($spec)),+
        }

        impl Kernel {
            /// Names of all families.
            pub const FAMILIES: &'static [&'static str] = &[$(<$spec as KernelDef>::FAMILY),+];

            /// Name of the family.
            pub fn family(&self) -> &'static str {
                match self { $(Kernel::$name(_) => <$spec as KernelDef>::FAMILY),+ }
            }

            /// See [`KernelDef::EFFECT`].
            pub fn is_effect(&self) -> bool {
                match self { $(Kernel::$name(_) => <$spec as KernelDef>::EFFECT),+ }
            }

            /// See [`KernelDef::PARTIAL`].
            pub fn is_partial(&self) -> bool {
                match self { $(Kernel::$name(_) => <$spec as KernelDef>::PARTIAL),+ }
            }

            /// See [`KernelDef::check`].
            ///
            /// # Errors
            /// When the attributes do not go together.
            pub fn check(&self) -> Result<(), String> {
                match self { $(Kernel::$name(spec) => spec.check()),+ }
            }

            /// See [`KernelDef::operands`].
            pub fn operands(&self) -> Operands {
                match self { $(Kernel::$name(spec) => spec.operands()),+ }
            }

            /// See [`KernelDef::flops`].
            pub fn flops(&self) -> u64 {
                match self { $(Kernel::$name(spec) => spec.flops()),+ }
            }

            /// See [`KernelDef::bytes`].
            pub fn bytes(&self) -> u64 {
                match self { $(Kernel::$name(spec) => spec.bytes()),+ }
            }

            /// See [`KernelDef::eval`].
            pub fn eval(&self, reads: &[&dyn Numbers], step: &StepScalars) -> Option<Vec<Vec<f64>>> {
                match self { $(Kernel::$name(spec) => spec.eval(reads, step)),+ }
            }
        }

        impl fmt::Display for Kernel {
            /// Family and the attributes that tell two of one family apart.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Kernel::$name(spec) => spec.print(f)),+ }
            }
        }
    };
}

kernels! {
    /// Elementwise.
    map::Map(MapSpec),
    /// Along the middle of three dimensions.
    reduce::Reduce(ReduceSpec),
    /// Matrix products.
    matmul::MatMul(MatMulSpec),
    /// The largest or the mean of sliding windows.
    pool::Pool(PoolSpec),
    /// Softmax along the last axis.
    rows::Rows(RowsSpec),
    /// Attention of several heads.
    attention::Attention(AttentionSpec),
    /// Rows with mean 0 and variance 1.
    layer_norm::LayerNorm(LayerNormSpec),
    /// A loss with its gradient.
    loss::Loss(LossSpec),
    /// Share of right predictions.
    accuracy::Accuracy(AccuracySpec),
    /// Entries of a table by index.
    index_select::IndexSelect(IndexSelectSpec),
    /// Rows added up by index.
    index_add::IndexAdd(IndexAddSpec),
    /// Recurrent cells over time.
    scan::Scan(ScanSpec),
    /// Copies into a part.
    copy_into::CopyInto(CopyIntoSpec),
    /// 2-norm of tensors together.
    grad_norm::GradNorm(GradNormSpec),
    /// The optimizer's step.
    flat_update::FlatUpdate(FlatUpdateSpec),
    /// The next values of all states.
    assign::Assign(AssignSpec),
    /// A row of metrics.
    record::Record(RecordSpec),
}

/// An operand of a [`Launch`] while its op is being lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The op's `n`-th input.
    Input(usize),
    /// The op's `n`-th output.
    Output(usize),
}

/// A kernel with its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// What to run.
    pub kernel: Kernel,
    /// What it reads, in the kernel's order.
    pub reads: SmallVec<[Operand; 4]>,
    /// What it writes, in the kernel's order.
    pub writes: SmallVec<[Operand; 2]>,
}

/// An output that is its input seen through other strides: no kernel runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSpec {
    /// Elements skipped at the start of the input.
    pub offset: usize,
    /// Strides in elements, one per dimension of the output; relative to a contiguous input.
    pub strides: SmallVec<[usize; 4]>,
}

/// What an op turns into.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "it lives only while its node is lowered")]
pub enum Lowered {
    /// Stands for a buffer that exists already (parameter, feed), or (constants, step scalars) is folded into its readers.
    Leaf,
    /// The first output is the first input seen through other strides.
    View(ViewSpec),
    /// The elementwise expression of the inputs, which broadcast to the output's shape: the fuser composes these.
    Elementwise(Expr),
    /// Kernels, in order; together they write every output.
    Kernels(SmallVec<[Launch; 1]>),
}
