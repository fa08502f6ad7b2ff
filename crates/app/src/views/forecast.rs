//! A window of a series, what the network says follows, what it says when it is given its own answers, and what came to be.

use downhill_protocol::{DataInfo, ForecastInfo, Query};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::kinds::OutputView;
use crate::canvas::{fitted, painted, size_of};
use crate::document::{Digits, number};
use crate::plot::colour::{Palette, css};
use crate::plot::curve::Frame;
use crate::plot::forecast::Lines;
use crate::reactive::{Memo, RwSignal, clicked, memo};
use crate::state::{Chosen, Lab};
use crate::watches::{Ask, Source};

/// Quantities that have a picture, at most.
const MOST: usize = 6;

/// How the lines are drawn, as the keys below the pictures show it.
const SOLID: &[f64] = &[];
const DASHED: &[f64] = &[7.0, 5.0];
const DOTTED: &[f64] = &[2.0, 3.0];

/// See the module.
pub struct Forecast;

impl OutputView for Forecast {
    fn title(&self) -> &'static str {
        "Forecast"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.forecast.is_some()
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Pictures lab/> }.into_any()
    }
}

#[component]
fn Pictures(lab: Lab) -> impl IntoView {
    let info = memo(move || lab.data().and_then(|data| data.forecast).unwrap_or_default());
    let answers = lab.watch(move || {
        // What came to be is known of the data alone.
        let known = lab.chosen.with(|chosen| matches!(chosen, Some(Chosen::HeldOut(_))));
        let tensors = ["raw", "continuation"].into_iter().chain(known.then_some("ahead")).map(Query::all).collect();
        Some(Ask { source: Source::Chosen, tensors, every_ms: 100.0 })
    });
    let all = memo(move || {
        let ForecastInfo { names, predicted, horizon, .. } = info.get();
        let (width, predicted) = (names.len(), predicted as usize);
        answers.with(|answer| {
            let Some(answer) = answer else { return Vec::new() };
            let of = |name: &str| answer.get(name).map(|tensor| tensor.row(0)).unwrap_or_default();
            let lines = |at| Lines::of(of("raw"), of("ahead"), of("continuation"), (at, width, predicted), horizon as usize);
            (0..predicted.min(MOST)).map(lines).collect()
        })
    });
    let names = memo(move || info.with(|i| i.names.iter().take((i.predicted as usize).min(MOST)).cloned().collect::<Vec<_>>()));
    let pictures = move || {
        names.get().into_iter().enumerate().map(|(at, name)| view! { <Picture lab name at all/> }.into_any()).collect_view()
    };
    view! {
        <Walk lab/>
        <div class="forecast" data-testid="forecast">{pictures}</div>
        <p class="forecast-keys hint">
            <span class="key">"series"</span><span class="key pos">"forecast"</span>
            <span class="key pos fed">"fed back"</span><span class="key base">"last value again"</span>
        </p>
        <p class="hint" translate="no" data-testid="forecast-errors">{move || all.with(|all| said(all))}</p>
    }
}

/// How far off the answers are, over all quantities.
fn said(all: &[Lines]) -> String {
    let [lines] = all else { return String::new() };
    let Some(errors) = lines.errors() else { return String::new() };
    let (steps, horizon) = (lines.says.len(), lines.horizon);
    let next = if horizon == 1 { "The next step is".to_string() } else { format!("The next {horizon} steps are") };
    let fed = errors.fed_back.map_or_else(String::new, |error| {
        format!(" Given its own answers it goes on to step {steps}, off by {}.", number(error))
    });
    format!("{next} off by {} on the mean, the last value again by {}.{fed}", number(errors.answer), number(errors.naive))
}

