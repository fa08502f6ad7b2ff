//! What a backend has to implement: every op lowers to these kernel families.
//!
//! A kernel holds attributes only. Its operands are given beside it, in the order its documentation names, as
//! `reads` and `writes` (see [`Launch`]). Unless a kernel says otherwise, operands are contiguous and row-major.

mod index_select;

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

pub use index_select::{Element, IndexSelectSpec};

use crate::{Expr, ScalarId};

/// Strides in elements, one per dimension of the kernel's iteration space; 0 repeats.
pub type Strides = SmallVec<[u32; 4]>;

/// An elementwise computation over an iteration space of at most four dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct MapSpec {
    /// Iteration space, outermost first. Never empty: a scalar is `[1]`.
    pub shape: SmallVec<[u32; 4]>,
    /// The computation: `Read(i)` is the element of `reads[i]`.
    pub expr: Expr,
    /// How each read is walked.
    pub read_strides: SmallVec<[Strides; 4]>,
}

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceKind {
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Largest element.
    Max,
    /// Smallest element.
    Min,
}

/// Where a matrix lies: element (batch, row, column) is at `batch·batch_stride + row·row_stride + col·col_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatLayout {
    /// Distance between matrices of the batch; 0 repeats one matrix.
    pub batch_stride: u32,
    /// Distance between rows.
    pub row_stride: u32,
    /// Distance between columns. One of the two is 1.
    pub col_stride: u32,
}

/// What happens to a finished element of a matrix product before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Epilogue {
    /// `Read(0)` is the product's element, `Read(1 + i)` the element of `reads[2 + i]`; each output goes to `writes`.
    pub expr: Expr,
    /// How each extra read is walked over `[batch, m, n]`.
    pub read_strides: SmallVec<[[u32; 3]; 2]>,
}

/// Batched matrix product. Reads `a`, `b`, then the epilogue's; writes the epilogue's outputs (or the product), then the row
/// sums of `a` where `row_sum` is set. Outputs are contiguous `[batch, m, n]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMulSpec {
    /// Number of products.
    pub batch: u32,
    /// Rows of `a` and of the result.
    pub m: u32,
    /// Columns of `b` and of the result.
    pub n: u32,
    /// Columns of `a`, rows of `b`.
    pub k: u32,
    /// Layout of `a`, `m` × `k`.
    pub a: MatLayout,
    /// Layout of `b`, `k` × `n`.
    pub b: MatLayout,
    /// Fused elementwise tail.
    pub epilogue: Option<Epilogue>,
    /// Also writes Σₖ a[·, k], shape `[m]`, summed over the batch: the bias gradient that goes with a weight gradient.
    pub row_sum: bool,
}

/// A loss between a prediction and a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LossKind {
    /// Mean squared error; target f32 like the prediction.
    Mse,
    /// Mean absolute error.
    L1,
    /// Huber loss with threshold `delta` (`torch.nn.HuberLoss`).
    Huber(f32),
    /// Binary cross-entropy of logits; target f32 in [0, 1], like the prediction.
    BceWithLogits,
    /// Cross-entropy of logits `[rows, classes]` against labels u32 `[rows]`, with label smoothing.
    CrossEntropy {
        /// Share of the probability spread evenly over all classes.
        label_smoothing: f32,
    },
}

impl LossKind {
    /// Its name in `torch.nn.functional`.
    pub fn name(self) -> &'static str {
        match self {
            LossKind::Mse => "mse_loss",
            LossKind::L1 => "l1_loss",
            LossKind::Huber(_) => "huber_loss",
            LossKind::BceWithLogits => "binary_cross_entropy_with_logits",
            LossKind::CrossEntropy { .. } => "cross_entropy",
        }
    }
}

/// A computation along the last axis of `[rows, cols]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowsKind {
    /// Reads x; writes softmax(x).
    Softmax,
    /// Reads x; writes log softmax(x).
    LogSoftmax,
    /// Reads y = softmax(x) and dy; writes dx.
    SoftmaxGrad,
    /// Reads y = log softmax(x) and dy; writes dx.
    LogSoftmaxGrad,
    /// Reads prediction, target, and weights `[rows]` where `weighted`; writes the loss (one element), Σᵢ wᵢ·lᵢ / Σᵢ wᵢ with lᵢ the
    /// mean over the columns (cross-entropy: the row's loss), and its gradient like the prediction. All weights zero: loss 0, gradient 0.
    /// A row whose label is no class weighs 0; a row of weight 0 adds nothing even where its own loss is not finite.
    Loss {
        /// Which loss.
        kind: LossKind,
        /// Whether weights are read.
        weighted: bool,
    },
    /// Reads logits, target, and weights `[rows]` where `weighted`; writes one element: the weighted share of rows predicted
    /// right. One column: logit > 0 against target > 0.5 (f32); more: argmax (first on ties) against a label (u32),
    /// where a row whose label is no class weighs 0.
    Accuracy {
        /// Whether weights are read.
        weighted: bool,
    },
}

impl RowsKind {
    /// Its name, as `torch.nn.functional` has it where it has it.
    pub fn name(self) -> &'static str {
        match self {
            RowsKind::Softmax => "softmax",
            RowsKind::LogSoftmax => "log_softmax",
            RowsKind::SoftmaxGrad => "softmax_grad",
            RowsKind::LogSoftmaxGrad => "log_softmax_grad",
            RowsKind::Loss { kind, .. } => kind.name(),
            RowsKind::Accuracy { .. } => "accuracy",
        }
    }
}

