//! The text that the network writes, anew as it learns: each token shaded by how likely it was held, and the likeliest at the cursor's place.

use downhill_protocol::{DataInfo, Generate, Input, LIKELIEST, LanguageInfo, Query};
use downhill_tensor::parse_number;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, KeyboardEvent};

use super::kinds::OutputView;
use crate::document::grouped;
use crate::leaving::size;
use crate::plot::sequence::seen;
use crate::reactive::{Memo, RwSignal, clicked, entered, memo};
use crate::state::Lab;
use crate::watches::{Answer, Ask, Source};

/// Tokens that are added at a time.
const LENGTH: u32 = 120;
/// A text is written anew at most once in so many milliseconds.
const EVERY_MS: f64 = 1000.0;
/// What a text is asked for.
const TENSORS: [&str; 6] = ["tokens", "given", "probability", "likeliest", "likeliest_probability", SPEED];
/// How fast it was written.
const SPEED: &str = "speed";

/// See the module.
pub struct Text;

impl OutputView for Text {
    fn title(&self) -> &'static str {
        "Text"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.language.as_ref().is_some_and(|language| language.input == 0)
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Written lab/> }.into_any()
    }
}

/// A token of the text.
#[derive(Clone, Debug, Default, PartialEq)]
struct Token {
    number: u32,
    given: bool,
    /// NaN where it is not known.
    probability: f32,
    /// The likeliest at its place, with their probabilities.
    likeliest: Vec<(u32, f32)>,
}

fn tokens_of(answer: &Answer) -> Option<Vec<Token>> {
    let [tokens, given, probability, likeliest, their, _] = TENSORS.map(|name| answer.get(name));
    let (given, probability) = (given?.data.first().copied()? as usize, probability?.data);
    let (likeliest, their) = (likeliest?, their?);
    let token = |(at, number): (usize, &f32)| {
        let pairs = likeliest.row(at).iter().zip(their.row(at)).filter(|(_, p)| !p.is_nan());
        Token {
            number: *number as u32,
            given: at < given,
            probability: probability.get(at).copied().unwrap_or(f32::NAN),
            likeliest: pairs.map(|(token, p)| (*token as u32, *p)).take(LIKELIEST).collect(),
        }
    };
    Some(tokens?.data.iter().enumerate().map(token).collect())
}

/// How fast a text was written, in words; nothing where no token was added.
fn speed_of(answer: &Answer) -> Option<String> {
    let &[first, rate, cache] = answer.get(SPEED)?.data else { return None };
    let mut said = (!first.is_nan()).then(|| format!("first token {first:.1} ms"))?;
    if !rate.is_nan() {
        said += &format!(" · {} tokens/s", grouped(rate as u64));
    }
    if cache > 0.0 {
        said += &format!(" · cache {}", size(cache as usize));
    }
    Some(said)
}

/// How tokens are written: by their names, one after the other or apart.
#[derive(Clone, Default, PartialEq)]
struct Names {
    names: Vec<String>,
    joined: bool,
}

impl Names {
    fn of(data: Option<&DataInfo>) -> Self {
        let joined = data.and_then(|d| d.language.as_ref()).is_some_and(|language: &LanguageInfo| language.joined);
        Self { names: data.map(|d| d.labels.clone()).unwrap_or_default(), joined }
    }

    fn name(&self, token: u32) -> &str {
        self.names.get(token as usize).map_or("", String::as_str)
    }

    /// A token on its own: what cannot be seen has a sign.
    fn alone(&self, token: u32) -> String {
        seen(self.name(token))
    }

    /// Tokens as a prompt.
    fn text(&self, tokens: &[Token]) -> String {
        let between: &[u8] = if self.joined { b"" } else { b" " };
        let bytes: Vec<Vec<u8>> = tokens.iter().map(|token| bytes_of(self.name(token.number))).collect();
        String::from_utf8_lossy(&bytes.join(between)).into_owned()
    }
}

/// The bytes that a name stands for: `\xE2\x82` is two, for it is no text by itself.
fn bytes_of(name: &str) -> Vec<u8> {
    let byte = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2);
    let parts = name.strip_prefix("\\x").and_then(|rest| rest.split("\\x").map(byte).collect::<Option<Vec<u8>>>());
    parts.unwrap_or_else(|| name.as_bytes().to_vec())
}

/// The place of the token under an event.
fn place_of(ev: &Event) -> Option<usize> {
    let element = ev.target()?.dyn_into::<Element>().ok()?;
    element.closest("[data-at]").ok()??.get_attribute("data-at")?.parse().ok()
}

