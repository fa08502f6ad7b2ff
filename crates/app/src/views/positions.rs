//! Answers at every position of a sequence beside the right ones: of the chosen sample, of one that is typed, and of the worst.

use downhill_protocol::{DataInfo, Input, InputInfo, Query};
use leptos::prelude::*;

use super::kinds::OutputView;
use super::samples::{raw_name, raw_queries};
use crate::document::percent;
use crate::plot::sequence::{Said, likeliest_of, said, token, tokens_of};
use crate::reactive::{RwSignal, clicked, entered, memo};
use crate::state::{Chosen, Lab, Stands};
use crate::watches::{Ask, Source};

/// Samples that are listed, and tokens that are likely.
const LISTED: u32 = 10;
const LIKELY: usize = 5;

/// See the module.
pub struct Positions;

impl OutputView for Positions {
    fn title(&self) -> &'static str {
        "Answers"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.positions > 0 && !data.of_pixels
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Panel lab/> }.into_any()
    }
}

/// A sample: what it is given, and what it says at every position.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sample {
    /// What it is given of every input.
    inputs: Vec<Vec<f32>>,
    said: Vec<Said>,
    /// Probabilities of the whole, `[positions, classes]`.
    output: Vec<f32>,
}

#[component]
fn Panel(lab: Lab) -> impl IntoView {
    let data = memo(move || lab.data().unwrap_or_default());
    let labels = memo(move || data.with(|d| d.labels.clone()));
    // Which input stands beside the answers: where a decoder writes, what it wrote so far.
    let written = memo(move || data.with(|d| d.language.as_ref().map_or(0, |language| language.input as usize)));
    let words = memo(move || data.with(|d| d.inputs.get(written.get()).map(|input| input.words.clone()).unwrap_or_default()));
    let held_out = memo(move || lab.chosen.with(|chosen| matches!(chosen, Some(Chosen::HeldOut(_)))));
    let answers = lab.watch(move || {
        let names = ["output"].into_iter().chain(held_out.get().then_some("target")).map(Query::all);
        let tensors = data.with(|d| raw_queries(d).chain(names).collect());
        Some(Ask { source: Source::Chosen, tensors, every_ms: 100.0 })
    });
    let sample = memo(move || {
        answers
            .with(|answer| {
                let answer = answer.as_ref()?;
                let inputs = data.with(|d| d.inputs.len());
                let output = answer.get("output")?;
                let target = answer.get("target").map(|target| target.data).unwrap_or_default();
                let classes = output.shape.last().copied().unwrap_or(1) as usize;
                Some(Sample {
                    inputs: (0..inputs).map(|at| Some(answer.get(&raw_name(at))?.data.to_vec())).collect::<Option<_>>()?,
                    said: said(output.data, classes, target),
                    output: output.data.to_vec(),
                })
            })
            .unwrap_or_default()
    });
    // The position that is looked at.
    let cursor = RwSignal::new(None::<usize>);
    let at = memo(move || {
        let first = || sample.with(|s| s.said.iter().position(|said| said.truth.is_some()));
        let places = sample.with(|s| s.said.len());
        cursor.get().or_else(first).filter(|at| *at < places).unwrap_or(0)
    });
    let name = move |class: usize| labels.with(|labels| token(labels, class as f32));
    let place = move |i: usize| {
        let here = memo(move || {
            let given = |s: &Sample| s.inputs.get(written.get()).and_then(|given| given.get(i)).copied();
            sample.with(|s| (given(s).unwrap_or(f32::NAN), s.said.get(i).cloned().unwrap_or_default()))
        });
        let given = move || {
            here.with(|(given, _)| if given.is_nan() { String::new() } else { words.with(|words| token(words, *given)) })
        };
        let asked = move || here.with(|(_, said)| said.truth.is_some() || !held_out.get());
        let answer = move || if asked() { here.with(|(_, said)| name(said.class)) } else { String::new() };
        let wrong = move || here.with(|(_, said)| said.is_wrong());
        let truth = move || here.with(|(_, said)| said.truth.filter(|_| said.is_wrong()).map(name).unwrap_or_default());
        let label = move || {
            let (said, truth) = (here.with(|(_, said)| said.clone()), truth());
            let right = if truth.is_empty() { String::new() } else { format!(", right is {truth}") };
            let says = if asked() {
                format!(", says {} {}{right}", name(said.class), percent(f64::from(said.p)))
            } else {
                ", not asked".to_string()
            };
            format!("Position {}: given {}{says}", i + 1, given())
        };
        let shade = move || here.with(|(_, said)| format!("--p:{:.2}", if asked() { said.p } else { 0.0 }));
        view! {
            <button type="button" class="place" class:wrong=wrong aria-label=label aria-pressed=move || (at.get() == i).to_string() style=shade on:click=clicked(move |_| cursor.set(Some(i)))>
                <span>{given}</span><b>{answer}</b><small>{truth}</small>
            </button>
        }
        .into_any()
    };
    let count = memo(move || sample.with(|s| s.said.len()));
    let score = move || {
        sample.with(|s| {
            let asked = s.said.iter().filter(|said| said.truth.is_some()).count();
            let right = asked - s.said.iter().filter(|said| said.is_wrong()).count();
            if asked == 0 {
                "What is typed has no right answers to compare with.".to_string()
            } else {
                format!("{right} of {asked} right")
            }
        })
    };
    // Whether an answer is what comes next, and not what is to stand there.
    let goes_on = memo(move || data.with(|d| d.language.is_some()));
    let likely = move || {
        let classes = labels.with(Vec::len).max(1);
        let (best, entropy) =
            sample.with(|s| s.output.chunks(classes).nth(at.get()).map(|row| likeliest_of(row, LIKELY)).unwrap_or_default());
        let bar = |(class, p): (usize, f32)| view! { <div class="bar"><b>{name(class)}</b><i><s style=format!("width:{:.1}%", 100.0 * p)></s></i><span class="num">{percent(f64::from(p))}</span></div> };
        view! {
            <p class="hint">{format!("{} position {},\u{a0}", if goes_on.get() { "After" } else { "At" }, at.get() + 1)}<span class="num">{format!("entropy {entropy:.2}")}</span></p>
            {best.into_iter().map(bar).collect_view()}
        }
    };
    let write = move |at: usize, typed: Result<Vec<f32>, String>| {
        let mut inputs = sample.with_untracked(|s| s.inputs.clone());
        let Some(input) = inputs.get_mut(at) else { return };
        match typed {
            Ok(tokens) if tokens.len() == input.len() => {
                *input = tokens;
                lab.settle(Stands::UntilNext);
                lab.chosen.set(Some(Chosen::Given(inputs)));
            }
            Ok(tokens) => {
                lab.tell(true, format!("The sample has {} tokens; the network takes {}.", tokens.len(), input.len()));
            }
            Err(word) => {
                lab.tell(true, format!("“{word}” is no token of this data; they are listed under “About the data”."));
            }
        }
    };
    // A line for each input, to be read and written; but for what a decoder wrote, which follows from what it reads.
    let line = move |(at, input): (usize, InputInfo)| {
        let words = StoredValue::new(input.words);
        let text = memo(move || {
            let tokens = sample.with(|s| s.inputs.get(at).cloned().unwrap_or_default());
            let name = |t: f32| words.with_value(|words| token(words, t));
            tokens.into_iter().filter(|t| !t.is_nan()).map(name).collect::<Vec<_>>().join(" ")
        });
        let read = move |ev: web_sys::Event| write(at, words.with_value(|words| tokens_of(words, &event_target_value(&ev))));
        let (id, testid) = (input.name.clone(), if at == 0 { "sample".to_string() } else { format!("sample-{}", input.name) });
        view! { <label for=id.clone()>{input.name}</label><input type="text" id=id class="text num" data-testid=testid spellcheck="false" prop:value=move || text.get() on:change=entered(read)/> }
    };
    let lines = move || {
        let written = written.get();
        let is_typed = |(at, input): &(usize, InputInfo)| written == 0 || *at != written && input.tokens;
        data.with(|d| d.inputs.iter().cloned().enumerate().filter(is_typed).map(line).collect_view())
    };
    let forced = move || {
        (written.get() > 0).then_some(if held_out.get() {
            "Teacher forcing: at every position it is given the right tokens before, whatever it said there itself."
        } else {
            "At every position it is given the tokens before of the sample that was changed, not its own; what it writes of other tokens stands under “By itself”, where these can be typed, too."
        })
    };
    view! {
        <div class="typed">{lines}</div>
        <p class="hint">{forced}</p>
        <div class="places num" translate="no" role="group" aria-label="The sample, position by position" data-testid="places">{move || (0..count.get()).map(place).collect_view()}</div>
        <p class="hint" translate="no" data-testid="right">{score}</p>
        <div class="bars next" translate="no" data-testid="next">{likely}</div>
        <Worst lab/>
    }
}

