//! A recurrent layer while it reads the chosen sample: its states and gates over time, how much of the loss's gradient reaches each step, and
//! the numbers of one unit at one step.

use downhill_protocol::Query;
use leptos::html::Canvas;
use leptos::prelude::*;

use super::kinds::Inside;
use crate::canvas::{fitted, painted, position, put_pixels};
use crate::document::number;
use crate::focus;
use crate::plot::colour::css;
use crate::plot::heatmap;
use crate::plot::network::Column;
use crate::plot::sequence::{decades, height, norms, over_time};
use crate::reactive::{RwSignal, clicked, memo};
use crate::state::{Chosen, Lab};
use crate::watches::{Ask, Source};

/// Milliseconds from one picture to the next.
const EVERY: f64 = 100.0;

/// What a cell keeps, by how many parts that has: a letter and a word for each.
const KEPT: [&[(&str, &str)]; 3] = [
    &[("i", "input gate"), ("f", "forget gate"), ("g", "candidate"), ("o", "output gate"), ("c", "cell")],
    &[
        ("i", "input gate"),
        ("f", "forget gate"),
        ("g", "candidate"),
        ("o", "output gate"),
        ("c", "cell"),
        ("s", "cell before its norm"),
    ],
    &[("r", "reset gate"), ("z", "update gate"), ("n", "candidate"), ("q", "from the state before")],
];

/// See the module.
pub struct Recurrent;

impl Inside for Recurrent {
    fn fits(&self, column: &Column) -> bool {
        !column.cells().is_empty()
    }

    fn view(&self, lab: Lab, column: Column) -> AnyView {
        view! { <Panel lab column/> }.into_any()
    }
}

/// What is known of the chosen sample.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    /// Steps that count, and units.
    steps: usize,
    units: usize,
    /// Hidden states, `[steps, units]`.
    states: Vec<f32>,
    /// What the cell keeps, `[steps, parts, units]`, and how many parts that has.
    kept: Vec<f32>,
    parts: usize,
    /// The norm of the loss's gradient by each state; empty where the right answer is not known.
    gradient: Vec<f32>,
    /// How each input would move the answer, `[steps, features]`; empty of tokens.
    saliency: Vec<f32>,
    /// The inputs, `[steps, features]`.
    input: Vec<f32>,
}

impl Seen {
    fn names(&self) -> &'static [(&'static str, &'static str)] {
        KEPT.into_iter().find(|names| names.len() == self.parts).unwrap_or_default()
    }

    fn state(&self, step: usize, unit: usize) -> f32 {
        self.states.get(step * self.units + unit).copied().unwrap_or(f32::NAN)
    }

    fn part(&self, step: usize, part: usize, unit: usize) -> f32 {
        self.kept.get((step * self.parts + part) * self.units + unit).copied().unwrap_or(f32::NAN)
    }
}

/// One of the strips: what stands beside it, and its picture `[rows, steps]` with the scale that brings it into −1…1.
type Strip = (&'static str, &'static str, fn(&Seen) -> Option<(Vec<f32>, f32)>);

/// The strips that there may be, from top to bottom.
const STRIPS: [Strip; 8] = [
    ("x", "input", |s| picture(&s.input, s)),
    ("∂x", "saliency of the input", |s| picture(&s.saliency, s)),
    ("h", "hidden state", |s| Some((over_time(&s.states, (1, s.units), 0, s.steps), heatmap::scale_of(&s.states)))),
    ("", "", |s| kept(s, 0)),
    ("", "", |s| kept(s, 1)),
    ("", "", |s| kept(s, 2)),
    ("", "", |s| kept(s, 3).filter(|_| s.parts > 4)),
    ("", "", |s| kept(s, 4)),
];

/// Strips before the first of what the cell keeps.
const OWN: usize = 3;

fn picture(values: &[f32], seen: &Seen) -> Option<(Vec<f32>, f32)> {
    let features = values.len().checked_div(seen.steps).filter(|n| *n > 0)?;
    let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    Some((over_time(values, (1, features), 0, seen.steps), if largest > 0.0 { 1.0 / largest } else { 0.0 }))
}

