//! Texts that the network continues: one token is one run of a program between training steps, so that a run goes on while it writes. Which
//! token is picked says `reports/writing.rs`.
//!
//! The first run of a text goes over all of its prompt. Where the network can go on from what is kept of the tokens so far, every further run is given
//! the newest token alone; what it adds is read with its answer and put beside the rest before the next one. Where the weights have changed since, another
//! text was written in between, or the window has to slide, all is worked out anew.

use std::rc::Rc;

use downhill_compile::Region;
use downhill_model::{MEMORY, NEXT, PLACE, ProgramKind};
use downhill_protocol::{Event, Generate, Generated, LIKELIEST, Message, Speed, Watch};
use downhill_tensor::{NameMap, UserError, apart};
use web_time::Instant;

use super::Session;
use super::answer::Named;
use super::job::JobKind;
use crate::machine::Cached;
use crate::machine::engine::Loaded;
use crate::reports::about::about;
use crate::reports::writers::{Kept, Whom, Writer};
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
        let kind = if next { ProgramKind::Next } else { ProgramKind::Continue { keeps } };
        let program = match self.program(&kind) {
            Ok(program) => program,
            Err(error) if self.lost().is_none() => {
                self.refuse_text(&writer, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Some(scores) = program.output("scores").map(|output| output.region) else { return Ok(()) };
        let (window, places) = writer.writing.window();
        let newest: Vec<u32> = writer.writing.tokens().last().copied().into_iter().collect();
        let classes = self.run.checked().signature.outputs as u32;
        let (from, len) = (places.start as u32 * classes, places.len() as u32 * classes);
        let mut regions = vec![if next { scores } else { Region { offset: scores.offset + from, len, ..scores } }];
        if keeps {
            let before = if next { before } else { Cached { tokens: 0, ..before } };
            // Of a text that is longer than its window, all is worked out from what stands in that.
            let new = if next { 1 } else { places.end as u32 };
            writer.kept = Some(self.to_keep(&program, before, (tokens, new), &mut regions));
            writer.cache_bytes = self.machine.cache().map(|feed| 4 * feed.ty.shape.numel() as u32).sum();
        }
        let fed = self.run.data().written().map(|name| format!("rows.{name}")).unwrap_or_default();
        let about = if next { Vec::new() } else { writer.about.clone() };
        let scalars = self.run.plain_scalars();
        writer.asked = Instant::now();
        let place = (tokens - 1) as u32;
        self.pipeline.begin_job(JobKind::Token(Box::new(writer)), self.run.queued());
        let engine = self.machine.engine_mut();
        if next {
            engine.feed(NEXT, 0, &newest)?;
            if engine.layout().feed(PLACE[0]).is_some() {
                engine.feed(PLACE[0], 0, &[(place as f32).to_bits()])?;
                engine.feed(PLACE[1], 0, &[place])?;
            }
        } else {
            engine.feed(&fed, 0, &window)?;
            for (name, words) in &about {
                engine.feed(name, 0, words)?;
            }
        }
        engine.submit(program.id, &[scalars])?;
        self.pipeline.read_for_job(engine, &regions)
    }

    /// Whether a text goes on with the states that it has, however long it is: as the batches of training steps do, where no layer asks for places.
    fn reads_on(&self) -> bool {
        self.run.checked().signature.read_on.is_some() && self.machine.layout().feed(PLACE[0]).is_none()
    }

    /// What of a program's answer to `new` tokens is kept beside what is kept of the tokens before; adds where it is read.
    fn to_keep(&self, program: &Loaded, before: Cached, (tokens, new): (usize, u32), regions: &mut Vec<Region>) -> Kept {
        let mut kept = Kept { before, tokens, places: Vec::new(), words: Vec::new() };
        for feed in self.machine.cache() {
            let (Some(output), &[rows, width]) = (program.output(&feed.name), &feed.ty.shape[..]) else { continue };
            let width = width as u32;
            let (skipped, len, to) = match rows {
                // What was read is kept whole.
                _ if feed.name.ends_with(MEMORY) => (0, rows as u32, 0),
                // Of a state the newest takes the place of the one before.
                1 => (new - 1, 1, 0),
                _ => (0, new, before.tokens as u32),
            };
            regions.push(Region { offset: output.region.offset + skipped * width, len: len * width, ..output.region });
            kept.places.push((feed.name.clone(), to * width, (len * width) as usize));
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
        for (name, element, len) in &kept.places {
            let (these, rest) = words.split_at_checked(*len).unwrap_or_default();
            self.machine.engine_mut().feed_from(name, *element, these)?;
            words = rest;
        }
        self.machine.note_cached(Cached { tokens: kept.tokens, ..kept.before });
        Ok(())
    }

    /// Takes what the network said of the next token, and goes on with the text or ends it.
    pub(super) fn finish_token(&mut self, mut writer: Writer, words: &[Vec<u32>]) {
        let mut words = words.iter().flatten().copied().collect::<Vec<u32>>();
        if let Some(kept) = &mut writer.kept {
            let all: usize = kept.places.iter().map(|(_, _, len)| len).sum();
            kept.words = words.split_off(words.len().saturating_sub(all));
        }
        let scores: Vec<f32> = words.into_iter().map(f32::from_bits).collect();
        writer.writing.take(&scores);
        let took = writer.note_token();
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
