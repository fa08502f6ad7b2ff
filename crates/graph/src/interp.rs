//! The reference interpreter: every op in f64, one after the other. The oracle that backends are compared with.

use crate::tensors::{Env, Tensor};
use crate::{Graph, Value};

/// All values of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    values: Vec<Vec<Tensor>>,
}

impl Run {
    /// What a value of the graph was.
    pub fn value(&self, value: Value) -> &Tensor {
        &self.values[value.node.index()][usize::from(value.slot)]
    }

    /// Largest finite magnitude of all floats.
    pub fn largest(&self) -> f64 {
        let floats = self.values.iter().flatten().filter(|t| !t.is_integer()).flat_map(|t| &t.data);
        floats.filter(|v| v.is_finite()).fold(0.0, |most, v| v.abs().max(most))
    }

    /// The graph's output of this name.
    pub fn output(&self, graph: &Graph, name: &str) -> Option<&Tensor> {
        graph.outputs().iter().find(|(n, _)| n == name).map(|(_, v)| self.value(*v))
    }
}

/// Evaluates every node in order; updates and records change `env`.
///
/// # Panics
/// When `env` lacks a parameter, state or feed that the graph declares, or has it in another shape.
pub fn run(graph: &Graph, env: &mut Env) -> Run {
    let mut values: Vec<Vec<Tensor>> = Vec::with_capacity(graph.len());
    for (_, node) in graph.nodes() {
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|v| &values[v.node.index()][usize::from(v.slot)]).collect();
        let outputs = node.op.eval(&inputs, &node.outputs, env);
        for (tensor, ty) in outputs.iter().zip(&node.outputs) {
            assert_eq!(tensor.ty, *ty, "{} gives the type it promises", node.op.name());
        }
        values.push(outputs);
    }
    Run { values }
}
