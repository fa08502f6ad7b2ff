//! What an encoder–decoder writes by itself: token after token, each from what it read and from what it wrote before, beside the right answer. Where
//! it reads a picture, also where it looks for each word.

use downhill_protocol::{About, DataInfo, Generate, Input, Part, Query};
use leptos::html::Canvas;
use leptos::prelude::*;

use super::gallery::{image_size, paint_image};
use super::kinds::OutputView;
use crate::canvas::{painted, put_pixels};
use crate::plot::picture::{colours, full, overlaid, rgba};
use crate::plot::sequence::{grid_of, mean_of_heads, token};
use crate::reactive::{Memo, RwSignal, clicked, effect, entered, memo};
use crate::state::{Chosen, Lab};
use crate::watches::{Answer, Ask, Source};

/// Samples that are listed.
const LISTED: u32 = 8;
/// A text is written anew at most once in so many milliseconds.
const EVERY_MS: f64 = 1000.0;

/// See the module.
pub struct ByItself;

impl OutputView for ByItself {
    fn title(&self) -> &'static str {
        "By itself"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.language.as_ref().is_some_and(|language| language.input > 0)
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Panel lab/> }.into_any()
    }
}

/// A sample: what is read, and the right answer, as far as one is known.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sample {
    row: u32,
    raw: Vec<f32>,
    answer: Vec<u32>,
}

/// The samples of a watch's answer.
fn samples_of(answer: &Answer) -> Option<Vec<Sample>> {
    let (rows, raw, target) = (answer.get("row")?, answer.get("raw")?, answer.get("target")?);
    let known = |values: &[f32]| values.iter().filter(|t| !t.is_nan()).map(|t| *t as u32).collect();
    let sample =
        |(at, row): (usize, &f32)| Sample { row: *row as u32, raw: raw.row(at).to_vec(), answer: known(target.row(at)) };
    Some(rows.data.iter().enumerate().map(sample).collect())
}

/// Watches samples.
fn watched(lab: Lab, source: impl Fn() -> Option<Source> + Send + Sync + 'static) -> Memo<Vec<Sample>> {
    let answers = lab.watch(move || {
        let tensors = ["row", "raw", "target"].map(Query::all).to_vec();
        Some(Ask { source: source()?, tensors, every_ms: EVERY_MS })
    });
    memo(move || answers.with(|answer| answer.as_ref().and_then(|answer| samples_of(answer)).unwrap_or_default()))
}

/// Watches what is written, always by the likeliest token: the tokens that the network added.
fn written(lab: Lab, about: impl Fn() -> About + Send + Sync + 'static) -> Memo<Vec<u32>> {
    let answers = lab.watch(move || {
        let tokens = lab.info.with(|info| info.as_ref().map(|info| info.data.positions))?;
        let ask = Generate { about: about(), tokens, temperature: 0.0, ..Generate::default() };
        let tensors = ["tokens", "given"].map(Query::all).to_vec();
        Some(Ask { source: Source::Of(Input::Generated(ask)), tensors, every_ms: EVERY_MS })
    });
    memo(move || {
        answers
            .with(|answer| {
                let answer = answer.as_ref()?;
                let given = answer.get("given")?.data.first().copied()? as usize;
                Some(answer.get("tokens")?.data.iter().skip(given).map(|t| *t as u32).collect())
            })
            .unwrap_or_default()
    })
}

/// What the network wrote, each token that is not the right one marked, and the right answer where it is another.
#[component]
fn Said(lab: Lab, said: Memo<Vec<u32>>, answer: Memo<Vec<u32>>) -> impl IntoView {
    let labels = memo(move || lab.data().map(|data| data.labels).unwrap_or_default());
    let name = move |number: u32| labels.with(|labels| token(labels, number as f32));
    let words = move || {
        let (said, answer) = (said.get(), answer.get());
        let word = |(at, number): (usize, &u32)| {
            let wrong = !answer.is_empty() && answer.get(at) != Some(number);
            view! { <span class:wrong=wrong>{name(*number)}</span> }
        };
        said.iter().enumerate().map(word).collect_view()
    };
    let right = move || {
        let (said, answer) = (said.get(), answer.get());
        let text = || answer.iter().map(|number| name(*number)).collect::<Vec<_>>().join(" ");
        (!said.is_empty() && !answer.is_empty() && said != answer)
            .then(|| view! { <small>{["right is ", &text()].concat()}</small> })
    };
    view! { <span class="answers" translate="no">{words}</span>{right} }
}

