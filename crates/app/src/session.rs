//! What the page does with what the worker says. Messages are taken in as they come and shown once per animation frame.

use std::sync::Arc;

use downhill_model::{Experiment, differences, in_a_line};
use downhill_protocol::{
    Arrays, Backend, Backends, Choice, Command, Event, GpuState, KeptWeights, Message, PROTOCOL, RunInfo, View, stat,
};
use downhill_tensor::UserError;
use js_sys::ArrayBuffer;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::panels::export;
use crate::plot::network::tensor_title;
use crate::plot::series::GRADIENT;
use crate::state::{Lab, Load, Mark, Stands, Start};
use crate::watches::{Answer, Watches};
use crate::worker::{Link, reflected};
use crate::{files, probing, turns};

impl Lab {
    /// Connects to the worker and opens `experiment`.
    pub fn connect(self) {
        let place = self.place.get_value();
        let shell = place.map_or_else(|| reflected(&js_sys::global(), "downhillWorker"), |place| place.shell);
        let link = Link::connect(shell, move |message| self.hear(message));
        self.link.set_value(Some(link));
    }

    fn hear(self, message: Message<Event>) {
        let Message { header, arrays, blobs } = message;
        match header {
            Event::Ready { protocol, simd, .. } => self.ready(protocol, simd),
            Event::Done { id } => self.done(id),
            Event::Error { id, error } => self.failed(id, error),
            Event::NeedAsset { name, own } => self.fetch(name, own),
            Event::Loaded(info) => {
                let list = |at: Option<downhill_protocol::ArrayRef>| {
                    at.and_then(|at| arrays.get(at.0 as usize)).cloned().unwrap_or_default()
                };
                let points = (list(info.data.train_points), list(info.data.validation_points));
                self.taken_up(*info, points);
            }
            Event::Status(status) => {
                self.inbox.update_value(|inbox| inbox.status = Some(status));
                crate::asked::follows(self);
                self.schedule();
            }
            Event::Series(chunk) => {
                if self.info.with_untracked(|i| i.as_ref().is_some_and(|i| i.run == chunk.run)) {
                    let empty = Vec::new();
                    let array = |at: downhill_protocol::ArrayRef| arrays.get(at.0 as usize).unwrap_or(&empty);
                    self.curves.update_value(|curves| {
                        for (name, steps, values) in &chunk.curves {
                            curves.append(name, array(*steps), array(*values), chunk.replace);
                        }
                    });
                    self.inbox.update_value(|inbox| inbox.curves = true);
                    self.schedule();
                }
            }
            Event::Answer { run, step, key, tensors } => {
                let answer = Answer { run, step, tensors, arrays };
                self.note_gradients(&answer);
                self.inbox.update_value(|inbox| {
                    inbox.answers.insert(key, Arc::new(answer));
                });
                self.schedule();
            }
            Event::Unanswered { run, watch, error } => {
                let current = self.info.with_untracked(|i| i.as_ref().is_some_and(|i| i.run == run));
                if current && self.watches.with_value(|watches| watches.is_current(&watch)) {
                    // What a script asked is the script's to hear.
                    if !probing::refused(self, Some(&watch.input), &error.to_string()) {
                        self.tell(true, error.to_string());
                    }
                }
            }
            Event::Generated(text) => crate::texts::written(self, &text),
            Event::TableRow(row) => self.row.set(Some(row)),
            Event::Verdict(verdict) => {
                if self.info.with_untracked(|i| i.as_ref().is_some_and(|i| i.run == verdict.run)) {
                    self.verdict.set(Some(verdict));
                }
            }
            Event::Diverged(divergence) => {
                self.ended();
                self.diverged.set(Some(divergence));
            }
            Event::Finished { step, .. } => {
                self.ended();
                self.finished_at.set(step);
                self.finished.set(true);
            }
            Event::Saved { id, step, bytes } => {
                let bytes = blobs.into_iter().nth(bytes.0 as usize).unwrap_or_default();
                crate::api::saved(self, id, &bytes);
                self.inbox.update_value(|inbox| inbox.saved = Some((step, bytes)));
            }
            Event::Weights { id, taken, refused } => files::taken(self, id, taken, &refused),
            Event::Exported { id, files } => {
                let files = files.into_iter().map(|(name, at)| (name, blobs.get(at.0 as usize).cloned().unwrap_or_default()));
                export::arrived(self, id, files.collect());
            }
            Event::Progress { id, done } => files::progress(self, id, done),
            Event::TableProfile { id, profile } => drop(files::profiled(self, id, Ok(Arc::new(*profile)))),
            Event::Benched(result) => crate::api::benched(self, &result),
            Event::Backends(backends) => self.machine(backends),
            Event::Compared(mut comparison) => {
                self.measured(comparison.id);
                crate::api::compared(self, &comparison);
                let layers = self.info.with_untracked(|i| i.as_ref().map(|i| i.layers.clone()).unwrap_or_default());
                comparison.rows.iter_mut().for_each(|row| row.tensor = tensor_title(&layers, &row.tensor));
                self.compared.set(Some(Arc::new(comparison)));
            }
            Event::Profiled(report) => {
                self.measured(report.id);
                crate::api::profiled(self, &report);
                self.profiled.set(Some(Arc::new(report)));
            }
            Event::Crashed { message } => self.crashed(&message),
        }
    }

