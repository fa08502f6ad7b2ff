//! Keeps what is needed: dead nodes go, equal nodes become one, and what no kernel covers is written as other ops.
//!
//! Folding of constants, ×1, +0 and chains of views happens while lowering, where every op is either an expression or a view.

use std::collections::BTreeMap;

use downhill_graph::{Graph, Node, NodeId, Op, Outputs, Value};
use smallvec::SmallVec;

use crate::CompileError;

/// A graph of needed nodes only, and the node of the original graph that each came from.
pub(crate) struct Canonical {
    pub graph: Graph,
    pub source: Vec<NodeId>,
}

/// Nodes may decompose into nodes that decompose; more rounds than this mean that an op never ends.
const MAX_ROUNDS: usize = 8;

pub(crate) fn canonicalise(graph: &Graph) -> Result<Canonical, CompileError> {
    let source: Vec<NodeId> = graph.nodes().map(|(id, _)| id).collect();
    let (mut canonical, mut decomposed) = rebuild(graph, &source)?;
    for _ in 0..MAX_ROUNDS {
        if !decomposed {
            return Ok(canonical);
        }
        // Decomposing may have left values that nobody reads, and a rebuild copies only what is read.
        (canonical, decomposed) = rebuild(&canonical.graph, &canonical.source)?;
    }
    Err(CompileError::Broken { pass: "canonicalise", message: format!("nodes still decompose after {MAX_ROUNDS} rounds") })
}

/// Nodes that outputs and effects need.
fn needed(graph: &Graph) -> Vec<bool> {
    let mut needed = vec![false; graph.len()];
    for (_, value) in graph.outputs() {
        needed[value.node.index()] = true;
    }
    for (id, node) in graph.nodes().rev() {
        needed[id.index()] |= is_effect(node);
        if needed[id.index()] {
            node.inputs.iter().for_each(|v| needed[v.node.index()] = true);
        }
    }
    needed
}

/// Copies what is needed, and says whether a node was decomposed on the way. `origins` names the original node of each.
fn rebuild(from: &Graph, origins: &[NodeId]) -> Result<(Canonical, bool), CompileError> {
    let needed = needed(from);
    let mut out = from.same_declarations();
    let mut source = Vec::new();
    let mut place: Vec<Outputs> = vec![Outputs::new(); from.len()];
    let mut seen: BTreeMap<Likeness, SmallVec<[NodeId; 1]>> = BTreeMap::new();
    let mut decomposed = false;
    for (id, node) in from.nodes().filter(|(id, _)| needed[id.index()]) {
        let inputs: SmallVec<[Value; 4]> = node.inputs.iter().map(|v| at(&place, *v)).collect::<Result<_, _>>()?;
        out.set_scope(node.scope);
        out.set_origin(node.origin);
        place[id.index()] = if let Some(values) = node.op.decompose(&mut out, &inputs) {
            out.take_fault(node.op.name()).map_err(|e| broken(e.to_string()))?;
            decomposed = true;
            values
        } else {
            let equals = seen.entry((node.op.name(), leaf(&node.op), inputs.clone())).or_default();
            let known = equals.iter().copied().find(|&n| out.node(n).op == node.op && !is_effect(node));
            let node_id = match known {
                Some(known) => known,
                None => {
                    let new = out.add(node.op.clone(), &inputs).map_err(|e| broken(e.to_string()))?;
                    equals.push(new);
                    new
                }
            };
            out.outputs_of(node_id)
        };
        source.resize(out.len(), origins[id.index()]);
    }
    for (name, value) in from.outputs() {
        out.output(name.clone(), at(&place, *value)?);
    }
    Ok((Canonical { graph: out, source }, decomposed))
}

/// What equal nodes have in common: name, number of the leaf, inputs. Few nodes that share it differ.
type Likeness = (&'static str, u32, SmallVec<[Value; 4]>);

/// What tells apart leaves, of which there may be as many as layers.
fn leaf(op: &Op) -> u32 {
    match op {
        Op::ParameterOp(p) => p.0.0,
        Op::SlotOp(s) => s.parameter.0,
        Op::StateOp(s) => s.0.0,
        Op::FeedOp(f) => f.0.0,
        Op::Constant(c) => c.value.to_bits(),
        _ => 0,
    }
}

/// What has no output is there for what it changes.
fn is_effect(node: &Node) -> bool {
    node.outputs.is_empty()
}

/// The value that stands for `v`; a node has one for each of its outputs once it is copied or decomposed.
fn at(place: &[Outputs], v: Value) -> Result<Value, CompileError> {
    let value = place[v.node.index()].get(usize::from(v.slot));
    value.copied().ok_or_else(|| broken(format!("{v} is used before it is computed")))
}

fn broken(message: String) -> CompileError {
    CompileError::Broken { pass: "canonicalise", message }
}

#[cfg(test)]
mod tests {
    use downhill_graph::ops::{Constant, Unary};
    use downhill_graph::{Graph, UnaryOp};
    use downhill_tensor::Shape;

    use super::*;

    #[test]
    fn equal_nodes_become_one_and_unread_ones_go() {
        let mut g = Graph::new();
        let x = g.apply(Constant { value: 2.0, shape: Shape::from([3]) }, &[]).unwrap();
        let a = g.apply(Unary(UnaryOp::Tanh), &[x]).unwrap();
        let b = g.apply(Unary(UnaryOp::Tanh), &[x]).unwrap();
        g.apply(Unary(UnaryOp::Exp), &[x]).unwrap();
        g.output("a", a);
        g.output("b", b);
        let canonical = canonicalise(&g).unwrap();
        assert_eq!(canonical.graph.len(), 2);
        assert_eq!(canonical.graph.outputs()[0].1, canonical.graph.outputs()[1].1);
        assert_eq!(canonical.source, [NodeId(0), NodeId(1)]);
    }
}
