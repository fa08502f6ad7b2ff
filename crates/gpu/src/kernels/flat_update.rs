//! The optimizer over all parameters, four at a time.

use std::fmt::Write as _;

use downhill_compile::{Arg, ExecError, Region, Space};
use downhill_graph::ScalarId;
use downhill_graph::kernel::{FlatUpdateSpec, UpdateRule};

use super::Lower;
use crate::expr;
use crate::shader::{GROUP, Operand, Params, Width, assemble};

const UPDATE: &str = wgsl!("update.wgsl");
const CHECKED_UPDATE: &str = wgsl!("checked_update.wgsl");
const CHECK: &str = wgsl!("check.wgsl");
/// Parameters up to which every workgroup checks all gradients itself, which saves a dispatch.
const CHECKED_BY_ALL: u32 = 1 << 12;

/// The optimizer over all parameters, four at a time: they are padded to that.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &FlatUpdateSpec) -> Result<(), ExecError> {
    let state = cx.plan.state;
    if spec.slots() as u32 > state.slot_count {
        return Err(cx.fail("the rule and the state disagree about slots"));
    }
    let by_all = state.parameter_len <= CHECKED_BY_ALL;
    if !by_all {
        let mut params = Params::default();
        let text = sound(cx, &mut params)? + CHECK;
        cx.each("check", Width::Four, params, &text, state.parameter_len / 4)?;
    }
    let mut params = Params::default();
    let (name, template, mut text) = if by_all {
        ("checked_update", CHECKED_UPDATE, sound(cx, &mut params)?)
    } else {
        params.add("flag4", state.flag / 4);
        ("update", UPDATE, String::new())
    };
    text.push_str(&update(cx, spec, &mut params)?);
    let items = state.parameter_len / 4;
    params.add("items", items);
    cx.out.push(assemble(name, Width::Four, params, &text, template, items.div_ceil(GROUP))?);
    Ok(())
}

/// Declares the flag and the gradients; generates `loss_word`, the loss, and `gradient_words`, four of the gradients.
fn sound(cx: &Lower<'_>, params: &mut Params) -> Result<String, ExecError> {
    params.add("flag4", cx.plan.state.flag / 4);
    params.add("gradients4", cx.plan.state.gradients / 4);
    params.add("gradient_items", cx.plan.state.parameter_len / 4);
    let loss = cx.bind(params, "loss")?;
    Ok(format!("fn loss_word() -> u32 {{\n    return {};\n}}\n\n", loss.word(Width::Four, "0u")))
}

/// `item(i)`: the rule for parameters 4i to 4i + 3.
fn update(cx: &Lower<'_>, spec: &FlatUpdateSpec, params: &mut Params) -> Result<String, ExecError> {
    let state = cx.plan.state;
    let part =
        |offset: u32| Arg { region: Region { space: Space::Arena, offset, len: state.parameter_len }, start: 0, per_batch: 0 };
    let weights = Operand::new(params, "weight", &part(state.parameters));
    let gradients = Operand::new(params, "gradient", &part(state.gradients));
    let slots: Vec<Operand> = (0..spec.slots() as u32)
        .map(|s| Operand::new(params, &format!("slot{s}"), &part(state.slots + s * state.parameter_len)))
        .collect();
    let mut text = format!("fn item(i: u32) {{\n    let e = i * 4u;\n{}", of_groups(spec, params));
    let mut gradient = gradients.floats(Width::Four, "e");
    if spec.scaled {
        let factor = cx.bind(params, "factor")?;
        gradient = format!("{gradient} * {}", factor.float(Width::Four, "0u"));
    }
    let _ = write!(text, "    let r0 = {};\n    let r1 = {gradient};\n", weights.floats(Width::Four, "e"));
    for (s, slot) in slots.iter().enumerate() {
        let _ = writeln!(text, "    let r{} = {};", s + 2, slot.floats(Width::Four, "e"));
    }
    let several = spec.rules.len() > 1;
    for (i, rule) in spec.rules.iter().enumerate() {
        if several {
            let _ = writeln!(text, "    if (rule == {i}u) {{");
        }
        apply(&mut text, rule, [&weights].into_iter().chain(&slots), params);
        if several {
            text.push_str("    }\n");
        }
    }
    text.push_str("}\n");
    Ok(text)
}

/// Stores what a rule makes of the weights and slots that lie at `to`.
fn apply<'a>(text: &mut String, rule: &UpdateRule, to: impl Iterator<Item = &'a Operand>, params: &mut Params) {
    let named = |id: ScalarId| match id {
        ScalarId::LR => "lr".to_string(),
        ScalarId::DECAY => "decay".to_string(),
        other => expr::scalar(other),
    };
    let body = expr::body(&rule.expr, params, "U(0u)", &|n| format!("r{n}"), &named);
    text.push_str(&body.lines);
    for (i, (to, value)) in to.zip(&body.outputs).enumerate() {
        let value = if i == 0 { value.clone() } else { format!("flushed({value})") };
        let _ = writeln!(text, "    {}", to.store(Width::Four, "e", &value));
    }
}

/// `lr`, `decay` and, where there are several, the number of the `rule` of the group that `e` lies in.
fn of_groups(FlatUpdateSpec { rules, groups, .. }: &FlatUpdateSpec, params: &mut Params) -> String {
    let first = groups.first();
    let mut lr = expr::scalar(first.map_or(ScalarId::LR, |g| g.lr));
    let mut decay = expr::scalar(first.map_or(ScalarId::DECAY, |g| g.decay));
    let mut rule = format!("{}u", first.map_or(0, |g| g.rule));
    for (i, group) in groups.iter().enumerate().skip(1) {
        let start = params.add(format!("group{i}"), group.start);
        lr = format!("select({lr}, {}, e >= {start})", expr::scalar(group.lr));
        decay = format!("select({decay}, {}, e >= {start})", expr::scalar(group.decay));
        rule = format!("select({rule}, {}u, e >= {start})", group.rule);
    }
    let mut text = format!("    let lr = {lr};\n    let decay = {decay};\n");
    if rules.len() > 1 {
        let _ = writeln!(text, "    let rule = {rule};");
    }
    text
}