    /// The run has come to its end by itself. One that is on its way to take its place is wanted as before.
    fn ended(self) {
        if self.wanted.get_untracked() {
            self.inbox.update_value(|inbox| {
                let fresh = |load: &Load| load.fresh;
                inbox.next_wanted =
                    inbox.waiting.as_ref().is_some_and(fresh) || inbox.loading.as_ref().is_some_and(|(_, load)| fresh(load));
            });
        }
        self.wanted.set(false);
    }

    /// Keeps the norms of gradients as curves, on screen or not.
    fn note_gradients(self, answer: &Answer) {
        let norms = answer.tensors.iter().filter(|t| t.query.view == View::Stats && t.query.name.starts_with(GRADIENT));
        let mut norms = norms.peekable();
        if norms.peek().is_none() || self.info.with_untracked(|i| i.as_ref().is_none_or(|i| i.run != answer.run)) {
            return;
        }
        self.curves.update_value(|curves| {
            for tensor in norms {
                if let Some(norm) = answer.find(&tensor.query).and_then(|numbers| stat(numbers.data, "norm")) {
                    curves.note(&tensor.query.name, answer.step as f64, norm);
                }
            }
        });
        self.inbox.update_value(|inbox| inbox.curves = true);
    }

    fn ready(self, protocol: u32, simd: String) {
        if protocol != PROTOCOL {
            let text = "A newer version of Downhill is there. Reload the page to get both halves of it.";
            self.notify(true, text.to_string(), Stands::Always);
        }
        self.simd.set(simd);
    }

    /// A request was carried out. Of an experiment that means: it is what runs now.
    fn done(self, id: u32) {
        crate::asked::done(self, id);
        let Some(load) = self.loaded(id) else { return };
        self.problem.set(None);
        self.accept(load.experiment, None);
        if let Some(start) = load.start {
            self.begin_from(start);
            self.go_on(false);
        }
        self.load_next();
    }

    /// Has the run that was just taken up begin with these weights.
    fn begin_from(self, start: Start) {
        let Some(link) = self.link.get_value() else { return };
        let mut arrays = Arrays::default();
        match start {
            Start::Linked(bytes) => {
                let bytes = arrays.blob(bytes);
                let id = link.send_with(arrays, Command::Weights { bytes });
                self.inbox.update_value(|inbox| drop(inbox.weights.insert(id, "link".to_string())));
            }
            Start::Saved(bytes) => {
                let bytes = arrays.blob(bytes);
                link.send_with(arrays, Command::Restore { bytes });
            }
        }
    }

    /// Marks the step of now in the charts.
    pub(crate) fn mark(self, label: String) {
        let step = self.inbox.with_value(|inbox| inbox.status.as_ref().map(|s| s.step));
        let step = step.unwrap_or_else(|| self.status.with_untracked(|s| s.step)) as f64;
        self.marks.update(|marks| marks.push(Mark { step, label }));
    }

    /// What trains has changed, or more is known of it.
    fn machine(self, backends: Backends) {
        let (active, offered) = self.backends.with_untracked(|b| (b.active, b.may_return));
        if backends.active != active && self.info.with_untracked(Option::is_some) {
            self.mark(format!("on the {}", backends.active.name().to_ascii_uppercase()));
        }
        if backends.may_return && !offered {
            self.notify(false, backends.note.clone(), Stands::OfGpu);
        } else if offered && !backends.may_return {
            self.settle(Stands::OfGpu);
        }
        self.backends.set(backends);
    }

    /// A comparison or measurement has come to its end.
    fn measured(self, id: u32) {
        if self.measuring.get_untracked() == Some(id) {
            self.measuring.set(None);
        }
    }

