//! Attention of several heads: the op, its gradient, and its weights for those who look at them.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::float;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Attend, AttentionPart, AttentionSpec, Kernel, KernelDef, Launch, Lowered, Numbers, Operand};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, StepScalars, Value};

/// `softmax(scale · q kᵀ) v` for every head; see [`AttentionSpec`]. Inputs: `qkv` `[batch, places, (heads + 2 · kv_heads) · width]` where packed, else
/// `q` `[batch, queries, heads · width]` and `kv` `[batch, keys, 2 · kv_heads · width]`; then lengths `[batch]` and the table of rotary positions
/// `[keys, width]` where there are such. Outputs: `[batch, queries, heads · width]`, and what the gradient needs, `[batch, heads, queries]`, which
/// counts as a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Heads of queries.
    pub heads: u32,
    /// Heads of keys and values.
    pub kv_heads: u32,
    /// What it looks at.
    pub how: Attend,
}

/// Gradients of [`Attention`]. Inputs: that of the output, both outputs, then all inputs; outputs: those of `qkv`, or of `q` and `kv`.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionGrad(pub Attention);

/// The weights of [`Attention`], `[batch, heads, queries, keys]`. Inputs: its second output, then all of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionWeights(pub Attention);

impl Attention {
    /// Number of tensors with queries, keys and values.
    fn tensors(&self) -> usize {
        if self.how.packed { 1 } else { 2 }
    }

    /// The sizes for these inputs.
    fn sizes(&self, part: AttentionPart, inputs: &[&Shape]) -> Result<AttentionSpec, OpError> {
        let fail = |message: String| OpError::new("attention", message);
        let optional = usize::from(self.how.lengths) + usize::from(self.how.rotary);
        if inputs.len() != self.tensors() + optional {
            return Err(fail(format!("takes {} input(s), gets {}", self.tensors() + optional, inputs.len())));
        }
        let (&[batch, queries, q_width], &[_, keys, _]) = (&inputs[0][..], &inputs[self.tensors() - 1][..]) else {
            return Err(fail(format!("{} is no batch of sequences", inputs[0])));
        };
        let (heads, kv_heads) = (self.heads as usize, self.kv_heads as usize);
        let columns = if self.how.packed { heads + 2 * kv_heads } else { heads };
        if columns == 0 || !q_width.is_multiple_of(columns) {
            return Err(fail(format!("{} is not divided by {columns} heads", inputs[0])));
        }
        let width = q_width / columns;
        let lengths = self.how.lengths.then(|| Shape::from([batch]));
        let rotary = self.how.rotary.then(|| Shape::from([keys, width]));
        let kv = (!self.how.packed).then(|| Shape::from([batch, keys, 2 * kv_heads * width]));
        for (want, got) in kv.into_iter().chain(lengths).chain(rotary).zip(&inputs[1..]) {
            if want != **got {
                return Err(fail(format!("{got} should be {want}")));
            }
        }
        let [batch, queries, keys, width] = [batch, queries, keys, width].map(|n| n as u32);
        let spec =
            AttentionSpec { part, batch, heads: self.heads, kv_heads: self.kv_heads, queries, keys, width, how: self.how };
        if inputs.iter().all(|shape| shape.numel() > 0) {
            spec.check().map_err(fail)?;
        }
        Ok(spec)
    }

    fn spec(&self, part: AttentionPart, inputs: &[&TensorTy]) -> Result<AttentionSpec, OpError> {
        let shapes = inputs.iter().map(|ty| float("attention", ty)).collect::<Result<Vec<_>, _>>()?;
        self.sizes(part, &shapes)
    }

    fn eval(&self, part: AttentionPart, inputs: &[&Tensor], skip: usize, outputs: &[TensorTy]) -> Vec<Tensor> {
        let types: Vec<&TensorTy> = inputs[skip..].iter().map(|t| &t.ty).collect();
        let spec = self.spec(part, &types).expect("checked by the shape rule");
        let reads: Vec<&dyn Numbers> = inputs.iter().map(|t| *t as &dyn Numbers).collect();
        let results = spec.eval(&reads, &StepScalars::default()).expect("attention is evaluated");
        outputs.iter().zip(results).map(|(ty, data)| Tensor::new(ty, data)).collect()
    }

    fn lower(&self, part: AttentionPart, node: &Node, skip: usize, graph: &Graph) -> Lowered {
        let types: Vec<&TensorTy> = node.inputs[skip..].iter().map(|v| graph.ty(*v)).collect();
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::Attention(self.spec(part, &types).expect("checked by the shape rule")),
            reads: (0..node.inputs.len()).map(Operand::Input).collect(),
            writes: (0..node.outputs.len()).map(Operand::Output).collect(),
        }])
    }

    fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{name}<{} heads{}>", self.heads, if self.how.causal { ", causal" } else { "" })
    }
}

