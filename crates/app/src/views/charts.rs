//! Curves over steps: loss, accuracy, gradient norm, learning rate. uPlot draws them; what they show is decided here.

use downhill_protocol::{Input, LayerStats, Query};
use js_sys::{Array, Float64Array, Object, Reflect};
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

use super::chart_options::{ChartBar, ChartOptions};
use super::kinds::Panel;
use crate::document::number;
use crate::plot::series::{Curve, GRADIENT};
use crate::reactive::{RwSignal, effect, memo};
use crate::state::{Lab, Mark};
use crate::watches::{Ask, Source};

#[wasm_bindgen(raw_module = "./charts.js")]
extern "C" {
    type TimeChart;
    #[wasm_bindgen(constructor)]
    fn new(host: &HtmlElement) -> TimeChart;
    /// Shows curves (`{ label, ink, dash, width, x, y }`), marks (`{ step, label }`), and the y axis (`log`, lowest and highest value).
    #[wasm_bindgen(method)]
    fn show(this: &TimeChart, curves: &Array, marks: &Array, log: bool, low: Option<f64>, high: Option<f64>);
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
    dash: bool,
    width: f64,
    curve: Curve,
}

impl Drawn {
    fn new(label: &str, ink: &'static str, curve: Curve) -> Self {
        Self { label: label.to_string(), ink, dash: false, width: 1.6, curve }
    }

    fn dashed(label: &str, ink: &'static str, curve: Curve) -> Self {
        Self { label: label.to_string(), ink, dash: true, width: 1.2, curve }
    }
}

/// What a chart shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Loss,
    Accuracy,
    Gradient,
    Rate,
}

/// See the module.
pub struct Charts;

