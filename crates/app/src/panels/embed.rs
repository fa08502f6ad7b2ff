//! How the experiment gets into somebody's page: which parts it shows there, a live preview, and the code to copy. It comes with the later part
//! of the code.

use downhill_model::{Experiment, share};
use downhill_tensor::parse_number;
use leptos::html::Div;
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlCanvasElement, HtmlElement, HtmlTextAreaElement};

use super::export;
use super::share::{copied, left_out};
use crate::canvas::context;
use crate::catalog;
use crate::controls::{Control, control_of};
use crate::document;
use crate::focus;
use crate::forms::Select;
use crate::reactive::{Memo, RwSignal, clicked, effect, entered, memo};
use crate::state::Lab;
use crate::worker::reflected;

/// Parts by their group: the word that an article writes, and what it is called. Fields are called as their forms call them.
const GROUPS: &[(&str, &[(&str, &str)])] = &[
    (
        "Output",
        &[
            ("output", "Picture"),
            ("views", "Other pictures"),
            ("draw", "Draw points"),
            ("score", "Score"),
            ("verdict", "Verdict"),
        ],
    ),
    ("Charts", &[("loss", "Loss"), ("accuracy", "Accuracy"), ("gradients", "Gradient norm"), ("rates", "Learning rate")]),
    ("Network", &[("network", "Diagram"), ("edit", "Edit layers")]),
    ("Run", &[("transport", "Play, step, reset"), ("step", "Step"), ("pace", "Pace")]),
    ("Data", &[("data", "All of the panel"), ("noise", ""), ("samples", ""), ("validation", ""), ("features", "")]),
    (
        "Training",
        &[
            ("optimizer", "Optimizer"),
            ("lr", ""),
            ("batch_size", ""),
            ("schedule", "Schedule"),
            ("weight_decay", ""),
            ("clip_norm", ""),
        ],
    ),
    ("Footer", &[("lab", "Open in the Lab"), ("fullscreen", "Full screen")]),
];
/// Groups whose parts can be shown as they are, without a way to change them.
const LOCKABLE: &[&str] = &["Data", "Training"];
/// What is shown at first.
const FIRST: &[&str] = &["output", "transport", "step", "score", "loss", "lr", "lab", "fullscreen"];
/// Steps after which a widget may rest at the latest.
const MOST_STEPS: f64 = 1e9;
/// Pixels of the picture's side.
const PICTURE: u32 = 320;

/// What a part is in the widget.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Shown,
    Locked,
    Hidden,
}

/// All that is chosen.
#[derive(Clone, PartialEq)]
struct Choice {
    parts: Vec<(&'static str, Seen)>,
    autostart: String,
    steps: String,
    theme: String,
    picture: bool,
}

impl Choice {
    fn words(&self, seen: Seen) -> String {
        self.parts.iter().filter(|(_, s)| *s == seen).map(|(word, _)| *word).collect::<Vec<_>>().join(" ")
    }

    /// The attributes of the element, those that say something.
    fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("show", self.words(Seen::Shown))];
        all.push(("lock", self.words(Seen::Locked)));
        all.push(("autostart", if self.autostart == "visible" { String::new() } else { self.autostart.clone() }));
        all.push(("steps", self.steps.trim().to_string()));
        all.push(("theme", if self.theme == "auto" { String::new() } else { self.theme.clone() }));
        all.retain(|(name, value)| !value.is_empty() || *name == "show");
        all
    }
}

/// The form; made anew whenever it is opened.
pub fn form() -> AnyView {
    view! { <Embed/> }.into_any()
}

