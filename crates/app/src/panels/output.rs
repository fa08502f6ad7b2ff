//! What comes out: one of the views of the output that fit the data; then the facts, the verdict and the data's card.

use downhill_protocol::{Input, Query};
use leptos::prelude::*;

use crate::document;
use crate::focus;
use crate::panels::later::Later;
use crate::panels::verdict::VerdictCard;
use crate::reactive::{RwSignal, clicked, effect, memo};
use crate::state::{Chosen, Lab};
use crate::views::Views;
use crate::views::kinds::OutputView;
use crate::watches::{Ask, Source};

/// The panel.
#[component]
pub fn Output() -> impl IntoView {
    view! { <Pictures/><Facts/><VerdictCard/><DataCard/> }
}

/// The views of the output, one at a time.
#[component]
pub fn Pictures() -> impl IntoView {
    let lab = Lab::here();
    let views: Views = expect_context();
    let data = memo(move || lab.data());
    // The view that was asked for, as long as it fits.
    let wanted = RwSignal::new(None::<&'static str>);
    let fitting = move || -> Vec<&'static dyn OutputView> {
        data.with(|data| data.as_ref().map(|data| views.outputs.iter().copied().filter(|v| v.fits(data)).collect()))
            .unwrap_or_default()
    };
    let titles = {
        let fitting = fitting.clone();
        memo(move || fitting().iter().map(|v| v.title()).collect::<Vec<_>>())
    };
    let shown = memo(move || titles.with(|t| t.iter().find(|t| Some(**t) == wanted.get()).or(t.first()).copied()));
    // A view stays while others of its kind of data come, and with it the pen that is in hand.
    let kind = memo(move || data.with(|d| d.as_ref().map(|d| (d.task.clone(), d.image, d.inputs.clone()))));
    let body = move || {
        kind.with(|_| ());
        match untrack(&fitting).into_iter().find(|view| Some(view.title()) == shown.get()) {
            Some(view) if view.is_at_once() => view.view(lab),
            Some(view) => view! { <Later show=Box::new(move || view.view(lab))/> }.into_any(),
            None => view! { <div class="boundary"></div> }.into_any(),
        }
    };
    let button = move |title: &'static str| {
        let on = move || shown.get() == Some(title);
        view! { <button type="button" class="toggle" role="radio" data-output=title aria-checked=move || on().to_string() tabindex=move || focus::stop(on()) on:click=clicked(move |_| wanted.set(Some(title)))>{title}</button> }
            .into_any()
    };
    let buttons = move || titles.with(|t| (t.len() > 1).then(|| t.iter().copied().map(button).collect_view()));
    choose_first(lab);
    view! {
        <div class="heading"><h2>"Output"</h2><div class="choices" role="radiogroup" aria-label="Views of the output" on:keydown=focus::walk>{buttons}</div></div>
        {body}
    }
}

/// Something to look at inside the network before anything is chosen: where no map of the plane can be shown, the worst prediction.
fn choose_first(lab: Lab) {
    let missing = memo(move || {
        lab.chosen.with(Option::is_none) && lab.info.with(|i| i.as_ref().is_some_and(|i| i.data.train_points.is_none()))
    });
    let answers = lab.watch(move || {
        let source = Source::Of(Input::Worst { limit: 1 });
        missing.get().then(|| Ask { source, tensors: vec![Query::all("row")], every_ms: 500.0 })
    });
    effect(move || {
        let first = answers.with(|answer| answer.as_ref()?.get("row")?.data.first().copied());
        if let (true, Some(row)) = (missing.get_untracked(), first) {
            lab.chosen.set(Some(Chosen::HeldOut(row as u32)));
        }
    });
}

