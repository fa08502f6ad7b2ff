//! Vectors of words: where they lie along their two main directions, or on a map that keeps near ones near, which are nearest to a word, and which word is to one as another is to a third.

use downhill_protocol::{DataInfo, Input, Query, RunInfo, View};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::kinds::OutputView;
use crate::document::{grouped, percent};
use crate::forms::Select;
use crate::plot::network::tensor_title;
use crate::plot::sequence::token;
use crate::plot::words::{Neighbour, along, neighbours, places, shares};
use crate::reactive::{Memo, RwSignal, clicked, effect, memo};
use crate::state::Lab;
use crate::umap::{self, Drawing, Told};
use crate::watches::{Ask, Source};

/// More words than that cannot be told apart in the picture.
const MOST: usize = 400;
/// Words that are listed.
const LISTED: u32 = 6;

/// See the module.
pub struct Words;

impl OutputView for Words {
    fn title(&self) -> &'static str {
        "Words"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        words_of(data).len() > 2
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Vectors lab/> }.into_any()
    }
}

/// What the tokens of the first input are called, where there are few enough.
fn words_of(data: &DataInfo) -> Vec<String> {
    let words = data.inputs.first().map(|input| input.words.as_slice()).unwrap_or_default();
    if words.len() > MOST { Vec::new() } else { (0..words.len()).map(|at| token(words, at as f32)).collect() }
}

/// The parameters that have a row for each of so many words, with their titles.
fn matrices(info: &RunInfo, words: usize) -> Vec<(String, String)> {
    let parameters = info.layers.iter().flat_map(|layer| &layer.parameters);
    let fits = parameters.filter(|p| p.shape.len() == 2 && p.shape[0] as usize == words && p.name.ends_with("weight"));
    fits.map(|p| (p.name.clone(), tensor_title(&info.layers, &p.name))).collect()
}

#[component]
fn Vectors(lab: Lab) -> impl IntoView {
    let words = memo(move || lab.info.with(|info| info.as_ref().map(|info| words_of(&info.data)).unwrap_or_default()));
    let known = memo(move || {
        let count = words.with(Vec::len);
        lab.info.with(|info| info.as_ref().map(|info| matrices(info, count)).unwrap_or_default())
    });
    // The matrix that was asked for, as long as there is one of that name.
    let wanted = RwSignal::new(String::new());
    let name = memo(move || {
        known
            .with(|known| known.iter().find(|m| m.0 == wanted.get()).or(known.first()).map(|m| m.0.clone()).unwrap_or_default())
    });
    let which = move || {
        let matrices = known.get();
        (matrices.len() > 1).then(|| {
            view! { <div class="typed"><label for="word-vectors">"vectors"</label><Select id="word-vectors".to_string() words=matrices value=name write=Callback::new(move |name| wanted.set(name))/></div> }
        })
    };
    let body = move || {
        if known.with(Vec::is_empty) {
            view! { <p class="hint">"No layer of this network keeps a vector for each word. An embedding does."</p> }.into_any()
        } else {
            let chosen = RwSignal::new(0);
            view! { <Plane lab words name chosen/><Nearest lab words name chosen/><Analogy lab words name/> }.into_any()
        }
    };
    view! { {which}{body} }
}

/// What a view of a matrix says, whenever the run has moved on.
fn watched<T: PartialEq + Default + Send + Sync + 'static>(
    lab: Lab,
    name: Memo<String>,
    view: impl Fn() -> Option<View> + Copy + Send + Sync + 'static,
    read: impl Fn(&[f32]) -> T + Send + Sync + 'static,
) -> Memo<T> {
    let query = move || Some(Query { name: name.get(), view: view()? });
    let answers = lab.watch(move || Some(Ask { source: Source::Of(Input::State), tensors: vec![query()?], every_ms: 200.0 }));
    memo(move || {
        let query = query();
        answers.with(|answer| Some(read(answer.as_ref()?.find(&query?)?.data))).unwrap_or_default()
    })
}

