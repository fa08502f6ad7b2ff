use downhill_compile::ExecError;
use downhill_graph::kernel::{MatLayout, MatMulSpec};

use super::{Lower, reduce, tile};
use crate::expr;
use crate::shader::{GROUP, Operand, Params, Width, assemble};

const DOT: &str = include_str!("../wgsl/dot.wgsl");
/// Rows and columns from which tiles pay: below, most of a tile would be empty.
const TILED: u32 = 24;
/// Results from which blocks pay that load for themselves.
const BLOCKED: u32 = 1 << 10;

/// A batched matrix product with its fused tail and row sums.
pub(super) fn lower(cx: &mut Lower<'_>, s: &MatMulSpec) -> Result<(), ExecError> {
    let large =
        if cx.style.workgroup_memory { s.m >= TILED && s.n >= TILED } else { s.m >= 8 && s.n >= 8 && s.m * s.n >= BLOCKED };
    // Row sums over several products are the business of the simple kernel.
    if large && !(s.row_sum && s.batch > 1) { tile::lower(cx, s) } else { dot(cx, s) }
}

/// One result per invocation, or per several that share a long sum. Row sums are one more column, of ones.
fn dot(cx: &mut Lower<'_>, s: &MatMulSpec) -> Result<(), ExecError> {
    let mut params = Params::default();
    let a = Operand::new(&mut params, "a", cx.read(0)?);
    let b = Operand::new(&mut params, "b", cx.read(1)?);
    let mut text = element("a", "row", "k", &a, &s.a, &mut params) + &element("b", "k", "col", &b, &s.b, &mut params);
    text.push_str(&tail(cx, s, Width::One, &mut params)?);
    let columns = s.n + u32::from(s.row_sum);
    let outputs = s.batch * s.m * columns;
    text.push_str(&row_sums(cx, s, Width::One, &mut params)?);
    params.add("batch", s.batch);
    params.add("m", s.m);
    params.add("n", s.n);
    params.add("k", s.k);
    params.add("columns", columns);
    params.add("outputs", outputs);
    let lanes = reduce::lanes(cx.style, s.k.div_ceil(8), outputs);
    reduce::spread(&mut params, lanes, s.b.row_stride == 1);
    cx.out.push(assemble("matmul_dot", Width::One, params, &text, DOT, outputs.div_ceil(GROUP / lanes))?);
    Ok(())
}

/// `fn <name>_at(batch, row, column) -> f32`
fn element(name: &str, row: &str, col: &str, operand: &Operand, layout: &MatLayout, params: &mut Params) -> String {
    let offset = offset(name, ["batch", row, col], layout, params);
    let value = operand.float(Width::One, &offset);
    format!("fn {name}_at(batch: u32, {row}: u32, {col}: u32) -> f32 {{\n    return {value};\n}}\n\n")
}

/// The offset of an element of a matrix. Strides 0 and 1 are part of the text.
pub(super) fn offset(name: &str, index: [&str; 3], layout: &MatLayout, params: &mut Params) -> String {
    let strides = [layout.batch_stride, layout.row_stride, layout.col_stride];
    let terms = index.iter().zip(strides).zip(["batch", "row", "col"]).filter(|((_, stride), _)| *stride != 0);
    let terms: Vec<String> = terms
        .map(|((index, stride), what)| match stride {
            1 => (*index).to_string(),
            _ => format!("{index} * {}", params.add(format!("{name}_{what}"), stride)),
        })
        .collect();
    if terms.is_empty() { "0u".to_string() } else { terms.join(" + ") }
}

/// `fn store(batch, row, col, product: T)`: the epilogue and its outputs, contiguous `[batch, m, n]`.
pub(super) fn tail(cx: &Lower<'_>, s: &MatMulSpec, width: Width, params: &mut Params) -> Result<String, ExecError> {
    let mut text = String::from("fn store(batch: u32, row: u32, col: u32, product: T) {\n");
    text.push_str("    let e = (batch * p.m + row) * p.n + col;\n");
    let Some(epilogue) = &s.epilogue else {
        let out = Operand::new(params, "out0", cx.write(0)?);
        text.push_str(&format!("    {}\n}}\n\n", out.store(width, "e", "product")));
        return Ok(text);
    };
    for (i, strides) in epilogue.read_strides.iter().enumerate() {
        let read = Operand::new(params, &format!("r{}", i + 1), cx.read(i + 2)?);
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
        let out = Operand::new(params, &format!("out{o}"), cx.write(o)?);
        text.push_str(&format!("    {}\n", out.store(width, "e", value)));
    }
    text.push_str("}\n\n");
    Ok(text)
}

/// `fn store_row_sum(row, sum: T)`, doing nothing where no row sums are wanted.
pub(super) fn row_sums(cx: &Lower<'_>, s: &MatMulSpec, width: Width, params: &mut Params) -> Result<String, ExecError> {
    let mut text = String::from("fn store_row_sum(row: u32, sum: T) {\n");
    if s.row_sum {
        let outputs = s.epilogue.as_ref().map_or(1, |e| e.expr.outputs.len());
        let out = Operand::new(params, "row_sum", cx.write(outputs)?);
        text.push_str(&format!("    {}\n", out.store(width, "row", "sum")));
    }
    text.push_str("}\n\n");
    Ok(text)
}
