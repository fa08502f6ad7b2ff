//! Entries of a table by index: an embedding, a batch out of a data set, windows of a text.

use std::fmt;

use downhill_tensor::{Dtype, Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{integer, types};
use super::{IndexAdd, OpCase, OpDef, Vjp};
use crate::kernel::{Element, IndexSelectSpec, Kernel, Launch, Lowered, Operand};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// Inputs: a table and indices u32 of any shape; output `indices.shape ++ entry`. An index that names no entry gives zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexSelect {
    /// How entries lie in the table.
    pub table: Table,
}

/// How the entries of an [`IndexSelect`] lie in its table.
#[derive(Clone, Debug, PartialEq)]
pub enum Table {
    /// The table is `[entries, …]`, of floats or integers: `torch.index_select` along the first dimension.
    Rows,
    /// The table is one row `[len]` and the index is where an entry starts: `table[index .. index + width]`. Of 10 elements, windows of 3
    /// start at 0 to 7.
    Windows {
        /// Elements of an entry.
        width: usize,
    },
    /// The table is words u32 `[entries, ⌈numel/4⌉]`, four bytes in each, the first in the lowest bits; a byte b gives `scale·b + shift`, so a
    /// data set of bytes takes a quarter of the memory.
    Bytes {
        /// Shape of an entry.
        entry: Shape,
        /// Factor.
        scale: f32,
        /// Summand.
        shift: f32,
    },
}

/// What follows from the table's type.
struct Entries {
    entry: Shape,
    dtype: Dtype,
    stride: usize,
    count: usize,
    element: Element,
}

impl IndexSelect {
    /// Entries of a table `[entries, …]`.
    pub const ROWS: Self = Self { table: Table::Rows };

    fn entries(&self, table: &TensorTy) -> Result<Entries, OpError> {
        let error = |message: String| Err(OpError::new(Self::NAME, message));
        match &self.table {
            Table::Rows => {
                let Some((&count, entry)) = table.shape.split_first() else {
                    return error("a single number is no table".into());
                };
                let (entry, dtype) = (Shape::from(entry), table.dtype);
                Ok(Entries { stride: entry.numel(), entry, dtype, count, element: Element::Word })
            }
            Table::Windows { width } => match table.shape[..] {
                [len] if (1..=len).contains(width) => Ok(Entries {
                    entry: [*width].into(),
                    dtype: table.dtype,
                    stride: 1,
                    count: len - width + 1,
                    element: Element::Word,
                }),
                _ => error(format!("windows of {width} elements do not fit into {}", table.shape)),
            },
            Table::Bytes { entry, scale, shift } => {
                let words = integer(Self::NAME, table)?;
                let element = Element::Byte { scale: *scale, shift: *shift };
                let stride = element.words(entry.numel());
                match words[..] {
                    [count, n] if n == stride => {
                        Ok(Entries { entry: entry.clone(), dtype: Dtype::F32, stride, count, element })
                    }
                    _ => error(format!("entries {entry} of bytes take {stride} words each, the table is {words}")),
                }
            }
        }
    }
}

impl OpDef for IndexSelect {
    const NAME: &'static str = "index_select";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [table, indices] = types(Self::NAME, inputs)?;
        let indices = integer(Self::NAME, indices)?;
        let Entries { entry, dtype, .. } = self.entries(table)?;
        let shape: Shape = indices.iter().chain(&entry[..]).copied().collect();
        Ok(smallvec![TensorTy { shape, dtype }])
    }

    /// Only rows of floats have a gradient; windows and bytes are data, which counts as constant.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (table, indices) = (cx.input(0), cx.input(1));
        let learned = self.table == Table::Rows && cx.graph.ty(table).dtype == Dtype::F32;
        let Some(grad) = cx.grad().filter(|_| learned) else { return smallvec![None, None] };
        let entries = cx.input_shape(0)[0];
        smallvec![Some(cx.apply(IndexAdd { entries }, &[grad, indices])), None]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let Entries { entry, stride, count, element, .. } = self.entries(&inputs[0].ty).expect("checked by the shape rule");
        let table = &inputs[0].data;
        let at = |start: usize, i: usize| match element {
            Element::Word => table[start + i],
            Element::Byte { scale, shift } => {
                let byte = (table[start + i / 4] as u32) >> (8 * (i % 4)) & 255;
                f64::from(scale) * f64::from(byte) + f64::from(shift)
            }
        };
        let mut data = Vec::with_capacity(outputs[0].shape.numel());
        for &index in &inputs[1].data {
            let (index, fits) = (index as usize, index < count as f64);
            data.extend((0..entry.numel()).map(|i| if fits { at(index * stride, i) } else { 0.0 }));
        }
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let table = graph.ty(node.inputs[0]);
        let Entries { entry, stride, count, element, .. } = self.entries(table).expect("checked by the shape rule");
        let kernel = Kernel::IndexSelect(IndexSelectSpec {
            rows: graph.shape(node.inputs[1]).numel() as u32,
            width: entry.numel() as u32,
            stride: stride as u32,
            entries: count as u32,
            element,
        });
        Lowered::Kernels(smallvec![Launch {
            kernel,
            reads: smallvec![Operand::Input(0), Operand::Input(1)],
            writes: smallvec![Operand::Output(0)],
        }])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.table {
            Table::Rows => f.write_str(Self::NAME),
            Table::Windows { width } => write!(f, "index_select<windows of {width}>"),
            Table::Bytes { entry, scale, shift } => write!(f, "index_select<bytes {entry}·{scale} + {shift}>"),
        }
    }

    fn cases() -> Vec<OpCase> {
        let case = |name: &str, table: Tensor, indices: Tensor| {
            let case = OpCase::new(format!("index_select {name}"), IndexSelect::ROWS, vec![table, indices]).tolerance(0.0);
            if case.inputs[0].is_integer() { case } else { case.gradients(&[0]) }
        };
        let mut cases = vec![
            case("one row of one", normal([1, 1], 1), Tensor::u32([1], &[0])),
            case("rows, some twice", normal([5, 3], 2), Tensor::u32([6], &[4, 0, 2, 2, 1, 4])),
            case("a grid of rows", normal([5, 3], 3), Tensor::u32([2, 2], &[1, 3, 3, 0])),
            case("numbers", normal([7], 4), Tensor::u32([3], &[6, 0, 6])),
            case("images", normal([3, 2, 2], 5), Tensor::u32([2], &[2, 0])),
            case("by one index", normal([3, 4], 6), Tensor::u32([], &[1])),
            case("out of range", normal([2, 3], 7), Tensor::u32([3], &[1, 2, u32::MAX])),
            case("labels", Tensor::u32([4], &[7, 8, 9, u32::MAX]), Tensor::u32([3], &[3, 0, 1])),
            case("many rows", normal([9, 4], 8), Tensor::u32([130], &(0..130).map(|i| i * 7 % 10).collect::<Vec<_>>())),
        ];
        cases.extend(window_cases());
        cases.extend(byte_cases());
        cases
    }
}