/// One range of parameters that shares its rate and decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateGroup {
    /// First element, counted from the start of the parameters.
    pub start: u32,
    /// Number of elements, padding included.
    pub len: u32,
    /// Taken where the rule says [`ScalarId::LR`].
    pub lr: ScalarId,
    /// Taken where the rule says [`ScalarId::DECAY`].
    pub decay: ScalarId,
}

/// How an optimizer changes one weight: elementwise, the same for all.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateRule {
    /// Name of the optimizer.
    pub name: &'static str,
    /// `Read(0)` the weight, `Read(1)` its gradient (already scaled when clipped by norm), `Read(2 + i)` slot `i`; outputs: the new weight, then the
    /// new slots.
    pub expr: Expr,
    /// Names of the optimizer's slots (`exp_avg`, …); all start at zero.
    pub slots: Vec<&'static str>,
}

/// The kernel families: all that a backend implements.
#[derive(Clone, Debug, PartialEq)]
pub enum Kernel {
    /// Elementwise. Writes one contiguous output per output of the expression.
    Map(MapSpec),
    /// Reduces the middle axis of an elementwise computation over `[outer, reduced, inner]`; writes `[outer, inner]`.
    Reduce {
        /// The computation before reducing; its shape has exactly three dimensions and its expression one output.
        map: MapSpec,
        /// How.
        kind: ReduceKind,
    },
    /// See [`MatMulSpec`].
    MatMul(MatMulSpec),
    /// Along the last axis.
    Rows {
        /// What.
        kind: RowsKind,
        /// Number of rows.
        rows: u32,
        /// Elements per row.
        cols: u32,
    },
    /// See [`IndexSelectSpec`].
    IndexSelect(IndexSelectSpec),
    /// Reads values `[rows, width]` and indices u32 `[rows]`; writes `[entries, width]`, each entry the sum of its rows in order.
    IndexAdd {
        /// Number of indices.
        rows: u32,
        /// Elements per entry.
        width: u32,
        /// Entries in the table.
        entries: u32,
    },
    /// Copies one contiguous read into a part of the write: for each of `outer` blocks, `len` elements to `outer·stride + start`.
    CopyInto {
        /// Number of blocks.
        outer: u32,
        /// Elements per block.
        len: u32,
        /// Distance between blocks in the write.
        stride: u32,
        /// First element of block 0 in the write.
        start: u32,
    },
    /// Reads any number of tensors; writes one element: the 2-norm of them all together.
    Norm,
    /// Reads the loss (one element) and, where `scaled`, a factor for the gradients (one element). Changes parameters and slots in place, reading
    /// the gradients, all at the places that the state layout gives. If the loss or any gradient is not finite it changes nothing
    /// and sets the sticky flag to the step's number plus one (at least 1); while the flag is not 0 it does nothing.
    FlatUpdate {
        /// The optimizer.
        rule: Arc<UpdateRule>,
        /// Ranges, ascending, together all parameters.
        groups: Vec<UpdateGroup>,
        /// Whether gradients are multiplied by a factor first.
        scaled: bool,
    },
    /// Reads scalars; writes them as one row of the metrics ring, unless the step records nothing. A row starts with the step's number (u32 bits)
    /// and the sticky flag.
    Record,
}

impl Kernel {
    /// Name of the family.
    pub fn family(&self) -> &'static str {
        match self {
            Kernel::Map(_) => "map",
            Kernel::Reduce { .. } => "reduce",
            Kernel::MatMul(_) => "matmul",
            Kernel::Rows { .. } => "rows",
            Kernel::IndexSelect(_) => "index_select",
            Kernel::IndexAdd { .. } => "index_add",
            Kernel::CopyInto { .. } => "copy_into",
            Kernel::Norm => "norm",
            Kernel::FlatUpdate { .. } => "flat_update",
            Kernel::Record => "record",
        }
    }
}

impl fmt::Display for Kernel {
    /// Family and the attributes that tell two of one family apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kernel::Map(map) => write!(f, "map {:?} {}", map.shape.as_slice(), map.expr),
            Kernel::Reduce { map, kind } => write!(f, "reduce {kind:?} {:?} {}", map.shape.as_slice(), map.expr),
            Kernel::MatMul(s) => {
                let t = |l: &MatLayout| if l.col_stride == 1 { 'n' } else { 't' };
                write!(f, "matmul.{}{} {}×{}×{}", t(&s.a), t(&s.b), s.m, s.n, s.k)?;
                if s.batch > 1 {
                    write!(f, " ×{}", s.batch)?;
                }
                if let Some(e) = &s.epilogue {
                    write!(f, " → {}", e.expr)?;
                }
                if s.row_sum { f.write_str(" + row sums") } else { Ok(()) }
            }
            Kernel::Rows { kind, rows, cols } => write!(f, "{} {rows}×{cols}", kind.name()),
            Kernel::IndexSelect(spec) => spec.fmt(f),
            Kernel::IndexAdd { rows, width, entries } => {
                write!(f, "{} {rows}×{width} of {entries}", self.family())
            }
            Kernel::CopyInto { outer, len, stride, start } => write!(f, "copy_into {outer}×{len} every {stride} from {start}"),
            Kernel::FlatUpdate { rule, groups, scaled } => {
                write!(f, "flat_update {} in {} group(s){}", rule.name, groups.len(), if *scaled { ", scaled" } else { "" })
            }
            Kernel::Norm | Kernel::Record => f.write_str(self.family()),
        }
    }
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
