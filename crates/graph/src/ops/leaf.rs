//! Values that come from outside the graph: parameters and what the optimizer keeps of them, states, feeds, constants and step scalars.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::{OpCase, OpDef, Vjp};
use crate::kernel::Lowered;
use crate::tensors::{Env, Tensor};
use crate::{FeedId, Graph, Node, OpError, ParamId, ScalarId, StateId, Value};

/// The current value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterOp(pub ParamId);

/// What an optimizer slot holds of a parameter, such as the average of its values. An update in the same program changes it after it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotOp {
    /// The slot: an index into [`crate::kernel::UpdateRule::slots`].
    pub slot: u8,
    /// The parameter.
    pub parameter: ParamId,
}

/// The value of a state as it was before this step: an [`super::Assign`] in the same program changes it after it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct StateOp(pub StateId);

/// What the host supplied for this step.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedOp(pub FeedId);

/// The same number everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// The number.
    pub value: f32,
    /// Shape of the tensor it fills.
    pub shape: Shape,
}

/// A step scalar, shape `[]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar(pub ScalarId);

/// The declaration, or the error that there is none: a graph may name parameter 3 where only two are declared.
fn declared<'a, T>(declaration: Option<&'a T>, what: &'static str) -> Result<&'a T, OpError> {
    declaration.ok_or_else(|| OpError::new(what, "is not declared"))
}

/// Implements [`OpDef`] for an op without inputs. After its type and its name in print come two closures: its type from the graph's declarations, and
/// its value from the environment (and the output's type, where the type is not enough). `leaf!(Scalar, "scalar", |self, _graph| Ok(f32[]), |env, _out|
/// the number in env.step)` is the op of a step scalar.
macro_rules! leaf {
    ($name:ident, $print:literal, |$self:ident, $graph:ident| $ty:expr, |$env:ident, $out:ident| $value:expr) => {
        impl OpDef for $name {
            const NAME: &'static str = $print;

            fn infer(&$self, _: &[&TensorTy], $graph: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
                Ok(smallvec![$ty?])
            }

            fn vjp(&self, _: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
                SmallVec::new()
            }

            fn eval(&$self, _: &[&Tensor], $out: &[TensorTy], $env: &mut Env) -> Vec<Tensor> {
                vec![$value]
            }

            fn lower(&self, _: &Node, _: &Graph) -> Lowered {
                Lowered::Leaf
            }

            fn cases() -> Vec<OpCase> {
                Vec::new() // Leaves compute nothing; every other op's case starts from one.
            }
        }
    };
}

leaf!(
    ParameterOp,
    "parameter",
    |self, graph| declared(graph.parameters().get(self.0.index()), Self::NAME).map(|p| TensorTy::f32(p.shape.clone())),
    |env, _out| env.parameters[self.0.index()].clone()
);
leaf!(
    SlotOp,
    "slot",
    |self, graph| declared(graph.parameters().get(self.parameter.index()), Self::NAME).map(|p| TensorTy::f32(p.shape.clone())),
    |env, _out| env.slots[usize::from(self.slot)][self.parameter.index()].clone()
);
leaf!(
    StateOp,
    "state",
    |self, graph| declared(graph.states().get(self.0.index()), Self::NAME).map(|s| TensorTy::f32(s.shape.clone())),
    |env, _out| env.states[self.0.index()].clone()
);
leaf!(
    FeedOp,
    "feed",
    |self, graph| declared(graph.feeds().get(self.0.index()), Self::NAME).map(|f| f.ty.clone()),
    |env, _out| env.feeds[self.0.index()].clone()
);
leaf!(Constant, "constant", |self, _graph| Ok(TensorTy::f32(self.shape.clone())), |_env, out| Tensor {
    ty: out[0].clone(),
    data: vec![f64::from(self.value); self.shape.numel()],
});
leaf!(Scalar, "scalar", |self, _graph| Ok(TensorTy::f32(Shape::scalar())), |env, _out| Tensor::f32(
    Shape::scalar(),
    vec![f64::from(env.step.get(self.0))]
));