/// The words where their vectors lie; a click chooses one.
#[component]
fn Plane(lab: Lab, words: Memo<Vec<String>>, name: Memo<String>, chosen: RwSignal<u32>) -> impl IntoView {
    let found = watched(lab, name, || Some(View::Components { count: 2 }), <[f32]>::to_vec);
    let map = RwSignal::new(None::<Map>);
    let drawn = memo(move || map.get().filter(|map| !map.places.is_empty()));
    let at = memo(move || match drawn.get() {
        Some(map) => places(&map.places),
        None => found.with(|found| places(along(found))),
    });
    let word = move |(i, word): (usize, String)| {
        let style =
            move || at.with(|at| at.get(i).map_or("display:none".to_string(), |(x, y)| format!("left:{x:.1}%;top:{y:.1}%")));
        view! { <span data-at=i.to_string() class:here=move || chosen.get() as usize == i style=style>{word}</span> }.into_any()
    };
    let choose = move |ev: web_sys::MouseEvent| {
        let element = ev.target().and_then(|target| target.dyn_into::<Element>().ok());
        let at = element.and_then(|element| element.get_attribute("data-at")).and_then(|at| at.parse().ok());
        if let Some(at) = at {
            chosen.set(at);
        }
    };
    let said = move || match drawn.get() {
        Some(map) => format!(
            "UMAP of step {}: near each other lie words whose vectors point the same way. Directions and long distances mean nothing.",
            grouped(map.step)
        ),
        None => {
            let [first, second] = found.with(|found| shares(found));
            format!("Two main directions, with {} and {} of the variance.", percent(first), percent(second))
        }
    };
    view! {
        <div class="vectors" translate="no" data-testid="vectors" role="img" aria-label="The words where their vectors lie" on:click=clicked(choose)>
            {move || words.get().into_iter().enumerate().map(word).collect_view()}
        </div>
        <p class="hint num" data-testid="vectors-said">{said}</p>
        {umap::is_there().then(|| view! { <Kinds lab name map/> })}
    }
}

/// A map by UMAP, drawn or under way.
#[derive(Clone, Default, PartialEq)]
struct Map {
    /// The step of the weights that it shows.
    step: u64,
    /// The share that is done.
    share: f64,
    /// Where the words lie, two numbers for each; nothing until all is done.
    places: Vec<f32>,
}

/// Chooses between main directions, which follow the training, and a map of one moment.
#[component]
fn Kinds(lab: Lab, name: Memo<String>, map: RwSignal<Option<Map>>) -> impl IntoView {
    let asked = RwSignal::new(false);
    let drawing = StoredValue::new_local(None::<Drawing>);
    let query = move || Query { name: name.get(), view: View::All };
    let answers = lab.watch(move || {
        let ask = || Ask { source: Source::Of(Input::State), tensors: vec![query()], every_ms: 200.0 };
        asked.get().then(ask)
    });
    let leave = move || {
        asked.set(false);
        drawing.set_value(None);
        map.set(None);
    };
    // Other vectors, or a run that was edited or begins anew: its steps are no longer those of the map.
    effect(move || {
        name.track();
        lab.info.track();
        leave();
    });
    let tell = move |told| match told {
        Told::Share(share) => map.update(|map| map.iter_mut().for_each(|map| map.share = share)),
        Told::Places(places) => map.update(|map| map.iter_mut().for_each(|map| map.places.clone_from(&places))),
        Told::Failed(why) => {
            map.set(None);
            lab.tell(true, why);
        }
    };
    effect(move || {
        let Some(answer) = answers.get() else { return };
        let Some(vectors) = answer.find(&query()) else { return };
        asked.set(false);
        let width = vectors.shape.last().copied().unwrap_or(1) as usize;
        map.set(Some(Map { step: answer.step, ..Map::default() }));
        let begun = Drawing::begin(vectors.data, width, tell);
        if begun.is_none() {
            tell(Told::Failed("This browser gives no worker to draw a map with. Reload the page.".to_string()));
        }
        drawing.set_value(begun);
    });
    let share = move || map.with(|map| map.as_ref().filter(|map| map.places.is_empty()).map(|map| map.share));
    let is_drawn = move || map.with(|map| map.as_ref().is_some_and(|map| !map.places.is_empty()));
    let draw = move |_| {
        if share().is_none() {
            asked.set(true);
        }
    };
    let called = move || match share() {
        Some(share) => format!("UMAP {}", percent(share)),
        None => "UMAP".to_string(),
    };
    view! {
        <div class="row sums" role="group" aria-label="Kind of map">
            <button type="button" class="toggle" aria-pressed=move || (!is_drawn()).to_string() on:click=clicked(move |_| leave())>"main directions"</button>
            <button type="button" class="toggle num" data-testid="umap" title="Keeps near words near. Drawn of the weights as they are now; another click draws it anew." aria-pressed=move || is_drawn().to_string() on:click=clicked(draw)>{called}</button>
        </div>
    }
}

