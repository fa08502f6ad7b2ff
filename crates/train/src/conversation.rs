//! The worker's side of the protocol: what a request does, and what is told in return.

use std::rc::Rc;
use std::time::Duration;

use downhill_data::csv::{Progress, Reader};
use downhill_data::{Assets, Corpus, CorpusReader, Source};
use downhill_gpu::{DeviceOptions, GpuDevice};
use downhill_model::{Effect, Experiment, effect};
use downhill_protocol::{
    Arrays, Backend, BenchRequest, BenchResult, Command, Comparison, Event, Message, ProfileReport, Request, later,
};
use downhill_tensor::{NameMap, UserError};
use web_time::Instant;

use crate::bench;
use crate::chooser::{Chooser, LOOK_EVERY};
use crate::export;
use crate::session::Session;
use crate::session::edited::Edited;
use crate::session::next::Next;
use crate::verdict::standing::{Moment, Standing};

/// Time between two reports of a moving run.
const REPORT_EVERY: Duration = Duration::from_millis(33);

/// Bytes of a table that are read between two looks for messages: a few milliseconds.
const READ_AT_ONCE: usize = 200_000;

/// Slices of a text that are read before a request is answered: most texts are shorter, and their runs begin at once.
const SLICES_AT_ONCE: usize = 8;

/// Time between two reports of how far a table or a text has been read.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Time between two verdicts on a moving run.
const JUDGE_EVERY: Duration = Duration::from_millis(250);

/// The worker's side of the protocol: commands in, events out. Knows nothing of browsers.
#[derive(Default)]
pub struct Conversation {
    session: Option<Session>,
    files: Files,
    /// An experiment that waits for a file, or for its text to be read.
    waiting: Option<Waiting>,
    /// What trains; none where there is only the CPU.
    chooser: Option<Chooser>,
    reported: Option<(Instant, u64)>,
    /// Whether all is told of a run that rests.
    rested: bool,
    /// Runs of sessions before this one, so that run numbers only ever grow.
    runs: u32,
    events: Vec<Message<Event>>,
    /// A table that is being read for the page.
    reading: Option<Reading>,
    /// The verdict that is shown, when the rules were last asked, and where the time of verdicts begins.
    standing: Standing,
    judged: Option<Instant>,
    began: Option<Instant>,
}

/// What the page has sent, by name.
#[derive(Default)]
struct Files {
    bundled: NameMap<Vec<u8>>,
    own: NameMap<Vec<u8>>,
    /// Whether one of a person's own is not what the run was made of.
    replaced: bool,
    /// The text that was read last.
    corpus: Option<Rc<Corpus>>,
}

impl Files {
    /// Takes up a file; an own one may have been edited since the last time.
    fn put(&mut self, name: &str, own: bool, bytes: Vec<u8>) {
        let files = if own { &mut self.own } else { &mut self.bundled };
        if own && files.get(name).is_some_and(|old| *old != bytes) {
            self.replaced = true;
            self.corpus = None;
        }
        files.insert(name.to_string(), bytes);
    }

    fn has(&self, name: &str, own: bool) -> bool {
        if own { self.own.contains(name) } else { self.bundled.contains(name) }
    }
}

impl Assets for Files {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.bundled.get(name).cloned()
    }

    fn own(&self, name: &str) -> Result<Vec<u8>, UserError> {
        self.own.get(name).cloned().ok_or_else(|| UserError::new("The file is not here.").hint("Choose it again."))
    }

    fn corpus(&self) -> Option<Rc<Corpus>> {
        self.corpus.clone()
    }
}

struct Reading {
    id: u32,
    reader: Box<Reader>,
    told: Instant,
}

struct Waiting {
    id: u32,
    experiment: Box<Experiment>,
    notes: Vec<String>,
    fresh: bool,
    wants: Wants,
}

/// What an experiment waits for.
enum Wants {
    /// A file that the page was asked for.
    File(String),
    /// Its text, which is being read.
    Text(Box<CorpusReader>, Instant),
}

impl Conversation {
    /// A conversation without a run, on the CPU only: a load comes first.
    pub fn new() -> Self {
        Self::default()
    }

    /// A conversation that may train on a GPU too.
    pub fn with_gpu(options: DeviceOptions) -> Self {
        Self { chooser: Some(Chooser::new(options)), ..Self::default() }
    }

