//! Sums, means, largest and smallest along the middle axis of a fused expression.

use downhill_compile::ExecError;
use downhill_graph::kernel::{ReduceKind, ReduceSpec};

use super::{Lower, Style, map};
use crate::expr;
use crate::shader::{GROUP, Params, Width};

const REDUCE: &str = wgsl!("reduce.wgsl");
/// Elements that one lane adds up at least, before more lanes pay.
const PER_LANE: u32 = 4;

/// The middle axis of a fused expression: lanes add up strided parts, a tree in a fixed order joins them.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &ReduceSpec) -> Result<(), ExecError> {
    let ([outer, reduced, inner], kind, spec) = (spec.sizes(), spec.kind, &spec.map);
    let outputs = outer * inner;
    let mut params = Params::default();
    params.add("outputs", outputs);
    params.add("reduced", reduced);
    params.add("inner", inner);
    let reads = map::operands(cx, spec, &mut params)?;
    let mut text = String::from("fn element(c0: u32, c1: u32, c2: u32, e: u32) -> f32 {\n");
    text.push_str(&map::loads(spec, &reads, Width::One, &mut params));
    let body = expr::body(&spec.expr, &mut params, "e", &|n| format!("r{n}"), &expr::scalar);
    text.push_str(&body.lines);
    let value = body.outputs.first().ok_or_else(|| cx.fail("the expression has no output"))?;
    let (first, join, last) = match kind {
        ReduceKind::Sum => ("0.0", "a + b", "lanes_sum(at, lane, a)"),
        ReduceKind::Mean => ("0.0", "a + b", "lanes_sum(at, lane, a) / f32(p.reduced)"),
        ReduceKind::Max => ("lowest()", "maxf(a, b)", "lanes_max(at, lane, a)"),
        ReduceKind::Min => ("-lowest()", "minf(a, b)", "-lanes_max(at, lane, -a)"),
    };
    text.push_str(&format!("    return {value};\n}}\n\n"));
    let zero = params.zero();
    text.push_str(&format!("fn lowest() -> f32 {{\n    return bitcast<f32>(0xff800000u ^ {zero});\n}}\n\n"));
    text.push_str(&format!("fn first() -> f32 {{\n    return {first};\n}}\n\n"));
    text.push_str(&format!("fn join(a: f32, b: f32) -> f32 {{\n    return {join};\n}}\n\n"));
    text.push_str(&format!("fn finish(at: u32, lane: u32, a: f32) -> f32 {{\n    return {last};\n}}\n\n"));
    let out = cx.bind(&mut params, "out")?;
    text.push_str(&format!("fn store(o: u32, value: f32) {{\n    {}\n}}\n\n", out.store(Width::One, "o", "value")));
    text.push_str(REDUCE);
    let lanes = lanes(cx.style, reduced.div_ceil(PER_LANE), outputs);
    cx.outputs("reduce", params, &text, outputs, lanes, inner == 1)
}

/// How many invocations share one result: as many as have work, fewer where there are results enough to fill a device.
pub(super) fn lanes(style: Style, useful: u32, outputs: u32) -> u32 {
    const ENOUGH: u32 = 1 << 16;
    if !style.workgroup_memory && (outputs >= 4 || useful < GROUP) {
        return 1;
    }
    let wanted = (ENOUGH / outputs.max(1)).max(1);
    useful.clamp(1, GROUP).next_power_of_two().min(wanted.next_power_of_two()).min(GROUP)
}
