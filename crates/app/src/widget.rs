//! A run in somebody else's page: begun by the script `web/src/embed.ts`, with some panels and controls of the page around it, or with none.
//!
//! It comes with the later part of the code. What the page itself takes for granted (address, title, shortcuts, storage) is not touched.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use downhill_model::share;
use downhill_protocol::{Arrays, Command};
use downhill_tensor::parse_number;
use js_sys::{Array, Function, Object, Uint8Array};
use leptos::mount::mount_to;
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::HtmlElement;

use crate::api;
use crate::asked::{self, put};
use crate::controls::path_of;
use crate::document;
use crate::panels::parts::{PLACED, Parts, Widget, link_of};
use crate::place::Place;
use crate::probing::{probe, refused};
use crate::reactive::{effect, memo};
use crate::state::{Lab, Start};
use crate::views::Views;
use crate::worker::reflected;
use crate::{machine, opening, theme};

/// What a promise is broken with whose run is gone.
const DISPOSED: &str = "The run was disposed of.";

thread_local! {
    /// Who is told when the wasm of all widgets of a page has panicked.
    static CRASHED: RefCell<Vec<Function>> = const { RefCell::new(Vec::new()) };
}

/// Begins a run in `host`, an element of a shadow tree, as `shell` says, and gives what a script does with it.
///
/// Of `shell`: `start()` makes a worker; `base` is the folder of our files; `experiment` a document, a link or the name of a preset; `steps` and
/// `pace` take the place of the experiment's; `play` says whether it trains at once; `show`, `lock` and `hide` are lists of parts and controls, and
/// without `show` there is nothing to see; `backend` is "auto", "cpu" or "gpu"; `tell(name, detail)` hears what happens.
///
/// # Errors
/// When the experiment cannot be read, or there is no such backend, with the sentence that says why.
#[wasm_bindgen]
pub fn widget(host: &HtmlElement, shell: &JsValue) -> Result<Object, JsValue> {
    begin(host, shell).map_err(|error| js_sys::Error::new(&error).into())
}

#[inline(never)]
fn begin(host: &HtmlElement, shell: &JsValue) -> Result<Object, String> {
    let text = |name: &str| reflected(shell, name).as_string();
    let experiment = text("experiment").unwrap_or_default();
    if experiment.trim().is_empty() {
        return Err("A run wants an experiment: a document, a link to one, or the name of an example.".to_string());
    }
    if let Some(backend) = text("backend").filter(|name| machine::choice_of(name).is_none()) {
        return Err(format!("`backend` is \"{backend}\", and can be auto, cpu or gpu."));
    }
    let parsed = opening::read(&experiment).map_err(|error| error.to_string())?;
    let mut doc = parsed.experiment.to_value();
    if let Some(steps) = reflected(shell, "steps").as_f64() {
        document::set(&mut doc, "training.steps", Value::from(steps as u64));
    }
    let pace = reflected(shell, "pace");
    if let Some(pace) = pace.as_f64().map(Value::from).or_else(|| pace.as_string().map(Value::from)) {
        document::set(&mut doc, "view.pace", pace);
    }
    listen_for_panics(shell);
    let place = Place {
        host: host.clone().into(),
        shell: shell.clone(),
        base: text("base").unwrap_or_default(),
        held: reflected(shell, "held").is_truthy(),
    };
    let parts = lists(shell);
    let made = Rc::new(Cell::new(None));
    let (inside, heard) = (made.clone(), shell.clone());
    let handle = mount_to(host.clone(), move || {
        let lab = Lab::new();
        lab.place.set_value(Some(place));
        lab.inbox.update_value(|inbox| inbox.address.foreign = true);
        provide_context(lab);
        provide_context(Views::default());
        let shown = parts.clone().map(Parts::new);
        inside.set(Some((lab, shown)));
        theme::read(lab);
        lab.follow_chosen();
        tell_script(lab, shown, heard);
        match shown {
            Some(parts) => view! { <Widget parts/> }.into_any(),
            None => ().into_any(),
        }
    });
    let Some((lab, parts)) = made.take() else { return Err("The widget could not be made.".to_string()) };
    handle_of(lab, parts, doc, share::weights_of(&experiment), parsed.notes, shell, Box::new(handle))
}