    /// Carries out a request; `Done` or `Error` follows under its number. What fails because the device was lost is done again on the CPU.
    pub async fn handle(&mut self, request: Message<Request>) {
        let id = request.header.id;
        let mut outcome = self.carry_out(&request).await;
        let lost = self.session.as_ref().and_then(Session::lost);
        if let (Err(_), Some(why), Some(session)) = (&outcome, lost, &mut self.session) {
            outcome = match session.fall_back(&why) {
                Ok(()) => self.carry_out(&request).await,
                Err(error) => Err(error),
            };
        }
        match outcome {
            Ok(true) => self.tell(Event::Done { id }),
            Ok(false) => {}
            Err(error) => self.tell(Event::Error { id: Some(id), error }),
        }
        self.report();
        self.rested = false;
    }

    /// A message that is none.
    pub fn garbled(&mut self, what: &str) {
        self.tell(Event::Error {
            id: None,
            error: UserError::new(format!("The worker received something that is no command: {what}.")),
        });
    }

    /// Trains and computes until the deadline at the latest, and sees to it that the better backend does.
    pub async fn advance(&mut self, deadline: Instant) -> Next {
        self.read_on();
        self.read_text().await;
        let next = self.train_on(deadline).await;
        let reads = matches!(self.waiting, Some(Waiting { wants: Wants::Text(..), .. }));
        if reads || self.reading.is_some() { Next::Now } else { next }
    }

    /// Reads some more of a table, whatever the run does.
    fn read_on(&mut self) {
        let Some(mut reading) = self.reading.take() else { return };
        match reading.reader.advance(READ_AT_ONCE) {
            Ok(Progress::Reading(done)) => {
                if reading.told.elapsed() >= TELL_EVERY {
                    reading.told = Instant::now();
                    self.tell(Event::Progress { id: reading.id, done });
                }
                self.reading = Some(reading);
            }
            Ok(Progress::Done(table)) => {
                self.tell(Event::TableProfile { id: reading.id, profile: Box::new(table.profile()) });
            }
            Err(error) => self.tell(Event::Error { id: Some(reading.id), error }),
        }
    }

    async fn train_on(&mut self, deadline: Instant) -> Next {
        let Some(session) = &mut self.session else { return Next::Rest };
        let mut look = None;
        if let Some(chooser) = &mut self.chooser {
            chooser.advance(session).await;
            look = chooser.is_busy(session).then(|| Instant::now() + LOOK_EVERY);
            // Told here, where the chooser knows of all that has happened to the device.
            if let Some(backends) = chooser.take_news(session) {
                self.events.append(&mut session.take_events());
                self.events.push(Message::new(Event::Backends(backends)));
            }
            if let (Some(look), true) = (look, chooser.wants_quiet()) {
                return Next::At(look);
            }
        }
        let next = match session.advance(deadline).await {
            Ok(next) => next,
            Err(error) => {
                session.pause();
                self.tell(Event::Error { id: None, error });
                Next::Rest
            }
        };
        let rests = next == Next::Rest;
        let due = if rests { !self.rested } else { self.reported.is_none_or(|(at, _)| at.elapsed() >= REPORT_EVERY) };
        if due {
            self.report();
        }
        self.rested = rests;
        // A verdict that waits for its turn wakes a run that rests.
        if rests && self.turn().is_some_and(|turn| turn <= Instant::now()) {
            self.judge();
        }
        let look = look.into_iter().chain(self.turn().filter(|_| rests)).min();
        match (next, look) {
            (Next::Rest, Some(look)) => Next::At(look),
            (Next::At(due), Some(look)) => Next::At(due.min(look)),
            _ => next,
        }
    }

    /// Waits until the device has done some of what it was given; at once where the CPU works.
    pub fn landing(&self) -> impl Future<Output = ()> + use<> {
        let landing = self.session.as_ref().map(Session::landing);
        async {
            if let Some(landing) = landing {
                landing.await;
            }
        }
    }

    /// Measures a workload for pages that speak no protocol.
    ///
    /// # Errors
    /// When there is no such workload, or no GPU where one was asked for.
    pub async fn bench(&mut self, request: &BenchRequest) -> Result<BenchResult, UserError> {
        let device = match request.backend {
            Backend::Cpu => None,
            Backend::Gpu => Some(self.device().await?),
        };
        later::run(|| bench::run(request, device.as_ref())).await
    }

