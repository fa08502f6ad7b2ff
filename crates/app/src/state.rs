//! What the page knows: the experiment on screen, the run in the worker, and the signals that panels read.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use downhill_model::data::csv::Profile;
use downhill_model::{Experiment, Pace, differences, in_a_line};
use downhill_protocol::{
    Backends, Choice, Command, Comparison, DataInfo, Divergence, Fix, Input, Part, ProfileReport, RunInfo, Status, TableRow,
    Verdict,
};
use downhill_tensor::UserError;
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;

use crate::address::Address;
use crate::document;
use crate::keeping;
use crate::place::Place;
use crate::plot::colour::{Palette, Rgb};
use crate::plot::series::Curves;
use crate::reactive::RwSignal;
use crate::watches::{Answer, Watches};
use crate::worker::Link;

/// The newest answer to what a view asks for.
pub type Answers = RwSignal<Option<Arc<Answer>>>;

/// The sample that all views show running through the network.
#[derive(Clone, Debug, PartialEq)]
pub enum Chosen {
    /// One of the held-out samples, by its place; of those learned from where none are held out.
    HeldOut(u32),
    /// Drawn, typed or pointed at: the raw values of every input.
    Given(Vec<Vec<f32>>),
}

impl Chosen {
    /// As the worker understands it.
    pub fn input(&self) -> Input {
        match self {
            Chosen::HeldOut(row) => Input::Samples { part: Part::Validation, rows: Some(vec![*row]) },
            Chosen::Given(values) => Input::Given(values.clone()),
        }
    }
}

/// Until when a notice is true, and stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// For some seconds: it tells what was done.
    Moment,
    /// Until the person changes the experiment, opens something or lets something out: it tells what did not work.
    UntilNext,
    /// Until the GPU is asked back, or is no longer to be had; it offers that.
    OfGpu,
    /// Until files have been made, or could not be.
    OfExport,
    /// Until the browser keeps something again.
    OfStorage,
    /// Until it is dismissed.
    Always,
}

/// Something to tell, at the foot of the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Counts up.
    pub id: u32,
    /// Whether something went wrong.
    pub bad: bool,
    /// A sentence or two.
    pub text: String,
    /// Until when it stands.
    pub stands: Stands,
}

/// What points drawn by hand have taken the place of.
#[derive(Clone, Debug)]
pub struct DrawnOver {
    /// The document.
    pub doc: Value,
    /// The run, as the worker saves it.
    pub saved: Vec<u8>,
}

/// A live edit, as the charts mark it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Step at which it took effect.
    pub step: f64,
    /// What was edited.
    pub label: String,
}

/// The run before this one, as the charts keep it.
#[derive(Clone, Debug)]
pub struct Ghost {
    /// Its curves.
    pub curves: Curves,
    /// The experiment that it began with.
    pub experiment: Experiment,
    /// What this run began differently, in a line; empty where it is the same again.
    pub label: String,
}

/// A table of a person's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Number of the request that reads it; 0 once it is read.
    pub request: u32,
    /// Name of its file; empty where the experiment holds the table itself.
    pub file: String,
    /// The table where the experiment holds it.
    pub text: String,
    /// Whether it takes the place of the data once it is read.
    pub new: bool,
    /// How a person says that it is to be read: the fields of the experiment that say so, or nothing.
    pub reading: Value,
    /// What was decided about it when it was read, see [`crate::taking::decided`].
    pub decided: String,
    /// How far it has been read, 0 to 1.
    pub done: f64,
    /// What it looks like, or why it cannot be read.
    pub found: Option<Result<Arc<Profile>, String>>,
}

/// Pictures or sounds of a person's own on their way to a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Media {
    /// How many of how many are read.
    pub read: (u32, u32),
    /// Whether a person has asked to stop.
    pub stopped: bool,
    /// What was left out or, as an error, why there is no set.
    pub found: Option<Result<Vec<String>, String>>,
}

