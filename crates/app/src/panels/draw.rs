//! Draw a digit: the network's ten probabilities move while the pen does, and while training goes on.

use downhill_protocol::{Frame, MapSource, Watch};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{Element, HtmlCanvasElement, PointerEvent};

use super::predictions::{self, Rows};
use crate::canvas::{painted, position, put_pixels};
use crate::plot::colour::{Palette, mix};
use crate::plot::pad::{Bitmap, CELLS};
use crate::reactive::{Memo, RwSignal, clicked, effect, memo};
use crate::state::Lab;

/// What a pixel of the set holds at most.
const INK: f32 = 16.0;

/// Pad, probabilities, gallery.
#[component]
pub fn DrawPanel() -> impl IntoView {
    let lab = Lab::here();
    let bitmap = RwSignal::new(Bitmap::default());
    let rows = predictions::watched(lab);
    effect(move || {
        // Until somebody draws, the worst mistake is on show.
        if lab.sample.with(Option::is_none)
            && let Some(first) = rows.with(|r| r.inputs.first().cloned())
        {
            lab.sample.set(Some(first));
        }
    });
    view! {
        <div class="digit">
            <Pad bitmap/>
            <Probabilities/>
        </div>
        <div class="pens">
            <span>"Draw a digit, or choose one below"</span>
            <button type="button" class="link" data-testid="clear" on:click=clicked(move |_| { bitmap.set(Bitmap::default()); lab.sample.set(None); })>"Clear"</button>
        </div>
        <Gallery rows/>
    }
}

#[component]
fn Pad(bitmap: RwSignal<Bitmap>) -> impl IntoView {
    let lab = Lab::here();
    let canvas = NodeRef::<Canvas>::new();
    let last = StoredValue::new(None::<(f64, f64)>);
    painted(canvas, move |canvas| {
        let palette = lab.palette.get();
        let cells = lab.sample.get().unwrap_or_else(|| vec![0.0; CELLS * CELLS]);
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
        lab.sample.set(Some(bitmap.with_untracked(Bitmap::cells)));
    };
    let down = move |ev: PointerEvent| {
        last.set_value(None);
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

/// Watches the network on the sample that is chosen or drawn, for the bars and for the network's cells.
pub fn watch_sample(lab: Lab) {
    effect(move || {
        let Some(values) = lab.sample.get() else { return };
        lab.watch(Watch { panel: "draft".into(), source: MapSource::Draft { values }, every_ms: 50.0 });
    });
}

#[component]
fn Probabilities() -> impl IntoView {
    let lab = Lab::here();
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let values = memo(move || {
        if lab.sample.with(Option::is_none) {
            return Vec::new();
        }
        lab.frames.draft.with(|shown| match shown.as_ref().map(|s| &s.message.header) {
            Some(Frame::Draft { prediction, .. }) => prediction.values.clone(),
            _ => Vec::new(),
        })
    });
    let best = memo(move || values.with(|v| v.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|b| b.0)));
    let bar = move |i: usize, label: String| {
        let p = memo(move || values.with(|v| v.get(i).copied().unwrap_or(0.0)));
        let style = move || format!("transform:scaleX({:.4})", p.get());
        let text = move || if values.with(Vec::is_empty) { "–".to_string() } else { format!("{:.1}", 100.0 * p.get()) };
        view! { <div class="bar" class:best=move || best.get() == Some(i) data-digit=i.to_string()><b>{label}</b><i><s style=style></s></i><span class="num">{text}</span></div> }
    };
    view! { <div class="bars" role="group" aria-label="Probabilities in percent" data-testid="probabilities">{move || labels.get().into_iter().enumerate().map(|(i, l)| bar(i, l)).collect_view()}</div> }
}

/// Held-out samples, the worst first; a click shows one to the network.
#[component]
fn Gallery(rows: Memo<Rows>) -> impl IntoView {
    const SHOWN: usize = 12;
    let lab = Lab::here();
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let name = move |v: f32| labels.with(|l| l.get(v as usize).cloned().unwrap_or_default());
    let tile = move |i: usize| {
        let canvas = NodeRef::<Canvas>::new();
        let cells = memo(move || rows.with(|r| r.inputs.get(i).cloned().unwrap_or_default()));
        painted(canvas, move |canvas| {
            let palette = lab.palette.get();
            cells.with(|cells| paint_cells(canvas, cells, &palette));
        });
        let row = memo(move || rows.with(|r| r.rows.get(i).copied()));
        let wrong = move || row.get().is_some_and(|r| r[1] != r[2]);
        let text = move || {
            row.get().map(
                |[_, truth, predicted, _]| {
                    if truth == predicted { name(truth) } else { format!("{} → {}", name(truth), name(predicted)) }
                },
            )
        };
        let label =
            move || row.get().map(|[_, truth, predicted, _]| format!("A {} taken for a {}", name(truth), name(predicted)));
        view! {
            <button type="button" class="tile" class:wrong=wrong aria-label=label on:click=clicked(move |_| lab.sample.set(Some(cells.get_untracked())))>
                <canvas node_ref=canvas width="8" height="8" aria-hidden="true"></canvas><span class="num">{text}</span>
            </button>
        }
    };
    let count = memo(move || rows.with(|r| r.rows.len().min(SHOWN)));
    view! { <div class="tiles" role="group" aria-label="Held-out digits, the worst mistakes first">{move || (0..count.get()).map(tile).collect_view()}</div> }
}
