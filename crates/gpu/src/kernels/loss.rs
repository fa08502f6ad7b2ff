//! Losses with their gradients: one workgroup, or several whose sums another dispatch joins.

use downhill_compile::ExecError;
use downhill_graph::kernel::{LossKind, LossSpec};

use super::Lower;
use super::rows::{load, sizes, store};
use crate::shader::{GROUP, Operand, Params, Width, assemble};

const CROSS_ENTROPY: &str = wgsl!("cross_entropy.wgsl");
const ELEMENTWISE_LOSS: &str = wgsl!("elementwise_loss.wgsl");
const JOIN: &str = wgsl!("join.wgsl");
/// Elements up to which a lane alone is quicker than 64 that wait for each other, where waiting is dear.
const ONE_LANE: u32 = 256;
const MAX_GROUPS: u32 = 256;

/// The loss and its gradient in one go.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &LossSpec) -> Result<(), ExecError> {
    let LossSpec { kind, weighted, rows, cols } = *spec;
    let one_group = cx.style.one_group();
    let groups = if rows * cols <= one_group { 1 } else { (rows * cols).div_ceil(one_group / 4).min(MAX_GROUPS) };
    let mut params = Params::default();
    let x = cx.bind(&mut params, "x")?;
    let target = cx.bind(&mut params, "target")?;
    let gradient = cx.bind(&mut params, "gradient")?;
    let mut text = load("x", &x) + &store("gradient", &gradient);
    let template = if let LossKind::CrossEntropy { label_smoothing } = kind {
        let lanes = sizes(cx.style, &mut params, rows, cols);
        params.add("lanes", lanes);
        text.push_str(&format!("const SMOOTHING: f32 = {label_smoothing:?}f;\n\n"));
        text.push_str(&label(&target));
        CROSS_ENTROPY
    } else {
        params.add("rows", rows);
        params.add("cols", cols);
        params.add("lanes", if !cx.style.workgroup_memory && rows * cols <= ONE_LANE { 1 } else { GROUP });
        text.push_str(&load("target", &target));
        text.push_str(&piece(kind));
        ELEMENTWISE_LOSS
    };
    params.add("groups", groups);
    text.push_str(&weight(cx, &mut params, weighted)?);
    if groups == 1 {
        let out = cx.bind(&mut params, "out")?;
        text.push_str(&format!("fn finish(group: u32, sum: f32) {{\n    {}\n}}\n", out.store(Width::One, "0u", "sum")));
        cx.out.push(assemble("loss", Width::One, params, &text, template, 1)?);
        return Ok(());
    }
    let scratch = cx.part(0, groups);
    let part = Operand::new(&mut params, "part", &scratch);
    text.push_str(&format!("fn finish(group: u32, sum: f32) {{\n    {}\n}}\n", part.store(Width::One, "group", "sum")));
    cx.out.push(assemble("loss", Width::One, params, &text, template, groups)?);

    let mut params = Params::default();
    params.add("lanes", GROUP);
    params.add("parts", groups);
    let text = load("part", &Operand::new(&mut params, "part", &scratch)) + &store("out", &cx.bind(&mut params, "out")?);
    cx.out.push(assemble("loss_join", Width::One, params, &text, JOIN, 1)?);
    Ok(())
}

pub(super) fn label(target: &Operand) -> String {
    format!("fn label(row: u32) -> u32 {{\n    return {};\n}}\n\n", target.word(Width::One, "row"))
}

/// `row_weight(row)` as it is given, not minding labels.
pub(super) fn weight(cx: &Lower<'_>, params: &mut Params, weighted: bool) -> Result<String, ExecError> {
    let value = match weighted {
        true => cx.bind(params, "weights")?.float(Width::One, "row"),
        false => "1.0".to_string(),
    };
    Ok(format!("const WEIGHTED: bool = {weighted};\n\nfn row_weight(row: u32) -> f32 {{\n    return {value};\n}}\n\n"))
}

/// `piece(x, t)`: loss and derivative of one element.
fn piece(kind: LossKind) -> String {
    let lines = match kind {
        LossKind::Mse => "    let d = x - t;\n    return vec2<f32>(d * d, 2.0 * d);\n".to_string(),
        LossKind::L1 => "    let d = x - t;\n    return vec2<f32>(abs(d), signf(d));\n".to_string(),
        LossKind::Huber(delta) => format!(
            "    let d = x - t;\n    let a = abs(d);\n    let far = {delta:?}f * (a - {half:?}f);\n    \
             return vec2<f32>(select(far, 0.5 * d * d, a <= {delta:?}f), hardtanhf(d, -{delta:?}f, {delta:?}f));\n",
            half = 0.5 * delta,
        ),
        LossKind::BceWithLogits | LossKind::CrossEntropy { .. } => {
            "    return vec2<f32>(softplusf(x) - x * t, sigmoidf(x) - t);\n".to_string()
        }
    };
    format!("fn piece(x: f32, t: f32) -> vec2<f32> {{\n{lines}}}\n\n")
}