impl OpDef for Attention {
    const NAME: &'static str = "attention";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let spec = self.spec(AttentionPart::Forward, inputs)?;
        let [batch, queries, heads, width] = [spec.batch, spec.queries, spec.heads, spec.width].map(|n| n as usize);
        Ok(smallvec![TensorTy::f32([batch, queries, heads * width]), TensorTy::f32([batch, heads, queries])])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let inputs = cx.graph.node(cx.node).inputs.clone();
        let mut grads: SmallVec<[Option<Value>; 4]> = smallvec![None; inputs.len()];
        let Some(dout) = cx.grad() else { return grads };
        let reads: SmallVec<[Value; 7]> = [dout, cx.output(0), cx.output(1)].into_iter().chain(inputs).collect();
        let gradient = cx.apply(AttentionGrad(self.clone()), &reads);
        for (i, grad) in grads.iter_mut().take(self.tensors()).enumerate() {
            *grad = Some(Value { slot: i as u8, ..gradient });
        }
        grads
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        self.eval(AttentionPart::Forward, inputs, 0, outputs)
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        self.lower(AttentionPart::Forward, node, 0, graph)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(Self::NAME, f)
    }

    fn cases() -> Vec<OpCase> {
        attention_cases()
    }
}

impl OpDef for AttentionGrad {
    const NAME: &'static str = "attention_grad";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let own =
            inputs.get(3..).ok_or_else(|| OpError::new(Self::NAME, "takes the outputs and the inputs of an attention"))?;
        self.0.spec(AttentionPart::Backward, own)?;
        Ok(own[..self.0.tensors()].iter().map(|ty| (*ty).clone()).collect())
    }

    /// Second derivatives are not offered: gradients count as constants.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None; cx.graph.node(cx.node).inputs.len()]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        self.0.eval(AttentionPart::Backward, inputs, 3, outputs)
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        self.0.lower(AttentionPart::Backward, node, 3, graph)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(Self::NAME, f)
    }

    /// It is checked as the gradient of every case of [`Attention`]; this one is alone.
    fn cases() -> Vec<OpCase> {
        let attention = Attention { heads: 1, kv_heads: 1, how: Attend::new(2) };
        let seeds = [(2, 21), (2, 22)].map(|(width, seed)| normal([1, 3, width], seed));
        let [dout, out] = seeds;
        // Logarithms that make weights of about a third.
        let inputs = vec![dout, out, values([1, 1, 3], &[1.5, 1.0, 1.2]), normal([1, 3, 6], 23)];
        vec![OpCase::new("attention_grad alone", Self(attention), inputs).tolerance(TOLERANCE)]
    }
}

impl OpDef for AttentionWeights {
    const NAME: &'static str = "attention_weights";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let own = inputs.get(1..).ok_or_else(|| OpError::new(Self::NAME, "takes what an attention leaves, and its inputs"))?;
        let spec = self.0.spec(AttentionPart::Weights, own)?;
        Ok(smallvec![TensorTy::f32([spec.batch, spec.heads, spec.queries, spec.keys].map(|n| n as usize))])
    }

    /// Nothing is learned from what is only looked at: weights count as constants.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None; cx.graph.node(cx.node).inputs.len()]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        self.0.eval(AttentionPart::Weights, inputs, 1, outputs)
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        self.0.lower(AttentionPart::Weights, node, 1, graph)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(Self::NAME, f)
    }

    fn cases() -> Vec<OpCase> {
        let case = |name: &str, how: Attend, kv_heads: u32, lengths: &[f64]| {
            let (heads, keys) = (2, 70);
            let lse = normal([2, 2, keys], 24).map(|x| 4.0 + 0.1 * x);
            let mut inputs = vec![lse, normal([2, keys, (heads + 2 * kv_heads as usize) * 4], 25)];
            inputs.extend(how.lengths.then(|| values([2], lengths)));
            inputs.extend(how.rotary.then(|| table(keys, 4)));
            let attention = Attention { heads: 2, kv_heads, how };
            OpCase::new(format!("attention_weights {name}"), Self(attention), inputs).tolerance(TOLERANCE)
        };
        vec![
            case("causal", Attend { causal: true, ..Attend::new(4) }, 2, &[]),
            case("of lengths", Attend { lengths: true, rotary: true, ..Attend::new(4) }, 1, &[0.0, 5.0]),
            case("with all else", Attend { window: 3, soft_cap: 2.0, alibi: true, ..Attend::new(4) }, 2, &[]),
        ]
    }
}

/// Exponentials, and sums over tiles of keys in f32.
const TOLERANCE: f64 = 1e-5;

/// Cosines and sines of the angles `place · 100^(−2d / width)`.
fn table(places: usize, width: usize) -> Tensor {
    let element = |i: usize| {
        let (place, column) = (i / width, i % width);
        let angle = place as f64 * 100f64.powf(-2.0 * (column % (width / 2)) as f64 / width as f64);
        if column < width / 2 { angle.cos() } else { angle.sin() }
    };
    values([places, width], &(0..places * width).map(element).collect::<Vec<_>>())
}

