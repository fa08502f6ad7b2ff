//! One file per op; an op is known by its line in the list below.

use std::fmt;

use downhill_tensor::{Shape, TensorTy, apart};
use smallvec::SmallVec;

use crate::kernel::Lowered;
use crate::tensors::{Env, Tensor};
use crate::{NodeOp, OpError, Outputs, Value, graph};

#[cfg(test)]
pub(crate) use case::Projected;
pub use case::{ALMOST_ZERO, OpCase, compare};
pub use conv::Convolution;
pub use index_select::Table;
pub use max_pool::Pooling;
pub use update::Updated;
pub use vjp::Vjp;

/// The graph of these ops.
pub type Graph = graph::Graph<Op>;

/// One of these ops applied to values.
pub type Node = graph::Node<Op>;

/// What an op is. One implementation per file in this folder.
pub trait OpDef {
    /// Name in print, lower case, PyTorch's where it has one.
    const NAME: &'static str;

    /// Whether the page can use it from the start. The code of others is fetched when a model needs one of them: see [`apart`].
    const AT_ONCE: bool = true;

    /// Types of the outputs from the types of the inputs. `graph` holds the declarations of parameters and feeds.
    ///
    /// # Errors
    /// When the inputs do not fit, naming their shapes.
    fn infer(&self, inputs: &[&TensorTy], graph: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError>;

    /// Adds gradient nodes through `cx` and returns the gradient of every input, `None` where there is none (integers, constants) or
    /// where it is zero. Broadcast inputs are summed back by the caller.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]>;

    /// Computes the outputs in f64, slowly and obviously right. Side effects (updates, records) go to `env`.
    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], env: &mut Env) -> Vec<Tensor>;

    /// What backends run. `node` has the types.
    fn lower(&self, node: &Node, graph: &Graph) -> Lowered;

    /// The same outputs, all of them in their order, from other ops, for an instance of the op that no single kernel covers; asked before
    /// [`OpDef::lower`], which then never sees that instance. See [`crate::decompose`].
    fn decompose(&self, _graph: &mut Graph, _inputs: &[Value]) -> Option<Outputs> {
        None
    }

    /// Name and attributes: `slice<1, 0..4>`.
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAME)
    }

    /// Cases that every backend must pass, and whose gradients are checked against finite differences.
    fn cases() -> Vec<OpCase>;
}

macro_rules! ops {
    ($($(#[$doc:meta])* $module:ident :: $name:ident),* $(,)?) => {
        /// Every op. Attributes live here, inputs in the [`Node`].
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            $($(#[$doc])* $name($module::$name)),*
        }

        $(impl From<$module::$name> for Op {
            fn from(op: $module::$name) -> Op {
                Op::$name(op)
            }
        }
        pub use $module::$name;)*

        /// Calls a method of whichever op it is, apart where the op is not there from the start.
        macro_rules! of_each {
            ($op:expr, $it:ident => $call:expr) => {
                match $op { $(
                    Op::$name($it) if <$module::$name as OpDef>::AT_ONCE => $call,
                    Op::$name($it) => apart(|| $call),
                )* }
            };
        }

        impl Op {
            /// Name in print.
            pub fn name(&self) -> &'static str {
                match self { $(Op::$name(_) => <$module::$name as OpDef>::NAME),* }
            }

            /// See [`OpDef::vjp`].
            pub fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
                of_each!(self, op => op.vjp(cx))
            }

            /// See [`OpDef::eval`].
            pub fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], env: &mut Env) -> Vec<Tensor> {
                of_each!(self, op => op.eval(inputs, outputs, env))
            }

            /// See [`OpDef::lower`].
            pub fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
                of_each!(self, op => op.lower(node, graph))
            }

            /// See [`OpDef::decompose`].
            pub fn decompose(&self, graph: &mut Graph, inputs: &[Value]) -> Option<Outputs> {
                of_each!(self, op => op.decompose(graph, inputs))
            }
        }

        impl NodeOp for Op {
            /// See [`OpDef::infer`].
            fn infer(&self, inputs: &[&TensorTy], graph: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
                of_each!(self, op => op.infer(inputs, graph))
            }

            fn stand_in() -> Self {
                Constant { value: f32::NAN, shape: Shape::scalar() }.into()
            }
        }

        impl fmt::Display for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Op::$name(op) => op.print(f)),* }
            }
        }

        /// The cases of all ops.
        pub fn all_cases() -> Vec<OpCase> {
            let mut cases = Vec::new();
            $(cases.extend(<$module::$name as OpDef>::cases());)*
            cases
        }
    };
}

