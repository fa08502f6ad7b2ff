//! What leaves the page as files: a PyTorch program, weights, the experiment, its metrics, the tokenizer of a text. It comes with the later part of the code.

use downhill_model::Experiment;
use downhill_model::data::Source;
use downhill_model::data::csv::decode;
use downhill_protocol::{Command, Export};
use downhill_tensor::UserError;
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, HtmlAnchorElement, Url};

use crate::api;
use crate::document::name_at;
use crate::files;
use crate::leaving::{file_stem, metrics_csv, size};
use crate::reactive::{clicked, memo};
use crate::state::{Lab, Stands};

/// What can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A program that trains the same network.
    Program,
    /// The weights of now.
    Weights,
    /// The document.
    Experiment,
    /// The curves.
    Metrics,
    /// What cuts the text.
    Tokenizer,
}

/// Everything there is, with its name and what it is.
const ALL: [(What, &str, &str, &str); 5] = [
    (What::Program, "program", "PyTorch program", "train.py with the initial weights, the data and their order, as a zip"),
    (What::Weights, "weights", "Weights", "as they are now, safetensors with PyTorch's names"),
    (What::Experiment, "experiment", "Experiment", "all of it with its data, JSON: for this page and the command"),
    (What::Metrics, "metrics", "Metrics", "the curves so far, CSV"),
    (What::Tokenizer, "tokenizer", "Tokenizer", "tokenizer.json of the text, as Hugging Face's tokenizers read it"),
];

/// The list.
pub fn form() -> AnyView {
    let lab = Lab::here();
    // The tokens of other languages are no pieces of a text.
    let of_text = memo(move || {
        lab.info.with(|info| info.as_ref().is_some_and(|i| i.data.language.as_ref().is_some_and(|l| l.characters.is_some())))
    });
    let card = move |&(what, id, title, help): &(What, &'static str, &'static str, &'static str)| {
        view! {
            <button type="button" class="card" data-export=id popovertarget="export" popovertargetaction="hide" on:click=clicked(move |_| begin(lab, what))>
                <b>{title}</b><span>{help}</span>
            </button>
        }
    };
    (move || ALL.iter().filter(|(what, ..)| *what != What::Tokenizer || of_text.get()).map(card).collect_view()).into_any()
}

/// Makes files and saves them; some come from the worker.
pub fn begin(lab: Lab, what: What) {
    lab.settle(Stands::UntilNext);
    let from_worker = |export| {
        lab.notify(false, "Exporting …".to_string(), Stands::OfExport);
        let id = lab.send(Command::Export(export));
        lab.inbox.update_value(|inbox| inbox.exporting = id);
    };
    match what {
        What::Program => from_worker(Export::Pytorch),
        What::Weights => from_worker(Export::Weights),
        What::Tokenizer => from_worker(Export::Tokenizer),
        What::Metrics => save(lab, "csv", &lab.curves.with_value(metrics_csv).into_bytes().as_slice().into()),
        What::Experiment => spawn_local(async move {
            match experiment(lab).await {
                Ok(text) => save(lab, "json", &text.as_bytes().into()),
                Err(error) => lab.tell(true, error.to_string()),
            }
        }),
    }
}

/// The document as a person would write it, with the table in it that lies beside it.
async fn experiment(lab: Lab) -> Result<String, UserError> {
    let accepted = lab.inbox.with_value(|inbox| inbox.accepted.clone());
    let mut experiment = Experiment::parse(&accepted)?.experiment;
    if let Source::Csv(csv) = &mut experiment.data
        && csv.text.is_empty()
        && !csv.file.is_empty()
    {
        let missing =
            || UserError::new(format!("The table \"{}\" is not here any more.", csv.file)).hint("Choose its file again.");
        let bytes = files::own(lab, &csv.file).await.ok_or_else(missing)?;
        csv.text = decode(&Uint8Array::new(&bytes).to_vec())?;
        csv.file.clear();
    }
    Ok(experiment.to_json())
}

/// A request is over: if it was for files, there is nothing to wait for any more.
pub fn over(lab: Lab, id: Option<u32>) {
    let ours = lab.inbox.try_update_value(|inbox| inbox.exporting.take_if(|exporting| Some(*exporting) == id)).flatten();
    if ours.is_some() {
        lab.settle(Stands::OfExport);
    }
}

/// The worker's files: whoever asked for them by a promise gets them, or one is saved as it is, several as a zip.
pub fn arrived(lab: Lab, id: u32, files: Vec<(String, Vec<u8>)>) {
    if api::exported(lab, id, &files) {
        return;
    }
    over(lab, Some(id));
    match files.as_slice() {
        [(name, bytes)] if name == "tokenizer.json" => save(lab, name, &bytes.as_slice().into()),
        [(name, bytes)] => save(lab, name.rsplit_once('.').map_or("bin", |(_, ending)| ending), &bytes.as_slice().into()),
        _ => spawn_local(async move {
            let list: Array =
                files.iter().map(|(name, bytes)| Array::of2(&name.into(), &Uint8Array::from(bytes.as_slice()))).collect();
            match zip(&list).await {
                Ok(blob) => save_blob(lab, "zip", &blob),
                Err(_) => lab.tell(
                    true,
                    "The part that makes zip files could not be loaded. Look whether the network is there, then try again.",
                ),
            }
        }),
    }
}

/// A zip of `[name, bytes]` pairs. Its library is loaded when it is first needed, by the page's shell.
async fn zip(files: &Array) -> Result<Blob, JsValue> {
    let scope = js_sys::global();
    let make = Reflect::get(&scope, &"downhillZip".into())?.dyn_into::<Function>()?;
    JsFuture::from(make.call1(&scope, files)?.dyn_into::<Promise>()?).await?.dyn_into()
}

fn save(lab: Lab, ending: &str, bytes: &Uint8Array) {
    match Blob::new_with_u8_array_sequence(&Array::of1(bytes)) {
        Ok(blob) => save_blob(lab, ending, &blob),
        Err(_) => lab.tell(true, "There is not enough memory for this file."),
    }
}

/// Has the browser save what an address holds.
pub fn save_url(url: &str, name: &str) -> Result<(), JsValue> {
    let link = document().create_element("a")?.dyn_into::<HtmlAnchorElement>()?;
    link.set_href(url);
    link.set_download(name);
    link.click();
    Ok(())
}

/// Has the browser save a file under the experiment's name.
fn save_blob(lab: Lab, ending: &str, blob: &Blob) {
    let name = format!("{}.{ending}", file_stem(&lab.draft.with_untracked(|doc| name_at(doc, "name", ""))));
    let saved = || {
        let url = Url::create_object_url_with_blob(blob)?;
        save_url(&url, &name)?;
        // The browser reads it after the click.
        set_timeout(move || drop(Url::revoke_object_url(&url)), std::time::Duration::from_secs(60));
        Ok::<(), JsValue>(())
    };
    match saved() {
        Ok(()) => lab.tell(false, format!("\"{name}\" is saved: {}.", size(blob.size() as usize))),
        Err(_) => lab.tell(true, format!("The browser did not let the page save \"{name}\".")),
    }
}
