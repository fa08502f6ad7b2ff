//! The weight gradient of a convolution: `torch.nn.grad.conv2d_weight`.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::floats;
use super::conv::{SUM, Sizes, geometries};
use super::{Conv, ConvTranspose, Convolution, OpCase, OpDef, Vjp};
use crate::kernel::{Kernel, Launch, Lowered, MatLayout, MatMulSpec, Operand, Patches};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// Inputs: an image `[N, C, H, W]` and what lies at the places of the convolution, `[N, O, …]`; output `[O, C / groups, …kernel]`, summed over
/// samples and places.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvWeight {
    /// How the kernel slides.
    pub convolution: Convolution,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
}

impl ConvWeight {
    fn sizes(&self, image: &Shape, y: &Shape) -> Result<Sizes, OpError> {
        let error = || OpError::new(Self::NAME, format!("an image {image} and {y} do not go together"));
        let (&[samples, channels, ..], &[of, outputs, ..]) = (&image[..], &y[..]) else { return Err(error()) };
        let weight = Shape::from([outputs, channels / self.convolution.groups.max(1), self.kernel[0], self.kernel[1]]);
        let s = self.convolution.sizes(Self::NAME, image, &weight)?;
        if of == samples && y[2..] == s.places { Ok(s) } else { Err(error()) }
    }
}

impl OpDef for ConvWeight {
    const NAME: &'static str = "conv2d_weight";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [image, y] = floats(Self::NAME, inputs)?;
        let s = self.sizes(image, y)?;
        Ok(smallvec![TensorTy::f32([s.outputs, s.channels / self.convolution.groups, s.kernel[0], s.kernel[1]])])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let (image, y, convolution) = (cx.input(0), cx.input(1), self.convolution);
        let shape = cx.input_shape(0);
        let size = [shape[2], shape[3]];
        let dx = cx.needs[0].then(|| cx.apply(ConvTranspose { convolution, size, turned: false }, &[y, g]));
        let dy = cx.needs[1].then(|| cx.apply(Conv { convolution }, &[image, g]));
        smallvec![dx, dy]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let s = self.sizes(&inputs[0].ty.shape, &inputs[1].ty.shape).expect("checked by the shape rule");
        let mut data = vec![0.0; outputs[0].shape.numel()];
        self.convolution.each_product(&s, |x, w, y| data[w] += inputs[0].data[x] * inputs[1].data[y]);
        vec![Tensor::new(&outputs[0], data)]
    }

    /// One product for each group, of what lies at the places with the patches, summed over samples as segments.
    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let s = self.sizes(graph.shape(node.inputs[0]), graph.shape(node.inputs[1])).expect("checked by the shape rule");
        let groups = self.convolution.groups as u32;
        let [channels, outputs, samples] = [s.channels, s.outputs, s.samples].map(|n| n as u32);
        let area = |sizes: [usize; 2]| (sizes[0] * sizes[1]) as u32;
        let (m, n, k) = (outputs / groups, channels / groups * area(s.kernel), area(s.places));
        let y = MatLayout { batch_stride: m * k, segment_stride: outputs * k, row_stride: k, col_stride: 1 };
        let image = MatLayout {
            batch_stride: channels / groups * area(s.image),
            segment_stride: channels * area(s.image),
            row_stride: 1,
            col_stride: k,
        };
        let windows = self.convolution.windows(&s);
        let patches = Patches { channels: channels / groups, windows, transposed: true };
        let patches = (!self.convolution.is_pointwise(&s)).then_some(patches);
        let spec = MatMulSpec { segments: samples, patches, ..MatMulSpec::plain([groups, m, n, k], y, image) };
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::MatMul(spec),
            reads: smallvec![Operand::Input(1), Operand::Input(0)],
            writes: smallvec![Operand::Output(0)],
        }])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conv2d_weight<{:?} of {:?}>", self.convolution, self.kernel)
    }

    fn cases() -> Vec<OpCase> {
        let of = |(name, s, convolution): (&str, Sizes, Convolution)| {
            let image = normal([&[s.samples, s.channels][..], &s.image].concat(), 4);
            let y = normal([&[s.samples, s.outputs][..], &s.places].concat(), 5);
            let op = ConvWeight { convolution, kernel: s.kernel };
            let case = OpCase::new(format!("conv2d_weight {name}"), op, vec![image, y]).tolerance(SUM);
            if s.channels * s.outputs < 100 { case.gradients(&[0, 1]) } else { case }
        };
        geometries().into_iter().map(of).collect()
    }
}