/// An attention of a sequence to itself.
fn own(name: &str, [batch, heads, kv_heads, places, width]: [usize; 5], how: Attend, lengths: &[f64]) -> OpCase {
    let mut inputs = vec![normal([batch, places, (heads + 2 * kv_heads) * width], 26)];
    inputs.extend(how.lengths.then(|| values([batch], lengths)));
    inputs.extend(how.rotary.then(|| table(places, width)));
    let attention = Attention { heads: heads as u32, kv_heads: kv_heads as u32, how };
    OpCase::new(format!("attention {name}"), attention, inputs).tolerance(TOLERANCE).constants(&[1]).gradients(&[0])
}

/// An attention of one sequence to another.
fn cross(name: &str, [heads, kv_heads, queries, keys, width]: [usize; 5], how: Attend, lengths: &[f64]) -> OpCase {
    let how = Attend { packed: false, ..how };
    let mut inputs = vec![normal([2, queries, heads * width], 27), normal([2, keys, 2 * kv_heads * width], 28)];
    inputs.extend(how.lengths.then(|| values([2], lengths)));
    inputs.extend(how.rotary.then(|| table(keys, width)));
    let attention = Attention { heads: heads as u32, kv_heads: kv_heads as u32, how };
    OpCase::new(format!("attention {name}"), attention, inputs).tolerance(TOLERANCE).constants(&[1]).gradients(&[0, 1])
}

/// The newest queries of a sequence, beside the keys of all places so far.
fn newest(name: &str, [heads, kv_heads, queries, keys, width]: [usize; 5], how: Attend, lengths: &[f64]) -> OpCase {
    let how = Attend { newest: true, causal: true, lengths: !lengths.is_empty(), ..how };
    cross(name, [heads, kv_heads, queries, keys, width], how, lengths).gradients(&[])
}

fn attention_cases() -> Vec<OpCase> {
    let causal = |width| Attend { causal: true, ..Attend::new(width) };
    let with = |how: Attend| Attend { causal: true, ..how };
    vec![
        own("of one place", [1, 1, 1, 1, 1], Attend::new(1), &[]),
        own("of one head", [2, 1, 1, 5, 3], Attend::new(3), &[]),
        own("of two heads, causal", [2, 2, 2, 7, 4], causal(4), &[]),
        own("of several tiles", [1, 2, 2, 131, 5], Attend::new(5), &[]),
        own("of several tiles, causal", [1, 1, 1, 150, 8], causal(8), &[]),
        own("of 8 heads on 2", [2, 8, 2, 9, 4], causal(4), &[]),
        own("of width 24", [1, 2, 1, 20, 24], Attend::new(24), &[]),
        own("of width 64", [1, 1, 1, 10, 64], causal(64), &[]),
        own("of width 80", [1, 1, 1, 6, 80], causal(80), &[]),
        own("of lengths, one of them nothing", [3, 2, 2, 6, 4], Attend { lengths: true, ..Attend::new(4) }, &[6.0, 0.0, 2.0]),
        own("of lengths, causal", [2, 1, 1, 70, 4], with(Attend { lengths: true, ..Attend::new(4) }), &[68.0, 3.0]),
        own("in a window of 1", [1, 1, 1, 5, 4], with(Attend { window: 1, ..Attend::new(4) }), &[]),
        own("in a window of 3 of both sides", [1, 2, 2, 80, 4], Attend { window: 3, ..Attend::new(4) }, &[]),
        own("in a window of 5, causal", [1, 2, 2, 80, 4], with(Attend { window: 5, ..Attend::new(4) }), &[]),
        own("with a soft cap", [1, 2, 2, 6, 4], with(Attend { soft_cap: 1.5, ..Attend::new(4) }), &[]),
        own("with alibi", [1, 4, 2, 70, 4], with(Attend { alibi: true, ..Attend::new(4) }), &[]),
        own("with rotary", [2, 4, 2, 9, 6], with(Attend { rotary: true, ..Attend::new(6) }), &[]),
        own("with rotary and several tiles", [1, 1, 1, 70, 4], Attend { rotary: true, ..Attend::new(4) }, &[]),
        cross("of another sequence", [2, 2, 3, 5, 4], Attend::new(4), &[]),
        cross("of another sequence with lengths", [2, 1, 70, 66, 3], Attend { lengths: true, ..Attend::new(3) }, &[65.0, 1.0]),
        cross("of another sequence with rotary", [1, 1, 4, 6, 4], Attend { rotary: true, ..Attend::new(4) }, &[]),
        newest("of the newest place", [2, 1, 1, 90, 4], Attend::new(4), &[1.0, 80.0]),
        newest("of the newest three places", [2, 2, 3, 75, 4], Attend { soft_cap: 1.5, ..Attend::new(4) }, &[]),
        newest("of the newest place in a window", [1, 1, 1, 90, 4], Attend { window: 5, ..Attend::new(4) }, &[3.0, 77.0]),
        newest("of the newest place with alibi", [4, 2, 1, 9, 4], Attend { alibi: true, ..Attend::new(4) }, &[2.0, 9.0]),
        newest(
            "of the newest two places with rotary",
            [2, 1, 2, 80, 6],
            Attend { rotary: true, ..Attend::new(6) },
            &[7.0, 76.0],
        ),
    ]
}
