use std::time::Duration;

use downhill_compile::Region;
use downhill_data::{INPUT, Part, Plane};
use downhill_graph::StepScalars;
use downhill_model::ProgramKind;
use downhill_protocol::{Event, MapSource, Message, Watch};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::jobs::JobKind;
use crate::session::Session;

/// Points per side of a grid, and points of a line, at most.
const MAX_RESOLUTION: u32 = 256;
const MAX_POINTS: u32 = 4096;
/// A panel takes at most this share of the time: a frame that took long is followed by a longer pause.
const SHARE: u32 = 4;

/// The panels that are watched, and when each is due.
#[derive(Debug, Default)]
pub(crate) struct Panels {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    watch: Watch,
    due: Instant,
    /// The state that its last frame shows.
    shown: Option<(u64, u64)>,
    pending: bool,
    /// Inputs of its program; made once.
    inputs: Option<Inputs>,
    /// Parameters of the last frame, for the size of updates.
    before: Option<(u64, Vec<f32>)>,
}

impl Panels {
    /// Watches a panel; an earlier watch of the same panel is replaced.
    pub fn watch(&mut self, watch: Watch, now: Instant) {
        self.unwatch(&watch.panel);
        self.watched.push(Watched { watch, due: now, shown: None, pending: false, inputs: None, before: None });
    }

    /// Stops watching a panel.
    pub fn unwatch(&mut self, panel: &str) {
        self.watched.retain(|w| w.watch.panel != panel);
    }

    /// Forgets what was made for the model of before; nothing of it may be under way.
    pub fn forget(&mut self) {
        for watched in &mut self.watched {
            (watched.shown, watched.inputs, watched.before, watched.pending) = (None, None, None, false);
        }
    }

    /// When the next panel that does not show `state` is due.
    pub fn next_due(&self, state: (u64, u64)) -> Option<Instant> {
        self.watched.iter().filter(|w| w.shown != Some(state) && !w.pending).map(|w| w.due).min()
    }

    /// A frame was finished; the next comes after the time that the panel asked for, later where it took long.
    pub fn finished(&mut self, panel: &str, started: Instant) {
        if let Some(w) = self.watched.iter_mut().find(|w| w.watch.panel == panel) {
            w.pending = false;
            let every = w.watch.every_ms.clamp(0.0, 60_000.0) / 1000.0;
            w.due =
                started + (started.elapsed() * SHARE).max(Duration::from_secs_f64(if every.is_finite() { every } else { 0.0 }));
        }
    }

    /// Remembers the parameters of a frame and returns those of the frame before with its step.
    pub fn exchange_parameters(&mut self, panel: &str, step: u64, parameters: Vec<f32>) -> Option<(u64, Vec<f32>)> {
        let watched = self.watched.iter_mut().find(|w| w.watch.panel == panel)?;
        watched.before.replace((step, parameters))
    }
}

/// What a forward pass is given: the words of each input, row after row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    fields: Vec<(String, Vec<u32>)>,
}

impl Inputs {
    /// Rows of numbers, for a network with one input.
    fn rows(values: Vec<f32>) -> Self {
        Self { fields: vec![(INPUT.to_string(), values.into_iter().map(f32::to_bits).collect())] }
    }

    /// The numbers of the first input.
    pub fn first(&self) -> Vec<f32> {
        self.fields.first().map(|(_, words)| words.iter().map(|word| f32::from_bits(*word)).collect()).unwrap_or_default()
    }
}

/// A frame in the making.
#[derive(Debug)]
pub(crate) struct PanelJob {
    /// Who asked.
    pub answer: Answer,
    /// What was asked.
    pub source: MapSource,
    /// How the words that come back are to be read.
    pub layout: ReadLayout,
    /// Inputs that the answer refers to.
    pub inputs: Inputs,
    /// When it was queued.
    pub started: Instant,
    /// The run it belongs to.
    pub run: u32,
}

/// Who gets an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A panel.
    Panel(String),
    /// A request for one prediction.
    Request(u32),
}

/// Outputs of several runs of a program over chunks of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLayout {
    /// Name and elements per row of each output.
    pub outputs: Vec<(String, usize)>,
    /// Rows in all.
    pub rows: usize,
    /// Rows per run.
    pub chunk: usize,
}

