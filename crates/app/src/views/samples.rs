//! Samples of any kind with what the network says of them, the worst first, and one that a person types.

use downhill_protocol::{DataInfo, Elements, Input, InputInfo, Query};
use downhill_tensor::parse_number;
use leptos::prelude::*;

use super::kinds::{OutputView, answers_are_pictures};
use crate::document::{Digits, number, percent};
use crate::plot::heatmap::likeliest;
use crate::plot::sequence::{token, tokens_of};
use crate::reactive::{Memo, clicked, entered, memo};
use crate::state::{Answers, Chosen, Lab, Stands};
use crate::watches::{Answer, Ask, Source};

/// Samples that are ranked, and those of them that the table shows.
const LIMIT: u32 = 24;
const SHOWN: usize = 12;
/// Numbers of a sample up to which the table writes it out.
const WRITTEN: u32 = 4;

/// See the module.
pub struct Samples;

impl OutputView for Samples {
    fn title(&self) -> &'static str {
        "Samples"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.positions == 0
            && data.task != "retrieval"
            && !(data.train_points.is_some() && data.task == "regression")
            && !answers_are_pictures(data)
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Table lab/> }.into_any()
    }
}

/// A sample and what the network says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its place among the samples held out.
    pub row: u32,
    /// Its inputs, in the units of the data.
    pub raw: Vec<Vec<f32>>,
    /// The right answer.
    pub target: f32,
    /// The index of the likeliest class, or the predicted value.
    pub guess: f32,
    /// The probability of that class, or the error.
    pub measure: f32,
}

/// The name of the raw values of an input.
pub fn raw_name(input: usize) -> String {
    if input == 0 { "raw".to_string() } else { format!("raw:{input}") }
}

/// The raw values of every input.
pub fn raw_queries(data: &DataInfo) -> impl Iterator<Item = Query> + use<> {
    (0..data.inputs.len()).map(|i| Query::all(raw_name(i)))
}

/// Watches the worst predictions for as long as the calling component is on screen.
pub fn worst(lab: Lab) -> Memo<Vec<Row>> {
    predicted(lab, || Some(Input::Worst { limit: LIMIT }))
}

/// Watches samples and what the network says of them for as long as the calling component is on screen; none while `input` says none.
pub fn predicted(lab: Lab, input: impl Fn() -> Option<Input> + Send + Sync + 'static) -> Memo<Vec<Row>> {
    let data = memo(move || lab.data());
    let answers = lab.watch(move || {
        let fixed = ["row", "target", "output"].map(Query::all);
        let tensors: Vec<Query> = data.with(|d| d.as_ref().map(|d| fixed.into_iter().chain(raw_queries(d)).collect()))?;
        Some(Ask { source: Source::Of(input()?), tensors, every_ms: 500.0 })
    });
    memo(move || {
        let classes = data.with(|d| d.as_ref().is_some_and(|d| d.task == "classification"));
        answers.with(|answer| answer.as_ref().and_then(|answer| rows(answer, classes)).unwrap_or_default())
    })
}

fn rows(answer: &Answer, classes: bool) -> Option<Vec<Row>> {
    let (places, target, output) = (answer.get("row")?, answer.get("target")?, answer.get("output")?);
    let raws: Vec<Elements<'_>> = (0..).map_while(|i| answer.get(&raw_name(i))).collect();
    let row = |(i, place): (usize, &f32)| {
        let truth = target.row(i).first().copied().unwrap_or(f32::NAN);
        let (guess, measure) = if classes {
            let (class, p) = likeliest(output.row(i));
            (class as f32, p)
        } else {
            let value = output.row(i).first().copied().unwrap_or(f32::NAN);
            (value, value - truth)
        };
        Row { row: *place as u32, raw: raws.iter().map(|r| r.row(i).to_vec()).collect(), target: truth, guess, measure }
    };
    Some(places.data.iter().enumerate().map(row).collect())
}

/// A sample as a line of text: the numbers or tokens of each input, inputs apart.
fn written(raw: &[Vec<f32>], inputs: &[InputInfo]) -> String {
    raw.iter().zip(inputs).map(|(values, input)| line(values, &input.words)).collect::<Vec<_>>().join(" · ")
}

fn line(values: &[f32], words: &[String]) -> String {
    let one = |v: f32| if words.is_empty() { number((f64::from(v) * 1e3).round() / 1e3) } else { token(words, v) };
    values.iter().filter(|v| !v.is_nan()).map(|v| one(*v)).collect::<Vec<_>>().join(" ")
}

/// The numbers or tokens that a line of text says.
fn read(text: &str, words: &[String]) -> Result<Vec<f32>, String> {
    if words.is_empty() {
        let numbers = text.split([' ', ',', ';']).filter(|t| !t.is_empty()).map(|t| parse_number(t).map(|v| v as f32));
        return numbers.collect::<Option<_>>().ok_or_else(|| "The sample is numbers with spaces between them.".to_string());
    }
    tokens_of(words, text).map_err(|word| format!("“{word}” is no token of this data; they are listed under “About the data”."))
}

/// Whether a sample is short enough to be read.
fn is_short(inputs: &[InputInfo]) -> bool {
    let numbers = |input: &InputInfo| if input.tokens { 1 } else { input.shape.iter().product::<u32>() };
    inputs.iter().map(numbers).sum::<u32>() <= WRITTEN
}