/// An experiment on its way to the worker.
pub(crate) struct Load {
    pub experiment: String,
    /// Whether it starts over.
    pub fresh: bool,
    /// What its run begins with. It travels with the experiment, so that it can reach no other run.
    pub start: Option<Start>,
}

/// What a run begins with, other than its initial weights.
pub(crate) enum Start {
    /// The weights in the link that was opened.
    Linked(Vec<u8>),
    /// The last copy of a run whose worker fell.
    Saved(Vec<u8>),
}

/// What a script waits for, see [`crate::probing`].
#[derive(Clone)]
pub struct Probe {
    /// Its number among those who watch.
    pub reader: u32,
    /// What it asked about.
    pub input: Input,
    /// Breaks the promise with a sentence.
    pub give_up: Rc<dyn Fn(&str)>,
}

/// A class of what camera or microphone have taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taking {
    /// What a person calls it.
    pub name: String,
    /// Pieces that were taken.
    pub count: u32,
}

/// What arrived since the last animation frame, and what needs no signal.
#[derive(Default)]
pub(crate) struct Inbox {
    pub answers: HashMap<u32, Arc<Answer>>,
    pub status: Option<Status>,
    pub curves: bool,
    pub scheduled: bool,
    /// Whether the worker is about to be told what is watched.
    pub telling: bool,
    /// The experiment that the worker is asked to take up, by the request.
    pub loading: Option<(u32, Load)>,
    /// The one that is sent after it.
    pub waiting: Option<Load>,
    /// Whether a person changed the experiment since the worker last took one up.
    pub edited: bool,
    /// Whether the experiment on its way is to train, though the run before it came to its end meanwhile.
    pub next_wanted: bool,
    /// Whether the document that is opened has nothing to do with the one before.
    pub other: bool,
    /// The experiment that the run of now began with.
    pub began: Option<Experiment>,
    /// The last copy of the run, with its step.
    pub saved: Option<(u64, Vec<u8>)>,
    pub accepted: String,
    pub experiment: Option<Experiment>,
    /// What the address of the page stands for.
    pub address: Address,
    /// A person's own files, by name.
    pub own: HashMap<String, web_sys::Blob>,
    /// What camera and microphone have taken: whether it is sounds, the number of its class, and the file.
    pub taken: Vec<(bool, u32, web_sys::Blob)>,
    /// Files of weights that are on their way to the run, by the request.
    pub weights: HashMap<u32, String>,
    pub crashes: u32,
    /// Notices told so far.
    pub notices: u32,
    /// The request for files that are to be saved.
    pub exporting: Option<u32>,
    /// Promises given to scripts, by the request that answers them: what fulfils and what breaks them.
    pub asked: HashMap<u32, (js_sys::Function, js_sys::Function)>,
    /// What fulfils promises of requests that were carried out, until the next status.
    pub carried_out: Vec<js_sys::Function>,
    /// What scripts wait to be shown, see [`crate::probing`]: the reader, the input, and what breaks the promise.
    pub probes: Vec<Probe>,
}

impl Inbox {
    /// Takes note of the experiment that the worker runs, for links, for a restart and for whoever asks the page.
    pub fn accept(&mut self, lab: Lab, text: String) {
        if let Some(name) = self.address.remember(&text) {
            lab.keep(name, text.clone());
        }
        self.experiment = Experiment::parse(&text).ok().map(|parsed| parsed.experiment);
        self.accepted = text;
    }
}