impl ReadLayout {
    /// Puts the chunks together: every output as `[rows, width]`.
    pub fn gather(&self, reads: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let mut outputs: Vec<Vec<f32>> = self.outputs.iter().map(|(_, width)| Vec::with_capacity(width * self.rows)).collect();
        for (i, words) in reads.iter().enumerate() {
            let rows = self.rows.saturating_sub(i * self.chunk).min(self.chunk);
            let mut at = 0;
            for (output, (_, width)) in outputs.iter_mut().zip(&self.outputs) {
                output.extend(words.iter().skip(at).take(rows * width).map(|w| f32::from_bits(*w)));
                at += self.chunk * width;
            }
        }
        outputs
    }
}

impl Session {
    /// Sends a panel's data from now on.
    pub fn watch(&mut self, watch: Watch) {
        self.panels.watch(watch, Instant::now());
    }

    /// Stops sending a panel's data.
    pub fn unwatch(&mut self, panel: &str) {
        self.panels.unwatch(panel);
    }

    /// Queues the network's answer for one raw input.
    ///
    /// # Errors
    /// When the input does not have as many numbers as the data.
    pub fn predict(&mut self, id: u32, values: &[f32]) -> Result<(), UserError> {
        let source = MapSource::Draft { values: values.to_vec() };
        let inputs = self.encode(values)?;
        self.queue_panel(Answer::Request(id), source, inputs)
    }

    /// Queues one panel that is due. Says whether there was one.
    pub(crate) fn queue_panels(&mut self, now: Instant) -> Result<bool, UserError> {
        let state = self.shown_state();
        let due = self.panels.watched.iter_mut().find(|w| w.due <= now && w.shown != Some(state) && !w.pending);
        let Some(watched) = due else { return Ok(false) };
        (watched.shown, watched.pending) = (Some(state), true);
        let (panel, source, inputs) = (watched.watch.panel.clone(), watched.watch.source.clone(), watched.inputs.clone());
        let inputs = match inputs {
            Some(inputs) => Some(inputs),
            None => self.inputs_of(&source),
        };
        // What cannot be shown for this data (a map of something that is no plane) stays silent.
        let Some(inputs) = inputs else { return Ok(false) };
        if let Some(watched) = self.panels.watched.iter_mut().find(|w| w.watch.panel == panel) {
            watched.inputs = Some(inputs.clone());
        }
        match self.queue_panel(Answer::Panel(panel), source, inputs) {
            // Its program does not fit: the panel counts as pending until the next edit, and training goes on without it.
            Err(error) if self.engine.lost().is_none() => self.events.push(Message::new(Event::Error { id: None, error })),
            queued => queued?,
        }
        Ok(true)
    }

    /// Inputs of a panel's program; `None` where the panel makes no sense for this data.
    fn inputs_of(&self, source: &MapSource) -> Option<Inputs> {
        let Some(plane) = &self.data.plane else {
            return match source {
                MapSource::Grid { .. } | MapSource::Line { .. } => None,
                MapSource::Draft { values } => self.encode(values).ok(),
                MapSource::Validation { .. } => Some(self.inputs_of_part(self.shown_table())),
                MapSource::Weights | MapSource::Stats => Some(Inputs::default()),
            };
        };
        match *source {
            MapSource::Grid { resolution, low, high, .. } => {
                Some(Inputs::rows(grid(plane, resolution.clamp(2, MAX_RESOLUTION), low, high)))
            }
            MapSource::Line { points, low, high } => {
                let points = points.clamp(2, MAX_POINTS);
                let at = |i| plane.encode_point(between(low, high, i, points), 0.0);
                Some(Inputs::rows((0..points).flat_map(at).collect()))
            }
            MapSource::Draft { ref values } => self.encode(values).ok(),
            MapSource::Validation { .. } => Some(self.inputs_of_part(self.shown_table())),
            MapSource::Weights | MapSource::Stats => Some(Inputs::default()),
        }
    }

    /// All samples of a part.
    fn inputs_of_part(&self, part: &Part) -> Inputs {
        let feeds = self.checked.feeds();
        let fields = feeds.iter().filter(|feed| !feed.target).filter_map(|feed| {
            let mut words = part.field(&feed.name)?.column.words(0, usize::MAX);
            feed.encoding.encode(&mut words);
            Some((feed.name.clone(), words))
        });
        Inputs { fields: fields.collect() }
    }

