//! Draw what the network was taught to tell apart: its probabilities move while the pen does, and while training goes on.

use downhill_protocol::{DataInfo, Query};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{Element, PointerEvent};

use super::gallery::{Gallery, image_size, paint_image};
use super::kinds::OutputView;
use super::samples::{Row, worst};
use crate::canvas::{painted, position};
use crate::focus;
use crate::plot::pad::Bitmap;
use crate::plot::picture::full;
use crate::reactive::{Memo, RwSignal, clicked, memo};
use crate::state::{Answers, Chosen, Lab};
use crate::watches::{Ask, Source};

/// See the module.
pub struct Draw;

impl OutputView for Draw {
    fn title(&self) -> &'static str {
        "Draw"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        // One grey square: a pen has no colours.
        let grey = |(height, width): (u32, u32)| {
            height == width && data.inputs.len() == 1 && data.inputs[0].shape.iter().product::<u32>() == height * width
        };
        data.image.is_some_and(grey) && data.task == "classification" && !data.of_pixels
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <DrawPanel lab/> }.into_any()
    }
}

/// What a pointer does on the pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Pen,
    Eraser,
    Move,
}

/// The tools, with what they are called.
const TOOLS: [(Tool, &str); 3] = [(Tool::Pen, "Pen"), (Tool::Eraser, "Eraser"), (Tool::Move, "Move")];

/// Pad, probabilities, gallery.
#[component]
fn DrawPanel(lab: Lab) -> impl IntoView {
    let answers = lab.watch(|| {
        let tensors = ["raw", "output"].map(Query::all).to_vec();
        Some(Ask { source: Source::Chosen, tensors, every_ms: 50.0 })
    });
    let rows: Memo<Vec<Row>> = worst(lab);
    let cells = image_size(lab).get_untracked().0 as usize;
    let bitmap = RwSignal::new(Bitmap::new(cells));
    let tool = RwSignal::new(Tool::Pen);
    let clear = move |_| {
        bitmap.set(Bitmap::new(cells));
        lab.chosen.set(Some(Chosen::Given(vec![vec![0.0; cells * cells]])));
    };
    let tools = TOOLS.map(|(which, name)| {
        let on = move || tool.get() == which;
        view! { <button type="button" class="toggle" role="radio" aria-checked=move || on().to_string() tabindex=move || focus::stop(on()) on:click=clicked(move |_| tool.set(which))>{name}</button> }.into_any()
    });
    view! {
        <div class="digit">
            <Pad lab bitmap tool rows answers/>
            <Probabilities lab answers/>
        </div>
        <div class="pens">
            <div class="choices" role="radiogroup" aria-label="What the pointer does on the pad" on:keydown=focus::walk>{tools.into_iter().collect_view()}</div>
            <button type="button" class="link" data-testid="clear" on:click=clicked(clear)>"Clear"</button>
        </div>
        <Gallery lab rows label="Held-out images, the worst mistakes first"/>
    }
}