/// The page's store: a bundle of signals, copied freely.
#[derive(Clone, Copy)]
pub struct Lab {
    /// The experiment on screen, right or wrong, without defaults.
    pub draft: RwSignal<Value>,
    /// What is wrong with the experiment on screen.
    pub problem: RwSignal<Option<UserError>>,
    /// The run in the worker.
    pub info: RwSignal<Option<Arc<RunInfo>>>,
    /// Training points and validation points of its data: x, y, class triples.
    pub points: RwSignal<Arc<(Vec<f32>, Vec<f32>)>>,
    /// How the run is doing.
    pub status: RwSignal<Status>,
    /// Whether the person wants it to train.
    pub wanted: RwSignal<bool>,
    /// How the run is doing, in the worker's words.
    pub verdict: RwSignal<Option<Verdict>>,
    /// Where and why the run stopped.
    pub diverged: RwSignal<Option<Divergence>>,
    /// Whether the experiment's steps are done.
    pub finished: RwSignal<bool>,
    /// The step at which they were.
    pub finished_at: RwSignal<u64>,
    /// The curves; [`Lab::curves_changed`] says when to look.
    pub curves: StoredValue<Curves>,
    /// Counts up when curves changed, at most once a frame.
    pub curves_changed: RwSignal<u64>,
    /// The run before this one, where its curves can be compared with those of this one.
    pub ghost: StoredValue<Option<Ghost>>,
    /// Edits that this run went on through.
    pub marks: RwSignal<Vec<Mark>>,
    /// Things to tell.
    pub notices: RwSignal<Vec<Notice>>,
    /// What the worker runs on: `simd128`, `relaxed-simd`.
    pub simd: RwSignal<String>,
    /// What trains, and what else could.
    pub backends: RwSignal<Backends>,
    /// The newest comparison of CPU and GPU.
    pub compared: RwSignal<Option<Arc<Comparison>>>,
    /// The newest measurement of the training program that runs.
    pub profiled: RwSignal<Option<Arc<ProfileReport>>>,
    /// The comparison or measurement under way: number of the request.
    pub measuring: RwSignal<Option<u32>>,
    /// Why the last one could not be made.
    pub unmeasured: RwSignal<Option<UserError>>,
    /// The open tab of the drawer.
    pub tab: RwSignal<&'static str>,
    /// The theme that a person chose: `light`, `dark`, or `system`.
    pub theme: RwSignal<String>,
    /// Fields on screen that say what is wrong with the experiment.
    pub told: RwSignal<u32>,
    /// The theme's colours.
    pub palette: RwSignal<Arc<Palette>>,
    /// The diverging scale in steps, see [`Palette::ramp`].
    pub ramp: RwSignal<Arc<Vec<Rgb>>>,
    /// The sample that all views show running through the network.
    pub chosen: RwSignal<Option<Chosen>>,
    /// What the table says in the row that was asked for last.
    pub row: RwSignal<Option<TableRow>>,
    /// Counts up when another document takes the place of the one on screen.
    pub opened: RwSignal<u32>,
    /// What the points on screen, drawn by hand, have taken the place of.
    pub drawn_over: RwSignal<Option<Arc<DrawnOver>>>,
    /// The table of a person's own that is read, or was.
    pub table: RwSignal<Option<Table>>,
    /// How far the text of the experiment on screen has been read, while it is.
    pub reading: RwSignal<Option<f64>>,
    /// Counts up with every file that the browser has kept.
    pub kept: RwSignal<u32>,
    /// The pictures or sounds of a person's own that are read, or were.
    pub media: RwSignal<Option<Media>>,
    /// Classes of what the camera has taken, and of what the microphone has.
    pub taking: [RwSignal<Vec<Taking>>; 2],
    /// What the page stands in, where it is a widget.
    pub(crate) place: StoredValue<Option<Place>, LocalStorage>,
    /// What is watched, and who reads it.
    pub(crate) watches: StoredValue<Watches<Answers>, LocalStorage>,
    pub(crate) inbox: StoredValue<Inbox, LocalStorage>,
    pub(crate) link: StoredValue<Option<Link>, LocalStorage>,
}

