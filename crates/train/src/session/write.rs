//! Texts that the network continues: one token, or a few, are one run of a program between training steps, so that a run goes on while it writes.
//! Which token is picked says `reports/writing.rs`.
//!
//! The first run of a text goes over all of its prompt. Where the network can go on from what is kept of the tokens so far, every further run is given
//! the newest token alone; what it adds is read with its answer and put beside the rest before the next one. Where the weights have changed since, another
//! text was written in between, or the window has to slide, all is worked out anew.
//!
//! On a device such a run goes over several positions, each but the first with the token that the device picked by the scores before it. What is said
//! here counts: the scores of all are read, and as soon as another token is picked of them, or the text ends, what the device went on with is thrown
//! away. So a text is the same however many tokens are asked for at a time.

use std::rc::Rc;

use downhill_compile::Region;
use downhill_model::{AT_ONCE, MEMORY, NEXT, PICKING, PLACE, ProgramKind, TOKEN, of_position};
use downhill_protocol::{Backend, Event, Generate, Generated, LIKELIEST, Message, Speed, Watch};
use downhill_tensor::{NameMap, UserError, apart};
use web_time::Instant;

use super::Session;
use super::answer::Named;
use super::job::JobKind;
use crate::machine::Cached;
use crate::machine::engine::Loaded;
use crate::reports::about::about;
use crate::reports::writers::{Kept, Place, Whom, Writer};
use crate::reports::writing::Writing;

impl Session {
    /// Continues a text; told as [`Event::Generated`] under this number.
    ///
    /// # Errors
    /// When the data is no text, or the prompt cannot be read.
    pub fn generate(&mut self, id: u32, ask: Generate) -> Result<(), UserError> {
        self.begin_text(Whom::Request(id), ask)
    }

    /// Why nothing can be kept of a text while it is written; none where it can be.
    pub(super) fn no_cache(&self) -> Option<String> {
        let too_much = || "What would be kept is more than 64 MB.".to_string();
        let error = self.run.checked().stepwise().err().map(|error| error.to_string());
        error.or_else(|| (!self.can_keep()).then(too_much))
    }

    /// Whether there is a program for the next token alone, if only one that needs to know nothing of the others.
    fn can_keep(&self) -> bool {
        self.machine.layout().feed(NEXT).is_some()
    }

    /// Begins a text that is watched.
    pub(super) fn watch_text(&mut self, watch: &Rc<Watch>, ask: &Generate) -> Result<(), UserError> {
        self.begin_text(Whom::Watch(watch.clone(), self.run.number(), self.run.queued()), ask.clone())
    }

    fn begin_text(&mut self, whom: Whom, ask: Generate) -> Result<(), UserError> {
        let about = apart(|| about(self.run.checked(), self.run.data(), &ask.about))?;
        let writing = Writing::new(ask, self.run.data())?;
        self.reports.writers().begin(Writer::new(whom, writing, about));
        Ok(())
    }

    /// When the next token is to be asked for, if one is wanted; at once where the run rests.
    pub(super) fn token_due(&mut self, now: Instant) -> Option<Instant> {
        let running = self.run.drive().running();
        self.reports.writers().due().map(|due| if running { due } else { now })
    }