#[component]
fn Pad(lab: Lab, bitmap: RwSignal<Bitmap>, tool: RwSignal<Tool>, rows: Memo<Vec<Row>>, answers: Answers) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    // Where the pointer went down and was last, and what was on the pad before.
    let last = StoredValue::new(None::<((f64, f64), (f64, f64), Bitmap)>);
    let size = image_size(lab);
    let cells = size.get_untracked().0 as usize;
    // Full ink, as the set has it.
    let most = memo(move || rows.with(|r| r.iter().flat_map(|row| &row.raw).map(|image| full(image)).reduce(f32::max)));
    let given = move |bitmap: &Bitmap| {
        let most = most.get_untracked().unwrap_or(1.0);
        Chosen::Given(vec![bitmap.cells().into_iter().map(|share| share * most).collect()])
    };
    let seen = move || {
        answers.with(|answer| Some(answer.as_ref()?.get("raw")?.data.to_vec())).filter(|image| image.len() == cells * cells)
    };
    let drawn = memo(move || lab.chosen.with(|chosen| matches!(chosen, Some(Chosen::Given(_)))));
    painted(canvas, move |canvas| {
        // What is drawn is on the pad before the network has seen it.
        if drawn.get() {
            let side = bitmap.with(Bitmap::side) as u32;
            return bitmap.with(|b| paint_image(lab, canvas, b.ink(), (side, side), 1.0));
        }
        let image = seen().unwrap_or_default();
        paint_image(lab, canvas, &image, size.get(), most.get().unwrap_or(1.0).max(full(&image)));
    });
    let draw = move |ev: PointerEvent| {
        let Some(target) = ev.target().and_then(|t| wasm_bindgen::JsCast::dyn_into::<Element>(t).ok()) else { return };
        if ev.buttons() & 1 == 0 {
            last.set_value(None);
            return;
        }
        ev.prevent_default();
        let at = position(&target, f64::from(ev.client_x()), f64::from(ev.client_y()));
        let (down, from, before) = last.get_value().unwrap_or_else(|| (at, at, bitmap.get_untracked()));
        match tool.get_untracked() {
            Tool::Pen => bitmap.update(|b| b.stroke(from, at)),
            Tool::Eraser => bitmap.update(|b| b.erase(from, at)),
            Tool::Move => bitmap.set(before.moved((at.0 - down.0, at.1 - down.1))),
        }
        last.set_value(Some((down, at, before)));
        lab.chosen.set(Some(bitmap.with_untracked(given)));
    };
    let down = move |ev: PointerEvent| {
        last.set_value(None);
        if let Some(target) = ev.target().and_then(|t| wasm_bindgen::JsCast::dyn_into::<Element>(t).ok()) {
            let _ = target.set_pointer_capture(ev.pointer_id());
        }
        // Another sample is on the pad: a pen begins anew, the other tools change what is there.
        if !drawn.get_untracked() {
            let most = most.get_untracked().unwrap_or(1.0);
            let there = untrack(seen).filter(|_| tool.get_untracked() != Tool::Pen);
            let shares = |image: Vec<f32>| image.into_iter().map(|v| (v / most).clamp(0.0, 1.0)).collect::<Vec<_>>();
            bitmap.set(there.map_or_else(|| Bitmap::new(cells), |image| Bitmap::of(cells, &shares(image))));
        }
        draw(ev);
    };
    view! {
        <canvas node_ref=canvas class="pad" class:drawn=move || drawn.get() class:moving=move || tool.get() == Tool::Move width="8" height="8" data-testid="pad" role="img" aria-label="Drawing pad: draw with the pointer"
            on:pointerdown=down on:pointermove=draw on:pointerup=move |_| last.set_value(None)></canvas>
    }
}

/// The probability of every class, the likeliest on top.
#[component]
pub fn Probabilities(lab: Lab, answers: Answers) -> impl IntoView {
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let values = memo(move || answers.with(|a| Some(a.as_ref()?.get("output")?.data.to_vec())).unwrap_or_default());
    let bar = move |i: usize, label: String| {
        let p = memo(move || values.with(|v| v.get(i).copied().unwrap_or(0.0)));
        // The likeliest on top. What differs by less than is shown stays in its order, or small ones would dance.
        let rank = memo(move || {
            let shown = |p: f32| (1000.0 * p).round() as u32;
            let mine = (shown(p.get()), usize::MAX - i);
            values.with(|v| v.iter().enumerate().filter(|&(j, &p)| (shown(p), usize::MAX - j) > mine).count())
        });
        let style = move || format!("transform:scaleX({:.4})", p.get());
        let text = move || if values.with(Vec::is_empty) { "–".to_string() } else { format!("{:.1}", 100.0 * p.get()) };
        view! { <div class="bar" class:best=move || { p.get() > 0.0 && rank.get() == 0 } style:order=move || rank.get().to_string() data-digit=i.to_string()><b>{label}</b><i><s style=style></s></i><span class="num" translate="no">{text}</span></div> }
    };
    view! { <div class="bars" role="group" aria-label="Probabilities in percent" data-testid="probabilities">{move || labels.get().into_iter().enumerate().map(|(i, l)| bar(i, l)).collect_view()}</div> }
}