impl Panel for Charts {
    fn name(&self) -> &'static str {
        "Charts"
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn prepare(&self) {
        provide_context(ChartOptions { smoothing: RwSignal::new(0.0), log: RwSignal::new(false) });
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

#[component]
fn AllCharts(lab: Lab) -> impl IntoView {
    let classes = memo(move || lab.info.with(|i| i.as_ref().is_none_or(|i| i.data.task == "classification")));
    // Their norms are kept as curves whenever they come, see `session.rs`.
    lab.watch(move || {
        let names = lab.info.with(|i| i.as_ref().map(|i| i.layers.iter().filter_map(gradient_of).collect::<Vec<_>>()))?;
        let tensors = names.into_iter().map(Query::stats).collect();
        Some(Ask { source: Source::Of(Input::Batch), tensors, every_ms: 250.0 })
    });
    view! {
        <div class="charts">
            <Chart kind=Kind::Loss title="Loss" at=0.0/>
            {move || classes.get().then(|| view! { <Chart kind=Kind::Accuracy title="Accuracy" at=30.0/> })}
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
        beat.track();
        lab.palette.track();
        let (smoothing, log) = (options.smoothing.get(), options.log.get() && kind != Kind::Accuracy && kind != Kind::Rate);
        let curves = curves(lab, kind, smoothing);
        let marks = if kind == Kind::Loss { lab.marks.get() } else { Vec::new() };
        let (low, high) = if kind == Kind::Accuracy { (None, Some(1.0)) } else { ((!log).then_some(0.0), None) };
        chart.update_value(|chart| {
            let chart = chart.get_or_insert_with(|| TimeChart::new(&host));
            chart.show(&pack(&curves), &pack_marks(&marks), log, low, high);
        });
    });
    on_cleanup(move || {
        let _ = chart.try_update_value(|chart| chart.take().inspect(TimeChart::destroy));
    });
    let baseline = memo(move || {
        lab.info
            .with(|i| i.as_ref().and_then(|i| if kind == Kind::Accuracy { i.baseline_accuracy } else { Some(i.baseline_loss) }))
    });
    let keys = match kind {
        Kind::Loss | Kind::Accuracy => view! {
            <span class="key pos">"train"</span><span class="key neg">"validation"</span>
            <span class="key base">{move || baseline.get().map(|b| format!("guessing {}", number((b * 1000.0).round() / 1000.0)))}</span>
        }
        .into_any(),
        Kind::Gradient => view! { <span>"per layer"</span> }.into_any(),
        Kind::Rate => view! { <span>"schedule ahead dotted"</span> }.into_any(),
    };
    view! {
        <figure class="chart" data-chart=title>
            <figcaption><b>{title}</b>{keys}</figcaption>
            <div class="plot" node_ref=host role="img" aria-label=format!("{title} over steps")></div>
        </figure>
    }
}

/// Counts up when curves changed, at most every [`EVERY`] milliseconds; charts take turns by `at`, so that no frame draws all of them.
fn throttled(lab: Lab, at: f64) -> RwSignal<u32> {
    let beat = RwSignal::new(0);
    let last = StoredValue::new(0.0f64);
    let waiting = StoredValue::new(false);
    effect(move || {
        lab.curves_changed.track();
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
    let last_step = lab.status.with_untracked(|s| s.step as f64);
    let level = |value: f64| Curve { steps: vec![0.0, last_step.max(1.0)], values: vec![value, value] };
    let info = lab.info.get_untracked();
    let mut drawn = Vec::new();
    match kind {
        Kind::Loss => {
            drawn.extend(info.map(|i| Drawn::dashed("guessing", "--ink-3", level(i.baseline_loss))));
            drawn.extend(lab.ghost.get_value().map(|c| Drawn { width: 1.1, ..Drawn::new("run before", "--line-2", c) }));
            drawn.extend(get("validation_loss").map(|c| Drawn::new("validation", "--neg", c.smoothed(smoothing))));
            drawn.extend(get("loss").map(|c| Drawn::new("train", "--pos", c.smoothed(smoothing))));
        }
        Kind::Accuracy => {
            drawn.extend(info.and_then(|i| i.baseline_accuracy).map(|b| Drawn::dashed("guessing", "--ink-3", level(b))));
            drawn.extend(get("validation_accuracy").map(|c| Drawn::new("validation", "--neg", c.smoothed(smoothing))));
            let train = get("train_accuracy").or_else(|| get("accuracy"));
            drawn.extend(train.map(|c| Drawn::new("train", "--pos", c.smoothed(smoothing))));
        }
        Kind::Gradient => {
            let layers = info.map(|i| i.layers.clone()).unwrap_or_default();
            let named = layers.iter().filter_map(|layer| Some((format!("layer {}", layer.scope), gradient_of(layer)?)));
            for ((label, name), ink) in named.zip(LAYER_INKS) {
                drawn.extend(get(&name).map(|c| Drawn { width: 1.2, ..Drawn::new(&label, ink, c.smoothed(smoothing)) }));
            }
        }
        Kind::Rate => {
            drawn.extend(get("lr").map(|c| Drawn::new("rate", "--pos", c)));
            drawn.extend(ahead(lab, last_step).map(|c| Drawn::dashed("ahead", "--pos", c)));
        }
    }
    drawn
}

/// The schedule from here to its end.
fn ahead(lab: Lab, from: f64) -> Option<Curve> {
    const PARTS: u64 = 120;
    let experiment = lab.inbox.with_value(|inbox| inbox.experiment.clone())?;
    let from = from as u64;
    let end = experiment.training.steps.filter(|&end| end > from)?;
    let steps: Vec<u64> = (0..=PARTS).map(|i| from + (end - from) * i / PARTS).collect();
    Some(Curve {
        values: steps.iter().map(|&s| experiment.lr_at(s)).collect(),
        steps: steps.into_iter().map(|s| s as f64).collect(),
    })
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
            put("width", c.width.into());
            put("x", Float64Array::from(c.curve.steps.as_slice()).into());
            put("y", Float64Array::from(c.curve.values.as_slice()).into());
            object
        })
        .collect()
}

fn pack_marks(marks: &[Mark]) -> Array {
    marks
        .iter()
        .map(|mark| {
            let object = Object::new();
            let _ = Reflect::set(&object, &"step".into(), &mark.step.into());
            let _ = Reflect::set(&object, &"label".into(), &mark.label.as_str().into());
            object
        })
        .collect()
}