/// The samples with the worst answers; a click chooses one.
#[component]
fn Worst(lab: Lab) -> impl IntoView {
    let data = memo(move || lab.data().unwrap_or_default());
    let answers = lab.watch(move || {
        let tensors = ["row", "output", "target"].map(Query::all).to_vec();
        Some(Ask { source: Source::Of(Input::Worst { limit: LISTED }), tensors, every_ms: 1000.0 })
    });
    let listed = memo(move || {
        answers
            .with(|answer| {
                let answer = answer.as_ref()?;
                let (rows, output, target) = (answer.get("row")?, answer.get("output")?, answer.get("target")?);
                let classes = output.shape.last().copied().unwrap_or(1) as usize;
                Some(
                    rows.data
                        .iter()
                        .enumerate()
                        .map(|(i, row)| (*row as u32, said(output.row(i), classes, target.row(i))))
                        .collect::<Vec<_>>(),
                )
            })
            .unwrap_or_default()
    });
    let row = move |(place, said): (u32, Vec<Said>)| {
        let name = |class: usize| data.with(|d| token(&d.labels, class as f32));
        let asked: Vec<Said> = said.into_iter().filter(|said| said.truth.is_some()).collect();
        let wrong = asked.iter().filter(|said| said.is_wrong()).count();
        let words =
            asked.iter().map(|said| view! { <span class:wrong=said.is_wrong()>{name(said.class)}</span> }).collect_view();
        let here = move || (lab.chosen.get() == Some(Chosen::HeldOut(place))).to_string();
        view! {
            <tr aria-current=here>
                <th scope="row"><button type="button" class="link" on:click=clicked(move |_| lab.chosen.set(Some(Chosen::HeldOut(place))))>{place + 1}</button></th>
                <td class="answers">{words}</td><td>{format!("{wrong} of {}", asked.len())}</td>
            </tr>
        }
        .into_any()
    };
    let hint = move || {
        let which = if data.with(|d| d.validation > 0) { "Held-out samples" } else { "Training samples" };
        format!("{which}, the worst answers first. Click one to see it run through the network.")
    };
    view! {
        <div class="matrix" tabindex="0" role="region" aria-label="Worst answers">
            <p class="hint" translate="no">{hint}</p>
            <table class="num predictions"><thead><tr><th scope="col">"sample"</th><th scope="col">"answers"</th><th scope="col">"wrong"</th></tr></thead>
            <tbody translate="no">{move || listed.get().into_iter().map(row).collect_view()}</tbody></table>
        </div>
    }
}
