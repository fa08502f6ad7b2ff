//! Statistics of every parameter and activation: are units dead, do updates fit the weights?

use downhill_protocol::{Input, Query, View, stat};
use leptos::prelude::*;

use super::kinds::Panel;
use crate::document::number;
use crate::plot::network::tensor_title;
use crate::reactive::memo;
use crate::state::{Answers, Lab};
use crate::watches::{Ask, Source};

/// What is known of a parameter by itself, of its gradient, and of what a layer gives.
const PARAMETER: [&str; 4] = ["mean", "std", "norm", "zeros"];
const ACTIVATION: [&str; 4] = ["mean", "std", "dead", "saturated"];
/// Bins of a parameter's histogram.
const BINS: u32 = 24;

/// See the module.
pub struct Inspector;

impl Panel for Inspector {
    fn name(&self) -> &'static str {
        "Inspector"
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Tables lab/> }.into_any()
    }
}

fn histogram(name: &str) -> Query {
    Query { name: name.to_string(), view: View::Histogram { bins: BINS } }
}

#[component]
fn Tables(lab: Lab) -> impl IntoView {
    let names = memo(move || {
        let layers = lab.info.with(|i| i.as_ref().map(|i| i.layers.clone()).unwrap_or_default());
        let names = layers.iter().flat_map(|l| &l.parameters).map(|p| &p.name);
        let parameters: Vec<(String, String)> = names.map(|name| (name.clone(), tensor_title(&layers, name))).collect();
        let paths: Vec<(String, String)> =
            layers.iter().filter(|l| l.input.is_none()).map(|l| (l.path.clone(), l.label.clone())).collect();
        (parameters, paths)
    });
    let state = lab.watch(move || {
        let tensors = names.with(|(p, _)| p.iter().flat_map(|(name, _)| [Query::stats(name), histogram(name)]).collect());
        Some(Ask { source: Source::Of(Input::State), tensors, every_ms: 500.0 })
    });
    let batch = lab.watch(move || {
        let tensors = names.with(|(parameters, paths)| {
            let gradients = parameters.iter().map(|(name, _)| format!("grad:{name}"));
            gradients.chain(paths.iter().map(|(path, _)| path.clone())).map(Query::stats).collect()
        });
        Some(Ask { source: Source::Of(Input::Batch), tensors, every_ms: 500.0 })
    });
    let parameter = move |(name, title): (String, String)| {
        let gradient = format!("grad:{name}");
        let own = PARAMETER.map(|what| cell(state, &name, what)).into_iter().collect_view();
        let norm = cell(batch, &gradient, "norm");
        let ratio = cell(state, &name, "update_ratio");
        let bars = bars(state, histogram(&name));
        view! { <tr><th scope="row">{title}</th>{own}{norm}{ratio}<td>{bars}</td></tr> }.into_any()
    };
    let activation = move |(path, title): (String, String)| {
        let cells = ACTIVATION.map(|what| cell(batch, &path, what)).into_iter().collect_view();
        view! { <tr><th scope="row">{title}</th>{cells}</tr> }.into_any()
    };
    let parameters = move || names.with(|n| n.0.clone()).into_iter().map(parameter).collect_view();
    let activations = move || names.with(|n| n.1.clone()).into_iter().map(activation).collect_view();
    let head = |names: &[&'static str]| names.iter().map(|n| view! { <th scope="col">{*n}</th> }.into_any()).collect_view();
    view! {
        <div class="inspector" tabindex="0" role="region" aria-label="Statistics">
            <Show when=move || state.with(Option::is_none)><p class="hint">"Statistics come with the first steps."</p></Show>
            <table class="num"><thead><tr><th scope="col">"name"</th>{head(&PARAMETER)}{head(&["grad norm", "update ratio", "values"])}</tr></thead><tbody>{parameters}</tbody></table>
            <table class="num"><thead><tr><th scope="col">"name"</th>{head(&ACTIVATION)}</tr></thead><tbody>{activations}</tbody></table>
        </div>
    }
}

/// One number of a tensor.
fn cell(answers: Answers, name: &str, what: &'static str) -> AnyView {
    let query = Query::stats(name);
    let text = move || {
        let value = answers.with(|answer| stat(answer.as_ref()?.find(&query)?.data, what));
        value.map_or_else(|| "–".to_string(), |value| shown(what, value))
    };
    view! { <td translate="no">{text}</td> }.into_any()
}

/// The histogram of a tensor as a small outline.
fn bars(answers: Answers, query: Query) -> AnyView {
    let outline = move || {
        answers.with(|answer| {
            let bins = answer.as_ref()?.find(&query)?;
            let most = bins.column(1).fold(1.0, f32::max);
            let top: Vec<String> =
                bins.column(1).enumerate().map(|(i, n)| format!("V{:.2}H{}", 10.0 - 10.0 * n / most, i + 1)).collect();
            Some(format!("M0 10{}V10Z", top.concat()))
        })
    };
    view! { <svg class="spark" viewBox="0 0 24 10" preserveAspectRatio="none" aria-hidden="true"><path d=outline/></svg> }
        .into_any()
}

/// Shares as percentages, other numbers short.
fn shown(name: &str, value: f64) -> String {
    let share = matches!(name, "zeros" | "dead" | "saturated" | "update_ratio");
    if share && value.is_finite() { format!("{:.2}\u{a0}%", 100.0 * value) } else { number(value) }
}
