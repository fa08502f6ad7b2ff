//! Softmax, its logarithm, and their gradients along the last axis.

use downhill_compile::ExecError;
use downhill_graph::kernel::{RowsKind, RowsSpec};

use super::{Lower, Style, reduce};
use crate::shader::{Operand, Params, Width};

const SOFTMAX: &str = wgsl!("softmax.wgsl");
const SOFTMAX_GRAD: &str = wgsl!("softmax_grad.wgsl");

/// Softmax, its logarithm, and their gradients: lanes share a row, a workgroup holds as many rows as fit.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &RowsSpec) -> Result<(), ExecError> {
    let RowsSpec { kind, rows, cols } = *spec;
    let mut params = Params::default();
    let lanes = sizes(cx.style, &mut params, rows, cols);
    let x = cx.bind(&mut params, "x")?;
    let out = cx.bind(&mut params, "out")?;
    let mut text = load("x", &x) + &store("out", &out);
    let log = matches!(kind, RowsKind::LogSoftmax | RowsKind::LogSoftmaxGrad);
    let template = match kind {
        RowsKind::Softmax | RowsKind::LogSoftmax => SOFTMAX,
        RowsKind::SoftmaxGrad | RowsKind::LogSoftmaxGrad => {
            text.push_str(&load("dy", &cx.bind(&mut params, "dy")?));
            SOFTMAX_GRAD
        }
    };
    text.push_str(&format!("const LOG: bool = {log};\n\n{template}"));
    cx.outputs(kind.name(), params, &text, rows, lanes, true)
}

/// Declares the sizes of `[rows, cols]`; returns how many lanes share a row.
pub(super) fn sizes(style: Style, params: &mut Params, rows: u32, cols: u32) -> u32 {
    params.add("rows", rows);
    params.add("cols", cols);
    reduce::lanes(style, cols.div_ceil(8), rows)
}

/// `fn load_<name>(i: u32) -> f32`
pub(super) fn load(name: &str, operand: &Operand) -> String {
    format!("fn load_{name}(i: u32) -> f32 {{\n    return {};\n}}\n\n", operand.float(Width::One, "i"))
}

/// `fn store_<name>(i: u32, value: f32)`
pub(super) fn store(name: &str, operand: &Operand) -> String {
    format!("fn store_{name}(i: u32, value: f32) {{\n    {}\n}}\n\n", operand.store(Width::One, "i", "value"))
}
