//! Matrix products: tiles where they pay, else one result per invocation or per several that share a long sum.

use downhill_compile::ExecError;
use downhill_graph::kernel::{MatLayout, MatMulSpec};

use super::product::{offset, row_sums, tail};
use super::{Lower, product, reduce, tile};
use crate::shader::{Operand, Params, Width};

const DOT: &str = wgsl!("dot.wgsl");
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
    let a = cx.bind(&mut params, "a")?;
    let b = cx.bind(&mut params, "b")?;
    // b is read as its transpose, as in tiles.
    let b_layout = MatLayout { row_stride: s.b.col_stride, col_stride: s.b.row_stride, ..s.b };
    let mut text = element("a", "row", &a, (s, &s.a), &mut params);
    text.push_str(&match &s.patches {
        Some(patches) => product::patches(&b, s, patches, &mut params),
        None => element("b", "col", &b, (s, &b_layout), &mut params),
    });
    text.push_str(&tail(cx, s, Width::One, &mut params)?);
    let columns = s.n + u32::from(s.row_sum);
    let outputs = s.batch * s.m * columns;
    text.push_str(&row_sums(cx, s, Width::One, &mut params)?);
    params.add("batch", s.batch);
    params.add("m", s.m);
    params.add("n", s.n);
    params.add("k", s.k * s.segments);
    params.add("columns", columns);
    params.add("outputs", outputs);
    let lanes = reduce::lanes(cx.style, (s.k * s.segments).div_ceil(8), outputs);
    text.push_str(DOT);
    cx.outputs("matmul_dot", params, &text, outputs, lanes, s.b.row_stride == 1)
}

/// `fn <name>_at(batch, <row>, k) -> f32`
fn element(name: &str, row: &str, operand: &Operand, (s, layout): (&MatMulSpec, &MatLayout), params: &mut Params) -> String {
    let offset = offset(name, ["batch", row, "k"], s, layout, params);
    let value = operand.float(Width::One, &offset);
    format!("fn {name}_at(batch: u32, {row}: u32, k: u32) -> f32 {{\n    return {value};\n}}\n\n")
}
