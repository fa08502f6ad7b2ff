//! Sums of rows into a table by index: the gradient of [`IndexSelect`].

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{float, integer, types};
use super::{IndexSelect, OpCase, OpDef, Vjp};
use crate::kernel::{IndexAddSpec, Kernel, Launch, Lowered, Operand};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// Inputs: values `indices.shape ++ entry` and indices u32; output `[entries] ++ entry`, zero where no index points. An index out of
/// range adds nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexAdd {
    /// Entries of the table.
    pub entries: usize,
}

impl OpDef for IndexAdd {
    const NAME: &'static str = "index_add";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [values, indices] = types(Self::NAME, inputs)?;
        let (values, indices) = (float(Self::NAME, values)?, integer(Self::NAME, indices)?);
        let Some(entry) = values.strip_prefix(&indices[..]) else {
            return Err(OpError::new(
                Self::NAME,
                format!("values {values} do not start with the shape of the indices {indices}"),
            ));
        };
        let shape: Shape = [self.entries].iter().chain(entry).copied().collect();
        Ok(smallvec![TensorTy::f32(shape)])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (indices, grad) = (cx.input(1), cx.grad());
        smallvec![grad.map(|g| cx.apply(IndexSelect::ROWS, &[g, indices])), None]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let width: usize = outputs[0].shape[1..].iter().product();
        let mut data = vec![0.0; outputs[0].shape.numel()];
        for (row, &index) in inputs[1].data.iter().enumerate() {
            let start = (index as usize).saturating_mul(width);
            if let Some(entry) = data.get_mut(start..start.saturating_add(width)) {
                for (sum, v) in entry.iter_mut().zip(&inputs[0].data[row * width..]) {
                    *sum += v;
                }
            }
        }
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let kernel = Kernel::IndexAdd(IndexAddSpec {
            rows: graph.shape(node.inputs[1]).numel() as u32,
            width: node.outputs[0].shape[1..].iter().product::<usize>() as u32,
            entries: self.entries as u32,
        });
        Lowered::Kernels(smallvec![Launch {
            kernel,
            reads: smallvec![Operand::Input(0), Operand::Input(1)],
            writes: smallvec![Operand::Output(0)],
        }])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "index_add<{}>", self.entries)
    }

    fn cases() -> Vec<OpCase> {
        let case = |name: &str, entries, shape: &[usize], indices: Tensor| {
            OpCase::new(format!("index_add {name}"), IndexAdd { entries }, vec![normal(shape, 1), indices]).gradients(&[0])
        };
        vec![
            case("one", 1, &[1, 1], Tensor::u32([1], &[0])),
            case("with repeats", 4, &[5, 3], Tensor::u32([5], &[2, 0, 2, 2, 3])),
            case("of a grid", 3, &[2, 2, 3], Tensor::u32([2, 2], &[1, 1, 0, 2])),
            case("of numbers", 5, &[4], Tensor::u32([4], &[4, 4, 4, 0])),
            // More rows than are sorted at once, in runs that do not come out even; entries without a row and with many.
            case("of many rows", 40, &[1100, 3], Tensor::u32([1100], &(0..1100).map(|i| i * i % 37).collect::<Vec<_>>())),
            case("of many rows of four", 5, &[600, 8], Tensor::u32([600], &(0..600).map(|i| i % 7).collect::<Vec<_>>())),
            case("out of range", 2, &[3, 2], Tensor::u32([3], &[0, 2, u32::MAX])),
        ]
    }
}