    /// Asks for the next token of the text that waits for longest.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) fn queue_token(&mut self) -> Result<(), UserError> {
        let Some(mut writer) = self.reports.writers().next() else { return Ok(()) };
        if writer.writing.is_done() {
            self.finish_text(writer);
            return Ok(());
        }
        self.put_away(&mut writer)?;
        let (tokens, shows) = (writer.writing.tokens().len(), self.run.shown_state());
        let before = Cached { text: writer.number, shows, tokens: tokens - 1 };
        let keeps = writer.writing.may_keep(self.reads_on()) && self.can_keep();
        let next = keeps && self.machine.cached() == Some(before);
        let at_once = if next { self.at_once(&writer.writing) } else { 1 };
        let kind = if next { ProgramKind::Next { positions: at_once } } else { ProgramKind::Continue { keeps } };
        let program = match self.program(&kind) {
            Ok(program) => program,
            Err(error) if self.lost().is_none() => {
                self.refuse_text(&writer, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        writer.at_once = at_once;
        let regions = if next { written(&program, at_once) } else { self.of_prompt(&program, &writer.writing) };
        let Some(mut regions) = regions else { return Ok(()) };
        if keeps {
            // Of a text that is longer than its window, all is worked out from what stands in that.
            let places = writer.writing.window().1;
            let (before, new) = if next { (before, at_once) } else { (Cached { tokens: 0, ..before }, places.end) };
            writer.kept = Some(self.to_keep(&program, before, (tokens, new), &mut regions));
            writer.cache_bytes = self.machine.cache().map(|feed| 4 * feed.ty.shape.numel() as u32).sum();
        }
        let scalars = self.run.plain_scalars();
        writer.asked = Instant::now();
        let feeds = if next { self.feeds_of_next(&writer.writing, at_once) } else { self.feeds_of_prompt(&writer) };
        self.pipeline.begin_job(JobKind::Token(Box::new(writer)), self.run.queued());
        let engine = self.machine.engine_mut();
        for (name, words) in &feeds {
            engine.feed(name, 0, words)?;
        }
        engine.submit(program.id, &[scalars])?;
        self.pipeline.read_for_job(engine, &regions)
    }

    /// How many tokens are asked for at a time, beside what is kept of those before. On the CPU a run of a program is a call; a device has to be
    /// waited for, so there the program picks some by itself.
    fn at_once(&self, writing: &Writing) -> usize {
        let waits = self.machine.backend() == Backend::Gpu;
        if waits && writing.may_run_ahead(AT_ONCE, self.reads_on()) { AT_ONCE } else { 1 }
    }

    /// Feeds of the program for the next positions, and their words.
    fn feeds_of_next(&self, writing: &Writing, at_once: usize) -> Vec<(String, Vec<u32>)> {
        let newest = writing.tokens().len().saturating_sub(1);
        let mut feeds = vec![(NEXT, writing.tokens().last().copied().into_iter().collect())];
        if self.machine.layout().feed(PLACE[0]).is_some() {
            let places = newest as u32..(newest + at_once) as u32;
            feeds.push((PLACE[0], places.clone().map(|place| (place as f32).to_bits()).collect()));
            feeds.push((PLACE[1], places.collect()));
        }
        if at_once > 1 {
            feeds.push((PICKING[0], writing.draws(at_once - 1).map(|draw| (draw as f32).to_bits()).collect()));
            feeds.push((PICKING[1], writing.choice().numbers().map(f32::to_bits).to_vec()));
        }
        feeds.into_iter().map(|(name, words)| (name.to_string(), words)).collect()
    }

    /// The same of the program for a prompt: the window of the text, and what it is about.
    fn feeds_of_prompt(&self, writer: &Writer) -> Vec<(String, Vec<u32>)> {
        let text = self.run.data().written().map(|name| (format!("rows.{name}"), writer.writing.window().0));
        text.into_iter().chain(writer.about.iter().cloned()).collect()
    }

    /// Where the scores lie that a program for a prompt gives of the places that are wanted.
    fn of_prompt(&self, program: &Loaded, writing: &Writing) -> Option<Vec<Region>> {
        let scores = program.output("scores")?.region;
        let (places, classes) = (writing.window().1, self.run.checked().signature.outputs as u32);
        let (from, len) = (places.start as u32 * classes, places.len() as u32 * classes);
        Some(vec![Region { offset: scores.offset + from, len, ..scores }])
    }

    /// Whether a text goes on with the states that it has, however long it is: as the batches of training steps do, where no layer asks for places.
    fn reads_on(&self) -> bool {
        self.run.checked().signature.read_on.is_some() && self.machine.layout().feed(PLACE[0]).is_none()
    }

    /// What of a program's answer to `new` tokens is kept beside what is kept of the tokens before; adds where it is read.
    fn to_keep(&self, program: &Loaded, before: Cached, (tokens, new): (usize, usize), regions: &mut Vec<Region>) -> Kept {
        let mut kept = Kept { before, tokens, rows: new, places: Vec::new(), words: Vec::new() };
        for feed in self.machine.cache() {
            let (Some(output), &[rows, width]) = (program.output(&feed.name), &feed.ty.shape[..]) else { continue };
            let further = (1..new).map_while(|position| program.output(&of_position(&feed.name, position))).map(|at| at.region);
            let (region, newest) = (output.region, rows == 1);
            let place = |at: usize, rows, newest| Place {
                feed: feed.name.clone(),
                at: (at * width) as u32,
                size: [rows, width],
                newest,
            };
            let part = |skipped: usize, rows: usize| {
                let (offset, len) = (region.offset + (skipped * width) as u32, (rows * width) as u32);
                Region { offset, len, ..region }
            };
            if feed.name.ends_with(MEMORY) {
                // What was read is kept whole.
                regions.push(region);
                kept.places.push(Place { size: [1, rows * width], ..place(0, 1, false) });
            } else if before.tokens > 0 {
                regions.extend(std::iter::once(region).chain(further));
                kept.places.push(place(if newest { 0 } else { before.tokens }, new, newest));
            } else {
                let read = if newest { 1 } else { new };
                regions.push(part(new - read, read));
                kept.places.push(place(0, read, newest));
            }
        }
        kept
    }

    /// Puts what the network said of the newest tokens beside what is kept of those before, unless something else lies there by now.
    fn put_away(&mut self, writer: &mut Writer) -> Result<(), UserError> {
        let Some(kept) = writer.kept.take() else { return Ok(()) };
        if kept.before.tokens > 0 && self.machine.cached() != Some(kept.before) {
            return Ok(());
        }
        let mut words = kept.words.as_slice();
        for place in &kept.places {
            let (these, rest) = words.split_at_checked(place.len()).unwrap_or_default();
            self.machine.engine_mut().feed_from(&place.feed, place.at, place.right(these, kept.rows))?;
            words = rest;
        }
        self.machine.note_cached(Cached { tokens: kept.tokens, ..kept.before });
        Ok(())
    }

    /// Takes what the network said of the next tokens, and goes on with the text or ends it.
    pub(super) fn finish_token(&mut self, mut writer: Writer, words: &[Vec<u32>]) {
        let mut words = words.iter().flatten().copied().collect::<Vec<u32>>();
        if let Some(kept) = &mut writer.kept {
            let all: usize = kept.places.iter().map(Place::len).sum();
            kept.words = words.split_off(words.len().saturating_sub(all));
        }
        let picked = words.split_off(words.len().saturating_sub(writer.at_once - 1));
        let scores: Vec<f32> = words.into_iter().map(f32::from_bits).collect();
        let added = writer.writing.take_all(&scores, &picked);
        if let Some(kept) = &mut writer.kept {
            // What was said of tokens that are not in the text is forgotten.
            (kept.tokens, kept.rows) = (kept.tokens + added - 1, kept.rows + added - writer.at_once);
        }
        let took = writer.note_tokens(added);
        let wanted = match &writer.whom {
            Whom::Watch(watch, ..) => self.reports.watches().holds(watch),
            Whom::Request(_) => true,
        };
        let writers = self.reports.writers();
        writers.note_token(took);
        if !wanted {
            return;
        }
        if writer.writing.is_done() {
            self.finish_text(writer);
        } else {
            writers.go_on(writer);
        }
    }

    fn finish_text(&mut self, writer: Writer) {
        let speed = writer.speed();
        let Writer { whom, writing, started, .. } = writer;
        match whom {
            Whom::Watch(watch, run, step) => {
                let known = tensors(&writing, speed);
                self.tell_answer(&watch, started, (run, step), &known, &NameMap::default());
            }
            Whom::Request(id) => {
                let Some(language) = &self.run.data().language else { return };
                let names = language.tokenizer.names();
                let name = |token: &u32| names.get(*token as usize).cloned().unwrap_or_default();
                let generated = Generated {
                    id,
                    text: writing.text(),
                    tokens: writing.tokens().iter().map(name).collect(),
                    given: writing.given() as u32,
                    probabilities: writing.probabilities().to_vec(),
                    speed,
                };
                self.reports.tell(Message::new(Event::Generated(generated)));
            }
        }
    }

    fn refuse_text(&mut self, writer: &Writer, error: UserError) {
        let event = match &writer.whom {
            Whom::Watch(watch, run, _) => Event::Unanswered { run: *run, watch: Watch::clone(watch), error },
            Whom::Request(id) => Event::Error { id: Some(*id), error },
        };
        self.reports.tell(Message::new(event));
    }
}

/// Where the scores of some positions lie that a program gives one after the other, and behind them the tokens that it picked.
fn written(program: &Loaded, positions: usize) -> Option<Vec<Region>> {
    let scores = (0..positions).map(|position| of_position("scores", position));
    let tokens = (1..positions).map(|position| of_position(TOKEN, position));
    scores.chain(tokens).map(|name| Some(program.output(&name)?.region)).collect()
}

/// What a watch may ask of a text.
fn tensors(writing: &Writing, speed: Speed) -> Named {
    let len = writing.tokens().len() as u32;
    let (places, probabilities) = writing.likeliest().iter().copied().unzip();
    let likeliest = vec![len, LIKELIEST as u32];
    let named = [
        ("tokens", (vec![len], writing.tokens().iter().map(|token| *token as f32).collect())),
        ("given", (vec![1], vec![writing.given() as f32])),
        ("probability", (vec![len], writing.probabilities().to_vec())),
        ("likeliest", (likeliest.clone(), places)),
        ("likeliest_probability", (likeliest, probabilities)),
        ("speed", (vec![3], vec![speed.first_token_ms, speed.tokens_per_second, speed.cache_bytes as f32])),
    ];
    named.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect()
}
