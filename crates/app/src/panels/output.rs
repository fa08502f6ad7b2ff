//! What comes out: the decision boundary, the curve, the drawn digit or the predictions; then the facts and the verdict.

use downhill_protocol::DataInfo;
use leptos::prelude::*;

use super::draw::DrawPanel;
use crate::panels::stage::{Boundary, CurvePicture};
use crate::plot::health::{Level, Signs, Verdict, judge};
use crate::reactive::{Memo, RwSignal, clicked, memo};
use crate::state::Lab;

/// What kind of picture fits the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Nothing is known yet.
    Empty,
    /// Points of the plane.
    Plane,
    /// A curve over one input.
    Line,
    /// Images.
    Image,
    /// Rows of a table.
    Table,
}

impl Picture {
    /// The one that fits.
    pub fn of(data: Option<&DataInfo>) -> Self {
        match data {
            None => Self::Empty,
            Some(d) if d.image.is_some() => Self::Image,
            Some(d) if d.train_points.is_none() => Self::Table,
            Some(d) if d.task == "regression" => Self::Line,
            Some(_) => Self::Plane,
        }
    }
}

/// The panel.
#[component]
pub fn Output() -> impl IntoView {
    let lab = Lab::here();
    let picture = memo(move || lab.info.with(|i| Picture::of(i.as_ref().map(|i| &i.data))));
    let confusion = RwSignal::new(false);
    let classes = memo(move || lab.info.with(|i| i.as_ref().is_some_and(|i| i.data.task == "classification")));
    let body = move || match (picture.get(), confusion.get() && classes.get()) {
        (_, true) => view! { <super::predictions::Confusion/> }.into_any(),
        (Picture::Plane, _) => view! { <Boundary/> }.into_any(),
        (Picture::Line, _) => view! { <CurvePicture/> }.into_any(),
        (Picture::Image, _) => view! { <DrawPanel/> }.into_any(),
        (Picture::Table, _) => view! { <super::predictions::Predictions/> }.into_any(),
        (Picture::Empty, _) => view! { <div class="boundary"></div> }.into_any(),
    };
    view! {
        <section class="out" aria-label="Output">
            <h2>"Output"
                <Show when=move || classes.get()>
                    <button type="button" class="link" data-testid="confusion" on:click=clicked(move |_| confusion.update(|c| *c = !*c))>
                        {move || if confusion.get() { "Back to the picture" } else { "Confusion matrix" }}
                    </button>
                </Show>
            </h2>
            {body}
            <Facts/>
            <Health/>
            <DataCard/>
        </section>
    }
}

#[component]
fn Facts() -> impl IntoView {
    let lab = Lab::here();
    let classes = memo(move || lab.info.with(|i| i.as_ref().is_none_or(|i| i.data.task == "classification")));
    let values = memo(move || {
        let kind = if classes.get() { "accuracy" } else { "loss" };
        lab.status.with(|s| (Lab::metric(s, &format!("train_{kind}")), Lab::metric(s, &format!("validation_{kind}"))))
    });
    let show = move |v: Option<f64>| match (v, classes.get()) {
        (None, _) => "–".to_string(),
        (Some(v), true) => format!("{:.1} %", 100.0 * v),
        (Some(v), false) => format!("{v:.4}"),
    };
    let gap = move || {
        let (train, validation) = values.get();
        show(train.zip(validation).map(|(t, v)| if classes.get() { t - v } else { v - t }))
    };
    let word = move || if classes.get() { "train accuracy" } else { "train loss" };
    view! {
        <div class="facts">
            <div data-testid="train-metric"><small>{word}</small><span class="num">{move || show(values.get().0)}</span></div>
            <div data-testid="validation-metric"><small>"validation"</small><span class="num">{move || show(values.get().1)}</span></div>
            <div title="How much worse it is on what it never learned from"><small>"gap"</small><span class="num">{gap}</span></div>
        </div>
    }
}

fn signs(lab: Lab) -> Signs {
    let trend = |name: &str| lab.curves.with_value(|c| c.get(name).map_or(0.0, |c| c.trend(0.5)));
    lab.status.with(|s| Signs {
        step: s.step,
        train_loss: Lab::metric(s, "train_loss").or(s.loss.is_finite().then_some(s.loss)),
        validation_loss: Lab::metric(s, "validation_loss"),
        train_accuracy: Lab::metric(s, "train_accuracy"),
        validation_accuracy: Lab::metric(s, "validation_accuracy"),
        baseline: lab.info.with(|i| i.as_ref().map_or(f64::INFINITY, |i| i.baseline_loss)),
        trend: trend("loss"),
        validation_trend: trend("validation_loss"),
        diverged: lab.diverged.with(|d| d.as_ref().map(|d| d.why.clone())),
    })
}

#[component]
fn Health() -> impl IntoView {
    let lab = Lab::here();
    // The metrics move a few times a second at most; the verdict need not move more often.
    let beat = memo(move || lab.status.with(|s| (s.metrics.clone(), s.step == 0, s.step / 50)));
    let verdict: Memo<Verdict> = memo(move || {
        beat.with(|_| ());
        lab.diverged.track();
        lab.info.track();
        untrack(|| judge(&signs(lab)))
    });
    let class = move || match verdict.with(|v| v.level) {
        Level::Good => "note good",
        Level::Quiet => "note",
        Level::Warn => "note warn",
        Level::Bad => "note bad",
    };
    let role = move || if verdict.with(|v| v.level == Level::Bad) { "alert" } else { "status" };
    let done = move || lab.finished.get().then_some(" All steps are done; press play to go on.");
    view! {
        <div class=class role=role data-testid="health">
            <b>{move || verdict.with(|v| v.title)}</b>" "{move || verdict.with(|v| v.text.clone())}{done}
        </div>
    }
}

#[component]
fn DataCard() -> impl IntoView {
    let lab = Lab::here();
    let data = memo(move || lab.info.with(|i| i.as_ref().map(|i| (i.data.clone(), i.notes.clone()))));
    move || {
        data.get().map(|(d, notes)| {
            let notes = (!notes.is_empty())
                .then(|| view! { <ul class="notes">{notes.into_iter().map(|n| view! { <li>{n}</li> }).collect_view()}</ul> });
            let labels = if d.task == "classification" {
                format!("{} classes: {}", d.labels.len(), d.labels.join(", "))
            } else {
                format!("predicts {}", d.labels.join(", "))
            };
            view! {
                <details class="datacard">
                    <summary>"About the data"</summary>
                    <p>{d.description}</p>
                    {notes}
                    <dl>
                        <dt>"Samples"</dt><dd class="num">{format!("{} to learn from, {} held out", d.train, d.validation)}</dd>
                        <dt>"Labels"</dt><dd>{labels}</dd>
                        <dt>"Licence"</dt><dd>{d.licence}</dd>
                        <dt>"Hash"</dt><dd class="num">{d.hash}</dd>
                    </dl>
                </details>
            }
        })
    }
}