ops! {
    /// A trainable tensor.
    leaf::ParameterOp,
    /// What the optimizer keeps of a parameter.
    leaf::SlotOp,
    /// A tensor that goes on from step to step.
    leaf::StateOp,
    /// A tensor from the host.
    leaf::FeedOp,
    /// The same number everywhere.
    leaf::Constant,
    /// A step scalar.
    leaf::Scalar,
    /// A function of one number.
    elementwise::Unary,
    /// A function of one number that is made of others.
    elementwise::Composed,
    /// A function of two numbers.
    elementwise::Binary,
    /// A choice per element.
    elementwise::Select,
    /// Random zeros.
    dropout::Dropout,
    /// Matrix product.
    matmul::MatMul,
    /// Convolution.
    conv::Conv,
    /// Its way back to the image.
    conv_transpose::ConvTranspose,
    /// Its weight gradient.
    conv_weight::ConvWeight,
    /// The largest of each window.
    max_pool::MaxPool,
    /// Its gradient.
    max_pool::MaxPoolGrad,
    /// The mean of each window.
    avg_pool::AvgPool,
    /// Its gradient.
    avg_pool::AvgPoolGrad,
    /// Sum, mean, largest, smallest.
    reduce::Reduce,
    /// The same elements in another shape.
    reshape::Reshape,
    /// Dimensions in another order.
    permute::Permute,
    /// A range of one dimension.
    slice::Slice,
    /// Pieces along one dimension.
    split::Split,
    /// Repetition along dimensions of size 1.
    expand::Expand,
    /// Several tensors along one dimension.
    concat::Concat,
    /// A border along one dimension.
    pad::Pad,
    /// Softmax of the last dimension.
    softmax::Softmax,
    /// Its gradient.
    softmax::SoftmaxGrad,
    /// Logarithm of softmax.
    log_softmax::LogSoftmax,
    /// Its gradient.
    log_softmax::LogSoftmaxGrad,
    /// Attention of several heads.
    attention::Attention,
    /// Its gradients.
    attention::AttentionGrad,
    /// Its weights.
    attention::AttentionWeights,
    /// Rows with mean 0 and variance 1.
    layer_norm::LayerNorm,
    /// Its gradients.
    layer_norm::LayerNormGrad,
    /// Entries of a table by index.
    index_select::IndexSelect,
    /// Sums of rows into a table by index.
    index_add::IndexAdd,
    /// A recurrent cell over time.
    scan::Scan,
    /// The way back through one.
    scan::ScanGrad,
    /// A loss and its gradient.
    loss::Loss,
    /// Share of right predictions.
    accuracy::Accuracy,
    /// 2-norm of tensors together.
    update::GradNorm,
    /// The optimizer's step.
    update::FlatUpdate,
    /// The next values of all states.
    assign::Assign,
    /// A row of metrics.
    update::Record,
}

mod accuracy;
mod assign;
mod attention;
mod avg_pool;
mod case;
mod check;
mod concat;
mod conv;
mod conv_transpose;
mod conv_weight;
mod dropout;
mod elementwise;
mod expand;
mod index_add;
mod index_select;
mod layer_norm;
mod leaf;
mod log_softmax;
mod loss;
mod matmul;
mod max_pool;
mod pad;
mod permute;
mod reduce;
mod reshape;
mod rows;
mod scan;
mod slice;
mod softmax;
mod split;
mod target;
mod update;
mod vjp;
