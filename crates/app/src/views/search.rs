//! A search box: the documents held out, those first that the network holds to be most like a query. How like they are the engine says.

use downhill_model::MOST_FOUND;
use downhill_protocol::{DataInfo, Input, Part, Query, View};
use leptos::prelude::*;

use super::kinds::OutputView;
use crate::plot::search::{first, place_of, typed};
use crate::plot::sequence::token;
use crate::reactive::{Memo, RwSignal, clicked, effect, entered, memo};
use crate::state::{Chosen, Lab};
use crate::watches::{Answer, Ask, Source};

/// Documents that are listed, and queries to choose from.
const FOUND: usize = 6;
const LISTED: u32 = 8;
/// At most one search in so many milliseconds.
const EVERY_MS: f64 = 200.0;

/// See the module.
pub struct Search;

impl OutputView for Search {
    fn title(&self) -> &'static str {
        "Search"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.task == "retrieval" && data.inputs.len() == 2 && data.inputs.iter().all(|input| input.tokens)
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Panel lab/> }.into_any()
    }
}

/// The words of one of the inputs.
fn words(lab: Lab, input: usize) -> Memo<Vec<String>> {
    memo(move || lab.data().and_then(|data| data.inputs.into_iter().nth(input)).map(|input| input.words).unwrap_or_default())
}

/// Tokens as text; what fills a sequence up is none.
fn text_of(words: &[String], tokens: &[f32]) -> String {
    tokens.iter().filter(|t| !t.is_nan()).map(|t| token(words, *t)).collect::<Vec<_>>().join(" ")
}

/// One input of some samples held out, by their places.
fn texts(lab: Lab, input: usize, rows: impl Fn() -> Vec<u32> + Send + Sync + 'static) -> Memo<Vec<(u32, Vec<f32>)>> {
    let name = if input == 0 { "raw".to_string() } else { format!("raw:{input}") };
    let asked = name.clone();
    let answers = lab.watch(move || {
        let rows = Some(rows()).filter(|rows| !rows.is_empty())?;
        let source = Source::Of(Input::Samples { part: Part::Validation, rows: Some(rows) });
        Some(Ask { source, tensors: vec![Query::all("row"), Query::all(asked.clone())], every_ms: EVERY_MS })
    });
    memo(move || {
        let read = |answer: &Answer| {
            let (rows, raw) = (answer.get("row")?, answer.get(&name)?);
            Some(rows.data.iter().enumerate().map(|(at, row)| (*row as u32, raw.row(at).to_vec())).collect())
        };
        answers.with(|answer| answer.as_ref().and_then(|answer| read(answer))).unwrap_or_default()
    })
}

/// How many documents are searched.
fn searched(data: &DataInfo) -> u32 {
    if data.validation > 0 { data.validation } else { data.train }.min(MOST_FOUND as u32)
}

