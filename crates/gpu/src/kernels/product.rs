//! What every product has, however it is computed: offsets into its matrices, its fused tail, its row sums.

use downhill_compile::ExecError;
use downhill_graph::kernel::{MatLayout, MatMulSpec};

use super::Lower;
use crate::expr;
use crate::shader::{Params, Width};

/// The offset of an element of a matrix.
pub(super) fn offset(name: &str, index: [&str; 3], layout: &MatLayout, params: &mut Params) -> String {
    let strides = [layout.batch_stride, layout.row_stride, layout.col_stride];
    let terms = index.into_iter().zip(strides).zip(["batch", "row", "col"]);
    params.offset(terms.map(|((index, stride), what)| (index.to_string(), stride, format!("{name}_{what}"))))
}

/// `fn store(batch, row, col, product: T)`: the epilogue and its outputs, contiguous `[batch, m, n]`.
pub(super) fn tail(cx: &Lower<'_>, s: &MatMulSpec, width: Width, params: &mut Params) -> Result<String, ExecError> {
    let mut text = String::from("fn store(batch: u32, row: u32, col: u32, product: T) {\n");
    text.push_str("    let e = (batch * p.m + row) * p.n + col;\n");
    let Some(epilogue) = &s.epilogue else {
        let out = cx.bind(params, "out0")?;
        text.push_str(&format!("    {}\n}}\n\n", out.store(width, "e", "product")));
        return Ok(text);
    };
    for (i, strides) in epilogue.read_strides.iter().enumerate() {
        let read = cx.bind(params, &format!("r{}", i + 1))?;
        let layout = MatLayout { batch_stride: strides[0], row_stride: strides[1], col_stride: strides[2] };
        let offset = offset(&format!("r{}", i + 1), ["batch", "row", "col"], &layout, params);
        let value = if strides[2] == 1 { read.floats(width, &offset) } else { format!("T({})", read.float(width, &offset)) };
        text.push_str(&format!("    let r{} = {value};\n", i + 1));
    }
    let read = |n: u8| if n == 0 { "product".to_string() } else { format!("r{n}") };
    let index = if width == Width::Four { "(U(e) + U(0u, 1u, 2u, 3u))" } else { "e" };
    let body = expr::body(&epilogue.expr, params, index, &read, &expr::scalar);
    text.push_str(&body.lines);
    for (o, value) in body.outputs.iter().enumerate() {
        let out = cx.bind(params, &format!("out{o}"))?;
        text.push_str(&format!("    {}\n", out.store(width, "e", value)));
    }
    text.push_str("}\n\n");
    Ok(text)
}

/// `fn store_row_sum(row, sum: T)`, doing nothing where no row sums are wanted.
pub(super) fn row_sums(cx: &Lower<'_>, s: &MatMulSpec, width: Width, params: &mut Params) -> Result<String, ExecError> {
    let mut text = String::from("fn store_row_sum(row: u32, sum: T) {\n");
    if s.row_sum {
        let out = cx.bind(params, "row_sum")?;
        text.push_str(&format!("    {}\n", out.store(width, "row", "sum")));
    }
    text.push_str("}\n\n");
    Ok(text)
}
