//! What states are after a step.

use downhill_tensor::TensorTy;
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{AssignSpec, Kernel, Launch, Lowered};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// Gives every state of the graph its next value: one input per state, in the order in which they are declared. No output. Whoever reads a
/// state in the same program sees what it was before. Behind an update whose loss or gradients were not finite it changes nothing, as nothing
/// does while the sticky flag is set.
///
/// For example, with the states `mean` and `count`, `assign(0.9·mean + 0.1·batch, count + 1)` moves both once per step.
#[derive(Clone, Debug, PartialEq)]
pub struct Assign;

impl OpDef for Assign {
    const NAME: &'static str = "assign";

    fn infer(&self, inputs: &[&TensorTy], graph: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let states = graph.states();
        if states.is_empty() || states.len() != inputs.len() {
            let message = format!("gives every state its next value, {} of them, but gets {}", states.len(), inputs.len());
            return Err(OpError::new(Self::NAME, message));
        }
        for (state, ty) in states.iter().zip(inputs) {
            if **ty != TensorTy::f32(state.shape.clone()) {
                return Err(OpError::new(Self::NAME, format!("{ty} does not fit state {} {}", state.name, state.shape)));
            }
        }
        Ok(SmallVec::new())
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None; cx.graph.node(cx.node).inputs.len()]
    }

    fn eval(&self, inputs: &[&Tensor], _: &[TensorTy], env: &mut Env) -> Vec<Tensor> {
        if !env.non_finite {
            env.states = inputs.iter().map(|tensor| (*tensor).clone()).collect();
        }
        Vec::new()
    }

    /// Where the states lie is the state layout's to say, so the length is left open and the values are no operands.
    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::Assign(AssignSpec { len: 0 }),
            reads: SmallVec::new(),
            writes: SmallVec::new(),
        }])
    }

    fn cases() -> Vec<OpCase> {
        let states = |seed: u32| vec![normal([3, 5], seed), normal([7], seed + 1), values([], &[2.0])];
        let case = |name: &str, next: Vec<Tensor>, non_finite| {
            let env = Env { states: states(21), non_finite, ..Env::default() };
            OpCase::new(format!("assign {name}"), Assign, next).env(env)
        };
        vec![
            case("three states", states(1), false),
            case("numbers that are not finite", vec![normal([3, 5], 1), normal([7], 2), values([], &[f64::NAN])], false),
            case("keeps all while the flag is set", states(1), true),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::run;

    #[test]
    fn what_is_read_is_what_was_there_before() {
        let case = Assign::cases().into_iter().next().expect("there is one");
        let (graph, mut env) = case.graph();
        let ran = run(&graph, &mut env);
        assert_eq!(ran.output(&graph, "state1"), Some(&case.env.states[1]));
        assert_eq!(env.states, case.inputs);
    }

    #[test]
    fn states_of_another_number_or_shape_are_refused() {
        let (mut graph, _) = Assign::cases().into_iter().next().expect("there is one").graph();
        let number = graph.constant(1.0).expect("a constant");
        assert!(graph.assign(&[number]).is_err());
        assert!(graph.assign(&[number; 3]).is_err());
        assert!(Graph::new().assign(&[]).is_err());
    }
}