#[component]
fn Panel(lab: Lab) -> impl IntoView {
    let (of_queries, of_documents) = (words(lab, 0), words(lab, 1));
    let most = memo(move || lab.data().and_then(|data| data.inputs[0].shape.first().copied()).unwrap_or(0) as usize);
    let count = memo(move || lab.data().map_or(0, |data| searched(&data)));
    let place = memo(move || match lab.chosen.get() {
        Some(Chosen::HeldOut(row)) if row < count.get() => row,
        _ => 0,
    });
    // What is in the box, where that is not the query of the chosen sample.
    let written = RwSignal::new(None::<String>);
    effect(move || {
        place.track();
        written.set(None);
    });
    let samples = texts(lab, 0, move || vec![place.get()]);
    let own = memo(move || {
        let tokens = samples.with(|all| all.iter().find(|(row, _)| *row == place.get()).map(|(_, tokens)| tokens.clone()));
        tokens.unwrap_or_default().into_iter().filter(|t| !t.is_nan()).collect::<Vec<f32>>()
    });
    let text = memo(move || written.get().unwrap_or_else(|| of_queries.with(|words| own.with(|own| text_of(words, own)))));
    let read = memo(move || of_queries.with(|words| typed(words, &text.get())));
    let asked = memo(move || read.with(|read| read.tokens.iter().copied().take(most.get()).collect::<Vec<f32>>()));
    let of_query = Query { name: "raw".to_string(), view: View::Slice { start: vec![0, 0], len: vec![1, u32::MAX] } };
    let answers = {
        let of_query = of_query.clone();
        lab.watch(move || {
            let query = Some(asked.get()).filter(|query| !query.is_empty())?;
            let tensors = vec![Query::all("output"), of_query.clone()];
            Some(Ask { source: Source::Of(Input::Search(query)), tensors, every_ms: EVERY_MS })
        })
    };
    // While somebody types, what is shown is the answer to what stood there before.
    let answered: Memo<(Vec<f32>, Vec<f32>)> = memo(move || {
        let read = |answer: &Answer| Some((answer.find(&of_query)?.data.to_vec(), answer.get("output")?.data.to_vec()));
        answers.with(|answer| answer.as_ref().and_then(|answer| read(answer))).unwrap_or_default()
    });
    let found = memo(move || answered.with(|(_, scores)| first(scores, FOUND)));
    let documents = texts(lab, 1, move || found.with(|found| found.iter().map(|at| *at as u32).collect()));
    // Of a query that was typed nobody knows which document it means.
    let right = memo(move || {
        let is_own = own.with(|own| !own.is_empty() && answered.with(|(query, _)| query == own));
        is_own.then(|| place.get() as usize)
    });
    let trouble = move || {
        read.with(|read| match &read.unknown {
            Some(word) => format!("No query has the word “{word}”, so it is left out; the words there are stand below."),
            None if read.tokens.len() > most.get() => {
                format!("A query has {} words at most; what follows them is left out.", most.get())
            }
            None if read.tokens.is_empty() => "Type a few of the words below, or click them.".to_string(),
            None => String::new(),
        })
    };
    let said = move || {
        let held_out = lab.data().is_some_and(|data| data.validation > 0);
        let of = format!("of {} {}.", count.get(), if held_out { "held-out documents" } else { "documents learned from" });
        answered.with(|(_, scores)| match right.get().and_then(|at| place_of(scores, at)) {
            _ if scores.is_empty() => String::new(),
            Some(1) => format!("Its own document comes first {of}"),
            Some(place) => format!("Its own document is at place {place} {of}"),
            None => format!("The nearest {of}"),
        })
    };
    let row = move |at: usize| {
        let score = answered.with(|(_, scores)| scores.get(at).copied().unwrap_or(f32::NAN));
        let is_right = right.get() == Some(at);
        let text = move || {
            let tokens =
                documents.with(|all| all.iter().find(|(row, _)| *row as usize == at).map(|(_, tokens)| tokens.clone()));
            tokens.map_or_else(|| "…".to_string(), |tokens| of_documents.with(|words| text_of(words, &tokens)))
        };
        let mark = is_right.then(|| view! { <small>"its own"</small> });
        view! {
            <li class:right=is_right><span class="num">{format!("{score:.2}")}</span><i aria-hidden="true"><s style=format!("width:{:.0}%", 100.0 * score.clamp(0.0, 1.0))></s></i><span>{text}" "{mark}</span></li>
        }
    };
    let add = move |word: String| {
        let before = text.get_untracked();
        written.set(Some([before.trim(), &word].join(" ").trim().to_string()));
    };
    let chip = move |word: String| {
        let added = word.clone();
        view! { <button type="button" class="toggle" on:click=clicked(move |_| add(added.clone()))>{word}</button> }
    };
    let chips = move || of_queries.get().into_iter().filter(|word| !word.is_empty()).map(chip).collect_view();
    view! {
        <div class="search">
            <div class="typed"><label for="search-query">"query"</label><input type="search" id="search-query" class="text" data-testid="query" spellcheck="false" autocomplete="off" translate="no"
                prop:value=move || text.get() on:input=entered(move |ev| written.set(Some(event_target_value(&ev))))/></div>
            <p class="hint" role="status" data-testid="search-trouble">{trouble}</p>
            <p class="hint num" data-testid="search-said">{said}</p>
            <ol class="found" translate="no" aria-label="Documents, the most similar first" data-testid="found">{move || found.get().into_iter().map(row).collect_view()}</ol>
            <div class="chips" translate="no" role="group" aria-label="Words of queries: a click adds one">{chips}</div>
        </div>
        <Listed lab of_queries/>
    }
}

/// Queries of samples held out; a click chooses one.
#[component]
fn Listed(lab: Lab, of_queries: Memo<Vec<String>>) -> impl IntoView {
    let rows = memo(move || (0..lab.data().map_or(0, |data| searched(&data)).min(LISTED)).collect::<Vec<u32>>());
    let samples = texts(lab, 0, move || rows.get());
    let row = move |(place, tokens): (u32, Vec<f32>)| {
        let here = move || (lab.chosen.get() == Some(Chosen::HeldOut(place))).to_string();
        let choose = move |_| lab.chosen.set(Some(Chosen::HeldOut(place)));
        let text = of_queries.with(|words| text_of(words, &tokens));
        view! {
            <tr aria-current=here><th scope="row"><button type="button" class="link" on:click=clicked(choose)>{place + 1}</button></th><td class="answers">{text}</td></tr>
        }
        .into_any()
    };
    let hint = move || {
        let held_out = lab.data().is_some_and(|data| data.validation > 0);
        format!("Queries of {} samples. Click one to look for its document.", if held_out { "held-out" } else { "training" })
    };
    view! {
        <div class="matrix" tabindex="0" role="region" aria-label="Queries">
            <p class="hint" translate="no">{hint}</p>
            <table class="num predictions"><thead><tr><th scope="col">"sample"</th><th scope="col">"query"</th></tr></thead>
            <tbody translate="no">{move || samples.get().into_iter().map(row).collect_view()}</tbody></table>
        </div>
    }
}
