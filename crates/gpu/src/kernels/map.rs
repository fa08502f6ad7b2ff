//! Fused elementwise expressions.

use downhill_compile::ExecError;
use downhill_graph::kernel::MapSpec;

use super::Lower;
use crate::expr;
use crate::shader::{Operand, Params, Width};

/// Elementwise: one invocation per element, or per four where the innermost dimension allows it for every operand.
pub(super) fn lower(cx: &mut Lower<'_>, map: &MapSpec) -> Result<(), ExecError> {
    let mut params = Params::default();
    let reads = operands(cx, map, &mut params)?;
    let width = width(map, &reads);
    let mut text = String::from("fn item(i: u32) {\n");
    text.push_str(&format!("    let e = i * {}u;\n", width.elements()));
    text.push_str(&coordinates(map, &mut params));
    text.push_str(&loads(map, &reads, width, &mut params));
    let index = if width == Width::Four { "(U(e) + U(0u, 1u, 2u, 3u))" } else { "e" };
    let body = expr::body(&map.expr, &mut params, index, &|n| format!("r{n}"), &expr::scalar);
    text.push_str(&body.lines);
    for (o, value) in body.outputs.iter().enumerate() {
        let out = cx.bind(&mut params, &format!("out{o}"))?;
        text.push_str(&format!("    {}\n", out.store(width, "e", value)));
    }
    text.push_str("}\n");
    let numel: u32 = map.shape.iter().product();
    cx.each("map", width, params, &text, numel / width.elements())
}

/// Declares the reads of a map.
pub(super) fn operands(cx: &Lower<'_>, map: &MapSpec, params: &mut Params) -> Result<Vec<Operand>, ExecError> {
    (0..map.read_strides.len()).map(|i| cx.bind(params, &format!("r{i}"))).collect()
}

/// Four at a time where each read is contiguous or constant along the innermost dimension.
fn width(map: &MapSpec, reads: &[Operand]) -> Width {
    let inner = map.shape.last().copied().unwrap_or(1);
    let fits = reads.iter().zip(&map.read_strides).all(|(read, strides)| match strides.split_last() {
        Some((0, _)) => true,
        Some((1, outer)) => read.aligned && outer.iter().all(|s| s.is_multiple_of(4)),
        _ => false,
    });
    if inner.is_multiple_of(4) && fits { Width::Four } else { Width::One }
}

/// `c0`, `c1`, … from the element number `e`, as far as any read needs them.
pub(super) fn coordinates(map: &MapSpec, params: &mut Params) -> String {
    let rank = map.shape.len();
    if rank == 1 {
        return "    let c0 = e;\n".to_string();
    }
    let mut text = String::new();
    let mut rest = "e".to_string();
    for d in (1..rank).rev() {
        let n = params.add(format!("n{d}"), map.shape[d]);
        text.push_str(&format!("    let c{d} = {rest} % {n};\n    let q{d} = {rest} / {n};\n"));
        rest = format!("q{d}");
    }
    text.push_str(&format!("    let c0 = {rest};\n"));
    text
}

/// `r0`, `r1`, …: the reads at the coordinates.
pub(super) fn loads(map: &MapSpec, reads: &[Operand], width: Width, params: &mut Params) -> String {
    let mut text = String::new();
    for (i, (read, strides)) in reads.iter().zip(&map.read_strides).enumerate() {
        let terms = strides.iter().enumerate().map(|(d, &stride)| (format!("c{d}"), stride, format!("r{i}_s{d}")));
        let offset = params.offset(terms);
        let value = match strides.last() {
            Some(1) => read.floats(width, &offset),
            _ => format!("T({})", read.float(width, &offset)),
        };
        text.push_str(&format!("    let r{i} = {value};\n"));
    }
    text
}
