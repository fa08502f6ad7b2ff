//! Curves over steps: loss, accuracy, gradient norm, learning rate. uPlot draws them; what they show is decided here.

use downhill_protocol::{Input, LayerStats, Query, RunInfo};
use js_sys::{Array, Float64Array, Object, Reflect};
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

use super::chart_options::{ChartBar, ChartOptions};
use super::kinds::Panel;
use crate::document::number;
use crate::plot::series::{Curve, Curves, GRADIENT};
use crate::reactive::{RwSignal, effect, memo};
use crate::state::{Lab, Mark};
use crate::watches::{Ask, Source};

#[wasm_bindgen(raw_module = "./charts.js")]
extern "C" {
    type TimeChart;
    #[wasm_bindgen(constructor)]
    fn new(host: &HtmlElement) -> TimeChart;
    /// Shows curves (`{ label, ink, dash, live, width, x, y }`) and marks (`{ step, label }`) from step 0 to `end`, on a y axis (`log`, lowest
    /// and highest value).
    #[wasm_bindgen(method)]
    fn show(this: &TimeChart, curves: &Array, marks: &Array, log: bool, end: f64, low: Option<f64>, high: Option<f64>);
    #[wasm_bindgen(method)]
    fn destroy(this: &TimeChart);
}

/// Points of a drawn curve: about two per pixel.
const POINTS: usize = 900;
/// Milliseconds between two drawings of a chart.
const EVERY: f64 = 120.0;

/// Colours of layers in the style sheet.
const LAYER_INKS: [&str; 6] = ["--teal", "--violet", "--rose", "--ochre", "--pos", "--neg"];

/// A curve as a chart draws it; `ink` names a colour of the style sheet.
struct Drawn {
    label: String,
    ink: &'static str,
    /// Which pattern of dashes: none, dots, or one that tells layers of the same colour apart.
    dash: u32,
    /// Whether it goes on at its end.
    live: bool,
    width: f64,
    curve: Curve,
}

impl Drawn {
    fn new(label: &str, ink: &'static str, curve: Curve) -> Self {
        Self { label: label.to_string(), ink, dash: 0, live: true, width: 1.6, curve }
    }

    fn dotted(label: &str, ink: &'static str, curve: Curve) -> Self {
        Self { dash: 1, live: false, width: 1.2, ..Self::new(label, ink, curve) }
    }

    /// Of the run before.
    fn faded(curve: Curve) -> Self {
        Self { live: false, width: 1.1, ..Self::new("run before", "--line-2", curve) }
    }
}

/// How the curve of the `i`-th layer looks: every colour first solid, then in each pattern.
fn look_of(i: usize) -> (&'static str, u32) {
    const PATTERNS: usize = 4;
    let pattern = i / LAYER_INKS.len() % PATTERNS;
    (LAYER_INKS[i % LAYER_INKS.len()], if pattern == 0 { 0 } else { pattern as u32 + 1 })
}

/// What a chart shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Loss,
    Accuracy,
    Distance,
    Recall,
    Gradient,
    Rate,
}

/// See the module.
pub struct Charts;

/// The options under which charts are drawn.
pub fn prepare() {
    provide_context(ChartOptions { smoothing: RwSignal::new(0.0), log: RwSignal::new(false) });
}

/// A chart by itself: `loss`, `accuracy`, `gradients` or `rates`.
pub fn one(lab: Lab, name: &str) -> Option<AnyView> {
    Some(match name {
        "loss" => view! { <Chart kind=Kind::Loss title="Loss" at=0.0/> }.into_any(),
        "accuracy" => view! { <Chart kind=Kind::Accuracy title="Accuracy" at=30.0/> }.into_any(),
        "gradients" => {
            watch_gradients(lab);
            view! { <Chart kind=Kind::Gradient title="Gradient norm" at=60.0/> }.into_any()
        }
        "rates" => view! { <Chart kind=Kind::Rate title="Learning rate" at=90.0/> }.into_any(),
        _ => return None,
    })
}

impl Panel for Charts {
    fn name(&self) -> &'static str {
        "Charts"
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn prepare(&self) {
        prepare();
    }

    fn controls(&self) -> Option<AnyView> {
        Some(view! { <ChartBar/> }.into_any())
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <AllCharts lab/> }.into_any()
    }
}

