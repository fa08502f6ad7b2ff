//! Convolution of images, and what all ops about convolutions share: [`Convolution`], its sizes and its windows.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::floats;
use super::{ConvTranspose, ConvWeight, OpCase, OpDef, Vjp};
use crate::kernel::{Kernel, Launch, Lowered, MatLayout, MatMulSpec, Operand, Patches, Window};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// How a kernel slides over an image; two axes, height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// How far it moves from a place to the next.
    pub stride: [usize; 2],
    /// Zeros before the first and behind the last element of each axis.
    pub padding: [(usize, usize); 2],
    /// How far its taps lie apart.
    pub dilation: [usize; 2],
    /// Parts of the channels that do not meet: an output sees the channels of its own part only.
    pub groups: usize,
}

/// Numbers of everything: an image `[samples, channels, …image]` by weights `[outputs, channels / groups, …kernel]` gives
/// `[samples, outputs, …places]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub samples: usize,
    pub channels: usize,
    pub image: [usize; 2],
    pub outputs: usize,
    pub kernel: [usize; 2],
    pub places: [usize; 2],
}

impl Default for Convolution {
    /// As PyTorch's defaults: no padding, a place for each element, one group.
    fn default() -> Self {
        Self { stride: [1; 2], padding: [(0, 0); 2], dilation: [1; 2], groups: 1 }
    }
}

impl Convolution {
    /// Places of a kernel over an axis of the image; nothing where it does not fit.
    pub fn places(&self, axis: usize, image: usize, kernel: usize) -> Option<usize> {
        let (before, after) = self.padding[axis];
        let padded = image.checked_add(before)?.checked_add(after)?;
        let reach = self.dilation[axis].checked_mul(kernel.checked_sub(1)?)?;
        Some(padded.checked_sub(reach)?.checked_sub(1)? / self.stride[axis] + 1)
    }

    fn describe(&self) -> String {
        let Self { stride, padding, dilation, groups } = self;
        format!("stride {stride:?}, padding {padding:?}, dilation {dilation:?}, groups {groups}")
    }

    /// The sizes of an image and of weights that go together.
    pub(super) fn sizes(&self, op: &'static str, image: &Shape, weight: &Shape) -> Result<Sizes, OpError> {
        let error = |why: String| OpError::new(op, format!("an image {image} and a weight {weight} {why}"));
        let (&[samples, channels, height, width], &[outputs, per_group, kernel_height, kernel_width]) =
            (&image[..], &weight[..])
        else {
            return Err(error("must both have four dimensions".to_string()));
        };
        if self.stride.contains(&0) || self.dilation.contains(&0) || self.groups == 0 {
            return Err(error(format!("with {}: none of these can be 0", self.describe())));
        }
        if per_group * self.groups != channels || !outputs.is_multiple_of(self.groups) {
            return Err(error(format!("do not make {} groups", self.groups)));
        }
        let (image, kernel) = ([height, width], [kernel_height, kernel_width]);
        let places = [0, 1].map(|axis| self.places(axis, image[axis], kernel[axis]));
        let [Some(down), Some(across)] = places else {
            return Err(error(format!("with {}: the kernel is larger than the image", self.describe())));
        };
        Ok(Sizes { samples, channels, image, outputs, kernel, places: [down, across] })
    }

    /// The windows of the convolution over its image.
    pub(super) fn windows(&self, s: &Sizes) -> [Window; 2] {
        [0, 1].map(|axis| Window {
            size: s.image[axis] as u32,
            kernel: s.kernel[axis] as u32,
            places: s.places[axis] as u32,
            step: self.stride[axis] as u32,
            dilation: self.dilation[axis] as i32,
            offset: -(self.padding[axis].0 as i32),
            divide: 1,
        })
    }

    /// The windows of the way back: from the image over what the convolution gave.
    pub(super) fn windows_back(&self, s: &Sizes) -> [Window; 2] {
        [0, 1].map(|axis| Window {
            size: s.places[axis] as u32,
            kernel: s.kernel[axis] as u32,
            places: s.image[axis] as u32,
            step: 1,
            dilation: -(self.dilation[axis] as i32),
            offset: self.padding[axis].0 as i32,
            divide: self.stride[axis] as u32,
        })
    }

    /// Whether every output sees one pixel, so that an image is a matrix `[channels, pixels]` as it lies there.
    pub(super) fn is_pointwise(&self, s: &Sizes) -> bool {
        s.kernel == [1; 2] && self.stride == [1; 2] && self.padding == [(0, 0); 2]
    }