    /// The samples that predictions are shown for: those held out, or, where there are none, those learned from.
    pub(crate) fn shown_table(&self) -> &Part {
        self.data.shown()
    }

    /// A raw input as the network wants it: a point of the plane, or one number per feature.
    fn encode(&self, values: &[f32]) -> Result<Inputs, UserError> {
        if self.data.inputs != [INPUT] {
            return Err(UserError::new("The network takes more than one row of numbers, so none can be tried out."));
        }
        let features = self.checked.signature.features();
        let coordinates = match self.data.plane {
            Some(Plane::Line(_)) => 1,
            Some(_) => 2,
            None => features,
        };
        if values.iter().any(|v| !v.is_finite()) {
            return Err(UserError::new("The input holds something that is not a number."));
        }
        match &self.data.plane {
            Some(plane) if values.len() == coordinates => {
                Ok(Inputs::rows(plane.encode_point(values[0], values.get(1).copied().unwrap_or(0.0))))
            }
            _ if values.len() == features => Ok(Inputs::rows(self.data.normalisation.input(values))),
            _ => Err(UserError::new(format!("The input has {} numbers; the network takes {coordinates}.", values.len()))),
        }
    }

    fn queue_panel(&mut self, answer: Answer, source: MapSource, inputs: Inputs) -> Result<(), UserError> {
        let started = Instant::now();
        let only_answer = matches!(answer, Answer::Request(_));
        let job = PanelJob { answer, source, layout: ReadLayout::default(), inputs: Inputs::default(), started, run: self.run };
        self.begin_job(JobKind::Panel(Box::new(job)));
        let source = match self.jobs.back().map(|j| &j.kind) {
            Some(JobKind::Panel(job)) => job.source.clone(),
            _ => return Ok(()),
        };
        let queued = self.queue_outputs(&source, &inputs, only_answer);
        // Words that are read go to the job in front: one that asked for nothing would take those of the next.
        if queued.is_err() && self.jobs.back().is_some_and(|job| job.reads == 0) {
            self.jobs.pop_back();
        }
        let layout = queued?;
        if let Some(JobKind::Panel(job)) = self.jobs.back_mut().map(|j| &mut j.kind) {
            (job.layout, job.inputs) = (layout, inputs);
        }
        Ok(())
    }

    /// Queues what a source shows, for the job begun last; of a drawn input `only_answer` leaves out the layers.
    fn queue_outputs(&mut self, source: &MapSource, inputs: &Inputs, only_answer: bool) -> Result<ReadLayout, UserError> {
        match source {
            MapSource::Weights => {
                let [parameters, _] = self.state_regions();
                self.read_for_job(&[parameters])?;
                Ok(ReadLayout::default())
            }
            MapSource::Stats => self.queue_stats(),
            MapSource::Grid { output_only: false, .. } => self.queue_rows(inputs, true),
            MapSource::Grid { .. } | MapSource::Line { .. } | MapSource::Validation { .. } => self.queue_rows(inputs, false),
            MapSource::Draft { .. } => self.queue_rows(inputs, !only_answer),
        }
    }

    /// Queues the network's answer to all rows of `inputs`, after what every layer gives where that is wanted.
    fn queue_rows(&mut self, inputs: &Inputs, every_layer: bool) -> Result<ReadLayout, UserError> {
        let feeds = self.checked.feeds();
        let width = |name: &str| feeds.iter().find(|feed| feed.name == name).map_or(1, |feed| feed.width().max(1));
        let fields: Vec<(String, usize, &[u32])> =
            inputs.fields.iter().map(|(name, words)| (format!("rows.{name}"), width(name), words.as_slice())).collect();
        let rows = fields.first().map_or(0, |(_, width, words)| words.len() / width);
        let chunk = self.programs.panel_rows(rows, every_layer, self.engine.backend());
        let program = self.program(&if every_layer {
            ProgramKind::inspect(chunk, self.paths().chain(["output"]))
        } else {
            ProgramKind::Predict { rows: chunk }
        })?;
        let regions: Vec<Region> = program.outputs.iter().map(|o| o.region).collect();
        let scalars = StepScalars { seed: self.checked.experiment.seed, ..StepScalars::default() };
        for start in (0..rows).step_by(chunk) {
            let end = rows.min(start + chunk);
            for (name, width, words) in &fields {
                self.engine.feed(name, 0, words.get(start * width..end * width).unwrap_or(&[]))?;
            }
            self.engine.submit(program.id, &[scalars])?;
            self.read_for_job(&regions)?;
        }
        let outputs = program.outputs.iter().map(|o| (o.name.clone(), o.region.len as usize / chunk)).collect();
        Ok(ReadLayout { outputs, rows, chunk })
    }