    /// The worker runs this experiment now. A run that goes on is marked with what changed, and with what it keeps where that was asked.
    fn accept(self, text: String, kept: Option<KeptWeights>) {
        self.info.update(|info| {
            if let Some(info) = info {
                Arc::make_mut(info).experiment.clone_from(&text);
            }
        });
        let label = self.inbox.try_update_value(|inbox| {
            let before = inbox.experiment.take();
            inbox.accept(self, text);
            inbox.edited = false;
            let (before, now) = (before?, inbox.experiment.as_ref()?);
            Some(in_a_line(&differences(&before, now)))
        });
        // An end that was moved is not reached.
        let done = self.status.with_untracked(|s| s.step);
        let end = self.inbox.with_value(|inbox| inbox.experiment.as_ref().and_then(|experiment| experiment.training.steps));
        if self.finished.get_untracked() && end.is_none_or(|end| end > done) {
            self.finished.set(false);
        }
        if let Some(label) = label.flatten().filter(|label| !label.is_empty()) {
            self.mark(label + &kept.map(words_of).unwrap_or_default());
        }
    }

    fn failed(self, id: Option<u32>, error: UserError) {
        self.inbox.update_value(|inbox| inbox.edited = false);
        if id.is_some_and(|id| self.loaded(id).is_some()) {
            return self.not_taken_up(error);
        }
        match id {
            Some(id) if self.measuring.get_untracked() == Some(id) => {
                self.measuring.set(None);
                self.unmeasured.set(Some(error));
            }
            Some(id) if crate::asked::refused(self, id, &error) => {}
            Some(id) if files::refused(self, id, &error) => {}
            _ => {
                export::over(self, id);
                // Without a worker nothing that is done here changes anything.
                let stands = if self.simd.with_untracked(String::is_empty) { Stands::Always } else { Stands::UntilNext };
                self.notify(true, error.to_string(), stands);
            }
        }
    }

    /// The worker could not take up an experiment; what ran before runs on.
    fn not_taken_up(self, error: UserError) {
        self.inbox.update_value(|inbox| inbox.next_wanted = false);
        self.load_next();
        let first = crate::opening::first();
        if self.is_widget() || self.info.with_untracked(Option::is_some) || self.draft.with_untracked(|doc| *doc == first) {
            self.problem.set(Some(error));
        } else {
            // Nothing runs yet: the page opened with an experiment that is too large, or whose data is not there.
            self.open(first);
            self.tell(true, format!("This experiment cannot run, so here is the first example. {error}"));
            crate::opening::stay(self);
        }
    }

    fn taken_up(self, info: RunInfo, points: (Vec<f32>, Vec<f32>)) {
        let before = self.info.get_untracked();
        let (begins, renumbered) = (info.kept.is_none(), before.as_ref().is_none_or(|b| b.run != info.run));
        if begins {
            self.begin(Experiment::parse(&info.experiment).ok().map(|parsed| parsed.experiment));
            // Nothing of before goes on, so there is nothing to mark.
            self.inbox.update_value(|inbox| inbox.experiment = None);
        } else if renumbered {
            self.verdict.set(None);
            self.forget_answers();
        }
        if before.as_ref().is_some_and(|b| b.data.features != info.data.features || b.data.inputs != info.data.inputs) {
            // What is on show, or about to be, was made of other inputs.
            self.forget_answers();
            self.chosen.set(None);
            self.row.set(None);
        }
        if before.is_none_or(|b| b.program != info.program) {
            self.profiled.set(None);
        }
        self.points.set(Arc::new(points));
        let (text, kept) = (info.experiment.clone(), info.kept);
        self.info.set(Some(Arc::new(info)));
        self.accept(text, kept);
        self.go_on(renumbered);
    }

    /// Tells a run what the page wants of it. A load may have waited for a file, so only now can it hear. One that begins with other weights
    /// trains once it has them.
    fn go_on(self, renumbered: bool) {
        let Some(link) = self.link.get_value() else { return };
        if renumbered {
            let steps_per_second = self.draft.with_untracked(Self::pace_of);
            link.send(Command::Pace { steps_per_second });
            self.watches.update_value(Watches::renew);
            self.tell_watches();
        }
        let whole = self.inbox.with_value(|inbox| inbox.loading.as_ref().is_none_or(|(_, load)| load.start.is_none()));
        if whole && self.wanted.get_untracked() && !self.is_held() && self.diverged.with_untracked(Option::is_none) {
            link.send(Command::Start);
        }
    }

    /// Asks for one flush at the next animation frame.
    fn schedule(self) {
        let waiting = self.inbox.try_update_value(|inbox| std::mem::replace(&mut inbox.scheduled, true));
        if waiting == Some(false) {
            request_animation_frame(move || self.flush());
        }
    }

    fn flush(self) {
        let Some((answers, status, curves)) = self.inbox.try_update_value(|inbox| {
            inbox.scheduled = false;
            (std::mem::take(&mut inbox.answers), inbox.status.take(), std::mem::take(&mut inbox.curves))
        }) else {
            return;
        };
        let run = self.info.with_untracked(|i| i.as_ref().map(|i| i.run));
        if let Some(status) = status {
            self.status.set(status);
        }
        if !answers.is_empty() {
            turns::end();
        }
        for (key, answer) in answers {
            if Some(answer.run) == run {
                self.hand_out(key, &answer);
            }
        }
        if curves {
            self.curves_changed.update(|n| *n += 1);
        }
    }