    /// Calls `visit` with the place in the image, in the weight and in the output of every product that the convolution adds up.
    pub(super) fn each_product(&self, s: &Sizes, mut visit: impl FnMut(usize, usize, usize)) {
        let [down, across] = self.windows(s);
        let (per_group, outputs_per_group) = (s.channels / self.groups, s.outputs / self.groups);
        let taps = s.kernel[0] * s.kernel[1];
        let pairs = |a: usize, b: usize| (0..a).flat_map(move |i| (0..b).map(move |j| (i, j)));
        for (n, o) in pairs(s.samples, s.outputs) {
            for (oy, ox) in pairs(s.places[0], s.places[1]) {
                let out = ((n * s.outputs + o) * s.places[0] + oy) * s.places[1] + ox;
                for (c, tap) in pairs(per_group, taps) {
                    let (ky, kx) = (tap / s.kernel[1], tap % s.kernel[1]);
                    let (y, x) = (down.source(oy as u32, ky as u32), across.source(ox as u32, kx as u32));
                    let (Some(y), Some(x)) = (y, x) else { continue };
                    let channel = o / outputs_per_group * per_group + c;
                    let pixel = ((n * s.channels + channel) * s.image[0] + y as usize) * s.image[1] + x as usize;
                    visit(pixel, (o * per_group + c) * taps + tap, out);
                }
            }
        }
    }
}

/// A product of weights, read 0, with patches of what is read 1, one for each sample and group.
pub(super) fn by_patches(
    convolution: &Convolution,
    s: &Sizes,
    [from, to]: [usize; 2],
    windows: [Window; 2],
    reads: [Operand; 2],
) -> Lowered {
    let groups = convolution.groups;
    let pixels = |axis: fn(&Window) -> u32| windows.iter().map(axis).product::<u32>();
    let (channels, n) = ((from / groups) as u32, pixels(|w| w.places));
    let (m, k) = ((to / groups) as u32, channels * pixels(|w| w.kernel));
    let image = channels * pixels(|w| w.size);
    let weights =
        MatLayout { batch_stride: if groups == 1 { 0 } else { m * k }, segment_stride: 0, row_stride: k, col_stride: 1 };
    let read = MatLayout { batch_stride: image, segment_stride: 0, row_stride: n, col_stride: 1 };
    let patches = (!convolution.is_pointwise(s)).then_some(Patches { channels, windows, transposed: false });
    let batch = (s.samples * groups) as u32;
    let spec = MatMulSpec { cycle: groups as u32, patches, ..MatMulSpec::plain([batch, m, n, k], weights, read) };
    Lowered::Kernels(smallvec![Launch {
        kernel: Kernel::MatMul(spec),
        reads: SmallVec::from_slice(&reads),
        writes: smallvec![Operand::Output(0)],
    }])
}

/// Inputs: an image `[N, C, H, W]` and a weight `[O, C / groups, kh, kw]`; output `[N, O, …]`. As `torch.conv2d`: the kernel is not flipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// How the kernel slides.
    pub convolution: Convolution,
}

impl OpDef for Conv {
    const NAME: &'static str = "conv2d";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [image, weight] = floats(Self::NAME, inputs)?;
        let s = self.convolution.sizes(Self::NAME, image, weight)?;
        Ok(smallvec![TensorTy::f32([s.samples, s.outputs, s.places[0], s.places[1]])])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let (x, weight, convolution) = (cx.input(0), cx.input(1), self.convolution);
        let (image, kernel) = (cx.input_shape(0), cx.input_shape(1));
        let size = [image[2], image[3]];
        let dx = cx.needs[0].then(|| cx.apply(ConvTranspose { convolution, size, turned: false }, &[g, weight]));
        let kernel = [kernel[2], kernel[3]];
        let dw = cx.needs[1].then(|| cx.apply(ConvWeight { convolution, kernel }, &[x, g]));
        smallvec![dx, dw]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let s =
            self.convolution.sizes(Self::NAME, &inputs[0].ty.shape, &inputs[1].ty.shape).expect("checked by the shape rule");
        let mut data = vec![0.0; outputs[0].shape.numel()];
        self.convolution.each_product(&s, |x, w, y| data[y] += inputs[0].data[x] * inputs[1].data[w]);
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let (image, weight) = (graph.shape(node.inputs[0]), graph.shape(node.inputs[1]));
        let s = self.convolution.sizes(Self::NAME, image, weight).expect("checked by the shape rule");
        let reads = [Operand::Input(1), Operand::Input(0)];
        by_patches(&self.convolution, &s, [s.channels, s.outputs], self.convolution.windows(&s), reads)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conv2d<{}>", self.convolution.describe())
    }

    fn cases() -> Vec<OpCase> {
        let of = |(name, s, convolution): (&str, Sizes, Convolution)| {
            let inputs = vec![normal([&[s.samples, s.channels][..], &s.image].concat(), 1), weights(&s, &convolution)];
            let case = OpCase::new(format!("conv2d {name}"), Conv { convolution }, inputs).tolerance(SUM);
            if s.channels * s.outputs < 100 { case.gradients(&[0, 1]) } else { case }
        };
        geometries().into_iter().map(of).collect()
    }
}