impl Lab {
    /// An empty store; [`Lab::connect`](crate::session) starts the worker.
    pub fn new() -> Self {
        Self {
            draft: RwSignal::new(Value::Null),
            problem: RwSignal::new(None),
            info: RwSignal::new(None),
            points: RwSignal::new(Arc::default()),
            status: RwSignal::new(Status { loss: f64::NAN, ..Status::default() }),
            wanted: RwSignal::new(true),
            verdict: RwSignal::new(None),
            diverged: RwSignal::new(None),
            finished: RwSignal::new(false),
            finished_at: RwSignal::new(0),
            curves: StoredValue::new(Curves::default()),
            curves_changed: RwSignal::new(0),
            ghost: StoredValue::new(None),
            marks: RwSignal::new(Vec::new()),
            notices: RwSignal::new(Vec::new()),
            simd: RwSignal::new(String::new()),
            backends: RwSignal::new(Backends::default()),
            compared: RwSignal::new(None),
            profiled: RwSignal::new(None),
            measuring: RwSignal::new(None),
            unmeasured: RwSignal::new(None),
            tab: RwSignal::new("Charts"),
            theme: RwSignal::new("system".to_string()),
            told: RwSignal::new(0),
            palette: RwSignal::new(Arc::default()),
            ramp: RwSignal::new(Arc::default()),
            chosen: RwSignal::new(None),
            row: RwSignal::new(None),
            opened: RwSignal::new(0),
            drawn_over: RwSignal::new(None),
            table: RwSignal::new(None),
            reading: RwSignal::new(None),
            kept: RwSignal::new(0),
            media: RwSignal::new(None),
            taking: [RwSignal::new(Vec::new()), RwSignal::new(Vec::new())],
            place: StoredValue::new_local(None),
            watches: StoredValue::new_local(Watches::default()),
            inbox: StoredValue::new_local(Inbox::default()),
            link: StoredValue::new_local(None),
        }
    }

    /// Sends a command to the worker.
    pub fn send(&self, command: Command) -> Option<u32> {
        self.link.with_value(|link| link.as_ref().map(|l| l.send(command)))
    }

    /// Trains or rests.
    pub fn play(&self, on: bool) {
        self.want(on);
        self.finished.set(false);
        self.diverged.set(None);
        self.send(if on && !self.is_held() { Command::Start } else { Command::Pause });
    }

    /// Somebody says whether the run is to train, and the one that may be on its way.
    pub(crate) fn want(&self, on: bool) {
        self.inbox.update_value(|inbox| inbox.next_wanted = false);
        self.wanted.set(on);
    }

    /// Makes the run wait, or go on if that is wanted: only so many run at once in a page, and none out of sight.
    pub fn hold(&self, on: bool) {
        let changed = self.place.try_update_value(|place| place.as_mut().map(|place| std::mem::replace(&mut place.held, on)));
        let runs = self.wanted.get_untracked() && self.info.with_untracked(Option::is_some);
        if changed.flatten() == Some(!on) && runs {
            self.send(if on { Command::Pause } else { Command::Start });
        }
    }

    /// Takes one step.
    pub fn step(&self) {
        self.want(false);
        self.send(Command::Step { n: 1 });
    }

    /// Same initial weights, step 0.
    pub fn reset(&self) {
        self.diverged.set(None);
        self.finished.set(false);
        self.send(Command::Reset);
    }

    /// The pace in steps per second; `None` is flat out. Kept in the experiment's view, so it is one that an experiment may ask for.
    pub fn pace(&self, steps_per_second: Option<f64>) {
        let steps_per_second = Pace::nearest(steps_per_second).steps_per_second();
        let value = steps_per_second.map_or_else(|| Value::from("max"), Value::from);
        self.draft.update(|doc| document::set(doc, "view.pace", value.clone()));
        self.inbox.update_value(|inbox| {
            // Nothing is accepted before the first experiment runs.
            let Ok(mut doc) = serde_json::from_str(&inbox.accepted) else { return };
            document::set(&mut doc, "view.pace", value);
            inbox.accept(*self, doc.to_string());
        });
        self.send(Command::Pace { steps_per_second });
    }