/// Goes from window to window of what is held out.
#[component]
fn Walk(lab: Lab) -> impl IntoView {
    let count = memo(move || lab.data().map_or(0, |d| if d.validation > 0 { d.validation } else { d.train }));
    let at = memo(move || match lab.chosen.get() {
        Some(Chosen::HeldOut(row)) => Some(row),
        _ => None,
    });
    let step = move |by: i64| {
        let last = i64::from(count.get_untracked()) - 1;
        let to = (i64::from(at.get_untracked().unwrap_or(0)) + by).clamp(0, last.max(0));
        lab.chosen.set(Some(Chosen::HeldOut(to as u32)));
    };
    // A tenth of the way, so that a long series is crossed in a few clicks.
    let far = move || (i64::from(count.get_untracked()) / 10).max(1);
    let said = move || {
        at.get().map_or_else(|| "a window of your own".to_string(), |row| format!("window {} of {}", row + 1, count.get()))
    };
    let button = |label: &'static str, sign: &'static str, act: Box<dyn Fn()>| {
        view! { <button type="button" class="ghost" aria-label=label title=label on:click=clicked(move |_| act())>{sign}</button> }.into_any()
    };
    view! {
        <div class="row walk">
            {button("Back by a tenth of the series", "⇤", Box::new(move || step(-far())))}
            {button("Window before", "←", Box::new(move || step(-1)))}
            <span class="num" translate="no" data-testid="forecast-window">{said}</span>
            {button("Next window", "→", Box::new(move || step(1)))}
            {button("On by a tenth of the series", "⇥", Box::new(move || step(far())))}
        </div>
    }
}

#[component]
fn Picture(lab: Lab, name: String, at: usize, all: Memo<Vec<Lines>>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(None::<RwSignal<u32>>);
    canvas.on_load(move |canvas| resized.set(Some(size_of(&canvas))));
    let lines = memo(move || all.with(|all| all.get(at).cloned().unwrap_or_default()));
    painted(canvas, move |canvas| {
        resized.get().map(|r| r.get());
        lab.palette.with(|palette| lines.with(|lines| paint(canvas, palette, lines)));
    });
    let range = move || {
        let (low, high) = lines.with(|lines| lines.frame().y);
        let digits = Digits::telling([low, high].into_iter());
        format!("{} to {}", digits.text(low), digits.text(high))
    };
    view! {
        <figure>
            <figcaption class="hint"><b translate="no">{name.clone()}</b><span class="num" translate="no">{range}</span></figcaption>
            <canvas node_ref=canvas role="img" aria-label=format!("{name}: the window, what follows, and the forecast")></canvas>
        </figure>
    }
}

fn paint(canvas: &HtmlCanvasElement, palette: &Palette, lines: &Lines) {
    let Some((context, width, height)) = fitted(canvas) else { return };
    if lines.history.is_empty() {
        return;
    }
    let pen = Pen { context, frame: lines.frame(), width, height };
    let (end, _) = pen.place(lines.horizon as f64, 0.0);
    pen.context.set_fill_style_str(&css(palette.ink, 0.05));
    pen.context.fill_rect(end, 0.0, width - end, height);
    let (now, _) = pen.place(0.0, 0.0);
    pen.line([(now, 0.0), (now, height)].into_iter(), &css(palette.ink, 0.35), 1.0, SOLID);
    let ink = css(palette.ink, 0.75);
    let place = |(x, y)| pen.place(x, y);
    pen.line(lines.before().chain(lines.after(&lines.truth)).filter(|p| p.1.is_finite()).map(place), &ink, 1.3, SOLID);
    let last = lines.history.last().map_or(0.0, |v| f64::from(*v));
    let naive = [(0.0, last), (lines.horizon as f64, last)].into_iter().map(place);
    pen.line(naive, &css(palette.ink, 0.6), 1.6, DOTTED);
    let accent = css(palette.positive, 1.0);
    pen.line(lines.after(&lines.says).take(lines.horizon + 1).map(place), &accent, 2.4, SOLID);
    pen.line(lines.after(&lines.says).skip(lines.horizon).map(place), &accent, 1.8, DASHED);
}

/// Draws lines in a frame.
struct Pen {
    context: CanvasRenderingContext2d,
    frame: Frame,
    width: f64,
    height: f64,
}

impl Pen {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        self.frame.place(x, y, self.width, self.height)
    }

    /// A line through points of the canvas, with pieces and gaps of so many pixels.
    fn line(&self, points: impl Iterator<Item = (f64, f64)>, ink: &str, thick: f64, pieces: &[f64]) {
        let dash: js_sys::Array = pieces.iter().map(|len| wasm_bindgen::JsValue::from(*len)).collect();
        let _ = self.context.set_line_dash(&dash);
        self.context.set_stroke_style_str(ink);
        self.context.set_line_width(thick);
        self.context.begin_path();
        points.for_each(|(x, y)| self.context.line_to(x, y));
        self.context.stroke();
    }
}
