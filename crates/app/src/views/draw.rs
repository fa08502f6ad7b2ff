//! Draw a digit: the network's ten probabilities move while the pen does, and while training goes on.

use downhill_protocol::{DataInfo, Query};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{Element, HtmlCanvasElement, PointerEvent};

use super::kinds::OutputView;
use super::samples::{Row, worst};
use crate::canvas::{painted, position, put_pixels};
use crate::plot::colour::{Palette, mix};
use crate::plot::heatmap::likeliest;
use crate::plot::pad::{Bitmap, CELLS};
use crate::reactive::{Memo, RwSignal, clicked, memo};
use crate::state::{Answers, Chosen, Lab};
use crate::watches::{Ask, Source};

/// What a pixel of the set holds at most.
const INK: f32 = 16.0;

/// See the module.
pub struct Draw;

impl OutputView for Draw {
    fn title(&self) -> &'static str {
        "Draw"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.image == Some((CELLS as u32, CELLS as u32)) && data.task == "classification"
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <DrawPanel lab/> }.into_any()
    }
}

/// Pad, probabilities, gallery.
#[component]
fn DrawPanel(lab: Lab) -> impl IntoView {
    let bitmap = RwSignal::new(Bitmap::default());
    let answers = lab.watch(|| {
        let tensors = ["raw", "output"].map(Query::all).to_vec();
        Some(Ask { source: Source::Chosen, tensors, every_ms: 50.0 })
    });
    let clear = move |_| {
        bitmap.set(Bitmap::default());
        lab.chosen.set(Some(Chosen::Given(vec![vec![0.0; CELLS * CELLS]])));
    };
    view! {
        <div class="digit">
            <Pad lab bitmap answers/>
            <Probabilities lab answers/>
        </div>
        <div class="pens">
            <span>"Draw a digit, or choose one below"</span>
            <button type="button" class="link" data-testid="clear" on:click=clicked(clear)>"Clear"</button>
        </div>
        <Gallery lab/>
    }
}

#[component]
fn Pad(lab: Lab, bitmap: RwSignal<Bitmap>, answers: Answers) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let last = StoredValue::new(None::<(f64, f64)>);
    painted(canvas, move |canvas| {
        let palette = lab.palette.get();
        // What is drawn is on the pad before the network has seen it.
        let cells = match lab.chosen.get() {
            Some(Chosen::Given(values)) => values.into_iter().next(),
            _ => answers.with(|answer| Some(answer.as_ref()?.get("raw")?.data.to_vec())),
        };
        let cells = cells.filter(|c| c.len() == CELLS * CELLS).unwrap_or_else(|| vec![0.0; CELLS * CELLS]);
        paint_cells(canvas, &cells, &palette);
    });
    let draw = move |ev: PointerEvent| {
        let Some(target) = ev.target().and_then(|t| wasm_bindgen::JsCast::dyn_into::<Element>(t).ok()) else { return };
        if ev.buttons() & 1 == 0 {
            last.set_value(None);
            return;
        }
        ev.prevent_default();
        let at = position(&target, f64::from(ev.client_x()), f64::from(ev.client_y()));
        let from = last.get_value().unwrap_or(at);
        last.set_value(Some(at));
        bitmap.update(|b| b.stroke(from, at));
        lab.chosen.set(Some(Chosen::Given(vec![bitmap.with_untracked(Bitmap::cells)])));
    };
    let down = move |ev: PointerEvent| {
        last.set_value(None);
        // Another sample is on the pad: what was drawn before it is gone.
        if !lab.chosen.with_untracked(|chosen| matches!(chosen, Some(Chosen::Given(_)))) {
            bitmap.set(Bitmap::default());
        }
        draw(ev);
    };
    view! {
        <canvas node_ref=canvas class="pad" width="8" height="8" data-testid="pad" role="img" aria-label="Drawing pad: draw a digit with the pointer"
            on:pointerdown=down on:pointermove=draw on:pointerup=move |_| last.set_value(None)></canvas>
    }
}

fn paint_cells(canvas: &HtmlCanvasElement, cells: &[f32], palette: &Palette) {
    let mut pixels = Vec::with_capacity(4 * cells.len());
    for &ink in cells {
        let [r, g, b] = mix(palette.panel, palette.ink, (ink / INK).clamp(0.0, 1.0));
        pixels.extend_from_slice(&[r, g, b, 255]);
    }
    put_pixels(canvas, &mut pixels, CELLS as u32);
}

#[component]
fn Probabilities(lab: Lab, answers: Answers) -> impl IntoView {
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let values = memo(move || answers.with(|a| Some(a.as_ref()?.get("output")?.data.to_vec())).unwrap_or_default());
    let best = memo(move || values.with(|v| (!v.is_empty()).then(|| likeliest(v).0)));
    let bar = move |i: usize, label: String| {
        let p = memo(move || values.with(|v| v.get(i).copied().unwrap_or(0.0)));
        let style = move || format!("transform:scaleX({:.4})", p.get());
        let text = move || if values.with(Vec::is_empty) { "–".to_string() } else { format!("{:.1}", 100.0 * p.get()) };
        view! { <div class="bar" class:best=move || best.get() == Some(i) data-digit=i.to_string()><b>{label}</b><i><s style=style></s></i><span class="num" translate="no">{text}</span></div> }
    };
    view! { <div class="bars" role="group" aria-label="Probabilities in percent" data-testid="probabilities">{move || labels.get().into_iter().enumerate().map(|(i, l)| bar(i, l)).collect_view()}</div> }
}

/// Held-out samples, the worst first; a click shows one to the network.
#[component]
fn Gallery(lab: Lab) -> impl IntoView {
    const SHOWN: usize = 12;
    let rows: Memo<Vec<Row>> = worst(lab);
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let name = move |v: f32| labels.with(|l| l.get(v as usize).cloned().unwrap_or_default());
    let tile = move |i: usize| {
        let canvas = NodeRef::<Canvas>::new();
        let row = memo(move || rows.with(|r| r.get(i).cloned().unwrap_or_default()));
        painted(canvas, move |canvas| {
            let palette = lab.palette.get();
            row.with(|row| row.raw.iter().for_each(|cells| paint_cells(canvas, cells, &palette)));
        });
        let wrong = move || row.with(|r| r.target != r.guess);
        let text = move || {
            row.with(|r| if r.target == r.guess { name(r.target) } else { format!("{} → {}", name(r.target), name(r.guess)) })
        };
        let label = move || row.with(|r| format!("A {} taken for a {}", name(r.target), name(r.guess)));
        let choose = move |_| lab.chosen.set(Some(Chosen::HeldOut(row.with_untracked(|r| r.row))));
        view! {
            <button type="button" class="tile" class:wrong=wrong aria-label=label on:click=clicked(choose)>
                <canvas node_ref=canvas width="8" height="8" aria-hidden="true"></canvas><span class="num" translate="no">{text}</span>
            </button>
        }
    };
    let count = memo(move || rows.with(|r| r.len().min(SHOWN)));
    view! { <div class="tiles" role="group" aria-label="Held-out digits, the worst mistakes first">{move || (0..count.get()).map(tile).collect_view()}</div> }
}
