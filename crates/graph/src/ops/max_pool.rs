//! Pooling by the largest element, and what all pooling shares: [`Pooling`].

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{float, floats, integer, types};
use super::{Convolution, IndexSelect, OpCase, OpDef, Reshape, Vjp};
use crate::kernel::{Kernel, Launch, Lowered, Operand, PoolKind, PoolSpec, Window};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// How a window slides over the last two dimensions of an image `[N, C, H, W]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// How far it moves from a place to the next.
    pub stride: [usize; 2],
    /// Border on each side, at most half a window.
    pub padding: [usize; 2],
    /// Whether a mean counts the border as zeros.
    pub count_include_pad: bool,
}

impl Pooling {
    /// The kernel for an image, and the shape of what it gives.
    pub(super) fn spec(&self, op: &'static str, kind: PoolKind, image: &Shape) -> Result<(PoolSpec, Shape), OpError> {
        let error = |why: &str| OpError::new(op, format!("{image} {why}: {self:?}"));
        let &[samples, channels, height, width] = &image[..] else { return Err(error("has not four dimensions")) };
        let Self { kernel, stride, padding, count_include_pad } = *self;
        if kernel.contains(&0) || stride.contains(&0) || (0..2).any(|axis| 2 * padding[axis] > kernel[axis]) {
            return Err(error("has no place for such a window"));
        }
        let slide = Convolution { stride, padding: padding.map(|n| (n, n)), ..Convolution::default() };
        let places = [0, 1].map(|axis| slide.places(axis, [height, width][axis], kernel[axis]));
        let [Some(down), Some(across)] = places else { return Err(error("is smaller than the window")) };
        let window = |axis: usize, size: usize, places: usize| Window {
            size: size as u32,
            kernel: kernel[axis] as u32,
            places: places as u32,
            step: stride[axis] as u32,
            dilation: 1,
            offset: -(padding[axis] as i32),
            divide: 1,
        };
        let windows = [window(0, height, down), window(1, width, across)];
        let spec = PoolSpec { kind, planes: (samples * channels) as u32, windows, count_include_pad };
        Ok((spec, [samples, channels, down, across].into()))
    }

    pub(super) fn print(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        write!(f, "{name}<{:?} every {:?}, padding {:?}>", self.kernel, self.stride, self.padding)
    }
}

/// Input x `[N, C, H, W]`; outputs the largest element of each window, `[N, C, …]`, and its place in x as a u32. As `torch.max_pool2d`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool {
    /// How the window slides.
    pub pooling: Pooling,
}

/// Gradient of [`MaxPool`]: from dy and places to dx.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPoolGrad {
    /// How the window slides.
    pub pooling: Pooling,
    /// Shape of x.
    pub image: Shape,
}

impl OpDef for MaxPool {
    const NAME: &'static str = "max_pool2d";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = floats(Self::NAME, inputs)?;
        let (_, shape) = self.pooling.spec(Self::NAME, PoolKind::Max, x)?;
        Ok(smallvec![TensorTy::f32(shape.clone()), TensorTy::u32(shape)])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (places, image) = (cx.output(1), cx.input_shape(0));
        let pooling = self.pooling;
        smallvec![cx.grad().map(|g| cx.apply(MaxPoolGrad { pooling, image }, &[g, places]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (spec, _) = self.pooling.spec(Self::NAME, PoolKind::Max, &inputs[0].ty.shape).expect("checked by the shape rule");
        let results = spec.run(&|at| inputs[0].data[at], &|_| 0);
        outputs.iter().zip(results).map(|(ty, data)| Tensor::new(ty, data)).collect()
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let image = graph.shape(node.inputs[0]);
        let (spec, _) = self.pooling.spec(Self::NAME, PoolKind::Max, image).expect("checked by the shape rule");
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::Pool(spec),
            reads: smallvec![Operand::Input(0)],
            writes: smallvec![Operand::Output(0), Operand::Output(1)],
        }])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pooling.print(f, Self::NAME)
    }

    fn cases() -> Vec<OpCase> {
        let case = |(name, image, pooling): (&str, [usize; 4], Pooling)| {
            let case = OpCase::new(format!("max_pool2d {name}"), MaxPool { pooling }, vec![normal(image, 1)]);
            case.tolerance(0.0).constants(&[1]).gradients(&[0])
        };
        let mut cases: Vec<OpCase> = poolings().into_iter().map(case).collect();
        // Ties: the first of them is taken.
        let pooling = poolings()[1].2;
        let ties = Tensor::f32([1, 1, 4, 4], (0..16).map(|i| f64::from(i / 4 % 2)).collect());
        cases.push(OpCase::new("max_pool2d of ties", MaxPool { pooling }, vec![ties]).tolerance(0.0).constants(&[1]));
        cases
    }
}