/// A list of words with how nearly their vectors point to where they should.
#[component]
fn List(words: Memo<Vec<String>>, found: Memo<Vec<Neighbour>>, testid: &'static str) -> impl IntoView {
    let row = move |(word, nearness): Neighbour| {
        let name = words.with(|words| words.get(word).cloned().unwrap_or_default());
        let width = format!("width:{:.1}%", 100.0 * nearness.clamp(0.0, 1.0));
        view! { <div class="bar"><b>{name}</b><i aria-hidden="true"><s style=width></s></i><span class="num">{format!("{nearness:.2}")}</span></div> }
    };
    view! { <div class="bars next" translate="no" data-testid=testid>{move || found.get().into_iter().map(row).collect_view()}</div> }
}

/// A list to choose a word from.
#[component]
fn Choice(id: &'static str, words: Memo<Vec<String>>, chosen: RwSignal<u32>, label: &'static str) -> impl IntoView {
    let options =
        move || words.with(|words| words.iter().enumerate().map(|(i, word)| (i.to_string(), word.clone())).collect::<Vec<_>>());
    let value = memo(move || chosen.get().to_string());
    let write = Callback::new(move |at: String| chosen.set(at.parse().unwrap_or(0)));
    move || view! { <Select id=id.to_string() words=options() value write label/> }
}

/// What is nearest to the chosen word.
#[component]
fn Nearest(lab: Lab, words: Memo<Vec<String>>, name: Memo<String>, chosen: RwSignal<u32>) -> impl IntoView {
    let view = move || Some(View::Nearest { plus: vec![chosen.get()], minus: Vec::new(), count: LISTED });
    let found = watched(lab, name, view, neighbours);
    view! {
        <div class="row sums"><span class="hint">"nearest to"</span><Choice id="word-near" words chosen label="Word whose neighbours are listed"/></div>
        <List words found testid="near"/>
    }
}

/// The word that is to one as another is to a third: king − man + woman.
#[component]
fn Analogy(lab: Lab, words: Memo<Vec<String>>, name: Memo<String>) -> impl IntoView {
    let [a, b, c] = [4, 0, 1].map(|at| RwSignal::new(at.min(words.with_untracked(|w| w.len() as u32).saturating_sub(1))));
    let view = move || Some(View::Nearest { plus: vec![a.get(), c.get()], minus: vec![b.get()], count: LISTED });
    let found = watched(lab, name, view, neighbours);
    view! {
        <div class="row sums">
            <Choice id="word-plus" words chosen=a label="Word"/>"−"<Choice id="word-minus" words chosen=b label="Word that is taken off"/>"+"<Choice id="word-and" words chosen=c label="Word that is added"/>"="
        </div>
        <List words found testid="analogy"/>
    }
}
