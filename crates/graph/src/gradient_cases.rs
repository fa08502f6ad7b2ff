//! Gradients of the ops' cases: what autodiff makes of them, for backends and for finite differences. Cases themselves know nothing of autodiff.

use crate::ops::OpCase;
use crate::tensors::Env;
use crate::{Graph, autodiff};

impl OpCase {
    /// The op with the gradients of a random projection of its outputs: outputs `grad0`, `grad2`, … for the inputs in [`OpCase::gradients`]. `None`
    /// where there are none.
    pub fn gradient_graph(&self) -> Option<(Graph, Env)> {
        if self.gradients.is_empty() {
            return None;
        }
        let projected = self.projected();
        let (mut graph, inputs) = (projected.graph, projected.inputs);
        let wrt: Vec<_> = self.gradients.iter().map(|&i| inputs[i]).collect();
        for (i, grad) in
            self.gradients.iter().zip(autodiff::grad(&mut graph, projected.projection, &wrt).expect("a case has gradients"))
        {
            graph.output(format!("grad{i}"), grad);
        }
        Some((graph, projected.env))
    }
}