#[component]
fn Embed() -> impl IntoView {
    let lab = Lab::here();
    let accepted = lab.inbox.with_value(|inbox| inbox.accepted.clone());
    let Ok(parsed) = Experiment::parse(&accepted) else {
        return view! { <p role="status">"There is nothing to embed yet: wait until the first experiment runs."</p> }
            .into_any();
    };
    let experiment = StoredValue::new(parsed.experiment);
    let doc = experiment.with_value(Experiment::to_value);
    let known = |word: &str, title: &str| !title.is_empty() || control_of(&doc, word).is_some();
    let parts = GROUPS.iter().flat_map(|(_, parts)| parts.iter()).filter(|(word, title)| known(word, title));
    let seen = |word: &str| if FIRST.contains(&word) { Seen::Shown } else { Seen::Hidden };
    let choice = RwSignal::new(Choice {
        parts: parts.map(|(word, _)| (*word, seen(word))).collect(),
        autostart: "visible".to_string(),
        steps: experiment.with_value(|e| e.training.steps).map_or_else(String::new, |steps| steps.to_string()),
        theme: "auto".to_string(),
        picture: true,
    });
    let picture = StoredValue::new(picture(lab).unwrap_or_default());
    let missing = experiment.with_value(|e| left_out(&e.data).map(|file| {
        format!("Nobody else will see this run: its data, \"{file}\", are in this browser alone, and the code holds no more than their name. Who reads the article gets a sentence in place of the network.")
    }));
    let costs = RwSignal::new(String::new());
    let files: Vec<String> =
        experiment.with_value(|e| e.data.needs().into_iter().map(|file| ["/data/", file].concat()).collect());
    load_script(move || drop(costs.try_set(cost(&files))));
    let kind = RwSignal::new("Element".to_string());
    let code = memo(move || {
        experiment.with_value(|e| choice.with(|choice| picture.with_value(|p| written(&kind.get(), e, choice, p))))
    });
    let groups = GROUPS.iter().map(|(title, parts)| {
        let lockable = LOCKABLE.contains(title);
        let rows = parts.iter().filter(|(word, title)| known(word, title)).map(|(word, title)| {
            let title = if title.is_empty() { title_of(&doc, word) } else { (*title).to_string() };
            view! { <Row choice word title lockable=lockable && *word != "data"/> }.into_any()
        });
        view! { <fieldset><legend>{*title}</legend>{rows.collect_view()}</fieldset> }.into_any()
    });
    let groups = groups.collect_view();
    view! {
        <div class="embedding">
            <div class="preview"><Preview choice experiment/></div>
            <div class="settings">
                <div class="embed-parts">{groups}</div>
                <Starting choice/>
                <Code kind code picture/>
                {missing.map(|why| view! { <p class="warn" role="alert" data-testid="embed-missing">{why}</p> })}
                <p class="hint" role="note" data-testid="embed-cost">{move || costs.get()}</p>
            </div>
        </div>
    }
    .into_any()
}

/// What a field is called.
fn title_of(doc: &Value, word: &str) -> String {
    match control_of(doc, word) {
        Some(Control::Field { base, name, .. }) => catalog::place_of(&[&base, ".", &name].concat()),
        _ => word.to_string(),
    }
}

#[component]
fn Row(choice: RwSignal<Choice>, word: &'static str, title: String, lockable: bool) -> impl IntoView {
    let seen = memo(move || choice.with(|c| c.parts.iter().find(|p| p.0 == word).map_or(Seen::Hidden, |p| p.1)));
    let put = move |seen: Seen| {
        choice.update(|choice| choice.parts.iter_mut().filter(|p| p.0 == word).for_each(|p| p.1 = seen));
    };
    let name = title.clone();
    view! {
        <div class="embed-row">
            <label><input type="checkbox" data-part=word prop:checked=move || seen.get() == Seen::Shown
                on:change=entered(move |ev| put(if event_target_checked(&ev) { Seen::Shown } else { Seen::Hidden }))/>{title}</label>
            {lockable.then(|| view! { <label class="hint"><input type="checkbox" data-lock=word aria-label=format!("{name}, fixed") prop:checked=move || seen.get() == Seen::Locked
                on:change=entered(move |ev| put(if event_target_checked(&ev) { Seen::Locked } else { Seen::Hidden }))/>"fixed"</label> })}
        </div>
    }
}

/// When it starts and ends, and on which ground it lies.
#[component]
fn Starting(choice: RwSignal<Choice>) -> impl IntoView {
    let list = |words: &[(&str, &str)]| words.iter().map(|(w, l)| ((*w).to_string(), (*l).to_string())).collect::<Vec<_>>();
    let starts = list(&[("visible", "When visible"), ("click", "On click"), ("load", "At once")]);
    let themes = list(&[("auto", "As the page"), ("light", "Light"), ("dark", "Dark")]);
    let refused = RwSignal::new(false);
    let steps = move |text: String| {
        // Only a number is an end; the field keeps what was typed, beside the sentence.
        let number = parse_number(text.trim()).filter(|n| *n >= 1.0 && *n <= MOST_STEPS && n.fract() == 0.0);
        refused.set(number.is_none() && !text.trim().is_empty());
        if !refused.get_untracked() {
            choice.update(|c| c.steps = number.map_or_else(String::new, |n| format!("{n:.0}")));
        }
    };
    view! {
        <div class="row embed-start">
            <label>"Starts "<Select id="embed-autostart".to_string() words=starts value=memo(move || choice.with(|c| c.autostart.clone())) write=Callback::new(move |w| choice.update(|c| c.autostart = w))/></label>
            <label>"rests after "<input type="text" inputmode="numeric" class="entry num" data-testid="embed-steps" placeholder="never" prop:value=move || choice.with(|c| c.steps.clone()) on:change=entered(move |ev| steps(event_target_value(&ev)))/>" steps"</label>
            {move || refused.get().then(|| view! { <span class="warn" role="alert" data-testid="embed-steps-wrong">"The end is a whole number of steps from 1 to a billion, or nothing; the code still says what stood here before."</span> })}
            <label>"Theme "<Select id="embed-theme".to_string() words=themes value=memo(move || choice.with(|c| c.theme.clone())) write=Callback::new(move |w| choice.update(|c| c.theme = w))/></label>
            <label><input type="checkbox" data-testid="embed-picture" prop:checked=move || choice.with(|c| c.picture) on:change=entered(move |ev| choice.update(|c| c.picture = event_target_checked(&ev)))/>"with a picture of now, shown until it starts"</label>
        </div>
    }
}