impl OpDef for MaxPoolGrad {
    const NAME: &'static str = "max_pool2d_grad";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [dy, places] = types(Self::NAME, inputs)?;
        let (dy, places) = (float(Self::NAME, dy)?, integer(Self::NAME, places)?);
        let (_, shape) = self.pooling.spec(Self::NAME, PoolKind::MaxGrad, &self.image)?;
        if *dy != shape || *places != shape {
            return Err(OpError::new(Self::NAME, format!("{dy} and {places} are not what pooling {} gives", self.image)));
        }
        Ok(smallvec![TensorTy::f32(self.image.clone())])
    }

    /// Each element of dy went to one place, whose gradient comes back.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let places = cx.input(1);
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let flat = cx.apply(Reshape { shape: [self.image.numel()].into() }, &[g]);
        smallvec![Some(cx.apply(IndexSelect::ROWS, &[flat, places])), None]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (spec, _) = self.pooling.spec(Self::NAME, PoolKind::MaxGrad, &self.image).expect("checked by the shape rule");
        let results = spec.run(&|at| inputs[0].data[at], &|number| inputs[1].data[number] as usize);
        outputs.iter().zip(results).map(|(ty, data)| Tensor::new(ty, data)).collect()
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        let (spec, _) = self.pooling.spec(Self::NAME, PoolKind::MaxGrad, &self.image).expect("checked by the shape rule");
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::Pool(spec),
            reads: smallvec![Operand::Input(0), Operand::Input(1)],
            writes: smallvec![Operand::Output(0)],
        }])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pooling.print(f, Self::NAME)
    }

    fn cases() -> Vec<OpCase> {
        let case = |(name, image, pooling): (&str, [usize; 4], Pooling)| {
            let (spec, shape) = pooling.spec("", PoolKind::Max, &Shape::from(image)).expect("a case fits");
            let x = normal(image, 1);
            let places: Vec<u32> = spec.run(&|at| x.data[at], &|_| 0)[1].iter().map(|&at| at as u32).collect();
            let inputs = vec![normal(shape.clone(), 2), Tensor::u32(shape, &places)];
            OpCase::new(format!("max_pool2d_grad {name}"), MaxPoolGrad { pooling, image: image.into() }, inputs).gradients(&[0])
        };
        poolings().into_iter().map(case).collect()
    }
}

/// Poolings of every kind.
pub(super) fn poolings() -> Vec<(&'static str, [usize; 4], Pooling)> {
    let pooling = |kernel, stride, padding, count_include_pad| Pooling { kernel, stride, padding, count_include_pad };
    vec![
        ("one of one", [1, 1, 1, 1], pooling([1, 1], [1, 1], [0, 0], true)),
        ("two by two", [2, 3, 6, 8], pooling([2, 2], [2, 2], [0, 0], true)),
        ("what is left over", [2, 2, 5, 7], pooling([2, 2], [2, 2], [0, 0], false)),
        ("overlapping with a border", [2, 2, 7, 6], pooling([3, 3], [2, 2], [1, 1], true)),
        ("without counting the border", [2, 2, 7, 6], pooling([3, 3], [2, 1], [1, 1], false)),
        ("a stride beyond the window", [1, 2, 9, 8], pooling([2, 2], [3, 4], [0, 0], true)),
        ("as large as the image", [3, 4, 4, 5], pooling([4, 5], [4, 5], [0, 0], true)),
        ("a line", [3, 2, 1, 9], pooling([1, 3], [1, 2], [0, 1], true)),
        ("many planes", [8, 16, 14, 12], pooling([2, 2], [2, 2], [0, 0], true)),
    ]
}
