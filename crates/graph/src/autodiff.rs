//! Reverse-mode differentiation: gradient nodes are added to the graph that they belong to.

use downhill_tensor::{Dtype, Shape};
use smallvec::SmallVec;

use crate::kernel::ReduceKind;
use crate::ops::{Binary, Constant, Op, Reduce, Reshape, Vjp};
use crate::{BinaryOp, Graph, NodeId, OpError, Origin, Value};

/// Adds the gradient of `loss` (of the sum of its elements, should it not be a scalar) with respect to each of `wrt`; zeros where
/// the loss does not depend on it. Every added node has the scope of the forward node that it comes from and says of which value it is
/// part of the gradient.
///
/// # Errors
/// When `loss` or one of `wrt` is not a float, or the gradient rule of an op builds what does not fit together, which is a bug of that op and
/// names it.
pub fn grad(graph: &mut Graph, loss: Value, wrt: &[Value]) -> Result<Vec<Value>, OpError> {
    grad_by(graph, loss, wrt, &|op, cx| op.vjp(cx))
}

/// How an op's gradient rule is asked.
type Rule<'r> = &'r dyn Fn(&Op, &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]>;

fn grad_by(graph: &mut Graph, loss: Value, wrt: &[Value], rule: Rule<'_>) -> Result<Vec<Value>, OpError> {
    if let Some(v) = wrt.iter().chain([&loss]).find(|v| graph.ty(**v).dtype != Dtype::F32) {
        let op = graph.node(v.node).op.name();
        return Err(OpError::new(op, format!("only floats have gradients, and {v} is {}", graph.ty(*v))));
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
            propagate(graph, id, &needed, &mut grads, rule)?;
        }
    }
    let result = wrt.iter().map(|v| grads.get(*v).unwrap_or_else(|| zeros(graph, *v))).collect();
    graph.set_scope(scope);
    graph.set_origin(origin);
    Ok(result)
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
fn propagate(graph: &mut Graph, id: NodeId, needed: &[bool], found: &mut Gradients, rule: Rule<'_>) -> Result<(), OpError> {
    let node = graph.node(id);
    let (op, inputs) = (node.op.clone(), node.inputs.clone());
    let wanted = |v: &Value| needed[v.node.index()] && graph.ty(*v).dtype == Dtype::F32;
    let needs: SmallVec<[bool; 4]> = inputs.iter().map(wanted).collect();
    if !needs.contains(&true) {
        return Ok(()); // it is one of `wrt` itself, and nothing behind it is asked for
    }
    graph.set_origin(Origin::Grad(Value { node: id, slot: 0 }));
    let grads = found.of_node(graph, id);
    let parts = rule(&op, &mut Vjp { graph, node: id, grads, needs: needs.clone() });
    graph.take_fault(op.name())?;
    if parts.len() != inputs.len() {
        return Err(OpError::new(op.name(), format!("its rule gives {} gradients for {} inputs", parts.len(), inputs.len())));
    }
    for ((input, part), needs) in inputs.into_iter().zip(parts).zip(needs) {
        let Some(part) = part.filter(|_| needs) else { continue };
        let part = sum_to(graph, op.name(), part, input)?;
        let total = match found.get(input) {
            Some(before) => graph.typed(Binary(BinaryOp::Add), &[before, part]),
            None => part,
        };
        found.set(input, total);
    }
    graph.take_fault(op.name())
}

/// Sums a gradient over the dimensions along which its input was repeated.
fn sum_to(graph: &mut Graph, op: &'static str, grad: Value, input: Value) -> Result<Value, OpError> {
    let (from, to) = (graph.shape(grad).clone(), graph.shape(input).clone());
    if from == to {
        return Ok(grad);
    }
    if to.broadcast(&from).as_ref() != Ok(&from) {
        return Err(OpError::new(op, format!("its rule gives a gradient {from} for an input {to}")));
    }
    let lead = from.rank() - to.rank();
    let axes: SmallVec<[usize; 4]> = (0..from.rank()).filter(|&d| d < lead || (to[d - lead] == 1 && from[d] != 1)).collect();
    let summed = graph.typed(Reduce { kind: ReduceKind::Sum, axes, keep_dims: false }, &[grad]);
    Ok(if *graph.shape(summed) == to { summed } else { graph.typed(Reshape { shape: to }, &[summed]) })
}

fn zeros(graph: &mut Graph, like: Value) -> Value {
    let shape: Shape = graph.shape(like).clone();
    graph.set_scope(graph.node(like.node).scope);
    graph.set_origin(Origin::Grad(like));
    graph.typed(Constant { value: 0.0, shape }, &[])
}

#[cfg(test)]
mod tests {
    use downhill_tensor::TensorTy;