/// The code in one of its forms.
#[component]
fn Code(kind: RwSignal<String>, code: Memo<String>, picture: StoredValue<String>) -> impl IntoView {
    let said = RwSignal::new(String::new());
    let field = NodeRef::<leptos::html::Textarea>::new();
    let copy = move |_| {
        let text = code.get_untracked();
        spawn_local(async move {
            let done = copied(&text).await;
            if !done && let Some(field) = field.get_untracked() {
                let field: &HtmlTextAreaElement = &field;
                let _ = field.focus();
                field.select();
            }
            said.set(if done { "Copied." } else { "It is selected: copy it with Ctrl + C, or ⌘ C on a Mac." }.to_string());
        });
    };
    // Other code is not what was copied.
    effect(move || {
        code.track();
        said.set(String::new());
    });
    let tab = move |name: &'static str| {
        let on = move || kind.with(|k| k == name);
        view! { <button type="button" class="toggle" role="radio" data-code=name aria-checked=move || on().to_string() tabindex=move || focus::stop(on()) on:click=clicked(move |_| kind.set(name.to_string()))>{name}</button> }.into_any()
    };
    let save = move || {
        let there = kind.with(|k| k == "Markdown") && picture.with_value(|p| !p.is_empty());
        there.then(|| view! { <button type="button" class="ghost" data-testid="embed-save" on:click=clicked(move |_| drop(export::save_url(&picture.get_value(), PICTURE_FILE)))>"Save the picture"</button> })
    };
    view! {
        <div class="row"><div class="row" role="radiogroup" aria-label="Form" on:keydown=focus::walk>{["Element", "Frame", "Markdown"].map(tab).collect_view()}</div><span class="grow"></span>{save}<button type="button" class="primary" data-testid="embed-copy" on:click=copy>"Copy"</button></div>
        <textarea node_ref=field class="text num" rows="9" readonly spellcheck="false" aria-label="Code" data-testid="embed-code" prop:value=move || code.get()></textarea>
        <p role="status">{move || said.get()}</p>
    }
}

/// Name of the picture beside a Markdown text.
const PICTURE_FILE: &str = "downhill.webp";

/// The folder that the page lies in, which others load from.
fn folder() -> String {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    [&location.origin().unwrap_or_default(), folder, "/"].concat()
}