/// The name of the gradient that stands for a layer: that of its largest parameter.
fn gradient_of(layer: &LayerStats) -> Option<String> {
    let elements = |shape: &[u32]| shape.iter().map(|&n| u64::from(n)).product::<u64>();
    let largest = layer.parameters.iter().rev().max_by_key(|p| elements(&p.shape))?;
    Some(format!("{GRADIENT}{}", largest.name))
}

/// Their norms are kept as curves whenever they come, see `session.rs`.
fn watch_gradients(lab: Lab) {
    lab.watch(move || {
        let names = lab.info.with(|i| i.as_ref().map(|i| i.layers.iter().filter_map(gradient_of).collect::<Vec<_>>()))?;
        let tensors = names.into_iter().map(Query::stats).collect();
        Some(Ask { source: Source::Of(Input::Batch), tensors, every_ms: 250.0 })
    });
}

#[component]
fn AllCharts(lab: Lab) -> impl IntoView {
    let classes = memo(move || lab.info.with(|i| i.as_ref().is_none_or(|i| i.data.task == "classification")));
    let forecast = memo(move || lab.info.with(|i| i.as_ref().is_some_and(|i| i.data.forecast.is_some())));
    let retrieval = memo(move || lab.info.with(|i| i.as_ref().is_some_and(|i| i.data.task == "retrieval")));
    watch_gradients(lab);
    view! {
        <div class="charts">
            <Chart kind=Kind::Loss title="Loss" at=0.0/>
            {move || classes.get().then(|| view! { <Chart kind=Kind::Accuracy title="Accuracy" at=30.0/> })}
            {move || forecast.get().then(|| view! { <Chart kind=Kind::Distance title="Mean |error|" at=30.0/> })}
            {move || retrieval.get().then(|| view! { <Chart kind=Kind::Recall title="Recall" at=30.0/> })}
            <Chart kind=Kind::Gradient title="Gradient norm" at=60.0/>
            <Chart kind=Kind::Rate title="Learning rate" at=90.0/>
        </div>
    }
}

#[component]
fn Chart(kind: Kind, title: &'static str, at: f64) -> impl IntoView {
    let lab = Lab::here();
    let options: ChartOptions = expect_context();
    let host = NodeRef::<Div>::new();
    let chart = StoredValue::new_local(None::<TimeChart>);
    let beat = throttled(lab, at);
    effect(move || {
        let Some(host) = host.get() else { return };
        // Making a chart takes a long while, so the first time has its turn too.
        if beat.get() == 0 {
            return;
        }
        lab.palette.track();
        let labelled = kind == Kind::Loss;
        let (smoothing, log) =
            (options.smoothing.get(), options.log.get() && !matches!(kind, Kind::Accuracy | Kind::Recall | Kind::Rate));
        let curves = curves(lab, kind, smoothing);
        let marks = lab.marks.get_untracked();
        let (low, high) =
            if matches!(kind, Kind::Accuracy | Kind::Recall) { (None, Some(1.0)) } else { ((!log).then_some(0.0), None) };
        chart.update_value(|chart| {
            let chart = chart.get_or_insert_with(|| TimeChart::new(&host));
            chart.show(&pack(&curves), &pack_marks(&marks, labelled), log, end(lab), low, high);
        });
    });
    on_cleanup(move || {
        let _ = chart.try_update_value(|chart| chart.take().inspect(TimeChart::destroy));
    });
    let baseline = memo(move || lab.info.with(|i| unlearned(i.as_ref()?, kind)));
    let floor = memo(move || lab.info.with(|i| i.as_ref().and_then(|i| i.data.floor)));
    let before = memo(move || {
        lab.curves_changed.track();
        lab.ghost.with_value(|ghost| ghost.as_ref().map(|g| g.label.clone()))
    });
    let ghost = move || {
        before.get().map(|label| {
            let text = if label.is_empty() { "run before".to_string() } else { format!("run before: {label}") };
            let title = text.clone();
            view! { <span class="key before" data-testid="run-before" title=title>{text}</span> }
        })
    };
    let keys = match kind {
        Kind::Loss => view! {
            <span class="key pos">"train"</span><span class="key neg">"validation"</span>
            <span class="key base" translate="no">{move || baseline.get().map(guessing)}</span>
            {move || floor.get().map(|floor| view! { <span class="key base" translate="no" title="The loss of whoever knows how the samples are made">{guessing(("floor", floor))}</span> })}{ghost}
        }
        .into_any(),
        Kind::Accuracy | Kind::Distance => view! {
            <span class="key pos">"train"</span><span class="key neg">"validation"</span>
            <span class="key base" translate="no">{move || baseline.get().map(guessing)}</span>
        }
        .into_any(),
        Kind::Recall => view! {
            <span class="key pos">"at 5"</span><span class="key neg">"at 1"</span>
            <span class="key base" translate="no">{move || baseline.get().map(guessing)}</span>
        }
        .into_any(),
        Kind::Gradient => view! { <Legend lab/> }.into_any(),
        Kind::Rate => {
            let scheduled = memo(move || {
                lab.info.track();
                ahead(lab, 0.0).is_some() && !lab.finished.get()
            });
            view! { {move || scheduled.get().then(|| view! { <span>"schedule ahead dotted"</span> })} }.into_any()
        }
    };
    view! {
        <figure class="chart" data-chart=title>
            <figcaption><b>{title}</b>{keys}</figcaption>
            <div class="plot" node_ref=host role="img" aria-label=format!("{title} over steps")></div>
        </figure>
    }
}

