//! One file per op; an op is known by its line in the list below.

use downhill_tensor::{Shape, TensorTy};
use smallvec::SmallVec;

use crate::interp::{Env, Tensor};
use crate::kernel::Lowered;
use crate::{Graph, Node, NodeId, OpError, Value};

/// What an op is. One implementation per file in this folder.
pub trait OpDef {
    /// Name in print, lower case, PyTorch's where it has one.
    const NAME: &'static str;

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

    /// Cases that every backend must pass, and whose gradients are checked against finite differences.
    fn cases() -> Vec<OpCase>;
}

/// Context of [`OpDef::vjp`]: the forward node and the gradients of its outputs.
pub struct Vjp<'a> {
    /// The graph that gradient nodes are added to.
    pub graph: &'a mut Graph,
    /// The forward node.
    pub node: NodeId,
    /// Gradient of each output, `None` where nothing depends on it.
    pub grads: SmallVec<[Option<Value>; 2]>,
}

impl Vjp<'_> {
    /// The forward node's `i`-th input.
    pub fn input(&self, i: usize) -> Value {
        self.graph.node(self.node).inputs[i]
    }

    /// The forward node's `i`-th output.
    pub fn output(&self, i: u8) -> Value {
        Value { node: self.node, slot: i }
    }

    /// Shape of the `i`-th input.
    pub fn input_shape(&self, i: usize) -> Shape {
        self.graph.shape(self.input(i)).clone()
    }

    /// Applies an op whose inputs are known to fit.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[Value]) -> Value {
        self.graph.apply(op, inputs).expect("a gradient rule builds well-typed nodes")
    }
}

/// A small program around one op, with inputs and what is expected of backends.
#[derive(Clone, Debug)]
pub struct OpCase {
    /// What it is about: `matmul tn 3×5×7`.
    pub name: String,
    /// The op.
    pub op: Op,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// Largest allowed |backend − interpreter| relative to the largest magnitude of the output (plus the same absolutely).
    pub tolerance: f64,
    /// Which inputs are checked against finite differences.
    pub gradients: bool,
    /// Values of the first input closer than this to a kink are moved away before finite differences are taken.
    pub kinks: Vec<f64>,
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

        impl Op {
            /// Name in print.
            pub fn name(&self) -> &'static str {
                match self { $(Op::$name(_) => <$module::$name as OpDef>::NAME),* }
            }

            /// See [`OpDef::infer`].
            ///
            /// # Errors
            /// When the inputs do not fit.
            pub fn infer(&self, inputs: &[&TensorTy], graph: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
                match self { $(Op::$name(op) => op.infer(inputs, graph)),* }
            }

            /// See [`OpDef::vjp`].
            pub fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
                match self { $(Op::$name(op) => op.vjp(cx)),* }
            }

            /// See [`OpDef::eval`].
            pub fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], env: &mut Env) -> Vec<Tensor> {
                match self { $(Op::$name(op) => op.eval(inputs, outputs, env)),* }
            }

            /// See [`OpDef::lower`].
            pub fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
                match self { $(Op::$name(op) => op.lower(node, graph)),* }
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
    /// A tensor from the host.
    leaf::FeedOp,
    /// The same number everywhere.
    leaf::Constant,
    /// A step scalar.
    leaf::Scalar,
}

mod leaf;
