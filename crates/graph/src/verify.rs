//! Checks what every pass may rely on.

use crate::{Graph, Node, NodeId, NodeOp, OpError, Origin, Value};

/// What is wrong with a graph: a bug in whoever built it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A node reads or names a value that does not exist when it runs.
    #[error("{node} refers to {value}, which is no earlier value")]
    NotEarlier {
        /// The node.
        node: NodeId,
        /// What it refers to.
        value: Value,
    },
    /// The op does not accept its inputs.
    #[error("{node}: {error}")]
    Refused {
        /// The node.
        node: NodeId,
        /// Why.
        error: OpError,
    },
    /// The types a node claims are not those that its op gives.
    #[error("{node} claims another type than its op gives")]
    Type {
        /// The node.
        node: NodeId,
    },
    /// A named output does not exist.
    #[error("output {name} is {value}, which does not exist")]
    Output {
        /// Its name.
        name: String,
        /// What it claims to be.
        value: Value,
    },
    /// Two outputs, feeds, states or parameters of one name.
    #[error("two {what}s are called {name}")]
    Twice {
        /// Of what.
        what: &'static str,
        /// The name.
        name: String,
    },
}

/// Checks that inputs come before their users, that types are what the ops give, and that outputs exist and names are unique.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(graph: &Graph) -> Result<(), VerifyError> {
    for (id, node) in graph.nodes() {
        verify_node(graph, id, node)?;
    }
    for (name, value) in graph.outputs() {
        if !exists(graph, *value) {
            return Err(VerifyError::Output { name: name.clone(), value: *value });
        }
    }
    unique("output", graph.outputs().iter().map(|(name, _)| name))?;
    unique("feed", graph.feeds().iter().map(|f| &f.name))?;
    unique("state", graph.states().iter().map(|s| &s.name))?;
    unique("parameter", graph.parameters().iter().map(|p| &p.name))
}

fn verify_node(graph: &Graph, id: NodeId, node: &Node) -> Result<(), VerifyError> {
    let of = if let Origin::Grad(v) = node.origin { Some(v) } else { None };
    for value in node.inputs.iter().copied().chain(of) {
        if value.node >= id || !exists(graph, value) {
            return Err(VerifyError::NotEarlier { node: id, value });
        }
    }
    let inputs: Vec<_> = node.inputs.iter().map(|v| graph.ty(*v)).collect();
    let outputs = node.op.infer(&inputs, graph).map_err(|error| VerifyError::Refused { node: id, error })?;
    if outputs == node.outputs { Ok(()) } else { Err(VerifyError::Type { node: id }) }
}

fn exists(graph: &Graph, value: Value) -> bool {
    value.node.index() < graph.len() && usize::from(value.slot) < graph.node(value.node).outputs.len()
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), VerifyError> {
    let mut names: Vec<&String> = names.collect();
    names.sort_unstable();
    match names.windows(2).find(|w| w[0] == w[1]) {
        Some(w) => Err(VerifyError::Twice { what, name: w[0].clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use downhill_tensor::TensorTy;

    use super::*;
    use crate::{FeedKind, NodeId};

    #[test]
    fn an_output_that_does_not_exist_and_one_named_twice_are_found() {
        let mut graph = Graph::new();
        let x = graph.new_feed("x", TensorTy::f32([2]), FeedKind::Resident).unwrap();
        graph.output("y", x);
        assert_eq!(verify(&graph), Ok(()));
        graph.output("y", x);
        assert_eq!(verify(&graph), Err(VerifyError::Twice { what: "output", name: "y".into() }));
        let value = Value { node: NodeId(7), slot: 0 };
        graph.output("z", value);
        assert_eq!(verify(&graph), Err(VerifyError::Output { name: "z".into(), value }));
    }

    #[test]
    fn a_gradient_of_a_later_value_is_found() {
        let mut graph = Graph::new();
        let value = Value { node: NodeId(0), slot: 0 };
        graph.set_origin(Origin::Grad(value));
        graph.constant(1.0).unwrap();
        assert_eq!(verify(&graph), Err(VerifyError::NotEarlier { node: NodeId(0), value }));
    }

    #[test]
    fn every_case_and_its_gradient_are_well_formed_before_and_after_decomposition() {
        for case in crate::ops::all_cases() {
            for graph in [Some(case.graph().0), case.gradient_graph().map(|(g, _)| g)].into_iter().flatten() {
                assert_eq!(verify(&graph), Ok(()), "{}", case.name);
                let canonical = crate::decompose(&graph);
                assert_eq!(verify(&canonical), Ok(()), "{} decomposed", case.name);
                assert_eq!(crate::decompose(&canonical), canonical, "{}: decomposing twice changes nothing", case.name);
            }
        }
    }
}