#[component]
fn Written(lab: Lab) -> impl IntoView {
    let ask = RwSignal::new(Generate { tokens: LENGTH, ..Generate::default() });
    let names = memo(move || lab.info.with(|info| Names::of(info.as_ref().map(|info| &info.data))));
    let answers = lab.watch(move || {
        let tensors = TENSORS.map(Query::all).to_vec();
        Some(Ask { source: Source::Of(Input::Generated(ask.get())), tensors, every_ms: EVERY_MS })
    });
    let tokens = memo(move || answers.with(|answer| answer.as_ref().and_then(|answer| tokens_of(answer)).unwrap_or_default()));
    // The place that was chosen, and the one under the pointer.
    let (chosen, pointed) = (RwSignal::new(None::<usize>), RwSignal::new(None::<usize>));
    let last = move || tokens.with(|tokens| tokens.len().saturating_sub(1));
    let cursor = memo(move || pointed.get().or_else(|| chosen.get()).unwrap_or(usize::MAX).min(last()));
    let keys = move |ev: KeyboardEvent| {
        let to = match ev.key().as_str() {
            "ArrowLeft" => cursor.get_untracked().saturating_sub(1),
            "ArrowRight" => (cursor.get_untracked() + 1).min(last()),
            "Home" => 0,
            "End" => last(),
            _ => return,
        };
        ev.prevent_default();
        pointed.set(None);
        chosen.set(Some(to));
    };
    let spans = move || {
        let (tokens, names) = (tokens.get(), names.get());
        tokens
            .into_iter()
            .enumerate()
            .map(|(at, token)| {
                let known = if token.probability.is_nan() { 0.0 } else { token.probability };
                let name = names.name(token.number).replace('\n', "↵\n");
                let gap = if names.joined { "" } else { " " };
                view! { <span data-at=at.to_string() class:given=token.given class:here=move || cursor.get() == at style=format!("--p:{known:.2}")>{name}</span>{gap} }
            })
            .collect_view()
    };
    let go_on = move |from: Option<usize>| {
        let text = tokens.with_untracked(|tokens| {
            let end = from.map_or(tokens.len(), |at| (at + 1).min(tokens.len()));
            names.with_untracked(|names| names.text(&tokens[..end]))
        });
        pointed.set(None);
        chosen.set(None);
        ask.update(|ask| ask.prompt = text);
    };
    view! {
        <div class="written" translate="no" data-testid="written" tabindex="0" role="group" aria-label="The text that the network writes; arrow keys move the cursor"
            on:keydown=keys on:pointerover=move |ev| pointed.set(place_of(&ev)) on:pointerleave=move |_| pointed.set(None)
            on:click=move |ev| chosen.set(place_of(&ev).or(chosen.get_untracked()))>{spans}</div>
        <p class="hint num" data-testid="writing-speed" title="Time until the first token was there, and how many a second came after it, counted while the network was at work on them">{move || answers.with(|answer| answer.as_ref().and_then(|answer| speed_of(answer)))}</p>
        <Next tokens names cursor/>
        <div class="pens">
            <button type="button" class="ghost" data-testid="continue" on:click=clicked(move |_| go_on(None))>"Continue"</button>
            <button type="button" class="ghost" data-testid="continue-here" on:click=clicked(move |_| go_on(Some(cursor.get_untracked())))>"From the cursor"</button>
            {move || ask.with(|ask| !ask.prompt.is_empty()).then(|| view! { <button type="button" class="link" on:click=clicked(move |_| ask.update(|ask| ask.prompt.clear()))>"Start over"</button> })}
        </div>
        <Settings lab ask/>
    }
}

/// What is likeliest at the cursor's place.
#[component]
fn Next(tokens: Memo<Vec<Token>>, names: Memo<Names>, cursor: Memo<usize>) -> impl IntoView {
    let here = memo(move || tokens.with(|tokens| tokens.get(cursor.get()).cloned().unwrap_or_default()));
    let rows = move || {
        let (here, names) = (here.get(), names.get());
        here.likeliest
            .iter()
            .map(|&(token, p)| {
                let width = format!("width:{:.1}%", 100.0 * p);
                view! { <li class:said=token == here.number><b>{names.alone(token)}</b><i aria-hidden="true"><s style=width></s></i><span>{format!("{p:.3}")}</span></li> }
            })
            .collect_view()
    };
    let said = move || {
        let nothing = tokens.with(Vec::is_empty);
        let here = here.get();
        let name = names.with(|names| names.alone(here.number));
        match here.probability {
            _ if nothing => "nothing is written yet".to_string(),
            p if p.is_nan() => format!("{name} was given"),
            p => format!("{name} had {p:.3}"),
        }
    };
    view! {
        <div class="heading next"><h3>"At the cursor"</h3><output class="num" translate="no" data-testid="token">{said}</output></div>
        <ol class="likeliest num" translate="no" data-testid="likeliest">{rows}</ol>
    }
}

