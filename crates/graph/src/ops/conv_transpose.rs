//! The way back of a convolution to its image: its input gradient, and a layer of its own, `conv_transpose2d`.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::floats;
use super::conv::{SUM, Sizes, by_patches, geometries, weights};
use super::{Conv, ConvWeight, Convolution, OpCase, OpDef, Reshape, Vjp};
use crate::kernel::{Lowered, Operand};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Outputs, Value};

/// Inputs: y `[N, O, …]` as the convolution gives it, and its weight `[O, C / groups, kh, kw]`; output `[N, C, …size]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose {
    /// The convolution whose way back this is.
    pub convolution: Convolution,
    /// Height and width of its image: with strides, images of several sizes give the same number of places.
    pub size: [usize; 2],
    /// Whether the weight comes as `[C, O / groups, kh, kw]`, in which order the product reads it.
    pub turned: bool,
}

impl ConvTranspose {
    fn sizes(&self, y: &Shape, weight: &Shape) -> Result<Sizes, OpError> {
        let error = |why: &str| OpError::new(Self::NAME, format!("{y} and a weight {weight} {why}"));
        let (&[samples, outputs, ..], &[first, second, down, across]) = (&y[..], &weight[..]) else {
            return Err(error("must both have four dimensions"));
        };
        let groups = self.convolution.groups.max(1);
        let (per_group, weight) = if self.turned {
            (first / groups, Shape::from([second * groups, first / groups, down, across]))
        } else {
            (second, weight.clone())
        };
        let image = Shape::from([samples, per_group * groups, self.size[0], self.size[1]]);
        let s = self.convolution.sizes(Self::NAME, &image, &weight)?;
        if y[2..] == s.places && outputs == s.outputs { Ok(s) } else { Err(error("do not go together")) }
    }
}

impl OpDef for ConvTranspose {
    const NAME: &'static str = "conv_transpose2d";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [y, weight] = floats(Self::NAME, inputs)?;
        let s = self.sizes(y, weight)?;
        Ok(smallvec![TensorTy::f32([s.samples, s.channels, s.image[0], s.image[1]])])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let (y, weight, convolution) = (cx.input(0), cx.input(1), self.convolution);
        let kernel = cx.input_shape(1);
        let kernel = [kernel[2], kernel[3]];
        let turn =
            |cx: &mut Vjp<'_>, weight: Value| if self.turned { turned(cx.graph, convolution.groups, weight) } else { weight };
        let dy = cx.needs[0].then(|| {
            let weight = turn(cx, weight);
            cx.apply(Conv { convolution }, &[g, weight])
        });
        let dw = cx.needs[1].then(|| {
            let dw = cx.apply(ConvWeight { convolution, kernel }, &[g, y]);
            turn(cx, dw)
        });
        smallvec![dy, dw]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let s = self.sizes(&inputs[0].ty.shape, &inputs[1].ty.shape).expect("checked by the shape rule");
        let groups = self.convolution.groups;
        let (own, others) = (s.outputs / groups, s.channels / groups);
        let taps = s.kernel[0] * s.kernel[1];
        let place = |w: usize| {
            let (o, c, tap) = (w / (others * taps), w / taps % others, w % taps);
            if self.turned { ((o / own * others + c) * own + o % own) * taps + tap } else { w }
        };
        let mut data = vec![0.0; outputs[0].shape.numel()];
        self.convolution.each_product(&s, |x, w, y| data[x] += inputs[0].data[y] * inputs[1].data[place(w)]);
        vec![Tensor::new(&outputs[0], data)]
    }

    /// Of a turned weight only; see [`OpDef::decompose`].
    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let s = self.sizes(graph.shape(node.inputs[0]), graph.shape(node.inputs[1])).expect("checked by the shape rule");
        let reads = [Operand::Input(1), Operand::Input(0)];
        by_patches(&self.convolution, &s, [s.outputs, s.channels], self.convolution.windows_back(&s), reads)
    }

    /// The product reads the weight channel by channel: it is turned once, which is little beside the product.
    fn decompose(&self, graph: &mut Graph, inputs: &[Value]) -> Option<Outputs> {
        if self.turned {
            return None;
        }
        let weight = turned(graph, self.convolution.groups, inputs[1]);
        Some(smallvec![graph.typed(Self { turned: true, ..self.clone() }, &[inputs[0], weight])])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { convolution, size, turned } = self;
        write!(f, "conv_transpose2d<{convolution:?} to {size:?}{}>", if *turned { ", turned" } else { "" })
    }

    fn cases() -> Vec<OpCase> {
        let of = |(name, s, convolution): (&str, Sizes, Convolution)| {
            let inputs = vec![normal([&[s.samples, s.outputs][..], &s.places].concat(), 3), weights(&s, &convolution)];
            let op = ConvTranspose { convolution, size: s.image, turned: false };
            let case = OpCase::new(format!("conv_transpose2d {name}"), op, inputs).tolerance(SUM);
            if s.channels * s.outputs < 100 { case.gradients(&[0, 1]) } else { case }
        };
        geometries().into_iter().map(of).collect()
    }
}

/// A weight `[groups·a, b, kh, kw]` as `[groups·b, a, kh, kw]`.
fn turned(graph: &mut Graph, groups: usize, weight: Value) -> Value {
    let shape = graph.shape(weight).clone();
    let (a, b) = (shape[0] / groups, shape[1]);
    let parted = graph.typed(Reshape { shape: [groups, a, b, shape[2] * shape[3]].into() }, &[weight]);
    let swapped = graph.reordered(parted, &[0, 2, 1, 3]);
    graph.typed(Reshape { shape: [groups * b, a, shape[2], shape[3]].into() }, &[swapped])
}
