//! What attention looks with: every head as a small picture in its column, and below the columns the weights of one head with the tokens on
//! both sides, and what the network says without the head, or without one of the weights.

use std::sync::Arc;

use downhill_protocol::{LayerStats, Query};
use leptos::html::Canvas;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, Inside, LayerView};
use super::samples::raw_name;
use crate::canvas::{painted, position, put_pixels};
use crate::document::{number, percent};
use crate::focus;
use crate::panels::network::map::Map;
use crate::plot::heatmap::{self, likeliest};
use crate::plot::network::Column;
use crate::plot::sequence::{changed_most, head, likeliest_of, norms, token};
use crate::reactive::{Memo, RwSignal, clicked, memo};
use crate::state::{Answers, Lab};
use crate::watches::{Ask, Source};

/// Milliseconds from one picture to the next.
const EVERY: f64 = 100.0;

/// What the names of weights end in that look at another sequence than their layer's own.
const CROSS: &str = ".cross_attention";

/// Classes whose probabilities are told with a part and without it.
const LIKELY: usize = 5;

/// A part of attention that is left out: a head, or a query and a key of it.
type LeftOut = (Head, Option<(usize, usize)>);

/// Pixels of a column of heads that are not theirs.
const CAPTION: f64 = 36.0;

/// The heads in their column.
pub struct Heads;

/// One head, large.
pub struct Attention;

impl LayerView for Heads {
    fn fits(&self, info: &ColumnInfo) -> bool {
        !info.column.attentions().is_empty()
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        let names = info.column.attentions().into_iter().chain([&info.column.tensor]);
        Some(Ask { source: Source::Chosen, tensors: names.cloned().map(Query::all).collect(), every_ms: EVERY })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        heads(&info, answers)
    }
}

impl Inside for Attention {
    fn fits(&self, column: &Column) -> bool {
        !column.attentions().is_empty()
    }

    fn view(&self, lab: Lab, column: Column) -> AnyView {
        view! { <Matrix lab column/> }.into_any()
    }
}

/// A head: the name of the weights that it is in, and its place among their heads.
type Head = (String, usize);

/// All heads that an answer holds, those of one attention after those of another.
fn heads_of(answers: Answers, names: Vec<String>) -> Memo<Vec<Head>> {
    memo(move || {
        let count = |name: &String| answers.with(|a| a.as_ref()?.get(name)?.shape.get(1).copied()).unwrap_or(0) as usize;
        names.iter().flat_map(|name| (0..count(name)).map(|at| (name.clone(), at))).collect()
    })
}

/// What a head is called; those that look at another sequence are told apart from those that look at their own.
fn title_of((name, at): &Head) -> String {
    let across = if name.ends_with(CROSS) { "cross head" } else { "head" };
    format!("{across} {}", at + 1)
}

/// Paints the weights of a head, queries from top to bottom, with every answer.
fn paint(lab: Lab, canvas: NodeRef<Canvas>, answers: Answers, which: impl Fn() -> Option<Head> + 'static) {
    painted(canvas, move |canvas| {
        let (palette, ramp) = (lab.palette.get(), lab.ramp.get());
        let (Some(answer), Some((name, at))) = (answers.get(), which()) else { return };
        let Some(weights) = answer.get(&name).and_then(|all| head(all, at)) else { return };
        let mut pixels = Vec::new();
        heatmap::diverging(weights.data, heatmap::scale_of(weights.data), &ramp, palette.ink, &mut pixels);
        put_pixels(canvas, &mut pixels, weights.shape[1]);
    });
}