/// What the text begins with, how tokens are picked, and where it ends.
#[component]
fn Settings(lab: Lab, ask: RwSignal<Generate>) -> impl IntoView {
    let no_cache = memo(move || {
        lab.info.with(|info| {
            info.as_ref().and_then(|info| info.data.language.as_ref()).and_then(|language| language.no_cache.clone())
        })
    });
    let prompt = move || ask.with(|ask| ask.prompt.clone());
    let stop = move || ask.with(|ask| ask.stop.iter().map(|word| word.replace('\n', "\\n")).collect::<Vec<_>>().join(", "));
    view! {
        <div class="fields">
            <div class="field"><label for="text-prompt">"Prompt"</label>
                <textarea id="text-prompt" class="num" rows="2" data-testid="prompt" spellcheck="false" placeholder="The beginning of a text that is held out" prop:value=prompt
                    on:change=entered(move |ev| ask.update(|ask| ask.prompt = event_target_value(&ev)))></textarea></div>
            {slider(ask, &TEMPERATURE)}{whole(ask, &TOP_K)}{slider(ask, &TOP_P)}{slider(ask, &MIN_P)}{slider(ask, &PENALTY)}
            <div class="field" title="Words before which the text ends, with commas between; \\n is the end of a line"><label for="text-stop">"Stop at"</label>
                <input id="text-stop" type="text" class="entry num" data-testid="stop" spellcheck="false" placeholder="nothing" prop:value=stop
                    on:change=entered(move |ev| ask.update(|ask| ask.stop = stop_words(&event_target_value(&ev))))/></div>
            {whole(ask, &SEED)}
            <div class="field" title=move || no_cache.get().unwrap_or_else(|| KEEP.to_string())><label for="text-cache">"Cache"</label>
                <input id="text-cache" type="checkbox" class="switch" role="switch" data-testid="cache" disabled=move || no_cache.with(Option::is_some)
                    prop:checked=move || ask.with(|ask| ask.cache) && no_cache.with(Option::is_none) on:change=entered(move |ev| ask.update(|ask| ask.cache = event_target_checked(&ev)))/></div>
        </div>
    }
}

/// What the cache is.
const KEEP: &str = "Keep keys and values of the tokens so far, or the state behind them, so that a token costs one position and not all; the text is the same without. With a state that is carried it is kept in any case";

/// A number of [`Generate`] with a slider.
struct Slider {
    id: &'static str,
    label: &'static str,
    help: &'static str,
    /// Least, most and step.
    range: [&'static str; 3],
    /// Digits behind the point.
    digits: usize,
    number: fn(&mut Generate) -> &mut f32,
}

const TEMPERATURE: Slider = Slider {
    id: "text-temperature",
    label: "Temperature",
    help: "Above 1 the unlikely becomes likelier, below 1 rarer; 0 always takes the likeliest",
    range: ["0", "2", "0.1"],
    digits: 1,
    number: |ask| &mut ask.temperature,
};
const TOP_P: Slider = Slider {
    id: "text-top-p",
    label: "Top-p",
    help: "Pick from the likeliest that together have this probability; 1 for all",
    range: ["0.05", "1", "0.05"],
    digits: 2,
    number: |ask| &mut ask.top_p,
};
const MIN_P: Slider = Slider {
    id: "text-min-p",
    label: "Min-p",
    help: "Pick from what is at least so likely, measured by the likeliest; 0 for all",
    range: ["0", "1", "0.05"],
    digits: 2,
    number: |ask| &mut ask.min_p,
};
const PENALTY: Slider = Slider {
    id: "text-penalty",
    label: "Repetition penalty",
    help: "Above 1, what the text has already is less likely to come again",
    range: ["1", "2", "0.05"],
    digits: 2,
    number: |ask| &mut ask.repetition_penalty,
};

fn slider(ask: RwSignal<Generate>, of: &'static Slider) -> impl IntoView + use<> {
    let value = move || ask.with(|ask| f64::from(*(of.number)(&mut ask.clone())));
    let [min, max, step] = of.range;
    view! {
        <div class="field" title=of.help><label for=of.id>{of.label}</label><output class="num" for=of.id>{move || format!("{:.*}", of.digits, value())}</output>
            <input id=of.id type="range" min=min max=max step=step prop:value=move || value().to_string()
                on:input=entered(move |ev| if let Some(n) = parse_number(&event_target_value(&ev)) { ask.update(|ask| *(of.number)(ask) = n as f32) })/></div>
    }
}

/// A whole number of [`Generate`].
struct Whole {
    id: &'static str,
    label: &'static str,
    help: &'static str,
    number: fn(&mut Generate) -> &mut u32,
}

const TOP_K: Whole = Whole {
    id: "text-top-k",
    label: "Top-k",
    help: "Pick from so many of the likeliest; 0 for all",
    number: |ask| &mut ask.top_k,
};
const SEED: Whole =
    Whole { id: "text-seed", label: "Seed", help: "The same seed picks the same tokens", number: |ask| &mut ask.seed };

fn whole(ask: RwSignal<Generate>, of: &'static Whole) -> impl IntoView + use<> {
    let value = move || ask.with(|ask| (of.number)(&mut ask.clone()).to_string());
    let enter = move |ev: Event| {
        let number = event_target_value(&ev).trim().parse();
        // What is no number is put back.
        ask.update(|ask| *(of.number)(ask) = number.unwrap_or(*(of.number)(ask)));
    };
    view! {
        <div class="field" title=of.help><label for=of.id>{of.label}</label>
            <input id=of.id type="text" inputmode="numeric" class="entry num" prop:value=value on:change=entered(enter)/></div>
    }
}

/// Words between commas; `\n` is the end of a line.
fn stop_words(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().replace("\\n", "\n")).filter(|word| !word.is_empty()).collect()
}
