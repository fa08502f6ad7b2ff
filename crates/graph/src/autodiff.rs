//! Reverse-mode differentiation: gradient nodes are added to the graph that they belong to.

use downhill_tensor::{Dtype, Shape};
use smallvec::SmallVec;

use crate::kernel::ReduceKind;
use crate::ops::{Binary, Constant, Reduce, Reshape, Vjp};
use crate::{BinaryOp, Graph, NodeId, Origin, Value};

/// Adds the gradient of `loss` (of the sum of its elements, should it not be a scalar) with respect to each of `wrt`; zeros where
/// the loss does not depend on it. Every added node has the scope of the forward node that it comes from and says of which value it is
/// part of the gradient.
///
/// # Panics
/// When `loss` or one of `wrt` is not a float.
pub fn grad(graph: &mut Graph, loss: Value, wrt: &[Value]) -> Vec<Value> {
    for v in wrt.iter().chain([&loss]) {
        assert_eq!(graph.ty(*v).dtype, Dtype::F32, "only floats have gradients");
    }
    let scope = graph.scope();
    let origin = graph.set_origin(Origin::Grad(loss));
    let needed = dependents(graph, loss, wrt);
    let mut grads = Gradients::new(graph.len());
    let shape = graph.shape(loss).clone();
    let seed = graph.typed(Constant { value: 1.0, shape }, &[]);
    grads.set(loss, seed);
    for index in (0..=loss.node.index()).rev() {
        let id = NodeId(index as u32);
        if needed[index] && grads.has(id) {
            graph.set_scope(graph.node(id).scope);
            propagate(graph, id, &needed, &mut grads);
        }
    }
    let result = wrt.iter().map(|v| grads.get(*v).unwrap_or_else(|| zeros(graph, *v))).collect();
    graph.set_scope(scope);
    graph.set_origin(origin);
    result
}

/// Which nodes up to the loss depend on one of `wrt` or hold one.
fn dependents(graph: &Graph, loss: Value, wrt: &[Value]) -> Vec<bool> {
    let mut needed = vec![false; graph.len()];
    for v in wrt {
        needed[v.node.index()] = true;
    }
    for (id, node) in graph.nodes().take(loss.node.index() + 1) {
        if node.inputs.iter().any(|v| needed[v.node.index()]) {
            needed[id.index()] = true;
        }
    }
    needed
}

/// Gradients found so far, by node and slot.
struct Gradients(Vec<SmallVec<[Option<Value>; 2]>>);

impl Gradients {
    fn new(nodes: usize) -> Self {
        Self(vec![SmallVec::new(); nodes])
    }

    fn has(&self, node: NodeId) -> bool {
        self.0[node.index()].iter().any(Option::is_some)
    }

    fn get(&self, v: Value) -> Option<Value> {
        self.0[v.node.index()].get(usize::from(v.slot)).copied().flatten()
    }

    fn set(&mut self, v: Value, grad: Value) {
        let slots = &mut self.0[v.node.index()];
        if slots.len() <= usize::from(v.slot) {
            slots.resize(usize::from(v.slot) + 1, None);
        }
        slots[usize::from(v.slot)] = Some(grad);
    }

    /// All outputs of a node, also those that nothing depends on.
    fn of_node(&self, graph: &Graph, node: NodeId) -> SmallVec<[Option<Value>; 2]> {
        let mut grads = self.0[node.index()].clone();
        grads.resize(graph.node(node).outputs.len(), None);
        grads
    }
}

/// Asks one node for the gradients of its inputs and adds them to those found before.
fn propagate(graph: &mut Graph, id: NodeId, needed: &[bool], found: &mut Gradients) {
    let node = graph.node(id);
    let (op, inputs) = (node.op.clone(), node.inputs.clone());
    let wanted = |v: &Value| needed[v.node.index()] && graph.ty(*v).dtype == Dtype::F32;
    let needs: SmallVec<[bool; 4]> = inputs.iter().map(wanted).collect();
    if !needs.contains(&true) {
        return; // it is one of `wrt` itself, and nothing behind it is asked for
    }
    graph.set_origin(Origin::Grad(Value { node: id, slot: 0 }));
    let grads = found.of_node(graph, id);
    let parts = op.vjp(&mut Vjp { graph, node: id, grads, needs: needs.clone() });
    debug_assert_eq!(parts.len(), inputs.len(), "{} answers for every input", op.name());
    for ((input, part), needs) in inputs.into_iter().zip(parts).zip(needs) {
        let Some(part) = part.filter(|_| needs) else { continue };
        let part = sum_to(graph, part, input);
        let total = match found.get(input) {
            Some(before) => graph.typed(Binary(BinaryOp::Add), &[before, part]),
            None => part,
        };
        found.set(input, total);
    }
}

/// Sums a gradient over the dimensions along which its input was repeated.
fn sum_to(graph: &mut Graph, grad: Value, input: Value) -> Value {
    let (from, to) = (graph.shape(grad).clone(), graph.shape(input).clone());
    if from == to {
        return grad;
    }
    let lead = from.rank() - to.rank();
    let axes: SmallVec<[usize; 4]> = (0..from.rank()).filter(|&d| d < lead || (to[d - lead] == 1 && from[d] != 1)).collect();
    let summed = graph.typed(Reduce { kind: ReduceKind::Sum, axes, keep_dims: false }, &[grad]);
    if *graph.shape(summed) == to { summed } else { graph.typed(Reshape { shape: to }, &[summed]) }
}

fn zeros(graph: &mut Graph, like: Value) -> Value {
    let shape: Shape = graph.shape(like).clone();
    graph.set_scope(graph.node(like.node).scope);
    graph.set_origin(Origin::Grad(like));
    graph.typed(Constant { value: 0.0, shape }, &[])
}