/// Opens the experiment, tells what happens, and gives the run to scripts. `mounted` is what keeps the widget in the page.
fn handle_of(
    lab: Lab,
    parts: Option<Parts>,
    doc: Value,
    weights: Option<Vec<u8>>,
    notes: Vec<String>,
    shell: &JsValue,
    mounted: Box<dyn Any>,
) -> Result<Object, String> {
    lab.want(reflected(shell, "play").is_truthy());
    lab.connect();
    if let Some(choice) = reflected(shell, "backend").as_string().and_then(|name| machine::choice_of(&name)) {
        lab.choose(choice);
    }
    notes.into_iter().for_each(|note| lab.tell(false, note));
    lab.open_with(doc, weights.map(Start::Linked));
    let look = move || {
        if let Some(word) = parts.and_then(Parts::unknown) {
            let known = PLACED.join(", ");
            lab.tell(true, format!("There is no part or control \"{word}\" to show, hide or lock. Parts are {known}; controls are named as in the experiment: lr, batch_size, noise."));
        }
    };
    look();
    let object = api::object(lab);
    let act = |name: &str, run: Box<dyn Fn(JsValue) -> JsValue>| {
        put(&object, name, Closure::<dyn Fn(JsValue) -> JsValue>::new(run).into_js_value());
    };
    act(
        "hold",
        Box::new(move |on| {
            lab.hold(on.is_truthy());
            JsValue::UNDEFINED
        }),
    );
    act(
        "repaint",
        Box::new(move |_| {
            theme::read(lab);
            JsValue::UNDEFINED
        }),
    );
    act(
        "show",
        Box::new(move |lists| {
            if let (Some(parts), Some(words)) = (parts, self::lists(&lists)) {
                let known = [parts.shown, parts.locked, parts.hidden].map(|list| list.get_untracked());
                if words != known {
                    let [shown, locked, hidden] = words;
                    parts.shown.set(shown);
                    parts.locked.set(locked);
                    parts.hidden.set(hidden);
                    look();
                }
            }
            JsValue::UNDEFINED
        }),
    );
    act("readings", Box::new(move |_| api::readings(lab).into()));
    act("settled", Box::new(move |_| settled(lab)));
    act("wants", Box::new(move |_| lab.wanted.get_untracked().into()));
    act("link", Box::new(move |_| link_of(lab).into()));
    act(
        "step",
        Box::new(move |n| {
            lab.want(false);
            asked::ask(lab, Command::Step { n: n.as_f64().map_or(1, |n| n as u32) }).into()
        }),
    );
    act("snapshot", Box::new(move |_| asked::ask(lab, Command::Save).into()));
    act("restore", Box::new(move |bytes| restore(lab, &bytes)));
    let set = Closure::<dyn Fn(String, JsValue) -> Result<(), JsValue>>::new(move |name: String, value: JsValue| {
        set(lab, &name, &value)
    });
    put(&object, "set", set.into_js_value());
    let get = Closure::<dyn Fn(String) -> JsValue>::new(move |name: String| get(lab, &name));
    put(&object, "get", get.into_js_value());
    let probe = Closure::<dyn Fn(JsValue, JsValue) -> js_sys::Promise>::new(move |names: JsValue, input: JsValue| {
        probe(lab, &names, &input)
    });
    put(&object, "probe", probe.into_js_value());
    let mounted = Rc::new(RefCell::new(Some(mounted)));
    act(
        "dispose",
        Box::new(move |_| {
            if let Some(mounted) = mounted.borrow_mut().take() {
                asked::abandoned(lab, DISPOSED);
                refused(lab, None, DISPOSED);
                // First of all nothing more is heard: what hears would look for what is about to go.
                if let Some(link) = lab.link.get_value() {
                    link.end();
                }
                drop(mounted);
            }
            JsValue::UNDEFINED
        }),
    );
    Ok(object)
}

/// What is shown, locked and hidden; without what is shown there is nothing to see.
fn lists(shell: &JsValue) -> Option<[Vec<String>; 3]> {
    let shown = words(shell, "show")?;
    Some([shown, words(shell, "lock").unwrap_or_default(), words(shell, "hide").unwrap_or_default()])
}

/// A list of words.
fn words(object: &JsValue, name: &str) -> Option<Vec<String>> {
    let list = reflected(object, name).dyn_into::<Array>().ok()?;
    Some(list.iter().filter_map(|word| word.as_string()).collect())
}

/// A field of the experiment, by its short name or its whole path; of any other value the sentence says why it cannot be.
fn set(lab: Lab, name: &str, value: &JsValue) -> Result<(), JsValue> {
    let text = js_sys::JSON::stringify(value).ok().and_then(|text| text.as_string());
    let value = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or(Value::Null);
    if name == "pace" {
        let flat_out = value.as_str() == Some("max");
        return match value.as_f64().or_else(|| value.as_str().and_then(parse_number)).filter(|pace| *pace > 0.0) {
            pace if flat_out || pace.is_some() => {
                lab.pace(pace);
                Ok(())
            }
            _ => Err(js_sys::Error::new("`pace` is a number of steps per second above zero, or \"max\".").into()),
        };
    }
    let path = lab.draft.with_untracked(|doc| path_of(doc, name));
    let before = lab.draft.get_untracked();
    lab.set(&path, value);
    match lab.problem.get_untracked() {
        Some(problem) => {
            // What cannot be is refused as a whole: nobody is there to see it and to take it back.
            lab.draft.set(before);
            lab.problem.set(None);
            Err(js_sys::Error::new(&problem.to_string()).into())
        }
        None => Ok(()),
    }
}