/// The pictures of a column.
fn heads(info: &ColumnInfo, answers: Answers) -> AnyView {
    let map: Map = expect_context();
    let lab = info.lab;
    let title = info.column.layers.first().map(|layer| layer.1.clone()).unwrap_or_default();
    let path = info.column.path.clone();
    let heads = heads_of(answers, info.column.attentions().into_iter().cloned().collect());
    let thumb = move |at: usize| {
        let canvas = NodeRef::<Canvas>::new();
        let head = move || heads.with(|heads| heads.get(at).cloned());
        paint(lab, canvas, answers, head);
        let called = head().as_ref().map(title_of).unwrap_or_default();
        let (here, path) = (path.clone(), path.clone());
        let on = move || map.inside.with(|inside| inside.0.as_ref() == Some(&here) && inside.1 == at);
        let choose = move |_| map.inside.set((Some(path.clone()), at));
        view! { <button type="button" class="head-picture" aria-label=format!("{title}, {called}") aria-pressed=move || on().to_string() on:click=clicked(choose)><canvas node_ref=canvas width="1" height="1" aria-hidden="true"></canvas></button> }
            .into_any()
    };
    let norm = NodeRef::<Canvas>::new();
    let (tensor, width) = (info.column.tensor.clone(), info.column.shape.last().copied().unwrap_or(1) as usize);
    painted(norm, move |canvas| {
        let (palette, ramp) = (lab.palette.get(), lab.ramp.get());
        let Some(answer) = answers.get() else { return };
        let Some(values) = answer.get(&tensor) else { return };
        let sizes = norms(values.data, width);
        let mut pixels = Vec::new();
        heatmap::diverging(&sizes, heatmap::scale_of(&sizes), &ramp, palette.ink, &mut pixels);
        put_pixels(canvas, &mut pixels, sizes.len() as u32);
    });
    let size = move || {
        let rows = heads.with(Vec::len).div_ceil(2).max(1) as f64;
        format!("--cell:{:.0}px", ((map.height.get() - CAPTION) / rows - 4.0).clamp(20.0, 44.0))
    };
    view! {
        <div class="stack heads" style=size>
            <div class="grid">{move || (0..heads.with(Vec::len)).map(&thumb).collect_view()}</div>
            <small>"norm per token"</small>
            <canvas node_ref=norm class="norms" width="1" height="1" role="img" aria-label="The norm of what the layer gives for each token, from the first to the last"></canvas>
        </div>
    }
    .into_any()
}

/// Names along an axis of so many places: those of the sample's tokens where they stand there, else numbers from 1.
fn names(raw: &[f32], tokens: Option<&[String]>, count: usize) -> Vec<String> {
    match tokens {
        Some(words) if raw.len() == count => {
            raw.iter().map(|&t| if t.is_nan() { String::new() } else { token(words, t) }).collect()
        }
        _ => (1..=count).map(|place| place.to_string()).collect(),
    }
}

/// The place among the inputs of the data whose order the vectors of a layer stand in: the earliest of all that it goes back to. Of what attention
/// reads that is only the first, for it looks at the other from where it is.
fn origin(layers: &[LayerStats], path: &str) -> Option<usize> {
    let (mut paths, mut inputs) = (vec![path], Vec::new());
    let mut next = 0;
    while let Some(path) = paths.get(next).copied() {
        next += 1;
        let Some(layer) = layers.iter().find(|layer| layer.path == path) else { continue };
        let looks = layer.inner.iter().any(|inner| inner.ends_with("attention"));
        for read in layer.reads.iter().take(if looks { 1 } else { usize::MAX }) {
            if !paths.contains(&read.as_str()) {
                paths.push(read);
            }
        }
        inputs.extend(layer.input.map(|input| input as usize));
    }
    inputs.into_iter().min()
}

