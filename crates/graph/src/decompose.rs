//! Rewrites instances of ops that no single kernel covers.

use crate::{Graph, Op, Origin, Outputs, Value};

/// The same program with [`crate::ops::OpDef::decompose`] applied: every node of the result can be lowered. Named outputs, scopes and
/// origins are kept, node ids are not.
pub fn decompose(graph: &Graph) -> Graph {
    decompose_by(graph, &|op, graph, inputs| op.decompose(graph, inputs))
}

/// How an op is asked for its decomposition.
type Rule<'r> = &'r dyn Fn(&Op, &mut Graph, &[Value]) -> Option<Outputs>;

fn decompose_by(graph: &Graph, rule: Rule<'_>) -> Graph {
    let mut out = graph.same_declarations();
    let mut places: Vec<Outputs> = Vec::with_capacity(graph.len());
    let place = |places: &[Outputs], v: Value| places[v.node.index()][usize::from(v.slot)];
    for (_, node) in graph.nodes() {
        out.set_scope(node.scope);
        out.set_origin(match node.origin {
            Origin::Grad(v) => Origin::Grad(place(&places, v)),
            other => other,
        });
        let inputs: Vec<Value> = node.inputs.iter().map(|v| place(&places, *v)).collect();
        places.push(match rule(&node.op, &mut out, &inputs) {
            Some(values) => {
                out.take_fault(node.op.name()).expect("decompositions build well-typed nodes");
                assert_eq!(values.len(), node.outputs.len(), "{}: a value for each output", node.op.name());
                values
            }
            None => {
                let kept = out.add(node.op.clone(), &inputs).expect("a well-typed graph stays well typed");
                out.outputs_of(kept)
            }
        });
    }
    for (name, value) in graph.outputs() {
        let value = place(&places, *value);
        out.output(name.clone(), value);
    }
    out
}

#[cfg(test)]
mod tests {
    use downhill_tensor::TensorTy;
    use smallvec::smallvec;

    use super::*;
    use crate::interp::run;
    use crate::kernel::LossKind;
    use crate::ops::Loss;
    use crate::tensors::{Env, Tensor};
    use crate::{FeedKind, UnaryOp, verify};

    #[test]
    fn every_output_of_a_decomposed_node_has_a_value_of_its_own() {
        let mut g = Graph::new();
        let feed = |g: &mut Graph, name: &str| g.new_feed(name, TensorTy::f32([3, 1]), FeedKind::Resident).unwrap();
        let (x, y) = (feed(&mut g, "x"), feed(&mut g, "y"));
        let node = g.add(Loss { kind: LossKind::Mse }.into(), &[x, y]).unwrap();
        for slot in [1, 0] {
            g.output(slot.to_string(), Value { node, slot });
        }
        // mean((x − y)²) and 2(x − y)/3: two nodes of the decomposition, and the first output is not its last node.
        let rule = |op: &Op, g: &mut Graph, inputs: &[Value]| -> Option<Outputs> {
            let Op::Loss(_) = op else { return None };
            let difference = g.sub(inputs[0], inputs[1]).unwrap();
            let square = g.unary(UnaryOp::Square, difference).unwrap();
            let sum = g.sum_all(square).unwrap();
            let third = g.constant(1.0 / 3.0).unwrap();
            let mean = g.mul(sum, third).unwrap();
            Some(smallvec![mean, g.scale(2.0 / 3.0, difference).unwrap()])
        };
        let decomposed = decompose_by(&g, &rule);
        assert_eq!(verify(&decomposed), Ok(()));
        assert!(decomposed.nodes().all(|(_, node)| node.op.name() != "loss"));
        let feeds = vec![Tensor::f32([3, 1], vec![1.0, 2.0, 3.0]), Tensor::f32([3, 1], vec![0.0, 4.0, 3.0])];
        let env = Env { feeds, ..Env::default() };
        let (wants, gots) = (run(&g, &mut env.clone()), run(&decomposed, &mut env.clone()));
        for name in ["0", "1"] {
            let (want, got) = (wants.output(&g, name).unwrap(), gots.output(&decomposed, name).unwrap());
            assert_eq!(want.ty, got.ty);
            assert!(want.data.iter().zip(&got.data).all(|(a, b)| (a - b).abs() < 1e-6), "{want:?} became {got:?}");
        }
    }
}