fn window_cases() -> Vec<OpCase> {
    let case = |name: &str, width, table: Tensor, starts: &[u32]| {
        let op = IndexSelect { table: Table::Windows { width } };
        OpCase::new(format!("index_select windows {name}"), op, vec![table, Tensor::u32([starts.len()], starts)]).tolerance(0.0)
    };
    let text: Vec<u32> = (0..23).map(|i| i * 31 % 17).collect();
    vec![
        case("of integers", 3, Tensor::u32([23], &text), &[0, 20, 1, 1, 7]),
        case("of four", 4, Tensor::u32([23], &text), &[5, 2, 19]),
        case("of floats", 5, normal([11], 9), &[6, 0]),
        case("of everything", 7, normal([7], 9), &[0]),
        case("that begin too late", 3, Tensor::u32([23], &text), &[21, 22, u32::MAX]),
    ]
}

fn byte_cases() -> Vec<OpCase> {
    let case = |name: &str, entry: &[usize], scale, shift, entries: usize, indices: &[u32]| {
        let words = entry.iter().product::<usize>().div_ceil(4);
        let table: Vec<u32> = (0..entries * words).map(|i| (i as u32 + 1).wrapping_mul(2_654_435_761)).collect();
        let op = IndexSelect { table: Table::Bytes { entry: entry.into(), scale, shift } };
        let inputs = vec![Tensor::u32([entries, words], &table), Tensor::u32([indices.len()], indices)];
        OpCase::new(format!("index_select bytes {name}"), op, inputs)
    };
    vec![
        case("of one", &[1], 1.0, 0.0, 3, &[2, 0]),
        case("of images", &[2, 4], 1.0 / 255.0, 0.0, 5, &[4, 0, 0]),
        case("that do not fill a word", &[7], 2.0 / 255.0, -1.0, 4, &[3, 1, 2, 2]),
        case("out of range", &[4], 0.5, 1.0, 2, &[1, 2, u32::MAX]),
        case("of digits", &[28, 28], 1.0 / 255.0, -0.5, 6, &[5, 3, 3, 0, 1, 2, 4]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_bytes_has_as_many_words_as_its_entries_need() {
        let op = IndexSelect { table: Table::Bytes { entry: [2, 3].into(), scale: 1.0, shift: 0.0 } };
        let indices = TensorTy::u32([5]);
        let out = op.infer(&[&TensorTy::u32([10, 2]), &indices], &Graph::new()).unwrap();
        assert_eq!(out[0], TensorTy::f32([5, 2, 3]));
        let error = op.infer(&[&TensorTy::u32([10, 3]), &indices], &Graph::new()).unwrap_err();
        assert_eq!(error.to_string(), "index_select: entries [2, 3] of bytes take 2 words each, the table is [10, 3]");
    }

    #[test]
    fn the_first_byte_lies_in_the_lowest_bits() {
        let op = IndexSelect { table: Table::Bytes { entry: [4].into(), scale: 1.0, shift: 0.0 } };
        let (graph, mut env) = OpCase::new("", op, vec![Tensor::u32([1, 1], &[0x0403_0201]), Tensor::u32([1], &[0])]).graph();
        assert_eq!(crate::interp::run(&graph, &mut env).output(&graph, "0").unwrap().data, [1.0, 2.0, 3.0, 4.0]);
    }
}