/// How the last change ended: `null` while the worker has not said, an empty text where it is taken up, else the sentence that says why not. What
/// cannot be is taken back as a whole, as it is where the page itself refuses it.
fn settled(lab: Lab) -> JsValue {
    if lab.inbox.with_value(|inbox| inbox.loading.is_some() || inbox.waiting.is_some()) {
        return JsValue::NULL;
    }
    let Some(problem) = lab.problem.get_untracked() else { return "".into() };
    let accepted = lab.inbox.with_value(|inbox| inbox.accepted.clone());
    if let Ok(doc) = serde_json::from_str(&accepted) {
        lab.draft.set(doc);
        lab.problem.set(None);
    }
    problem.to_string().into()
}

/// The value of a field, default or not; `undefined` where there is none.
fn get(lab: Lab, name: &str) -> JsValue {
    let path = lab.draft.with_untracked(|doc| path_of(doc, name));
    let full =
        lab.draft.with_untracked(|doc| downhill_model::Experiment::from_value(doc).ok().map(|p| p.experiment.to_full_value()));
    let value = full.as_ref().and_then(|doc| document::get(doc, &path));
    value.and_then(|value| js_sys::JSON::parse(&value.to_string()).ok()).unwrap_or(JsValue::UNDEFINED)
}

/// Goes on from the bytes of an earlier snapshot.
fn restore(lab: Lab, bytes: &JsValue) -> JsValue {
    let bytes = bytes.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default();
    let mut arrays = Arrays::default();
    let bytes = arrays.blob(bytes);
    asked::ask_with(lab, arrays, Command::Restore { bytes }).into()
}

/// Tells the script what happens: `ready`, `metrics` at most once a frame, `frame` when there is a new picture, `done`, and `error` with the
/// sentence that a person reads.
fn tell_script(lab: Lab, parts: Option<Parts>, shell: JsValue) {
    let Ok(tell) = reflected(&shell, "tell").dyn_into::<Function>() else { return };
    let say = move |name: &str, detail: JsValue| {
        // Whatever a listener throws is its own affair.
        let _ = tell.call2(&JsValue::NULL, &name.into(), &detail);
    };
    let sentence = |text: &str| {
        let detail = Object::new();
        put(&detail, "message", text);
        JsValue::from(detail)
    };
    // What is to be seen is there before the poster goes.
    let ready = memo(move || lab.info.with(Option::is_some) && parts.is_none_or(|parts| parts.made.get()));
    let at = say.clone();
    effect(move || {
        if ready.get() {
            at("ready", JsValue::UNDEFINED);
        }
    });
    let at = say.clone();
    effect(move || {
        lab.status.track();
        if ready.get() {
            at("metrics", api::readings(lab).into());
        }
    });
    let at = say.clone();
    effect(move || {
        if ready.get() && lab.curves_changed.get() > 0 {
            at("frame", JsValue::UNDEFINED);
        }
    });
    let at = say.clone();
    let rested = Cell::new(false);
    effect(move || {
        // The last status comes after the word that the steps are done.
        let end = lab.finished_at.get();
        let rests = ready.get() & lab.finished.get() & lab.status.with(|status| !status.running && status.step >= end);
        if rests && !rested.replace(rests) {
            at("done", api::readings(lab).into());
        }
        rested.set(rests);
    });
    let at = say.clone();
    effect(move || at("wanted", lab.wanted.get().into()));
    let at = say.clone();
    effect(move || {
        if let Some(problem) = lab.problem.get() {
            at("error", sentence(&problem.to_string()));
        }
    });
    let told = Cell::new(0);
    effect(move || {
        lab.notices.with(|notices| {
            for notice in notices.iter().filter(|notice| notice.bad && notice.id > told.get()) {
                say("error", sentence(&notice.text));
            }
            told.set(notices.last().map_or(0, |notice| notice.id).max(told.get()));
        });
    });
}

/// All widgets of a page are one instance of the wasm, so a panic ends all of them, and each says so.
fn listen_for_panics(shell: &JsValue) {
    let Ok(tell) = reflected(shell, "crashed").dyn_into::<Function>() else { return };
    let first = CRASHED.with_borrow_mut(|all| {
        // One script of a page gives the same function each time.
        if !all.contains(&tell) {
            all.push(tell);
        }
        all.len() == 1
    });
    if first {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            console_error_panic_hook::hook(info);
            let message = JsValue::from(info.to_string());
            CRASHED.with_borrow(|all| all.iter().for_each(|tell| drop(tell.call1(&JsValue::NULL, &message))));
        }));
    }
}