    /// Keeps an experiment in the browser that is too long for an address.
    fn keep(self, name: String, text: String) {
        spawn_local(async move {
            let Err(error) = keeping::put(keeping::experiment(&name), text.into()).await else {
                return self.settle(Stands::OfStorage);
            };
            let text = format!("{error} This experiment is too long for a link, so a reload loses it: export it as a file.");
            self.notify(true, text, Stands::OfStorage);
        });
    }

    /// Decides what trains, from the next step on.
    pub fn choose(&self, choice: Choice) {
        self.backends.update(|b| b.choice = choice);
        self.send(Command::Choose(choice));
    }

    /// Asks for a comparison or a measurement.
    pub fn measure(&self, command: Command) {
        self.unmeasured.set(None);
        self.measuring.set(self.send(command));
    }

    /// The pace the experiment asks for.
    pub fn pace_of(doc: &Value) -> Option<f64> {
        match document::get(doc, "view.pace") {
            Some(Value::String(_)) => None,
            Some(value) => value.as_f64(),
            None => Some(300.0),
        }
    }

    /// Changes the experiment on screen; if it can be read it goes to the worker, else the sentence stands at its field and the
    /// worker goes on with the last good one. Whether weights are kept or a new run begins is the worker's to say (`taken_up` in
    /// `session.rs`).
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        self.settle(Stands::UntilNext);
        self.draft.update(change);
        self.inbox.update_value(|inbox| inbox.edited = true);
        self.submit(false, None);
    }

    /// Tries the change that a verdict offers, and trains with it.
    pub fn try_fix(&self, fix: &Fix) {
        let change = |doc: &mut Value| {
            for (path, value) in &fix.changes {
                if let Ok(value) = serde_json::from_str(value) {
                    document::set(doc, path, value);
                }
            }
        };
        if fix.fresh {
            self.settle(Stands::UntilNext);
            self.draft.update(change);
            self.diverged.set(None);
            self.want(true);
            return self.submit(true, None);
        }
        self.edit(change);
        if !self.wanted.get_untracked() {
            self.play(true);
        }
    }

    /// Writes one field.
    pub fn set(&self, path: &str, value: Value) {
        self.edit(|doc| document::set(doc, path, value));
    }

    /// Brings one field back to its default.
    pub fn unset(&self, path: &str) {
        self.edit(|doc| document::unset(doc, path));
    }

    /// Shows a document in place of the one on screen and starts it afresh.
    pub fn open(&self, doc: Value) {
        self.open_with(doc, None);
    }

    /// The same, with what its run begins with.
    pub(crate) fn open_with(&self, doc: Value, start: Option<Start>) {
        self.settle(Stands::UntilNext);
        let name = |doc: &Value| document::get(doc, "name").cloned();
        let other = self.draft.with_untracked(name) != name(&doc);
        self.inbox.update_value(|inbox| inbox.other |= other);
        self.draft.set(doc);
        self.diverged.set(None);
        self.chosen.set(None);
        self.drawn_over.set(None);
        self.table.set(None);
        self.media.set(None);
        self.inbox.update_value(|inbox| inbox.address.unread = None);
        self.opened.update(|n| *n += 1);
        self.submit(true, start);
    }

    fn submit(&self, fresh: bool, start: Option<Start>) {
        let parsed = self.draft.with_untracked(Experiment::from_value);
        match parsed {
            Ok(parsed) => {
                let value = parsed.experiment.to_value();
                self.problem.set(None);
                parsed.notes.iter().for_each(|note| self.tell(false, note.clone()));
                self.load(Load { experiment: value.to_string(), fresh, start });
                self.draft.set(value);
            }
            Err(error) => self.problem.set(Some(error)),
        }
    }

    /// Sends an experiment; while one is on its way, only the newest of the others waits. An edit of one that waits begins as that would have.
    fn load(&self, mut load: Load) {
        self.inbox.update_value(|inbox| {
            if let Some(earlier) = inbox.waiting.take().filter(|_| !load.fresh) {
                load.fresh = earlier.fresh;
                load.start = earlier.start;
            }
            inbox.waiting = Some(load);
        });
        self.load_next();
    }

    /// Sends the experiment that waits, unless one is on its way whose text has been read: another takes the place of one that is still reading.
    pub(crate) fn load_next(&self) {
        let reads = self.reading.get_untracked().is_some();
        let load = self.inbox.try_update_value(|inbox| inbox.waiting.take_if(|_| reads || inbox.loading.is_none())).flatten();
        let Some(load) = load else { return };
        self.reading.set(None);
        let id = self.send(Command::Load { experiment: load.experiment.clone(), fresh: load.fresh });
        self.inbox.update_value(|inbox| inbox.loading = id.map(|id| (id, load)));
    }

    /// What the request was to load, where the answer to it has come. `None` for other requests.
    pub(crate) fn loaded(&self, id: u32) -> Option<Load> {
        let loaded = self.inbox.try_update_value(|inbox| inbox.loading.take_if(|(loading, _)| *loading == id)).flatten();
        loaded.map(|(_, load)| {
            self.reading.set(None);
            load
        })
    }

    /// A new run of `experiment`: what belonged to the old one goes, but for its curves.
    pub(crate) fn begin(&self, experiment: Option<Experiment>) {
        let (edited, other, next_wanted, began) = self
            .inbox
            .try_update_value(|inbox| {
                let began = std::mem::replace(&mut inbox.began, experiment.clone());
                // A copy of the run before would bring that one back, unless it is just what this one goes on from.
                let goes_on = |(_, load): &(u32, Load)| matches!(load.start, Some(Start::Saved(_)));
                inbox.saved.take_if(|_| !inbox.loading.as_ref().is_some_and(goes_on));
                let [edited, other, next] = [&mut inbox.edited, &mut inbox.other, &mut inbox.next_wanted].map(std::mem::take);
                (edited, other, next, began)
            })
            .unwrap_or_default();
        // A run at its end was no longer wanted; the one that an edit begins is.
        if next_wanted || edited && (self.finished.get_untracked() || self.diverged.with_untracked(Option::is_some)) {
            self.wanted.set(true);
        }
        let curves = self.curves.try_update_value(std::mem::take).unwrap_or_default();
        self.ghost.update_value(|ghost| {
            // What hardly began, while a slider is moved, takes no older run's place.
            const WORTH_KEEPING: usize = 20;
            let points = curves.get("loss").map_or(0, |c| c.steps.len());
            if let Some(began) = began.filter(|_| points >= if ghost.is_some() { WORTH_KEEPING } else { 2 }) {
                *ghost = Some(Ghost { curves, experiment: began, label: String::new() });
            }
            // Losses of another kind would only bend the axis.
            let alike = |g: &Ghost| !other && experiment.as_ref().is_some_and(|e| e.loss.name() == g.experiment.loss.name());
            *ghost = ghost.take().filter(alike).map(|ghost| {
                let found = experiment.as_ref().map(|e| differences(&ghost.experiment, e)).unwrap_or_default();
                Ghost { label: in_a_line(&found), ..ghost }
            });
        });
        self.curves_changed.update(|n| *n += 1);
        self.marks.set(Vec::new());
        self.verdict.set(None);
        self.diverged.set(None);
        self.finished.set(false);
        self.forget_answers();
    }

    /// What is known of the run's data.
    pub fn data(&self) -> Option<DataInfo> {
        self.info.with(|info| info.as_ref().map(|i| i.data.clone()))
    }

    /// The last value of a metric of the newest evaluation.
    pub fn metric(status: &Status, name: &str) -> Option<f64> {
        status.metrics.iter().find(|m| m.0 == name).map(|m| m.1)
    }

    /// The store, from the context of any component.
    pub fn here() -> Self {
        expect_context()
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}