/// What is read: a picture, or tokens.
#[component]
fn Read(lab: Lab, raw: Memo<Vec<f32>>) -> impl IntoView {
    let words = lab.info.with_untracked(|info| {
        let input = info.as_ref().and_then(|info| info.data.inputs.first().cloned())?;
        input.tokens.then_some(input.words)
    });
    let Some(words) = words else {
        let (canvas, size) = (NodeRef::<Canvas>::new(), image_size(lab));
        painted(canvas, move |canvas| raw.with(|values| paint_image(lab, canvas, values, size.get(), full(values))));
        return view! { <canvas node_ref=canvas class="read" width="8" height="8" role="img" aria-label="The picture"></canvas> }.into_any();
    };
    let text =
        move || raw.with(|raw| raw.iter().filter(|t| !t.is_nan()).map(|t| token(&words, *t)).collect::<Vec<_>>().join(" "));
    view! { <span translate="no">{text}</span> }.into_any()
}

#[component]
fn Panel(lab: Lab) -> impl IntoView {
    let reads_tokens = lab
        .info
        .with_untracked(|info| info.as_ref().and_then(|info| info.data.inputs.first()).is_some_and(|input| input.tokens));
    let typed = RwSignal::new(None::<String>);
    let place = memo(move || match lab.chosen.get() {
        Some(Chosen::HeldOut(row)) => row,
        _ => 0,
    });
    // Another sample takes the place of what was typed.
    effect(move || {
        place.track();
        typed.set(None);
    });
    let chosen =
        watched(lab, move || Some(Source::Of(Input::Samples { part: Part::Validation, rows: Some(vec![place.get()]) })));
    let sample = memo(move || chosen.with(|samples| samples.first().cloned().unwrap_or_default()));
    let said = written(lab, move || typed.get().map_or_else(|| About::Sample(place.get()), About::Typed));
    let answer =
        memo(move || if typed.with(Option::is_some) { Vec::new() } else { sample.with(|sample| sample.answer.clone()) });
    let raw = memo(move || sample.with(|sample| sample.raw.clone()));
    let words = memo(move || {
        let words = lab.data().and_then(|data| data.inputs.into_iter().next()).map(|input| input.words).unwrap_or_default();
        raw.with(|raw| raw.iter().map(|t| token(&words, *t)).collect::<Vec<_>>().join(" "))
    });
    let text = move || typed.get().unwrap_or_else(|| words.get());
    let write = move |text: String| typed.set(Some(text).filter(|text| !text.trim().is_empty()));
    let source = if reads_tokens {
        view! { <div class="typed"><label for="about">"reads"</label><input type="text" id="about" class="text num" data-testid="about" spellcheck="false" prop:value=text on:change=entered(move |ev| write(event_target_value(&ev)))/></div> }
            .into_any()
    } else {
        view! { <Read lab raw/> }.into_any()
    };
    let looks = (!reads_tokens).then(|| view! { <Looks lab place sample/> });
    view! {
        <div class="by-itself">
            {source}
            <p class="num" data-testid="by-itself"><b>"writes "</b><Said lab said answer/></p>
            <p class="hint">"Nobody tells it what is right: each token follows from what it read and from the tokens it wrote before, always the likeliest."</p>
            {looks}
        </div>
        <Listed lab/>
    }
}

