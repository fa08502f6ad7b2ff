//! Rows of a table: an embedding, or a batch out of a data set.

use downhill_tensor::{Dtype, Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{integer, types};
use super::{OpCase, OpDef, ScatterAdd, Vjp};
use crate::interp::{Env, Tensor};
use crate::kernel::{Kernel, Launch, Lowered, Operand};
use crate::{Graph, Node, OpError, Value};

/// Inputs: a table `[entries, …]` of floats or integers and indices u32 of any shape; output `indices.shape ++ table.shape[1..]`. An index
/// out of range gives zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather;

impl OpDef for Gather {
    const NAME: &'static str = "gather";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [table, indices] = types(Self::NAME, inputs)?;
        let indices = integer(Self::NAME, indices)?;
        let Some((_, entry)) = table.shape.split_first() else {
            return Err(OpError::new(Self::NAME, "a single number is no table"));
        };
        let shape: Shape = indices.iter().chain(entry).copied().collect();
        Ok(smallvec![TensorTy { shape, dtype: table.dtype }])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (table, indices) = (cx.input(0), cx.input(1));
        let (entries, float) = (cx.input_shape(0)[0], cx.graph.ty(table).dtype == Dtype::F32);
        let grad = cx.grad().filter(|_| float);
        smallvec![grad.map(|g| cx.apply(ScatterAdd { entries }, &[g, indices])), None]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let width: usize = inputs[0].ty.shape[1..].iter().product();
        let mut data = Vec::with_capacity(outputs[0].shape.numel());
        for &index in &inputs[1].data {
            let start = (index as usize).saturating_mul(width);
            match inputs[0].data.get(start..start.saturating_add(width)) {
                Some(entry) => data.extend_from_slice(entry),
                None => data.extend(std::iter::repeat_n(0.0, width)),
            }
        }
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let (table, indices) = (graph.shape(node.inputs[0]), graph.shape(node.inputs[1]));
        let kernel = Kernel::Gather {
            rows: indices.numel() as u32,
            width: table[1..].iter().product::<usize>() as u32,
            entries: table[0] as u32,
        };
        Lowered::Kernels(smallvec![Launch {
            kernel,
            reads: smallvec![Operand::Input(0), Operand::Input(1)],
            writes: smallvec![Operand::Output(0)],
        }])
    }

    fn cases() -> Vec<OpCase> {
        let case = |name: &str, table: Tensor, indices: Tensor| {
            let case = OpCase::new(format!("gather {name}"), Gather, vec![table, indices]).tolerance(0.0);
            if case.inputs[0].is_integer() { case } else { case.gradients(&[0]) }
        };
        vec![
            case("one row of one", normal([1, 1], 1), Tensor::u32([1], &[0])),
            case("rows, some twice", normal([5, 3], 2), Tensor::u32([6], &[4, 0, 2, 2, 1, 4])),
            case("a grid of rows", normal([5, 3], 3), Tensor::u32([2, 2], &[1, 3, 3, 0])),
            case("numbers", normal([7], 4), Tensor::u32([3], &[6, 0, 6])),
            case("images", normal([3, 2, 2], 5), Tensor::u32([2], &[2, 0])),
            case("by one index", normal([3, 4], 6), Tensor::u32([], &[1])),
            case("out of range", normal([2, 3], 7), Tensor::u32([3], &[1, 2, u32::MAX])),
            case("labels", Tensor::u32([4], &[7, 8, 9, u32::MAX]), Tensor::u32([3], &[3, 0, 1])),
        ]
    }
}