    /// Paths of all layers.
    fn paths(&self) -> impl Iterator<Item = &str> {
        self.checked.summary.layers.iter().map(|layer| layer.path.as_str())
    }

    /// Queues what the layers give and what gradients the parameters have in the next step, after the parameters. Every output counts as
    /// one row.
    fn queue_stats(&mut self) -> Result<ReadLayout, UserError> {
        let parameters = self.engine.layout().entries.iter().map(|entry| format!("grad:{}", entry.name));
        let kind = self.batch_program(self.paths().map(String::from).chain(parameters));
        self.program(&kind)?;
        let [parameters, _] = self.state_regions();
        self.read_for_job(&[parameters])?;
        let regions = self.inspect_step(self.queued, &kind)?;
        let outputs = regions.iter().map(|(name, region)| (name.clone(), region.len as usize)).collect();
        let regions: Vec<Region> = regions.into_iter().map(|(_, region)| region).collect();
        self.read_for_job(&regions)?;
        Ok(ReadLayout { outputs, rows: 1, chunk: 1 })
    }

    /// The inspection of a training step's batch that outputs these tensors.
    fn batch_program(&self, tensors: impl Iterator<Item = String>) -> ProgramKind {
        ProgramKind::Inspect {
            rows: self.checked.experiment.training.batch_size,
            tensors: tensors.collect(),
            with_gradients: true,
        }
    }

    /// The inspection of a training step that leaves nothing out: the loss, every layer's activation under its path, gradients under
    /// `grad:<path>` and `grad:<parameter>`.
    pub(crate) fn whole_step(&self) -> ProgramKind {
        let named: Vec<String> = self.paths().map(String::from).collect();
        let parameters = self.engine.layout().entries.iter().map(|entry| entry.name.clone());
        let gradients = named.iter().cloned().chain(parameters).map(|name| format!("grad:{name}"));
        self.batch_program(["loss".to_string()].into_iter().chain(named.clone()).chain(gradients))
    }

    /// Everything that the next step computes, without taking it: the loss, every layer's activation under its path, gradients under
    /// `grad:<path>` and `grad:<parameter>`.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn probe(&mut self) -> Result<Vec<(String, Vec<f32>)>, UserError> {
        self.settle().await?;
        let outputs = self.inspect_step(self.queued, &self.whole_step())?;
        let regions: Vec<Region> = outputs.iter().map(|(_, region)| *region).collect();
        let words = self.engine.fetch(&regions).await?;
        let mut rest = words.into_iter().map(f32::from_bits);
        Ok(outputs.into_iter().map(|(name, region)| (name, rest.by_ref().take(region.len as usize).collect())).collect())
    }

    /// Queues an inspection of the batch of a step, with that step's scalars, and says where its outputs will lie. Nothing is updated.
    pub(crate) fn inspect_step(&mut self, step: u64, kind: &ProgramKind) -> Result<Vec<(String, Region)>, UserError> {
        let program = self.program(kind)?;
        let fields = self.batches.samples(&self.checked, &self.data, self.engine.layout(), step);
        for (name, words) in &fields {
            self.engine.feed(&format!("batch.{name}"), 0, words)?;
        }
        self.engine.submit(program.id, &[self.checked.experiment.step_scalars_since(step, self.slots_since)])?;
        Ok(program.outputs.into_iter().map(|o| (o.name, o.region)).collect())
    }
}

/// Value `i` of `n` spread evenly from `low` to `high`.
pub(crate) fn between(low: f32, high: f32, i: u32, n: u32) -> f32 {
    low + (high - low) * (i as f32 / (n.max(2) - 1) as f32)
}

/// Inputs over a square grid, first row at the largest y.
fn grid(plane: &Plane, resolution: u32, low: f32, high: f32) -> Vec<f32> {
    let at = |i| between(low, high, i, resolution);
    let rows = (0..resolution).rev();
    rows.flat_map(|row| (0..resolution).flat_map(move |column| plane.encode_point(at(column), at(row)))).collect()
}
