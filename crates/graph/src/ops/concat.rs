//! Several tensors along one dimension.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{around, axis, float, with_size};
use super::{OpCase, OpDef, Slice, Vjp};
use crate::kernel::{CopyIntoSpec, Kernel, Launch, Lowered, Operand};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// The inputs one after the other along `axis`; their other sizes are equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    /// The dimension.
    pub axis: usize,
}

impl OpDef for Concat {
    const NAME: &'static str = "cat";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let first = inputs.first().ok_or_else(|| OpError::new(Self::NAME, "takes one input or more"))?;
        let first = float(Self::NAME, first)?;
        let mut size = 0;
        for input in inputs {
            let shape = float(Self::NAME, input)?;
            let own = axis(Self::NAME, shape, self.axis)?;
            if shape.rank() != first.rank() || with_size(shape, self.axis, 0) != with_size(first, self.axis, 0) {
                let message = format!("{first} and {shape} differ in more than dimension {}", self.axis);
                return Err(OpError::new(Self::NAME, message));
            }
            size += own;
        }
        Ok(smallvec![TensorTy::f32(with_size(first, self.axis, size))])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let count = cx.graph.node(cx.node).inputs.len();
        let Some(g) = cx.grad() else { return smallvec![None; count] };
        let mut start = 0;
        (0..count)
            .map(|i| {
                let end = start + cx.input_shape(i)[self.axis];
                let range = Slice { axis: self.axis, start, end, step: 1 };
                start = end;
                cx.needs[i].then(|| cx.apply(range, &[g]))
            })
            .collect()
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (outer, _, _) = around(&outputs[0].shape, self.axis);
        let mut data = Vec::with_capacity(outputs[0].shape.numel());
        for block in 0..outer {
            for input in inputs {
                let len = input.data.len() / outer;
                data.extend_from_slice(&input.data[block * len..(block + 1) * len]);
            }
        }
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let (outer, size, inner) = around(&node.outputs[0].shape, self.axis);
        let mut start = 0;
        let launches = node.inputs.iter().enumerate().map(|(i, input)| {
            let len = graph.shape(*input)[self.axis] * inner;
            let (outer, len_u32, stride, start_u32) = (outer as u32, len as u32, (size * inner) as u32, start as u32);
            let kernel = Kernel::CopyInto(CopyIntoSpec { outer, len: len_u32, stride, start: start_u32 });
            start += len;
            Launch { kernel, reads: smallvec![Operand::Input(i)], writes: smallvec![Operand::Output(0)] }
        });
        Lowered::Kernels(launches.collect())
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cat<{}>", self.axis)
    }

    fn cases() -> Vec<OpCase> {
        let case = |axis, shapes: &[&[usize]]| {
            let inputs: Vec<Tensor> = shapes.iter().zip(1..).map(|(&shape, seed)| normal(shape, seed)).collect();
            let names: Vec<String> = shapes.iter().map(|&s| Shape::from(s).to_string()).collect();
            let gradients: Vec<usize> = (0..shapes.len()).collect();
            OpCase::new(format!("cat {} axis {axis}", names.join(" ")), Concat { axis }, inputs)
                .gradients(&gradients)
                .tolerance(0.0)
        };
        vec![
            case(0, &[&[1]]),
            case(0, &[&[3], &[1], &[2]]),
            case(0, &[&[2, 3], &[1, 3]]),
            case(1, &[&[2, 3], &[2, 1]]),
            case(1, &[&[2, 3, 2], &[2, 1, 2], &[2, 2, 2]]),
            case(2, &[&[2, 3, 5], &[2, 3, 4]]),
        ]
    }
}
