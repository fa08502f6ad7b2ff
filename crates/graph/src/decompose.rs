//! Rewrites instances of ops that no single kernel covers.

use crate::{Graph, NodeId, Origin, Value};

/// The same program with [`crate::ops::OpDef::decompose`] applied: every node of the result can be lowered. Named outputs, scopes and
/// origins are kept, node ids are not.
pub fn decompose(graph: &Graph) -> Graph {
    let mut out = graph.same_declarations();
    let mut places: Vec<NodeId> = Vec::with_capacity(graph.len());
    let place = |places: &[NodeId], v: Value| Value { node: places[v.node.index()], slot: v.slot };
    for (_, node) in graph.nodes() {
        out.set_scope(node.scope);
        out.set_origin(match node.origin {
            Origin::Grad(v) => Origin::Grad(place(&places, v)),
            other => other,
        });
        let inputs: Vec<Value> = node.inputs.iter().map(|v| place(&places, *v)).collect();
        places.push(match node.op.decompose(&mut out, &inputs) {
            Some(value) => {
                out.take_fault(node.op.name()).expect("decompositions build well-typed nodes");
                value.node
            }
            None => out.add(node.op.clone(), &inputs).expect("a well-typed graph stays well typed"),
        });
    }
    for (name, value) in graph.outputs() {
        let value = place(&places, *value);
        out.output(name.clone(), value);
    }
    out
}