/// What is reached without learning, and what that is called.
fn unlearned(info: &RunInfo, kind: Kind) -> Option<(&'static str, f64)> {
    match kind {
        Kind::Accuracy | Kind::Recall => Some(("guessing", info.baseline_accuracy?)),
        Kind::Distance => Some(("naive", info.data.forecast.as_ref()?.naive_error)),
        _ => Some((if info.baseline_naive { "naive" } else { "guessing" }, info.baseline_loss)),
    }
}

fn guessing((name, baseline): (&str, f64)) -> String {
    format!("{name} {}", number(baseline))
}

/// The layers that have a gradient, in the looks of their curves.
#[component]
fn Legend(lab: Lab) -> impl IntoView {
    let layers = memo(move || lab.info.with(|i| i.as_ref().map(|i| with_gradient(&i.layers)).unwrap_or_default()));
    let key = |(i, (label, _)): (usize, (String, String))| {
        let (ink, dash) = look_of(i);
        let ink = if matches!(ink, "--pos" | "--neg") { format!("rgb(var({ink}))") } else { format!("var({ink})") };
        view! { <span class="key" class:patterned=dash != 0 style=format!("--key:{ink}")>{label}</span> }
    };
    view! { <div class="keys" tabindex="0" role="group" aria-label="Layers" data-testid="gradient-legend" translate="no">{move || layers.get().into_iter().enumerate().map(key).collect_view()}</div> }
}

/// Layers with a gradient: the name, and that of the curve.
fn with_gradient(layers: &[LayerStats]) -> Vec<(String, String)> {
    layers.iter().filter_map(|layer| Some((layer.label.clone(), gradient_of(layer)?))).collect()
}

/// The last step that any chart shows, so that all show the same ones: of this run, of the one before, and of a schedule that is not done.
fn end(lab: Lab) -> f64 {
    let done = lab.curves.with_value(Curves::end);
    let before = lab.ghost.with_value(|ghost| ghost.as_ref().map_or(0.0, |g| g.curves.end()));
    let ahead = ahead(lab, done).and_then(|curve| curve.steps.last().copied()).unwrap_or(0.0);
    done.max(before).max(ahead).max(1.0)
}

/// Counts up when curves or marks changed, at most every [`EVERY`] milliseconds; charts take turns by `at`, so that no task draws two of them.
fn throttled(lab: Lab, at: f64) -> RwSignal<u32> {
    let beat = RwSignal::new(0);
    let last = StoredValue::new(0.0f64);
    let waiting = StoredValue::new(false);
    effect(move || {
        lab.curves_changed.track();
        lab.marks.track();
        if waiting.get_value() {
            return;
        }
        let now = js_sys::Date::now();
        let wait = (last.get_value() + EVERY - now).clamp(at.min(EVERY), EVERY);
        waiting.set_value(true);
        set_timeout(
            move || {
                let _ = waiting.try_set_value(false);
                let _ = last.try_set_value(js_sys::Date::now());
                let _ = beat.try_update(|n| *n += 1);
            },
            std::time::Duration::from_millis(wait as u64),
        );
    });
    beat
}