/// Random weights of these sizes.
pub(super) fn weights(s: &Sizes, convolution: &Convolution) -> Tensor {
    normal([s.outputs, s.channels / convolution.groups, s.kernel[0], s.kernel[1]], 2)
}

/// Sums of up to 288 products in f32, in any order, and of 2000 for weight gradients.
pub(super) const SUM: f64 = 1e-5;

/// Convolutions of every kind, the odd ones too.
pub(super) fn geometries() -> Vec<(&'static str, Sizes, Convolution)> {
    let case = |name, counts: [usize; 3], image: [usize; 2], kernel: [usize; 2], convolution: Convolution| {
        let [samples, channels, outputs] = counts;
        let places = [0, 1].map(|axis| convolution.places(axis, image[axis], kernel[axis]).expect("a case fits"));
        (name, Sizes { samples, channels, image, outputs, kernel, places }, convolution)
    };
    let plain = Convolution::default();
    let same = |before, after| Convolution { padding: [(before, after); 2], ..plain };
    let groups = |groups| Convolution { groups, ..same(1, 1) };
    let wild = Convolution { stride: [2, 3], padding: [(2, 1), (0, 3)], dilation: [2, 1], groups: 1 };
    vec![
        case("one by one of one", [1, 1, 1], [1, 1], [1, 1], plain),
        case("pointwise", [2, 3, 5], [4, 3], [1, 1], plain),
        case("pointwise in groups", [2, 4, 6], [3, 3], [1, 1], Convolution { groups: 2, ..plain }),
        case("pointwise with a stride", [2, 3, 4], [5, 6], [1, 1], Convolution { stride: [2, 3], ..plain }),
        case("three by three", [2, 2, 3], [6, 5], [3, 3], plain),
        case("same", [2, 2, 3], [5, 7], [3, 3], same(1, 1)),
        case("even and same", [2, 2, 2], [5, 6], [4, 4], same(1, 2)),
        case("with a stride", [2, 2, 3], [7, 8], [3, 3], Convolution { stride: [2, 2], ..same(1, 1) }),
        case("with a stride beyond the kernel", [1, 2, 2], [9, 8], [2, 2], Convolution { stride: [3, 4], ..plain }),
        case("dilated and padded", [2, 2, 2], [6, 6], [3, 3], Convolution { dilation: [2, 2], ..same(2, 2) }),
        case("of uneven everything", [2, 2, 3], [9, 11], [3, 2], wild),
        case("as large as the image", [3, 2, 4], [4, 5], [4, 5], plain),
        case("larger than the image but for its padding", [2, 1, 2], [2, 2], [4, 4], same(2, 2)),
        case("in two groups", [2, 4, 6], [5, 5], [3, 3], groups(2)),
        case("of each channel by itself", [2, 5, 5], [6, 6], [3, 3], groups(5)),
        case("of each channel twice", [2, 3, 6], [5, 4], [3, 3], Convolution { stride: [2, 1], ..groups(3) }),
        case("of each channel by itself, without a border", [2, 3, 3], [5, 21], [3, 3], Convolution { groups: 3, ..plain }),
        case("of each channel by itself, in rows of some vectors", [2, 3, 3], [4, 30], [3, 3], groups(3)),
        case(
            "of each channel twice, with uneven borders",
            [2, 2, 4],
            [6, 19],
            [3, 3],
            Convolution { groups: 2, padding: [(2, 0), (1, 2)], ..plain },
        ),
        case("of a line", [3, 2, 4], [1, 12], [1, 5], Convolution { padding: [(0, 0), (2, 2)], ..plain }),
        case("of one channel", [1, 1, 9], [8, 8], [5, 5], plain),
        case("of 255 channels", [1, 255, 3], [4, 4], [3, 3], same(1, 1)),
        case("of many blocks", [5, 32, 40], [14, 14], [3, 3], same(1, 1)),
        case(
            "of many blocks in groups",
            [2, 40, 64],
            [17, 13],
            [5, 5],
            Convolution { groups: 2, stride: [2, 1], ..same(2, 2) },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_its_shapes() {
        let refused = |convolution: Convolution, image: [usize; 4], weight: [usize; 4]| {
            let (image, weight) = (TensorTy::f32(image), TensorTy::f32(weight));
            Conv { convolution }.infer(&[&image, &weight], &Graph::new()).unwrap_err().to_string()
        };
        let plain = Convolution::default();
        assert!(refused(plain, [1, 2, 3, 3], [4, 2, 4, 4]).ends_with("the kernel is larger than the image"));
        assert!(refused(plain, [1, 3, 3, 3], [4, 2, 2, 2]).ends_with("do not make 1 groups"));
        assert!(refused(Convolution { groups: 3, ..plain }, [1, 3, 3, 3], [4, 1, 2, 2]).ends_with("do not make 3 groups"));
        assert!(
            refused(Convolution { stride: [0, 1], ..plain }, [1, 3, 3, 3], [4, 3, 2, 2]).contains("none of these can be 0")
        );
    }
}
