//! Pooling: one invocation per window, and on the way back one per pixel, which adds up what the windows that see it hand on.

use downhill_compile::ExecError;
use downhill_graph::kernel::{PoolKind, PoolSpec};

use super::Lower;
use crate::shader::{Params, Width};

const POOL: &str = wgsl!("pool.wgsl");
const POOL_GRAD: &str = wgsl!("pool_grad.wgsl");

/// One dispatch of either direction.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &PoolSpec) -> Result<(), ExecError> {
    let back = matches!(spec.kind, PoolKind::MaxGrad | PoolKind::AverageGrad);
    let mut params = Params::default();
    for (axis, w) in ["y", "x"].into_iter().zip(&spec.windows) {
        let words =
            [("size", w.size), ("taps", w.kernel), ("places", w.places), ("step", w.step), ("border", w.offset.unsigned_abs())];
        words.into_iter().for_each(|(what, word)| {
            params.add(format!("{axis}_{what}"), word);
        });
    }
    let first = cx.bind(&mut params, if back { "dy" } else { "x" })?;
    let out = cx.bind(&mut params, "out")?;
    let places = match spec.kind {
        PoolKind::Max | PoolKind::MaxGrad => Some(cx.bind(&mut params, "places")?),
        PoolKind::Average | PoolKind::AverageGrad => None,
    };
    // How a mean counts what it is over.
    let count = if spec.count_include_pad { "p.y_taps * p.x_taps" } else { "seen" };
    let load = |i: &str| first.float(Width::One, i);
    let mut text = format!("fn load(i: u32) -> f32 {{\n    return {};\n}}\n\n", load("i"));
    text.push_str(&match (&places, back) {
        (Some(places), false) => format!(
            "fn join(best: Best, value: f32, at: u32, first: bool) -> Best {{
    if (first || value > best.value || is_nan(value)) {{
        return Best(value, at);
    }}
    return best;
}}

fn store(o: u32, best: Best, seen: u32) {{
    {}
    {}
}}

",
            out.store(Width::One, "o", "best.value"),
            places.store_words(Width::One, "o", "best.at"),
        ),
        (None, false) => format!(
            "fn join(best: Best, value: f32, at: u32, first: bool) -> Best {{
    return Best(best.value + value, at);
}}

fn store(o: u32, best: Best, seen: u32) {{
    {}
}}

",
            out.store(Width::One, "o", &format!("best.value / f32({count})")),
        ),
        (Some(places), true) => format!(
            "fn share(window: u32, pixel: u32, seen: u32) -> f32 {{
    return select(0.0, load(window), {} == pixel);
}}

fn store(i: u32, sum: f32) {{
    {}
}}

",
            places.word(Width::One, "window"),
            out.store(Width::One, "i", "sum"),
        ),
        (None, true) => format!(
            "fn share(window: u32, pixel: u32, seen: u32) -> f32 {{
    return load(window) / f32({count});
}}

fn store(i: u32, sum: f32) {{
    {}
}}

",
            out.store(Width::One, "i", "sum"),
        ),
    });
    text.push_str(if back { POOL_GRAD } else { POOL });
    let [elements, windows] = spec.sizes().map(|n| n as u32);
    let name = if back { "pool_grad" } else { "pool" };
    cx.each(name, Width::One, params, &text, if back { elements } else { windows })
}