#[component]
fn Facts() -> impl IntoView {
    let lab = Lab::here();
    let classes = memo(move || lab.info.with(|i| i.as_ref().is_none_or(|i| i.data.task == "classification")));
    let values = memo(move || {
        let kind = if classes.get() { "accuracy" } else { "loss" };
        lab.status.with(|s| ["train", "validation"].map(|part| Lab::metric(s, &format!("{part}_{kind}"))))
    });
    let show = move |value: fn(bool, [Option<f64>; 2]) -> Option<f64>| {
        let classes = classes.get();
        match value(classes, values.get()) {
            None => "–".to_string(),
            Some(v) if classes => document::percent(v),
            Some(v) => document::loss(v),
        }
    };
    let gap =
        move || show(|classes, [train, validation]| Some(if classes { train? - validation? } else { validation? - train? }));
    let apart = memo(move || lab.info.with(|i| i.as_ref().is_some_and(|i| i.data.positions > 0)));
    let pixels = memo(move || lab.info.with(|i| i.as_ref().is_some_and(|i| i.data.of_pixels)));
    let word = move || match (classes.get(), apart.get()) {
        (true, _) if pixels.get() => "train, per pixel",
        (true, true) => "train, per token",
        (true, false) => "train accuracy",
        _ => "train loss",
    };
    // Where classes are as frequent as each other it says the same as the accuracy.
    let telling = memo(move || {
        let value = lab.status.with(|s| Lab::metric(s, "validation_balanced_accuracy")).filter(|_| classes.get())?;
        let accuracy = values.get()[1]?;
        ((value - accuracy).abs() >= 0.005).then_some(value)
    });
    let balanced = move || {
        telling.get().map(|value| {
            view! { <div class="wide" data-testid="balanced-accuracy" title="On what is held out; every class counts the same, however rare it is"><small>"balanced accuracy"</small><span class="num" translate="no">{document::percent(value)}</span></div> }
        })
    };
    let whole = move || {
        lab.status.with(|s| Lab::metric(s, "validation_sequence_accuracy")).map(|value| {
            view! { <div class="wide" data-testid="sequence-accuracy" title="On what is held out; every answer of a sample has to be right"><small>"all answers of a sample right"</small><span class="num" translate="no">{document::percent(value)}</span></div> }
        })
    };
    let found = memo(move || {
        let [first, five] = [1, 5].map(|k| lab.status.with(|s| Lab::metric(s, &format!("validation_recall_at_{k}"))));
        Some([document::percent(first?), " · ".to_string(), document::percent(five?)].concat())
    });
    let recall = move || {
        found.get().map(|value| {
            view! { <div class="wide" data-testid="recall" title="Share of the held-out queries whose own document is the nearest, and among the five nearest, of all that are held out, or the first 1000 of them"><small>"recall at 1 · at 5"</small><span class="num" translate="no">{value}</span></div> }
        })
    };
    let of_text = move || {
        let language = lab.info.with(|i| i.as_ref()?.data.language.clone())?;
        // With label smoothing the loss is more than what the tokens cost.
        let smoothed = lab
            .draft
            .with(|doc| document::get(doc, "loss.cross_entropy.label_smoothing").is_some_and(|v| v.as_f64() > Some(0.0)));
        let loss =
            lab.status.with(|s| Lab::metric(s, "validation_loss").or(Lab::metric(s, "train_loss"))).filter(|_| !smoothed)?;
        let bits = language.characters.map(|characters| {
            format!(" · {} bits per character", document::number(loss / std::f64::consts::LN_2 / characters))
        });
        let text = [document::number(loss.exp()), bits.unwrap_or_default()].concat();
        Some(
            view! { <div class="wide" data-testid="perplexity" title="Among how many tokens that are as likely as each other the network hesitates, on what is held out"><small>"perplexity"</small><span class="num" translate="no">{text}</span></div> },
        )
    };
    let distance = memo(move || {
        let naive = lab.info.with(|i| i.as_ref()?.data.forecast.as_ref().map(|forecast| forecast.naive_error))?;
        let own = lab.status.with(|s| Lab::metric(s, "validation_mae").or_else(|| Lab::metric(s, "train_mae")))?;
        Some(format!("{} · naive {}", document::number(own), document::number(naive)))
    });
    let forecast = move || {
        distance.get().map(|value| {
            view! { <div class="wide" data-testid="forecast-mae" title="Mean distance from what came to be, and that of the last value again"><small>"mean |error|"</small><span class="num" translate="no">{value}</span></div> }
        })
    };
    view! {
        <div class="facts">
            <div data-testid="train-metric"><small translate="no">{word}</small><span class="num" translate="no">{move || show(|_, values| values[0])}</span></div>
            <div data-testid="validation-metric"><small>"validation"</small><span class="num" translate="no">{move || show(|_, values| values[1])}</span></div>
            <div title="How much worse it is on what it never learned from"><small>"gap"</small><span class="num" translate="no">{gap}</span></div>
            {balanced}{whole}{recall}{of_text}{forecast}
        </div>
    }
}

/// The first of many names.
fn listed(names: &[String]) -> String {
    const LISTED: usize = 300;
    let named = |name: &String| if name.is_empty() { "·".to_string() } else { name.clone() };
    let first = names.iter().take(LISTED).map(named).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED { [&first, ", …"].concat() } else { first }
}

#[component]
fn DataCard() -> impl IntoView {
    let lab = Lab::here();
    let data = memo(move || lab.info.with(|i| i.as_ref().map(|i| (i.data.clone(), i.notes.clone()))));
    let card = move || {
        data.get().map(|(d, notes)| {
            let notes = (!notes.is_empty())
                .then(|| view! { <ul class="notes">{notes.into_iter().map(|n| view! { <li>{n}</li> }).collect_view()}</ul> });
            let labels = if d.task == "classification" {
                let kind = if d.positions > 0 && !d.of_pixels { "tokens" } else { "classes" };
                // Where each sample has a class: how many of it are learned from and held out.
                let counts = d.class_counts.iter().map(Some).chain(std::iter::repeat(None));
                let class = |(label, counts): (&String, Option<&(u32, u32)>)| match counts {
                    Some((train, held_out)) => [label.as_str(), " ", &train.to_string(), " + ", &held_out.to_string()].concat(),
                    None => label.clone(),
                };
                let list: Vec<String> = d.labels.iter().zip(counts).map(class).collect();
                format!("{} {kind}: {}", list.len(), listed(&list))
            } else if d.task == "retrieval" {
                "which document belongs to a query".to_string()
            } else {
                format!("predicts {}", d.labels.join(", "))
            };
            // Where labels are none of the tokens that go in.
            let tokens = d.inputs.iter().find(|input| !input.words.is_empty() && input.words != d.labels).map(|input| listed(&input.words));
            view! {
                <p>{d.description}</p>
                {notes}
                <dl>
                    <dt>"Samples"</dt><dd class="num">{format!("{} to learn from, {} held out", d.train, d.validation)}</dd>
                    {(d.duplicates > 0).then(|| view! { <dt>"Twice"</dt><dd data-testid="duplicates">{format!("{} of those held out are among those learned from", d.duplicates)}</dd> })}
                    <dt>"Labels"</dt><dd>{labels}</dd>
                    {tokens.map(|tokens| view! { <dt>"Tokens"</dt><dd>{tokens}</dd> })}
                    <dt>"Licence"</dt><dd>{d.licence}</dd>
                    <dt>"Hash"</dt><dd class="num">{d.hash}</dd>
                </dl>
            }
        })
    };
    view! { <details class="datacard"><summary>"About the data"</summary>{card}</details> }
}