/// The first samples with what is written of each.
#[component]
fn Listed(lab: Lab) -> impl IntoView {
    let count = lab.info.with_untracked(|info| {
        info.as_ref().map_or(0, |info| if info.data.validation > 0 { info.data.validation } else { info.data.train })
    });
    let rows: Vec<u32> = (0..count.min(LISTED)).collect();
    let samples = {
        let rows = rows.clone();
        watched(lab, move || Some(Source::Of(Input::Samples { part: Part::Validation, rows: Some(rows.clone()) })))
    };
    let row = move |place: u32| {
        let sample =
            memo(move || samples.with(|all| all.iter().find(|sample| sample.row == place).cloned().unwrap_or_default()));
        let (raw, answer) = (memo(move || sample.with(|s| s.raw.clone())), memo(move || sample.with(|s| s.answer.clone())));
        let said = written(lab, move || About::Sample(place));
        let here = move || (lab.chosen.get() == Some(Chosen::HeldOut(place))).to_string();
        let choose = move |_| lab.chosen.set(Some(Chosen::HeldOut(place)));
        view! {
            <tr aria-current=here>
                <th scope="row"><button type="button" class="link" on:click=clicked(choose)>{place + 1}</button></th>
                <td><Read lab raw/></td><td><Said lab said answer/></td>
            </tr>
        }
        .into_any()
    };
    let hint = lab.info.with_untracked(|info| {
        let held_out = info.as_ref().is_some_and(|info| info.data.validation > 0);
        let which = if held_out { "held-out samples" } else { "training samples" };
        format!("The first {which}. Click one to see it run through the network.")
    });
    view! {
        <div class="matrix" tabindex="0" role="region" aria-label="What is written of samples">
            <p class="hint" translate="no">{hint}</p>
            <table class="num predictions"><thead><tr><th scope="col">"sample"</th><th scope="col">"reads"</th><th scope="col">"writes"</th></tr></thead>
            <tbody>{rows.into_iter().map(row).collect_view()}</tbody></table>
        </div>
    }
}

/// Where the last layer that looks at the picture does so before each word of the right answer.
#[component]
fn Looks(lab: Lab, place: Memo<u32>, sample: Memo<Sample>) -> impl IntoView {
    let looking = lab.info.with_untracked(|info| {
        let layers = info.as_ref().map(|info| info.layers.clone()).unwrap_or_default();
        let looks = |inner: &&String| inner.ends_with("cross_attention");
        layers.iter().rev().find_map(|layer| {
            let inner = layer.inner.iter().find(looks)?;
            Some((layer.label.clone(), [&layer.path, ".", inner].concat()))
        })
    });
    let Some((title, name)) = looking else { return ().into_any() };
    let answers = {
        let name = name.clone();
        lab.watch(move || {
            let source = Source::Of(Input::Samples { part: Part::Validation, rows: Some(vec![place.get()]) });
            Some(Ask { source, tensors: vec![Query::all(name.clone())], every_ms: EVERY_MS })
        })
    };
    let size = image_size(lab);
    let weights = memo(move || answers.with(|answer| answer.as_ref().and_then(|answer| mean_of_heads(answer.get(&name)?))));
    let labels = memo(move || lab.data().map(|data| data.labels).unwrap_or_default());
    let word = move |at: usize| {
        let canvas = NodeRef::<Canvas>::new();
        painted(canvas, move |canvas| {
            let ((height, width), pixels) = (size.get(), (size.get().0 * size.get().1) as usize);
            let Some((keys, all)) = weights.get() else { return };
            let Some((down, across)) = grid_of(keys, (height as usize, width as usize)) else { return };
            let Some(row) = all.chunks_exact(keys).nth(at) else { return };
            let most = row.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            let value = |pixel: usize| {
                let (y, x) = (pixel / width as usize, pixel % width as usize);
                row[y * down / height as usize * across + x * across / width as usize]
            };
            let over: Vec<f32> = (0..pixels).map(value).collect();
            let mixed = lab.palette.with(|palette| {
                let image = sample.with(|s| colours(&s.raw, pixels, full(&s.raw), palette));
                overlaid(&image, &over, 1.0 / most, palette)
            });
            put_pixels(canvas, &mut rgba(&mixed), width);
        });
        let name = move || {
            let number = sample.with(|s| s.answer.get(at).copied());
            number.map(|number| labels.with(|labels| token(labels, number as f32)))
        };
        view! { <figure><canvas node_ref=canvas width="8" height="8" aria-hidden="true"></canvas><figcaption class="num" translate="no">{name}</figcaption></figure> }
    };
    let fits = memo(move || {
        let (height, width) = size.get();
        weights.with(|w| w.as_ref().is_some_and(|(keys, _)| grid_of(*keys, (height as usize, width as usize)).is_some()))
    });
    let shown = move || {
        let words = sample.with(|s| s.answer.len());
        fits.get().then(|| {
            let label = format!("Where {title} looks before each word");
            view! {
                <div class="looks" role="group" aria-label=label.clone() data-testid="looks">{(0..words).map(word).collect_view()}</div>
                <p class="hint">{format!("{label} of the right caption, when it is given the right words before: the mean of its heads.")}</p>
            }
        })
    };
    view! { {shown} }.into_any()
}