/// Text between the quotes of an attribute.
fn quoted(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

fn written(kind: &str, experiment: &Experiment, choice: &Choice, picture: &str) -> String {
    let (base, fragment, title) = (folder(), share::encode(experiment), experiment.name.clone());
    match kind {
        "Frame" => {
            let part = |text: &str| js_sys::encode_uri_component(text).as_string().unwrap_or_default();
            let rest: String = choice.attributes().iter().map(|(name, value)| format!("&{name}={}", part(value))).collect();
            format!(
                "<iframe src=\"{base}embed.html#{fragment}{}\" title=\"{}\" loading=\"lazy\"\n  sandbox=\"allow-scripts allow-popups allow-popups-to-escape-sandbox\" allow=\"fullscreen\" style=\"border: 0; width: 100%; height: 420px\"></iframe>",
                quoted(&rest),
                quoted(&title)
            )
        }
        "Markdown" => {
            let words: String = title.chars().filter(|c| !matches!(c, '[' | ']' | '\\')).collect();
            format!("[![{words}]({PICTURE_FILE})]({base}#{fragment})")
        }
        _ => {
            let mut attributes: String =
                choice.attributes().iter().map(|(name, value)| format!(" {name}=\"{}\"", quoted(value))).collect();
            if choice.picture && !picture.is_empty() {
                attributes += &format!("\n  poster=\"{}\"", quoted(picture));
            }
            // No text of an experiment ends the script that holds it.
            let json = experiment.to_value().to_string().replace('<', "\\u003c");
            format!(
                "<script type=\"module\" src=\"{base}embed.js\"></script>\n<downhill-lab{attributes}>\n  <script type=\"application/json\">{json}</script>\n</downhill-lab>"
            )
        }
    }
}

/// The widget itself, as the code makes it.
#[component]
fn Preview(choice: RwSignal<Choice>, experiment: StoredValue<Experiment>) -> impl IntoView {
    let host = NodeRef::<Div>::new();
    let made = StoredValue::new_local(None::<HtmlElement>);
    effect(move || {
        let Some(host) = host.get() else { return };
        let choice = choice.get();
        let element = made.get_value().or_else(|| {
            let element: HtmlElement = document().create_element("downhill-lab").ok()?.dyn_into().ok()?;
            let _ = element.set_attribute("experiment", &experiment.with_value(Experiment::to_value).to_string());
            host.append_child(&element).ok()?;
            Some(element)
        });
        let Some(element) = element else { return };
        let attributes = choice.attributes();
        for name in ["show", "lock", "theme", "steps"] {
            // One that is set to what it is would begin the widget anew.
            let now = attributes.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
            if element.get_attribute(name) != now {
                let _ = now.map_or_else(|| element.remove_attribute(name), |value| element.set_attribute(name, &value));
            }
        }
        made.set_value(Some(element));
    });
    view! { <div node_ref=host class="embed-preview" data-testid="embed-preview"></div> }
}

/// Defines the element here too; `loaded` is called once it is there.
fn load_script(loaded: impl FnOnce() + 'static) {
    const ID: &str = "embed-script";
    let place = document();
    if place.get_element_by_id(ID).is_some() {
        return loaded();
    }
    let Ok(script) = place.create_element("script") else { return };
    for (name, value) in [("id", ID), ("type", "module"), ("src", "./embed.js")] {
        let _ = script.set_attribute(name, value);
    }
    let loaded = Closure::once_into_js(loaded);
    let _ = script.add_event_listener_with_callback("load", loaded.unchecked_ref());
    if let Some(head) = place.head() {
        let _ = head.append_child(&script);
    }
}

/// What a page with the widget loads from this host, as this page has measured it; `files` are those of its data.
fn cost(files: &[String]) -> String {
    /// Endings of the files that a widget takes, but for its script.
    const FILES: &[&str] = &[".wasm", "/site.js", "/site-relaxed.js", "/charts.js", "/worker.js", "/widget.css"];
    let entries = js_sys::Reflect::get(&js_sys::global(), &"performance".into())
        .and_then(|performance| {
            let ask: js_sys::Function = js_sys::Reflect::get(&performance, &"getEntriesByType".into())?.dyn_into()?;
            ask.call1(&performance, &"resource".into())
        })
        .unwrap_or(JsValue::UNDEFINED);
    let mut seen = Vec::new();
    let (mut script, mut bytes) = (0.0, 0.0);
    for entry in js_sys::Array::from(&entries) {
        let name = reflected(&entry, "name").as_string().unwrap_or_default();
        let size = reflected(&entry, "encodedBodySize").as_f64().unwrap_or(0.0);
        if name.ends_with("/embed.js") {
            script = size;
        } else if (FILES.iter().any(|file| name.ends_with(file)) || files.iter().any(|file| name.ends_with(file.as_str())))
            && !seen.contains(&name)
        {
            bytes += size;
            seen.push(name);
        }
    }
    let said = |bytes: f64| format!("{}B", document::scaled(bytes));
    format!(
        "Costs a script of {}; once it is near the screen {} from this host, once for all widgets of a page. No cookies, nothing stored.",
        said(script),
        said(bytes)
    )
}

/// The picture of now as an address that holds it.
fn picture(lab: Lab) -> Option<String> {
    let out = lab.find(".out")?;
    let found = out
        .query_selector_all(".boundary canvas")
        .ok()
        .filter(|found| found.length() > 0)
        .or_else(|| out.query_selector_all("canvas").ok())?;
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(PICTURE);
    canvas.set_height(PICTURE);
    let paint = context(&canvas)?;
    let side = f64::from(PICTURE);
    let layered = out.query_selector(".boundary").ok().flatten().is_some();
    for i in 0..found.length() {
        let layer: HtmlCanvasElement = found.item(i)?.dyn_into().ok()?;
        paint.draw_image_with_html_canvas_element_and_dw_and_dh(&layer, 0.0, 0.0, side, side).ok()?;
        if !layered {
            break;
        }
    }
    canvas.to_data_url_with_type_and_encoder_options("image/webp", &JsValue::from(0.6)).ok()
}