/// The worst predictions; one that is clicked is shown inside the network.
#[component]
fn Table(lab: Lab) -> impl IntoView {
    let rows = worst(lab);
    let data = memo(move || lab.data().unwrap_or_default());
    let classes = move || data.with(|d| d.task == "classification");
    let short = memo(move || data.with(|d| is_short(&d.inputs)));
    let name = move |v: f32| data.with(|d| d.labels.get(v as usize).cloned().unwrap_or_default());
    let digits = memo(move || rows.with(|r| Digits::telling(r.iter().flat_map(|row| [row.target, row.guess]).map(f64::from))));
    let row = move |i: usize| {
        let at = memo(move || rows.with(|r| r.get(i).cloned()));
        let cells = move || {
            at.get().map(|Row { row, raw, target, guess, measure }| {
                let wrong = classes() && target != guess;
                let texts = if classes() { [name(target), name(guess), percent(f64::from(measure))] } else { [digits.get().text(f64::from(target)), digits.get().text(f64::from(guess)), number(f64::from(measure))] };
                let content = short.get().then(|| view! { <td class="written">{data.with(|d| written(&raw, &d.inputs))}</td> });
                view! { <tr class:wrong=wrong aria-current=move || (lab.chosen.get() == Some(Chosen::HeldOut(row))).to_string()>
                    <th scope="row"><button type="button" class="link" on:click=clicked(move |_| lab.chosen.set(Some(Chosen::HeldOut(row))))>{row + 1}</button></th>
                    {content}{texts.map(|t| view! { <td>{t}</td> }).into_iter().collect_view()}
                </tr> }
            })
        };
        view! { {cells} }.into_any()
    };
    let count = memo(move || rows.with(|r| r.len().min(SHOWN)));
    let heads = move || if classes() { ["truth", "prediction", "probability"] } else { ["target", "prediction", "error"] };
    let hint = move || {
        let which = if data.with(|d| d.validation > 0) { "Held-out" } else { "Training" };
        format!("{which} samples, the worst predictions first. Click one to see it run through the network.")
    };
    view! {
        <Typed lab data/>
        <div class="matrix" tabindex="0" role="region" aria-label="Predictions">
            <p class="hint" translate="no">{hint}</p>
            <table class="num predictions">
                <thead><tr><th scope="col">"sample"</th>{move || short.get().then(|| view! { <th scope="col">"inputs"</th> })}{move || heads().map(|h| view! { <th scope="col">{h}</th> }).into_iter().collect_view()}</tr></thead>
                <tbody>{move || (0..count.get()).map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

/// The chosen sample as text that can be changed, and what the network says of it.
#[component]
fn Typed(lab: Lab, data: Memo<DataInfo>) -> impl IntoView {
    let answers = lab.watch(move || {
        let tensors = data.with(|d| raw_queries(d).chain([Query::all("output")]).collect());
        Some(Ask { source: Source::Chosen, tensors, every_ms: 50.0 })
    });
    let raw = move |answer: &Answer, input: usize| answer.get(&raw_name(input)).map(|r| r.row(0).to_vec()).unwrap_or_default();
    let entry = move |at: usize, input: InputInfo| {
        let words = StoredValue::new(input.words);
        let shown = memo(move || {
            let values = answers.with(|a| a.as_ref().map(|a| raw(a, at)).unwrap_or_default());
            words.with_value(|words| line(&values, words))
        });
        let write = move |text: String| {
            lab.settle(Stands::UntilNext);
            let values = match words.with_value(|words| read(&text, words)) {
                Ok(values) => values,
                Err(why) => return lab.tell(true, why),
            };
            let inputs = data.with_untracked(|d| d.inputs.len());
            let mut all: Vec<Vec<f32>> =
                (0..inputs).map(|i| answers.with_untracked(|a| a.as_ref().map(|a| raw(a, i)).unwrap_or_default())).collect();
            all[at] = values;
            lab.chosen.set(Some(Chosen::Given(all)));
        };
        let id = format!("sample-{at}");
        let label = input.name;
        view! {
            <label for=id.clone()>{label}</label>
            <input type="text" id=id class="text num" data-testid="sample" spellcheck="false" prop:value=move || shown.get() on:change=entered(move |ev| write(event_target_value(&ev)))/>
        }
        .into_any()
    };
    view! {
        <div class="typed">
            {move || data.with(|d| d.inputs.clone()).into_iter().enumerate().map(|(i, input)| entry(i, input)).collect_view()}
            <label for="sample-answer">"prediction"</label>
            <output id="sample-answer" class="num" translate="no" data-testid="sample-answer">{move || verdict(answers, data)}</output>
        </div>
    }
}

/// What the network says of the chosen sample.
fn verdict(answers: Answers, data: Memo<DataInfo>) -> String {
    answers.with(|answer| {
        let output = answer.as_ref().and_then(|a| a.get("output").map(|o| o.row(0).to_vec())).unwrap_or_default();
        if output.is_empty() {
            return String::new();
        }
        data.with(|d| match d.task.as_str() {
            "classification" => {
                let (class, p) = likeliest(&output);
                format!("{} {}", d.labels.get(class).map(String::as_str).unwrap_or_default(), percent(f64::from(p)))
            }
            // Alone, a number has nothing to be told apart from: a large one is written out.
            _ => output
                .iter()
                .map(|v| if v.abs() < 1e4 { number(f64::from(*v)) } else { v.to_string() })
                .collect::<Vec<_>>()
                .join(", "),
        })
    })
}
