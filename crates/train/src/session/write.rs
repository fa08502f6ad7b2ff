//! Texts that the network continues: one token is one run of a program between training steps, so that a run goes on while it writes. Which
//! token is picked says `reports/writing.rs`.

use std::rc::Rc;

use downhill_compile::Region;
use downhill_model::ProgramKind;
use downhill_protocol::{Event, Generate, Generated, LIKELIEST, Message, Speed, Watch};
use downhill_tensor::{NameMap, UserError};
use web_time::Instant;

use super::Session;
use super::answer::Named;
use super::job::JobKind;
use crate::reports::writers::{Whom, Writer};
use crate::reports::writing::Writing;

impl Session {
    /// Continues a text; told as [`Event::Generated`] under this number.
    ///
    /// # Errors
    /// When the data is no text, or the prompt cannot be read.
    pub fn generate(&mut self, id: u32, ask: Generate) -> Result<(), UserError> {
        self.begin_text(Whom::Request(id), ask)
    }

    /// Begins a text that is watched.
    pub(super) fn watch_text(&mut self, watch: &Rc<Watch>, ask: &Generate) -> Result<(), UserError> {
        self.begin_text(Whom::Watch(watch.clone(), self.run.number(), self.run.queued()), ask.clone())
    }

    fn begin_text(&mut self, whom: Whom, ask: Generate) -> Result<(), UserError> {
        let writing = Writing::new(ask, self.run.data())?;
        self.reports.writers().begin(Writer::new(whom, writing));
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
        let scores = self.run.checked().last().map(String::from);
        let program = match self.program(&ProgramKind::inspect(1, scores)) {
            Ok(program) => program,
            Err(error) if self.lost().is_none() => {
                self.refuse_text(&writer, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (window, places) = writer.writing.window();
        let classes = self.run.checked().signature.outputs as u32;
        let outputs = program.outputs.iter().map(|output| output.region);
        let (from, len) = (places.start as u32 * classes, places.len() as u32 * classes);
        let regions: Vec<Region> = outputs.map(|all| Region { offset: all.offset + from, len, ..all }).collect();
        let fed = self.run.data().inputs.first().map(|name| format!("rows.{name}")).unwrap_or_default();
        let scalars = self.run.plain_scalars();
        writer.asked = Instant::now();
        self.pipeline.begin_job(JobKind::Token(Box::new(writer)), self.run.queued());
        let engine = self.machine.engine_mut();
        engine.feed(&fed, 0, &window)?;
        engine.submit(program.id, &[scalars])?;
        self.pipeline.read_for_job(engine, &regions)
    }

    /// Takes what the network said of the next token, and goes on with the text or ends it.
    pub(super) fn finish_token(&mut self, mut writer: Writer, words: &[Vec<u32>]) {
        let scores: Vec<f32> = words.iter().flatten().map(|word| f32::from_bits(*word)).collect();
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
        ("speed", (vec![2], vec![speed.first_token_ms, speed.tokens_per_second])),
    ];
    named.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect()
}