    async fn device(&mut self) -> Result<GpuDevice, UserError> {
        let Some(chooser) = &mut self.chooser else {
            return Err(UserError::new("This build computes on the CPU only."));
        };
        chooser.device().await
    }

    /// What there is to tell since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Message<Event>> {
        self.collect();
        std::mem::take(&mut self.events)
    }

    fn tell(&mut self, event: Event) {
        self.events.push(Message::new(event));
    }

    fn collect(&mut self) {
        if let Some(session) = &mut self.session {
            self.events.append(&mut session.take_events());
        }
    }

    /// When the verdict that waits has its turn.
    fn turn(&self) -> Option<Instant> {
        self.standing.due().zip(self.began).map(|(due, began)| began + due)
    }

    /// New points of the curves and the status.
    fn report(&mut self) {
        let Some(session) = &mut self.session else { return };
        self.reported = Some((Instant::now(), session.step_count()));
        self.events.append(&mut session.take_events());
        for replace in [true, false] {
            let mut arrays = Arrays::default();
            let run = session.run_number();
            if let Some(chunk) = session.reports.take_points(run, replace, &mut arrays) {
                self.events.push(arrays.with(Event::Series(chunk)));
            }
        }
        self.events.push(Message::new(Event::Status(session.status())));
        self.judge();
    }

    /// Asks the rules how the run is doing, a few times a second while it moves, and tells what has stood its time.
    fn judge(&mut self) {
        let Some(session) = &mut self.session else { return };
        let moves = session.is_running();
        if moves && self.judged.is_some_and(|at| at.elapsed() < JUDGE_EVERY) {
            return;
        }
        let now = Instant::now();
        self.judged = Some(now);
        let time = now - *self.began.get_or_insert(now);
        let (found, guesses) = session.judged();
        if let Some(verdict) = self.standing.offer(found, Moment { time, moves, guesses }) {
            let verdict = session.with_a_fix_that_works(verdict);
            self.events.push(Message::new(Event::Verdict(verdict)));
        }
    }

    /// Whether `Done` is to be said now; otherwise an event that carries the number follows.
    async fn carry_out(&mut self, request: &Message<Request>) -> Result<bool, UserError> {
        let id = request.header.id;
        match &request.header.command {
            Command::Load { experiment, fresh } => return self.load(id, experiment, *fresh).await,
            Command::Asset { name, own, bytes } => {
                self.files.put(name, *own, request.blob(*bytes).to_vec());
                return self.take_up_waiting(name, *own).await;
            }
            Command::ReadTable { file, bytes, fields, seed } => {
                let bytes = bytes.map(|bytes| request.blob(bytes).to_vec());
                return self.read_table(id, file, bytes, fields, *seed).await;
            }
            Command::CancelTable => self.stop_reading(),
            Command::Restore { bytes } => {
                let bytes = request.blob(*bytes);
                let saved = Session::saved_experiment(bytes)?;
                code_of(&saved).await?;
                // What runs now is what is on screen: the copy goes on with that, where its weights mean the same there.
                let shown = self.session.as_ref().map(|session| session.experiment().clone());
                if shown.as_ref().is_some_and(|shown| effect(&saved, shown) == Effect::Fresh) {
                    let error =
                        UserError::new("This is a copy of a run of another experiment, with other data or another seed.");
                    return Err(error.hint("Open that experiment first."));
                }
                let mut session = Session::restore(bytes, &self.files)?;
                if let Some(shown) = shown {
                    session.edit(shown, &self.files, false).await?;
                }
                self.adopt(session, Vec::new());
            }
            Command::Stop => {
                self.runs = self.session.take().map_or(self.runs, |s| s.run_number());
                self.waiting = None;
            }
            Command::Bench(bench) => {
                let result = self.bench(bench).await?;
                self.tell(Event::Benched(BenchResult { id, ..result }));
                return Ok(false);
            }
            Command::Choose(choice) => {
                if let Some(chooser) = &mut self.chooser {
                    chooser.choose(*choice);
                }
            }
            Command::Compare { steps } => {
                let device = self.device().await?;
                let session = self.loaded()?;
                let comparison = later::run(|| session.compare(&device, *steps)).await?;
                self.tell(Event::Compared(Comparison { id, ..comparison }));
                return Ok(false);
            }
            Command::LoseDevice => self.device().await?.destroy(),
            Command::Crash => panic!("crashed on request"),
            _ => return self.ask_session(request).await,
        }
        Ok(true)
    }

    async fn read_table(
        &mut self,
        id: u32,
        file: &str,
        bytes: Option<Vec<u8>>,
        fields: &str,
        seed: u32,
    ) -> Result<bool, UserError> {
        self.stop_reading();
        if let Some(bytes) = bytes {
            self.files.put(file, true, bytes);
        }
        let broken = |_| UserError::new("What was chosen for the table cannot be read.").hint("Start over with the table.");
        let fields: serde_json::Value = serde_json::from_str(fields).map_err(broken)?;
        let Source::Csv(source) = Source::from_json("csv", &fields)? else { return Ok(true) };
        let bytes = match source.text.as_str() {
            "" => self.files.own(file).map_err(|error| error.under("file"))?,
            text => text.as_bytes().to_vec(),
        };
        later::arrived().await?;
        let reader = Box::new(Reader::new(bytes, source.choices(seed)));
        self.reading = Some(Reading { id, reader, told: Instant::now() });
        Ok(false)
    }

    /// Gives up the table that is being read, if there is one.
    fn stop_reading(&mut self) {
        if let Some(earlier) = self.reading.take() {
            self.tell(Event::Done { id: earlier.id });
        }
    }

    fn loaded(&mut self) -> Result<&mut Session, UserError> {
        self.session.as_mut().ok_or_else(|| UserError::new("Nothing is loaded yet.").hint("Load an experiment first."))
    }

    async fn ask_session(&mut self, request: &Message<Request>) -> Result<bool, UserError> {
        let id = request.header.id;
        let session = self.loaded()?;
        match &request.header.command {
            Command::Start => session.start(),
            Command::Pause => session.pause(),
            Command::Step { n } => session.step(u64::from(*n)),
            Command::Reset => {
                session.reset().await?;
                let loaded = session.loaded();
                self.collect();
                self.events.push(loaded);
            }
            Command::Pace { steps_per_second } => session.set_pace(*steps_per_second),
            Command::Watch(watch) => {
                if !watch.input.is_at_once() {
                    later::arrived().await?;
                }
                session.watch(watch.clone());
            }
            Command::Unwatch { key } => session.unwatch(*key),
            Command::Generate(ask) => {
                later::arrived().await?;
                session.generate(id, ask.clone())?;
                return Ok(false);
            }
            Command::SetWeight { parameter, index, value } => session.set_weight(parameter, index, *value)?,
            Command::TableRow { row } => {
                let row = session.table_row(id, *row)?;
                self.tell(Event::TableRow(row));
                return Ok(false);
            }
            Command::Weights { bytes } => {
                let bytes = request.blob(*bytes);
                let (taken, refused) = later::run(|| session.take(bytes)).await?;
                self.tell(Event::Weights { id, taken, refused });
                return Ok(false);
            }
            Command::Export(what) => {
                let files = later::run(|| export::files(session, *what)).await?;
                let mut arrays = Arrays::default();
                let files = files.into_iter().map(|(name, bytes)| (name.to_string(), arrays.blob(bytes))).collect();
                self.events.push(arrays.with(Event::Exported { id, files }));
                return Ok(false);
            }
            Command::Save => {
                session.save(id)?;
                return Ok(false);
            }
            Command::Profile => {
                let report = later::run(|| session.profile()).await?;
                self.tell(Event::Profiled(ProfileReport { id, ..report }));
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    async fn load(&mut self, id: u32, text: &str, fresh: bool) -> Result<bool, UserError> {
        let parsed = Experiment::parse(text)?;
        let mut waiting = Waiting {
            id,
            experiment: Box::new(parsed.experiment),
            notes: parsed.notes,
            fresh,
            wants: Wants::File(String::new()),
        };
        if let Some(earlier) = self.waiting.take() {
            // What was to begin anew still is.
            waiting.fresh |= earlier.fresh;
            self.tell(Event::Done { id: earlier.id });
        }
        self.prepare(waiting).await
    }

    /// Takes up an experiment, or lets it wait for what is not there yet. Whether it was taken up.
    async fn prepare(&mut self, mut waiting: Waiting) -> Result<bool, UserError> {
        let data = &waiting.experiment.data;
        let own = data.reads_own_file();
        let missing = data.needs().into_iter().find(|name| !self.files.has(name, own)).map(str::to_string);
        if let Some(file) = missing {
            self.tell(Event::NeedAsset { name: file.clone(), own });
            self.waiting = Some(Waiting { wants: Wants::File(file), ..waiting });
            return Ok(false);
        }
        code_of(&waiting.experiment).await?;
        let reader = waiting.experiment.data.reading(&self.files).map_err(|error| of_data(&waiting.experiment, error))?;
        if let Some(mut reader) = reader {
            let corpus = (0..SLICES_AT_ONCE).find_map(|_| reader.advance(READ_AT_ONCE).transpose()).transpose();
            let Some(corpus) = corpus.map_err(|error| of_data(&waiting.experiment, error))? else {
                let done = reader.progress();
                self.tell(Event::Progress { id: waiting.id, done });
                waiting.wants = Wants::Text(Box::new(reader), Instant::now());
                self.waiting = Some(waiting);
                return Ok(false);
            };
            self.files.corpus = Some(Rc::new(corpus));
        }
        self.take_up(*waiting.experiment, waiting.notes, waiting.fresh).await?;
        Ok(true)
    }

    async fn take_up_waiting(&mut self, name: &str, own: bool) -> Result<bool, UserError> {
        let fits = |w: &mut Waiting| {
            matches!(&w.wants, Wants::File(file) if file == name) && w.experiment.data.reads_own_file() == own
        };
        let Some(waiting) = self.waiting.take_if(fits) else { return Ok(true) };
        let id = waiting.id;
        match self.prepare(waiting).await {
            Ok(true) => self.tell(Event::Done { id }),
            Ok(false) => {}
            Err(error) => self.tell(Event::Error { id: Some(id), error }),
        }
        Ok(true)
    }

    /// Reads some more of the text that an experiment waits for, whatever the run does, and takes the experiment up once it is read.
    async fn read_text(&mut self) {
        let reads = |waiting: &mut Waiting| matches!(waiting.wants, Wants::Text(..));
        let Some(mut waiting) = self.waiting.take_if(reads) else { return };
        let (id, experiment) = (waiting.id, &waiting.experiment);
        let Wants::Text(reader, told) = &mut waiting.wants else { return };
        let event = match reader.advance(READ_AT_ONCE) {
            Ok(None) => {
                let tells = told.elapsed() >= TELL_EVERY;
                if tells {
                    *told = Instant::now();
                    self.events.push(Message::new(Event::Progress { id, done: reader.progress() }));
                }
                self.waiting = Some(waiting);
                return;
            }
            Ok(Some(corpus)) => {
                self.files.corpus = Some(Rc::new(corpus));
                match self.take_up(*waiting.experiment, waiting.notes, waiting.fresh).await {
                    Ok(()) => Event::Done { id },
                    Err(error) => Event::Error { id: Some(id), error },
                }
            }
            Err(error) => Event::Error { id: Some(id), error: of_data(experiment, error) },
        };
        self.tell(event);
        self.report();
    }

    async fn take_up(&mut self, experiment: Experiment, notes: Vec<String>, fresh: bool) -> Result<(), UserError> {
        code_of(&experiment).await?;
        // An edit would keep the samples, for the experiment may be the same to the letter.
        let anew = experiment.data.reads_own_file() && std::mem::take(&mut self.files.replaced);
        let Some(session) = self.session.as_mut().filter(|_| !anew) else {
            let session = Session::new(experiment, &self.files)?;
            self.adopt(session, notes);
            return Ok(());
        };
        let edited = session.edit(experiment, &self.files, fresh).await?;
        self.standing.note_edit();
        if edited != Edited::Live {
            session.reports.note(notes);
            let loaded = session.loaded();
            self.collect();
            self.events.push(loaded);
        }
        Ok(())
    }

    /// Makes a session the one that is talked about; what was watched stays watched.
    fn adopt(&mut self, mut session: Session, notes: Vec<String>) {
        if let Some(old) = &mut self.session {
            self.runs = old.run_number();
            session.reports.watch_on(&mut old.reports);
        }
        session.run.number_after(self.runs);
        session.reports.note(notes);
        session.save_regularly();
        self.events.push(session.loaded());
        self.session = Some(session);
    }
}

/// An error of the data's fields, with their path in the experiment.
fn of_data(experiment: &Experiment, error: UserError) -> UserError {
    error.under(experiment.data.name()).under("data")
}

/// Waits for the code that an experiment needs beyond what is there from the start.
async fn code_of(experiment: &Experiment) -> Result<(), UserError> {
    if experiment.is_at_once() { Ok(()) } else { later::arrived().await }
}