#[component]
fn Matrix(lab: Lab, column: Column) -> impl IntoView {
    let map: Map = expect_context();
    let weights: Vec<String> = column.attentions().into_iter().cloned().collect();
    let layer = weights.first().and_then(|name| name.rsplit_once('.')).map(|(path, _)| path.to_string()).unwrap_or_default();
    // Where vectors come from: those that look, and, where it is another sequence, those that are looked at.
    let (reads, origins, answered) = lab.info.with_untracked(|info| {
        let layers = info.as_ref().map(|info| info.layers.as_slice()).unwrap_or_default();
        let of = |path: &str| layers.iter().find(|l| l.path == path);
        // Tokens have no norm.
        let reads = of(&layer).map(|l| l.reads.clone()).unwrap_or_default();
        let reads: Vec<String> = reads.into_iter().filter(|path| of(path).is_some_and(|l| !l.tokens)).collect();
        let origins: Vec<Option<usize>> = reads.iter().map(|path| origin(layers, path)).collect();
        (reads, origins, layers.last().and_then(|last| origin(layers, &last.path)))
    });
    let both = weights.len() > 1;
    let (own, others) = (origins.first().copied().flatten(), origins.get(1).copied().flatten());
    let crosses = move |name: &str| name.ends_with(CROSS) || !both && origins.len() > 1;
    let (before, after) = (reads.first().cloned(), layer);
    let left_out = RwSignal::new(None::<LeftOut>);
    let without = memo(move || {
        left_out.get().map(|((weights, head), cell)| match cell {
            None => format!("output:without:{weights}:{head}"),
            Some((query, key)) => format!("output:without:{weights}:{head}:{query}:{key}"),
        })
    });
    let answers = {
        let raw = (0..lab.info.with_untracked(|info| info.as_ref().map_or(1, |info| info.data.inputs.len()))).map(raw_name);
        let names: Vec<String> = raw.chain(weights.iter().cloned()).chain(before.clone()).chain([after.clone()]).collect();
        lab.watch(move || {
            let others = without.get().map(|without| [without, "output".to_string()]);
            let tensors = names.iter().cloned().chain(others.into_iter().flatten()).map(Query::all).collect();
            Some(Ask { source: Source::Chosen, tensors, every_ms: EVERY })
        })
    };
    let heads = heads_of(answers, weights);
    let which = memo(move || map.inside.with(|inside| inside.1).min(heads.with(Vec::len).saturating_sub(1)));
    let chosen = memo(move || heads.with(|heads| heads.get(which.get()).cloned()));
    let sizes = memo(move || {
        let name = chosen.get().map(|head| head.0).unwrap_or_default();
        answers
            .with(|a| match a.as_ref()?.get(&name)?.shape {
                &[_, _, queries, keys] => Some((queries as usize, keys as usize)),
                _ => None,
            })
            .unwrap_or((1, 1))
    });
    let axes = memo(move || {
        let of = |origin: Option<usize>, count| {
            let words = lab.data().and_then(|data| data.inputs.into_iter().nth(origin?)).filter(|input| input.tokens);
            let raw = answers.with(|a| Some(a.as_ref()?.get(&raw_name(origin?))?.data.to_vec())).unwrap_or_default();
            names(&raw, words.as_ref().map(|input| input.words.as_slice()), count)
        };
        let ((queries, keys), name) = (sizes.get(), chosen.get().map(|head| head.0).unwrap_or_default());
        (of(own, queries), of(if crosses(&name) { others } else { own }, keys))
    });
    // The cell under the pointer or the keys: query and key.
    let at = RwSignal::new(None::<(usize, usize)>);
    let canvas = NodeRef::<Canvas>::new();
    paint(lab, canvas, answers, move || chosen.get());
    // What is left out already comes back.
    let leave_out = move |cell: Option<(usize, usize)>| {
        let part = chosen.get_untracked().map(|head| (head, cell));
        left_out.update(|now| *now = if *now == part { None } else { part });
    };
    let moved = move |ev: web_sys::PointerEvent| {
        let Some(canvas) = canvas.get_untracked() else { return };
        let (queries, keys) = sizes.get_untracked();
        let place = position(&canvas, f64::from(ev.client_x()), f64::from(ev.client_y()));
        let cell = heatmap::pixel_at(place, (keys, queries));
        at.set(Some((cell / keys.max(1), cell % keys.max(1))));
    };
    let walked = move |ev: web_sys::KeyboardEvent| {
        let ((queries, keys), (row, column)) = (sizes.get_untracked(), at.get_untracked().unwrap_or((0, 0)));
        let to = match ev.key().as_str() {
            "ArrowUp" => (row.saturating_sub(1), column),
            "ArrowDown" => ((row + 1).min(queries.saturating_sub(1)), column),
            "ArrowLeft" => (row, column.saturating_sub(1)),
            "ArrowRight" => (row, (column + 1).min(keys.saturating_sub(1))),
            "Enter" => {
                leave_out(Some((row, column)));
                (row, column)
            }
            _ => return,
        };
        ev.prevent_default();
        ev.stop_propagation();
        at.set(Some(to));
    };
    let mark = move || {
        let ((row, column), (queries, keys)) = (at.get()?, sizes.get());
        let share = |i: usize, n: usize| format!("{:.3}%", 100.0 * i as f64 / n.max(1) as f64);
        let style = format!(
            "left:{};top:{};width:{};height:{}",
            share(column, keys),
            share(row, queries),
            share(1, keys),
            share(1, queries)
        );
        Some(view! { <i class="mark" style=style></i> })
    };
    let said = move || {
        let Some((row, column)) = at.get() else {
            return "Each row is a token, and looks at the columns. A click, or Enter, leaves a weight out.".to_string();
        };
        let weight = answers.with(|a| {
            let (name, at) = chosen.get()?;
            head(a.as_ref()?.get(&name)?, at)?.at(&[row as u32, column as u32])
        });
        let name = |names: &[String], place: usize| {
            format!("“{}” ({})", names.get(place).map(String::as_str).unwrap_or_default(), place + 1)
        };
        let rounded = weight.map_or_else(String::new, |w| number((f64::from(w) * 1e4).round() / 1e4));
        axes.with(|(queries, keys)| format!("{} looks at {}: {rounded}", name(queries, row), name(keys, column)))
    };
    let says = {
        let shown = memo(move || {
            let data = lab.data()?;
            answers.with(|a| {
                let (a, without) = (a.as_ref()?, without.get()?);
                let (with, without) = (a.get("output")?, a.get(&without)?);
                let labels = with.shape.last().copied().unwrap_or(1).max(1) as usize;
                let (rows, queries) = (with.data.len() / labels, sizes.get().0);
                // Where there is an answer for every query, that of the row under the pointer; else the one that changes most.
                let answers_queries = rows > 1 && rows == queries && own == answered;
                let row = match at.get() {
                    Some((row, _)) if answers_queries => row,
                    None if answers_queries => rows - 1,
                    _ => changed_most(with.data, without.data, labels),
                };
                let of = |all: &[f32]| all.chunks_exact(labels).nth(row).map(<[f32]>::to_vec);
                let (with, without) = (of(with.data)?, of(without.data)?);
                let is_probability = data.task == "classification";
                let mut shown: Vec<usize> = (0..labels.min(LIKELY)).collect();
                if is_probability {
                    shown = likeliest_of(&with, LIKELY).0.into_iter().map(|(class, _)| class).collect();
                    let (now, _) = likeliest(&without);
                    if !shown.contains(&now) {
                        shown.push(now);
                    }
                }
                let written = |v: f32| if is_probability { percent(f64::from(v)) } else { number(f64::from(v)) };
                let line =
                    |class: &usize| (token(&data.labels, *class as f32), written(with[*class]), written(without[*class]));
                let place = match rows {
                    ..=1 => String::new(),
                    _ if answers_queries => axes.with(|axes| {
                        format!(
                            " {} “{}” ({})",
                            if data.language.is_some() { "after" } else { "at" },
                            axes.0.get(row).map(String::as_str).unwrap_or_default(),
                            row + 1
                        )
                    }),
                    _ => format!(" at position {}, which changes most", row + 1),
                };
                Some((place, shown.iter().map(line).collect::<Vec<_>>()))
            })
        });
        move || {
            shown.get().map(|(place, lines)| {
                let part = left_out.get().map_or_else(String::new, |(head, cell)| match cell {
                    None => title_of(&head),
                    Some((query, key)) => format!("the weight of {} from {} to {}", title_of(&head), query + 1, key + 1),
                });
                let lines = lines.into_iter().map(|(name, with, without)| view! { <div><dt>{name}</dt><dd class="num">{format!("{with} → {without}")}</dd></div> });
                view! { <dl class="stream" data-testid="without"><dt>{format!("What the network says{place}, and without {part}")}</dt>{lines.collect_view()}</dl> }
            })
        }
    };
    let out = move || chosen.with(|head| left_out.with(|out| matches!(out, Some((part, None)) if head.as_ref() == Some(part))));
    let ablate = view! { <button type="button" class="toggle" data-testid="ablate" aria-pressed=move || out().to_string() on:click=clicked(move |_| leave_out(None))>{move || chosen.get().map(|head| format!("leave {} out", title_of(&head)))}</button> };
    let width = column.shape.last().copied().unwrap_or(1) as usize;
    let stream = memo(move || {
        let row = at.get().map(|at| at.0)?;
        answers.with(|a| {
            let answer = a.as_ref()?;
            let (x, y) = (answer.get(before.as_deref()?)?.data, answer.get(&after)?.data);
            let change: Vec<f32> = y.iter().zip(x).map(|(y, x)| y - x).collect();
            Some([norms(x, width), norms(&change, width), norms(y, width)].map(|all| all.get(row).copied().unwrap_or(f32::NAN)))
        })
    });
    let facts = move || {
        stream.get().map(|values| {
            let rows = ["comes in", "changes by", "goes out"].into_iter().zip(values);
            let rows = rows.map(|(name, v)| view! { <div><dt>{name}</dt><dd class="num">{number(f64::from(v))}</dd></div> });
            view! { <dl class="stream" data-testid="stream"><dt>"Norm of this token’s vector"</dt>{rows.collect_view()}</dl> }
        })
    };
    let button = move |i: usize| {
        let on = move || which.get() == i;
        let choose = move |_| map.inside.update(|inside| inside.1 = i);
        view! { <button type="button" class="toggle" role="radio" aria-checked=move || on().to_string() tabindex=move || focus::stop(on()) on:click=clicked(choose)>{move || heads.with(|heads| heads.get(i).map(title_of))}</button> }
            .into_any()
    };
    let spans = |names: &[String]| names.iter().map(|name| view! { <span>{name.clone()}</span> }).collect_view();
    let style = move || sizes.with(|(queries, keys)| format!("--queries:{queries};--keys:{keys}"));
    view! {
        <div class="attention" style=style>
            <div class="weights" tabindex="0" role="region" aria-label="Weights">
                <div class="labels" aria-hidden="true" translate="no">{move || axes.with(|axes| spans(&axes.0))}</div>
                <div class="labels below" aria-hidden="true" translate="no">{move || axes.with(|axes| spans(&axes.1))}</div>
                <div class="plane" tabindex="0" role="group" aria-label="Weights of the head, a token a row; arrow keys move, Enter leaves a weight out" data-testid="attention" on:keydown=walked on:pointermove=moved on:pointerdown=moved on:click=clicked(move |_| leave_out(at.get_untracked()))>
                    <canvas node_ref=canvas width="1" height="1" aria-hidden="true"></canvas>{mark}
                </div>
            </div>
            <div class="beside">
                <div class="choices" role="radiogroup" aria-label="Head" on:keydown=focus::walk>{move || (0..heads.with(Vec::len)).map(button).collect_view()}</div>
                <output class="num" translate="no" data-testid="attention-weight">{said}</output>
                {ablate}
                {says}
                {facts}
            </div>
        </div>
    }
}