/// Gates are between 0 and 1, candidates between −1 and 1; the cell is what it is.
fn kept(seen: &Seen, part: usize) -> Option<(Vec<f32>, f32)> {
    let values = (part < seen.parts).then(|| over_time(&seen.kept, (seen.parts, seen.units), part, seen.steps))?;
    let scale = if part > 3 { heatmap::scale_of(&values) } else { 1.0 };
    Some((values, scale))
}

#[component]
fn Panel(lab: Lab, column: Column) -> impl IntoView {
    let cells = column.cells();
    let inner = column.inner.clone();
    let which = RwSignal::new(0usize);
    let (step, unit) = (RwSignal::new(None::<usize>), RwSignal::new(0usize));
    let name = {
        let cells = cells.clone();
        memo(move || {
            cells
                .get(which.get())
                .map(|(path, cell)| (format!("{path}.hidden_{cell}"), format!("{path}.gates_{cell}")))
                .unwrap_or_default()
        })
    };
    // The loss of what is typed is not known, nor how a token could be a little more.
    let known = memo(move || lab.chosen.with(|chosen| matches!(chosen, Some(Chosen::HeldOut(_)))));
    let numbers =
        memo(move || lab.data().is_some_and(|data| data.inputs.len() == 1 && data.inputs.iter().all(|input| !input.tokens)));
    let answers = lab.watch(move || {
        let (hidden, gates) = name.get();
        let gradient = known.get().then(|| format!("grad:{hidden}"));
        let gates = inner.contains(&gates).then_some(gates);
        let saliency = numbers.get().then(|| "saliency".to_string());
        let names = [Some(hidden), gates, gradient, saliency, Some("raw".to_string())];
        let tensors = names.into_iter().flatten().map(Query::all).collect();
        Some(Ask { source: Source::Chosen, tensors, every_ms: EVERY })
    });
    let seen = memo(move || {
        let (hidden, gates) = name.get();
        answers
            .with(|answer| {
                let answer = answer.as_ref()?;
                let states = answer.get(&hidden)?;
                let &[_, all, units] = states.shape else { return None };
                let raw = answer.get("raw").map(|raw| raw.data.to_vec()).unwrap_or_default();
                let features = if raw.len().is_multiple_of(all as usize) { raw.len() / all as usize } else { 0 };
                // What follows a short sequence is no number.
                let there = raw.iter().filter(|v| !v.is_nan()).count();
                let steps = there.checked_div(features).unwrap_or(all as usize).max(1);
                let upto = |values: &[f32], each: usize| values.iter().take(steps * each).copied().collect::<Vec<f32>>();
                let units = units as usize;
                let kept = answer.get(&gates);
                let parts = kept.and_then(|kept| kept.shape.get(2).copied()).unwrap_or(0) as usize;
                Some(Seen {
                    steps,
                    units,
                    states: upto(states.data, units),
                    kept: kept.map(|kept| upto(kept.data, parts * units)).unwrap_or_default(),
                    parts,
                    gradient: answer
                        .get(&format!("grad:{hidden}"))
                        .map(|g| norms(&upto(g.data, units), units))
                        .unwrap_or_default(),
                    saliency: answer.get("saliency").map(|s| upto(s.data, features)).unwrap_or_default(),
                    input: if numbers.get() { upto(&raw, features) } else { Vec::new() },
                })
            })
            .unwrap_or_default()
    });
    let steps = memo(move || seen.with(|s| s.steps));
    let at = memo(move || step.get().unwrap_or(usize::MAX).min(steps.get().saturating_sub(1)));
    let row = memo(move || unit.get().min(seen.with(|s| s.units).saturating_sub(1)));
    let strip = move |(i, (letter, word, picture)): (usize, Strip)| {
        let canvas = NodeRef::<Canvas>::new();
        let there = memo(move || seen.with(|s| picture(s).is_some()));
        let label = move || {
            let own = seen.with(|s| s.names().get(i.wrapping_sub(OWN)).copied());
            own.filter(|_| i >= OWN).unwrap_or((letter, word))
        };
        painted(canvas, move |canvas| {
            let (palette, ramp) = (lab.palette.get(), lab.ramp.get());
            seen.with(|seen| {
                let Some((values, scale)) = picture(seen) else { return };
                let mut pixels = Vec::new();
                heatmap::diverging(&values, scale, &ramp, palette.ink, &mut pixels);
                put_pixels(canvas, &mut pixels, seen.steps as u32);
            });
        });
        let pick = move |ev: web_sys::PointerEvent| {
            let Some(canvas) = canvas.get_untracked() else { return };
            let (x, y) = position(&canvas, f64::from(ev.client_x()), f64::from(ev.client_y()));
            let units = seen.with_untracked(|s| s.units);
            step.set(Some(heatmap::pixel_at((x, 0.0), (steps.get_untracked(), 1))));
            if i > 1 {
                unit.set(heatmap::pixel_at((y, 0.0), (units, 1)));
            }
        };
        move || {
            there.get().then(|| view! {
                <div class="strip-of" class:large=i == 2>
                    <span title=move || label().1>{move || label().0}</span>
                    <canvas node_ref=canvas width="1" height="1" role="img" aria-label=move || format!("{} over time", label().1) on:pointerdown=pick></canvas>
                </div>
            })
        }
    };
    let walked = move |ev: web_sys::KeyboardEvent| {
        match ev.key().as_str() {
            "ArrowLeft" => step.set(Some(at.get_untracked().saturating_sub(1))),
            "ArrowRight" => step.set(Some(at.get_untracked() + 1)),
            "ArrowUp" => unit.set(row.get_untracked().saturating_sub(1)),
            "ArrowDown" => unit.set(row.get_untracked() + 1),
            _ => return,
        }
        ev.prevent_default();
        ev.stop_propagation();
    };
    let cursor = move || {
        let steps = steps.get().max(1) as f64;
        format!("--at:{:.4};--step:{:.4}", at.get() as f64 / steps, 1.0 / steps)
    };
    let button = move |(i, (_, cell)): (usize, (String, String))| {
        let on = move || which.get() == i;
        view! { <button type="button" class="toggle num" role="radio" aria-checked=move || on().to_string() tabindex=move || focus::stop(on()) on:click=clicked(move |_| which.set(i))>{cell}</button> }
            .into_any()
    };
    let buttons = (cells.len() > 1).then(|| {
        view! { <div class="choices" role="radiogroup" aria-label="Cell" on:keydown=focus::walk>{cells.into_iter().enumerate().map(button).collect_view()}</div> }
    });
    let trace = NodeRef::<Canvas>::new();
    painted(trace, move |canvas| {
        let palette = lab.palette.get();
        let Some((context, width, height)) = fitted(canvas) else { return };
        seen.with(|s| {
            let (unit, at) = (row.get(), at.get());
            let state: Vec<f32> = (0..s.steps).map(|t| s.state(t, unit)).collect();
            let cell: Vec<f32> = if s.parts > 4 { (0..s.steps).map(|t| s.part(t, 4, unit)).collect() } else { Vec::new() };
            let most = state.iter().chain(&cell).fold(0.05f32, |m, v| m.max(v.abs()));
            let x = |t: usize| (t as f64 + 0.5) / s.steps.max(1) as f64 * width;
            let y = |v: f32| height / 2.0 - f64::from(v / most) * (height / 2.0 - 2.0);
            context.set_stroke_style_str(&css(palette.ink, 0.2));
            context.begin_path();
            context.move_to(0.0, height / 2.0);
            context.line_to(width, height / 2.0);
            context.stroke();
            for (line, ink) in [(&cell, css(palette.ink, 0.45)), (&state, css(palette.positive, 1.0))] {
                context.set_stroke_style_str(&ink);
                context.set_line_width(1.5);
                context.begin_path();
                line.iter().enumerate().for_each(|(t, v)| context.line_to(x(t), y(*v)));
                context.stroke();
            }
            if let Some(v) = state.get(at) {
                context.set_fill_style_str(&css(palette.positive, 1.0));
                context.begin_path();
                let _ = context.arc(x(at), y(*v), 3.0, 0.0, std::f64::consts::TAU);
                context.fill();
            }
        });
    });
    let gradient = NodeRef::<Canvas>::new();
    painted(gradient, move |canvas| {
        let palette = lab.palette.get();
        let Some((context, width, tall)) = fitted(canvas) else { return };
        seen.with(|s| {
            let at = at.get();
            let span = decades(&s.gradient);
            let most = s.gradient.iter().fold(0.0f32, |m, v| m.max(*v));
            let each = width / s.steps.max(1) as f64;
            for (t, v) in s.gradient.iter().enumerate() {
                context.set_fill_style_str(&css(palette.positive, if t == at { 1.0 } else { 0.45 }));
                let bar = f64::from(height(*v, most, span)) * (tall - 1.0) + if *v > 0.0 { 1.0 } else { 0.0 };
                context.fill_rect(t as f64 * each, tall - bar, (each - 1.0).max(1.0), bar);
            }
        });
    });
    let reached = move || {
        seen.with(|s| {
            let here = s.gradient.get(at.get())?;
            let most = s.gradient.iter().fold(0.0f32, |m, v| m.max(*v));
            let share = if most > 0.0 { here / most } else { 0.0 };
            Some(format!(
                "‖∂loss/∂h‖ at step {}: {}, {} of the largest",
                at.get() + 1,
                number(f64::from(*here)),
                number(f64::from(share))
            ))
        })
        .unwrap_or_else(|| "What is typed has no right answer, so no loss whose gradient could reach a step.".to_string())
    };
    let has_gradient = memo(move || seen.with(|s| !s.gradient.is_empty()));
    view! {
        {buttons}
        <div class="recurrent">
            <div class="time" tabindex="0" role="group" aria-label="Steps and units of the chosen sample; arrow keys move" data-testid="recurrent" style=cursor on:keydown=walked>
                {STRIPS.into_iter().enumerate().map(strip).collect_view()}
                <div class="strip-of"><span>"unit "{move || row.get() + 1}</span><canvas node_ref=trace class="trace" role="img" aria-label="The state of the unit over time"></canvas></div>
                <div class="strip-of" class:none=move || !has_gradient.get()><span title="Norm of the loss’s gradient by the hidden state of each step, in powers of ten">"∂loss/∂h"</span><canvas node_ref=gradient class="reach" role="img" aria-label="The gradient that reaches each step, in powers of ten" data-testid="reach"></canvas></div>
                <i class="now" aria-hidden="true"></i>
            </div>
            <div class="beside">
                <p class="hint" translate="no" data-testid="reached">{reached}</p>
                {move || seen.with(|s| numbers_of(s, at.get(), row.get()))}
            </div>
        </div>
    }
}

