//! Pooling by the mean, and its way back.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::floats;
use super::max_pool::poolings;
use super::{OpCase, OpDef, Pooling, Vjp};
use crate::kernel::{Kernel, Launch, Lowered, Operand, PoolKind};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// Input x `[N, C, H, W]`; output the mean of each window, `[N, C, …]`. As `torch.avg_pool2d`.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool {
    /// How the window slides.
    pub pooling: Pooling,
}

/// Gradient of [`AvgPool`]: from dy to dx.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPoolGrad {
    /// How the window slides.
    pub pooling: Pooling,
    /// Shape of x.
    pub image: Shape,
}

fn eval(pooling: &Pooling, kind: PoolKind, image: &Shape, input: &Tensor, ty: &TensorTy) -> Vec<Tensor> {
    let (spec, _) = pooling.spec("", kind, image).expect("checked by the shape rule");
    spec.run(&|at| input.data[at], &|_| 0).into_iter().map(|data| Tensor::new(ty, data)).collect()
}

fn lower(pooling: &Pooling, kind: PoolKind, image: &Shape) -> Lowered {
    let (spec, _) = pooling.spec("", kind, image).expect("checked by the shape rule");
    Lowered::Kernels(smallvec![Launch {
        kernel: Kernel::Pool(spec),
        reads: smallvec![Operand::Input(0)],
        writes: smallvec![Operand::Output(0)],
    }])
}

impl OpDef for AvgPool {
    const NAME: &'static str = "avg_pool2d";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = floats(Self::NAME, inputs)?;
        let (_, shape) = self.pooling.spec(Self::NAME, PoolKind::Average, x)?;
        Ok(smallvec![TensorTy::f32(shape)])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (pooling, image) = (self.pooling, cx.input_shape(0));
        smallvec![cx.grad().map(|g| cx.apply(AvgPoolGrad { pooling, image }, &[g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        eval(&self.pooling, PoolKind::Average, &inputs[0].ty.shape, inputs[0], &outputs[0])
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower(&self.pooling, PoolKind::Average, graph.shape(node.inputs[0]))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pooling.print(f, Self::NAME)
    }

    fn cases() -> Vec<OpCase> {
        let case = |(name, image, pooling): (&str, [usize; 4], Pooling)| {
            OpCase::new(format!("avg_pool2d {name}"), AvgPool { pooling }, vec![normal(image, 1)]).gradients(&[0])
        };
        poolings().into_iter().map(case).collect()
    }
}

impl OpDef for AvgPoolGrad {
    const NAME: &'static str = "avg_pool2d_grad";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [dy] = floats(Self::NAME, inputs)?;
        let (_, shape) = self.pooling.spec(Self::NAME, PoolKind::AverageGrad, &self.image)?;
        if *dy != shape {
            return Err(OpError::new(Self::NAME, format!("{dy} is not what pooling {} gives", self.image)));
        }
        Ok(smallvec![TensorTy::f32(self.image.clone())])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let pooling = self.pooling;
        smallvec![cx.grad().map(|g| cx.apply(AvgPool { pooling }, &[g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        eval(&self.pooling, PoolKind::AverageGrad, &self.image, inputs[0], &outputs[0])
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        lower(&self.pooling, PoolKind::AverageGrad, &self.image)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pooling.print(f, Self::NAME)
    }

    fn cases() -> Vec<OpCase> {
        let case = |(name, image, pooling): (&str, [usize; 4], Pooling)| {
            let (_, shape) = pooling.spec("", PoolKind::Average, &Shape::from(image)).expect("a case fits");
            let op = AvgPoolGrad { pooling, image: image.into() };
            OpCase::new(format!("avg_pool2d_grad {name}"), op, vec![normal(shape, 2)]).gradients(&[0])
        };
        poolings().into_iter().map(case).collect()
    }
}