    /// Fetches a bundled file, or hands out one of the person's own.
    fn fetch(self, name: String, own: bool) {
        spawn_local(async move {
            let bytes = if own {
                files::own(self, &name).await
            } else {
                download(&self.address_of(&format!("data/{name}"))).await.ok()
            };
            match bytes {
                Some(bytes) => {
                    let command = |bytes| Command::Asset { name, own, bytes };
                    self.link.with_value(|link| link.as_ref().map(|l| l.send_file(bytes, command)));
                }
                None => self.missing(&name, own),
            }
        });
    }

    /// A file is not to be had: the load that waits for it has failed, or every later one would wait behind it.
    fn missing(self, name: &str, own: bool) {
        let error = if own {
            let source = self.draft.with_untracked(|doc| crate::document::name_at(doc, "data", "csv"));
            let cuts = self.draft.with_untracked(|doc| crate::document::name_at(doc, "data.text.tokenizer_file", "") == name);
            let (what, holds) = match source.as_str() {
                _ if cuts => ("tokenizer", "holds the tokenizer"),
                "text" => ("text", "holds the text"),
                "images" => ("set of pictures", "names it, and for the set itself"),
                "sounds" => ("set of sounds", "names it, and for the set itself"),
                _ => ("table", "holds the table"),
            };
            let message = format!("The {what} \"{name}\" is not in this browser: no link holds a {what} of this size.");
            UserError::at(format!("data.{source}.{}", if cuts { "tokenizer_file" } else { "file" }), message)
                .hint(format!("Choose the file again, or ask for the experiment as a file, which {holds}."))
        } else {
            UserError::at("data", format!("The file \"{name}\" could not be fetched."))
                .hint("Check the connection, or choose other data.")
        };
        let loading = self.inbox.with_value(|inbox| inbox.loading.as_ref().map(|(id, _)| *id));
        self.failed(loading, error);
    }

    /// The worker is gone: a new one takes up the experiment and the last copy of its weights.
    fn crashed(self, message: &str) {
        /// More often than this in a row, the experiment itself brings it down.
        const PATIENCE: u32 = 3;
        let (experiment, saved, crashes) = self
            .inbox
            .try_update_value(|inbox| {
                inbox.crashes += 1;
                inbox.loading = None;
                inbox.waiting = None;
                inbox.next_wanted = false;
                (inbox.accepted.clone(), inbox.saved.clone(), inbox.crashes)
            })
            .unwrap_or_default();
        let Some(link) = self.link.get_value() else { return };
        link.restart();
        self.reading.set(None);
        self.watches.update_value(Watches::close);
        self.measuring.set(None);
        self.settle(Stands::OfExport);
        files::abandoned(self);
        crate::asked::abandoned(self, message);
        let choice = match self.backends.get_untracked() {
            // What trained or was opened when it fell is not trusted with the next one.
            Backends { active: Backend::Gpu, .. } | Backends { gpu: GpuState::Preparing, .. } => Choice::Fixed(Backend::Cpu),
            Backends { choice, .. } => choice,
        };
        self.backends.set(Backends::default());
        if choice != Choice::Auto {
            self.choose(choice);
        }
        if crashes > PATIENCE {
            self.wanted.set(false);
            self.tell(true, format!("The training worker stopped {crashes} times, so it rests now. Change the experiment, then press play. ({message})"));
            return;
        }
        let from = match &saved {
            Some((step, _)) => format!("it goes on from step {step}"),
            None => "it starts over".to_string(),
        };
        let start = saved.map(|(_, bytes)| Start::Saved(bytes));
        self.inbox.update_value(|inbox| inbox.waiting = Some(Load { experiment, fresh: true, start }));
        self.load_next();
        // The new worker counts its runs from the beginning.
        self.info.update(|info| {
            if let Some(info) = info {
                Arc::make_mut(info).run = 0;
            }
        });
        self.tell(true, format!("The training worker stopped unexpectedly and was started again; {from}."));
    }
}

/// What an edit keeps, as a mark says it.
fn words_of(kept: KeptWeights) -> String {
    let KeptWeights { layers, of } = kept;
    if layers == of { " · weights kept".to_string() } else { format!(" · keeps {layers} of {of} layers") }
}

async fn download(url: &str) -> Result<ArrayBuffer, JsValue> {
    let response: web_sys::Response = JsFuture::from(window().fetch_with_str(url)).await?.dyn_into()?;
    if !response.ok() {
        return Err(JsValue::from(response.status()));
    }
    JsFuture::from(response.array_buffer()?).await?.dyn_into()
}
