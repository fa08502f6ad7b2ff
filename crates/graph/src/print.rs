//! A graph as text: one line per node, leaves written where they are used.

use std::fmt;

use crate::ops::Op;
use crate::{Graph, Node, NodeId, Origin, Value};

impl fmt::Display for Graph {
    /// Parameters, states and feeds, then `%3 = matmul<nt>(%1, p0) : f32[32, 8]  # 0.linear, forward` per node, then outputs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, p) in self.parameters().iter().enumerate() {
            writeln!(f, "p{i} : f32{}  # {}, group {}", p.shape, p.name, p.group)?;
        }
        for (i, s) in self.states().iter().enumerate() {
            writeln!(f, "state{i} : f32{}  # {}", s.shape, s.name)?;
        }
        for (i, feed) in self.feeds().iter().enumerate() {
            writeln!(f, "feed{i} : {}  # {}, {:?}", feed.ty, feed.name, feed.kind)?;
        }
        for (id, node) in self.nodes().filter(|(_, n)| !is_leaf(&n.op)) {
            print_node(self, id, node, f)?;
        }
        for (name, value) in self.outputs() {
            f.write_str("out ")?;
            f.write_str(name)?;
            f.write_str(" = ")?;
            print_value(self, *value, f)?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

fn is_leaf(op: &Op) -> bool {
    matches!(op, Op::ParameterOp(_) | Op::SlotOp(_) | Op::StateOp(_) | Op::FeedOp(_) | Op::Constant(_) | Op::Scalar(_))
}

fn print_node(graph: &Graph, id: NodeId, node: &Node, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !node.outputs.is_empty() {
        write!(f, "{id} = ")?;
    }
    write!(f, "{}(", node.op)?;
    for (i, input) in node.inputs.iter().enumerate() {
        f.write_str(if i > 0 { ", " } else { "" })?;
        print_value(graph, *input, f)?;
    }
    f.write_str(")")?;
    for (i, ty) in node.outputs.iter().enumerate() {
        write!(f, "{}{ty}", if i > 0 { ", " } else { " : " })?;
    }
    f.write_str("  # ")?;
    let scope = graph.scope_name(node.scope);
    if !scope.is_empty() {
        write!(f, "{scope}, ")?;
    }
    match node.origin {
        Origin::Forward => f.write_str("forward\n"),
        Origin::Grad(v) => writeln!(f, "backward of {v}"),
        Origin::Update => f.write_str("update\n"),
    }
}

/// A value as its users name it.
fn print_value(graph: &Graph, value: Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match &graph.node(value.node).op {
        Op::ParameterOp(p) => write!(f, "{}", p.0),
        Op::SlotOp(s) => write!(f, "slot{} of {}", s.slot, s.parameter),
        Op::StateOp(s) => write!(f, "{}", s.0),
        Op::FeedOp(p) => write!(f, "{}", p.0),
        Op::Scalar(s) => write!(f, "{}", s.0),
        Op::Constant(c) if c.shape.rank() == 0 => write!(f, "{}", c.value),
        Op::Constant(c) => write!(f, "{}{}", c.value, c.shape),
        _ => write!(f, "{value}"),
    }
}

#[cfg(test)]
mod tests {
    use downhill_tensor::TensorTy;

    use crate::kernel::LossKind;
    use crate::{FeedKind, Graph, Origin, Parameter, UnaryOp, autodiff};

    #[test]
    fn a_training_step_reads_well() {
        let mut g = Graph::new();
        let parameter = |g: &mut Graph, name: &str, shape: &[usize]| {
            let id = g.declare_parameter(Parameter { name: name.into(), shape: shape.into(), group: 0 });
            g.parameter(id).unwrap()
        };
        let (w, b) = (parameter(&mut g, "0.weight", &[8, 2]), parameter(&mut g, "0.bias", &[8]));
        let head = parameter(&mut g, "2.weight", &[3, 8]);
        let x = g.new_feed("train.x", TensorTy::f32([32, 2]), FeedKind::PerStep).unwrap();
        let labels = g.new_feed("train.y", TensorTy::u32([32]), FeedKind::PerStep).unwrap();
        g.enter_scope("0.linear");
        let y = g.linear(x, w, Some(b)).unwrap();
        g.enter_scope("1.tanh");
        let y = g.unary(UnaryOp::Tanh, y).unwrap();
        g.enter_scope("2.linear");
        let logits = g.linear(y, head, None).unwrap();
        g.enter_scope("loss");
        let loss = g.loss(LossKind::CrossEntropy { label_smoothing: 0.0 }, logits, labels, None).unwrap();
        let grads = autodiff::grad(&mut g, loss, &[w, b, head]).unwrap();
        g.set_origin(Origin::Update);
        g.enter_scope("");
        let norm = g.grad_norm(&grads).unwrap();
        g.record(&[loss, norm]).unwrap();
        g.output("loss", loss);
        insta::assert_snapshot!(g);
    }
}