/// The cell with its numbers: what it keeps at a step, and how the new state is made of it.
fn numbers_of(seen: &Seen, step: usize, unit: usize) -> AnyView {
    let value = |v: f32| number((f64::from(v) * 1e4).round() / 1e4);
    let kept = seen.names().iter().enumerate().map(|(part, (letter, word))| (*letter, *word, seen.part(step, part, unit)));
    let state = [("h", "hidden state", seen.state(step, unit))];
    let cells = kept
        .chain(state)
        .map(|(letter, word, v)| view! { <div title=word><dt>{letter}</dt><dd class="num">{value(v)}</dd></div> });
    let before = |part: Option<usize>| match (step.checked_sub(1), part) {
        (None, _) => 0.0,
        (Some(step), Some(part)) => seen.part(step, part, unit),
        (Some(step), None) => seen.state(step, unit),
    };
    let part = |part: usize| value(seen.part(step, part, unit));
    let made = match seen.parts {
        5 | 6 => format!(
            "{} = f·c + i·g = {}·{} + {}·{}{}\nh = o·tanh c = {}·tanh {}",
            if seen.parts == 5 { "c" } else { "s" },
            part(1),
            value(before(Some(4))),
            part(0),
            part(2),
            if seen.parts == 5 { String::new() } else { format!(" = {}\nc = norm of s over all units = {}", part(5), part(4)) },
            part(3),
            part(4)
        ),
        4 => format!(
            "n = tanh(x + r·q), q = {}\nh = (1 − z)·n + z·h = (1 − {})·{} + {}·{}",
            part(3),
            part(1),
            part(2),
            part(1),
            value(before(None))
        ),
        _ => String::new(),
    };
    view! {
        <h3 class="num" translate="no">{format!("unit {}, step {}", unit + 1, step + 1)}</h3>
        <dl class="cell-numbers" translate="no" data-testid="cell-numbers">{cells.collect_view()}</dl>
        <pre class="num hint" translate="no">{made}</pre>
    }
    .into_any()
}