    use super::*;
    use crate::interp::run;
    use crate::tensors::{Env, Tensor};
    use crate::{FeedKind, UnaryOp};

    fn feed(graph: &mut Graph, name: &str, shape: &[usize]) -> Value {
        graph.new_feed(name, TensorTy::f32(shape), FeedKind::Resident).unwrap()
    }

    #[test]
    fn a_value_read_twice_adds_up_its_gradients_and_a_repeated_one_is_summed() {
        let mut g = Graph::new();
        let (x, b) = (feed(&mut g, "x", &[2, 3]), feed(&mut g, "b", &[3]));
        // Σ x·(x + b): ∂x = 2x + b, ∂b = Σ_rows x
        let sum = g.plus(x, b).unwrap();
        let product = g.mul(x, sum).unwrap();
        let loss = g.sum_all(product).unwrap();
        let grads = grad(&mut g, loss, &[x, b]).unwrap();
        let feeds = vec![Tensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), Tensor::f32([3], vec![10.0, 20.0, 30.0])];
        let values = run(&g, &mut Env { feeds, ..Env::default() });
        assert_eq!(values.value(grads[0]).data, [12.0, 24.0, 36.0, 18.0, 30.0, 42.0]);
        assert_eq!(values.value(grads[1]), &Tensor::f32([3], vec![5.0, 7.0, 9.0]));
    }

    #[test]
    fn what_the_loss_does_not_depend_on_has_a_gradient_of_zeros() {
        let mut g = Graph::new();
        let (x, other) = (feed(&mut g, "x", &[2]), feed(&mut g, "other", &[3, 1]));
        let loss = g.sum_all(x).unwrap();
        let later = g.unary(UnaryOp::Exp, other).unwrap();
        let grads = grad(&mut g, loss, &[other, later, loss]).unwrap();
        let feeds = vec![Tensor::f32([2], vec![1.0; 2]), Tensor::f32([3, 1], vec![1.0; 3])];
        let values = run(&g, &mut Env { feeds, ..Env::default() });
        assert_eq!(values.value(grads[0]), &Tensor::f32([3, 1], vec![0.0; 3]));
        assert_eq!(values.value(grads[1]), &Tensor::f32([3, 1], vec![0.0; 3]));
        assert_eq!(values.value(grads[2]).data, [1.0]);
    }

    #[test]
    fn nodes_on_the_way_back_carry_scope_and_forward_value_and_leave_the_graph_as_it_was_set() {
        let mut g = Graph::new();
        let x = feed(&mut g, "x", &[2]);
        g.enter_scope("0.sin");
        let y = g.unary(UnaryOp::Sin, x).unwrap();
        g.enter_scope("after");
        let loss = g.sum_all(y).unwrap();
        let dx = grad(&mut g, loss, &[x]).unwrap()[0];
        let node = g.node(dx.node);
        assert_eq!((g.scope_name(node.scope), node.origin), ("0.sin", Origin::Grad(y)));
        assert_eq!(g.scope_name(g.scope()), "after");
        assert_eq!(g.set_origin(Origin::Forward), Origin::Forward);
    }

    #[test]
    fn a_wrong_gradient_rule_is_an_error_that_names_its_op() {
        let error = |rule: Rule<'_>| {
            let mut g = Graph::new();
            let x = feed(&mut g, "x", &[2, 3]);
            let y = g.unary(UnaryOp::Tanh, x).unwrap();
            let loss = g.sum_all(y).unwrap();
            let right = |op: &Op, cx: &mut Vjp<'_>| if op.name() == "unary" { rule(op, cx) } else { op.vjp(cx) };
            grad_by(&mut g, loss, &[x], &right).unwrap_err().to_string()
        };
        // A product of [2, 3] with itself, on which the rule builds further.
        let refused = error(&|_, cx| {
            let x = cx.input(0);
            let product = cx.apply(crate::ops::MatMul { transpose_a: false, transpose_b: false }, &[x, x]);
            smallvec::smallvec![Some(cx.scale(2.0, product))]
        });
        assert!(refused.starts_with("unary: its rule builds a node that is refused (matmul: "), "{refused}");
        let scalar = error(&|_, cx| smallvec::smallvec![Some(cx.constant(1.0))]);
        assert_eq!(scalar, "unary: its rule gives a gradient [] for an input [2, 3]");
        let none = error(&|_, _| SmallVec::new());
        assert_eq!(none, "unary: its rule gives 0 gradients for 1 inputs");
        let mut g = Graph::new();
        let labels = g.new_feed("y", TensorTy::u32([2]), FeedKind::Resident).unwrap();
        assert_eq!(grad(&mut g, labels, &[]).unwrap_err().op, "feed");
    }
}