fn curves(lab: Lab, kind: Kind, smoothing: f64) -> Vec<Drawn> {
    let get = |name: &str| lab.curves.with_value(|c| c.get(name).map(|c| c.thinned(POINTS)));
    let before = |name: &str| lab.ghost.with_value(|g| g.as_ref()?.curves.get(name).map(|c| Drawn::faded(c.thinned(POINTS))));
    let level = |value: f64| Curve { steps: vec![0.0, end(lab)], values: vec![value, value] };
    let info = lab.info.get_untracked();
    let dotted = info.as_ref().and_then(|i| unlearned(i, kind)).map(|(name, at)| Drawn::dotted(name, "--ink-3", level(at)));
    let mut drawn = Vec::new();
    match kind {
        Kind::Distance => {
            drawn.extend(dotted);
            drawn.extend(before("train_mae"));
            drawn.extend(get("validation_mae").map(|c| Drawn::new("validation", "--neg", c.smoothed(smoothing))));
            drawn.extend(get("train_mae").map(|c| Drawn::new("train", "--pos", c.smoothed(smoothing))));
        }
        Kind::Loss => {
            drawn.extend(dotted);
            drawn.extend(info.and_then(|i| i.data.floor).map(|floor| Drawn::dotted("entropy floor", "--teal", level(floor))));
            drawn.extend(before("loss"));
            drawn.extend(get("validation_loss").map(|c| Drawn::new("validation", "--neg", c.smoothed(smoothing))));
            drawn.extend(get("loss").map(|c| Drawn::new("train", "--pos", c.smoothed(smoothing))));
        }
        Kind::Accuracy => {
            drawn.extend(dotted);
            drawn.extend(before("train_accuracy").or_else(|| before("accuracy")));
            drawn.extend(get("validation_accuracy").map(|c| Drawn::new("validation", "--neg", c.smoothed(smoothing))));
            let train = get("train_accuracy").or_else(|| get("accuracy"));
            drawn.extend(train.map(|c| Drawn::new("train", "--pos", c.smoothed(smoothing))));
        }
        Kind::Recall => {
            drawn.extend(dotted);
            drawn.extend(before("validation_recall_at_1"));
            drawn.extend(get("validation_recall_at_1").map(|c| Drawn::new("at 1", "--neg", c.smoothed(smoothing))));
            drawn.extend(get("validation_recall_at_5").map(|c| Drawn::new("at 5", "--pos", c.smoothed(smoothing))));
        }
        Kind::Gradient => {
            let layers = info.map(|i| with_gradient(&i.layers)).unwrap_or_default();
            for (i, (label, name)) in layers.into_iter().enumerate() {
                let (ink, dash) = look_of(i);
                drawn.extend(get(&name).map(|c| Drawn { dash, width: 1.2, ..Drawn::new(&label, ink, c.smoothed(smoothing)) }));
            }
        }
        Kind::Rate => {
            drawn.extend(before("lr"));
            drawn.extend(get("lr").map(|c| Drawn::new("rate", "--pos", c)));
            drawn.extend(ahead(lab, lab.curves.with_value(Curves::end)).map(|c| Drawn::dotted("ahead", "--pos", c)));
        }
    }
    drawn
}

/// The schedule from here to its end, where the rate does not stay as it is.
fn ahead(lab: Lab, from: f64) -> Option<Curve> {
    const PARTS: u64 = 120;
    let experiment = lab.inbox.with_value(|inbox| inbox.experiment.clone())?;
    let from = from as u64;
    let end = experiment.training.steps.filter(|&end| end > from)?;
    let steps: Vec<u64> = (0..=PARTS).map(|i| from + (end - from) * i / PARTS).collect();
    let values: Vec<f64> = steps.iter().map(|&s| experiment.lr_at(s)).collect();
    let moves = values.windows(2).any(|pair| pair[0] != pair[1]);
    moves.then(|| Curve { values, steps: steps.into_iter().map(|s| s as f64).collect() })
}

fn pack(curves: &[Drawn]) -> Array {
    curves
        .iter()
        .map(|c| {
            let object = Object::new();
            let put = |name: &str, value: JsValue| {
                let _ = Reflect::set(&object, &name.into(), &value);
            };
            put("label", c.label.as_str().into());
            put("ink", c.ink.into());
            put("dash", c.dash.into());
            put("live", c.live.into());
            put("width", c.width.into());
            put("x", Float64Array::from(c.curve.steps.as_slice()).into());
            put("y", Float64Array::from(c.curve.values.as_slice()).into());
            object
        })
        .collect()
}

fn pack_marks(marks: &[Mark], labelled: bool) -> Array {
    marks
        .iter()
        .map(|mark| {
            let object = Object::new();
            let _ = Reflect::set(&object, &"step".into(), &mark.step.into());
            let _ = Reflect::set(&object, &"label".into(), &if labelled { mark.label.as_str() } else { "" }.into());
            object
        })
        .collect()
}
