//! Layer norm and RMS norm: lanes share a row. The gradients of weight and bias are sums over blocks of rows, joined by a second dispatch.

use downhill_compile::{Arg, ExecError};
use downhill_graph::kernel::LayerNormSpec;

use super::Lower;
use super::rows::{load, sizes, store};
use crate::shader::{Operand, Params, Width};

const LAYER_NORM: &str = wgsl!("layer_norm.wgsl");
const LAYER_NORM_GRAD: &str = wgsl!("layer_norm_grad.wgsl");

/// Stores dx with what is added to it.
const ADDED: &str = "fn store_dx(i: u32, value: f32) {\n    store_sum(i, value + load_added(i));\n}\n\n";

/// One dispatch forward; backward one for x, and one for weight and bias together, or two where many rows are added up in blocks.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &LayerNormSpec) -> Result<(), ExecError> {
    let mut params = Params::default();
    let lanes = sizes(cx.style, &mut params, spec.rows, spec.cols);
    let mut text = load("x", &cx.bind(&mut params, "x")?);
    text.push_str(&column(cx, &mut params, "weight", spec.weight, "1.0")?);
    let template = if spec.backward {
        text.push_str(&load("dy", &cx.bind(&mut params, "dy")?));
        let dx = cx.bind(&mut params, "dx")?;
        text.push_str(&match spec.added {
            true => load("added", &cx.bind(&mut params, "added")?) + &store("sum", &dx) + ADDED,
            false => store("dx", &dx),
        });
        text.push_str(&statistics(cx, &mut params, spec)?);
        LAYER_NORM_GRAD
    } else {
        params.add("eps", spec.eps.to_bits());
        text.push_str(&column(cx, &mut params, "bias", spec.bias, "0.0")?);
        text.push_str(&store("out", &cx.bind(&mut params, "out")?));
        text.push_str(&store("rstd", &cx.bind(&mut params, "rstd")?));
        text.push_str(&match spec.centered {
            true => store("mean", &cx.bind(&mut params, "mean")?),
            false => "fn store_mean(i: u32, value: f32) {\n}\n\n".to_string(),
        });
        LAYER_NORM
    };
    text.push_str(&format!("const CENTERED: bool = {};\n\n{template}", spec.centered));
    cx.outputs(spec.name(), params, &text, spec.rows, lanes, true)?;
    if spec.backward && (spec.weight || spec.bias) { columns(cx, spec) } else { Ok(()) }
}

/// `fn <name>(c: u32) -> f32`, a number of each column, or always the same where there is no such operand.
fn column(cx: &Lower<'_>, params: &mut Params, name: &str, is: bool, otherwise: &str) -> Result<String, ExecError> {
    let value = if is { cx.bind(params, name)?.float(Width::One, "c") } else { otherwise.to_string() };
    Ok(format!("fn {name}(c: u32) -> f32 {{\n    return {value};\n}}\n\n"))
}

/// `load_mean` and `load_rstd`.
fn statistics(cx: &Lower<'_>, params: &mut Params, spec: &LayerNormSpec) -> Result<String, ExecError> {
    let mean = match spec.centered {
        true => load("mean", &cx.bind(params, "mean")?),
        false => "fn load_mean(i: u32) -> f32 {\n    return 0.0;\n}\n\n".to_string(),
    };
    Ok(mean + &load("rstd", &cx.bind(params, "rstd")?))
}

/// The gradients of weight and bias.
fn columns(cx: &mut Lower<'_>, spec: &LayerNormSpec) -> Result<(), ExecError> {
    let block = cx.style.block();
    let blocks = spec.rows.div_ceil(block);
    let half = (blocks * spec.cols).next_multiple_of(4);
    let names = [("dweight", spec.weight), ("dbias", spec.bias)];
    let parts: [Arg; 2] = [cx.part(0, half), cx.part(half, half)];
    let mut params = Params::default();
    params.add("rows", spec.rows);
    params.add("cols", spec.cols);
    let mut text = load("x", &cx.bind(&mut params, "x")?) + &load("dy", &cx.bind(&mut params, "dy")?);
    text.push_str(&statistics(cx, &mut params, spec)?);
    let mut stores = String::new();
    for ((name, is), part) in names.iter().zip(&parts) {
        if *is {
            let to = if blocks == 1 { cx.bind(&mut params, name)? } else { Operand::new(&mut params, name, part) };
            stores.push_str(&format!("    {}\n", to.store(Width::One, "i", name)));
        }
    }
    text.push_str(&format!(
        "fn item(i: u32) {{
    let c = i % p.cols;
    let first = i / p.cols * {block}u;
    var dweight = 0.0;
    var dbias = 0.0;
    for (var row = first; row < min(first + {block}u, p.rows); row++) {{
        let dy = load_dy(row * p.cols + c);
        dweight = fma(dy, (load_x(row * p.cols + c) - load_mean(row)) * load_rstd(row), dweight);
        dbias += dy;
    }}
{stores}}}
"
    ));
    cx.each("norm_columns", Width::One, params, &text, blocks * spec.cols)?;
    if blocks == 1 {
        return Ok(());
    }
    let mut params = Params::default();
    params.add("cols", spec.cols);
    params.add("blocks", blocks);
    let mut text = String::from("fn item(c: u32) {\n");
    for ((name, is), part) in names.iter().zip(&parts) {
        if *is {
            let from = Operand::new(&mut params, &format!("{name}_part"), part).float(Width::One, "b * p.cols + c");
            let to = cx.bind(&mut params, name)?.store(Width::One, "c", name);
            text.push_str(&format!(
                "    var {name} = 0.0;\n    for (var b = 0u; b < p.blocks; b++) {{\n        {name} += {from};\n    }}\n    {to}\n"
            ));
        }
    }
    cx.each("norm_join", Width::One, params, &(text + "}\n"), spec.cols)
}
