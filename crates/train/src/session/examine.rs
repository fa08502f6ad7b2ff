//! A look at the layers for a verdict: some training samples run through the network, and the weights are read with the gradients that the
//! last step left.

use downhill_compile::{Region, Space};
use downhill_model::{ATTENTION_WEIGHTS, Layer, LayerSummary, ProgramKind};
use downhill_protocol::Part;
use downhill_tensor::UserError;
use web_time::Instant;

use super::Session;
use super::job::JobKind;
use crate::reports::rows::Rows;
use crate::reports::signs::ExamineJob;
use crate::reports::watches::ReadLayout;
use crate::verdict::examination::{Examination, Heads, OverTime, Units, Weights};

/// Samples that run through the network, and how few of them still say something where there is no room for all.
const SAMPLES: usize = 256;
const LEAST: usize = 24;
/// The recurrent layer whose cells have no gates.
const PLAIN: &str = "rnn";
/// Heads of an attention for which there is room.
const HEADS: usize = 8;
/// Numbers that are read at most; of a network that has more, this part is not looked at.
const MOST: usize = 1 << 20;

impl Session {
    /// Whether the layers are to be looked at now.
    pub(crate) fn examination_due(&mut self, now: Instant) -> bool {
        self.known();
        let drive = self.run.drive();
        let (rests, watched) = (!drive.running(), drive.paced());
        self.run.diverged_at().is_none() && self.reports.signs().wants_examination(self.run.queued(), rests, watched, now)
    }

    /// Queues a look at the layers. Says whether there is anything to look at; where it cannot be had the run goes on without.
    pub(crate) fn queue_examination(&mut self, now: Instant) -> Result<bool, UserError> {
        self.reports.signs_mut().note_looking(self.run.queued(), now);
        match self.try_examination() {
            Err(error) if self.lost().is_some() => Err(error),
            Ok(true) => Ok(true),
            Ok(false) | Err(_) => {
                self.reports.signs_mut().give_up();
                Ok(false)
            }
        }
    }

    fn try_examination(&mut self) -> Result<bool, UserError> {
        let (kind, rows) = self.inside();
        let back = self.over_time().map(|(layer, kind)| ((layer.title(), layer.name != PLAIN), kind));
        let offsets = &self.machine.layout().offsets;
        let (parameters, gradients, len) = (offsets.parameters, offsets.gradients, offsets.parameter_len);
        let weights = len as usize <= MOST / 2;
        // Compiled before anything is queued: where that fails nothing waits for words that never come.
        for kind in kind.iter().chain(back.as_ref().map(|(_, kind)| kind)) {
            self.program(kind)?;
        }
        if kind.is_none() && back.is_none() && !weights {
            return Ok(false);
        }
        self.pipeline.begin_job(JobKind::Examine(ExamineJob { weights, ..ExamineJob::default() }), self.run.queued());
        if weights {
            let region = |offset| Region { space: Space::Arena, offset, len };
            self.pipeline.read_for_job(self.machine.engine_mut(), &[region(parameters), region(gradients)])?;
        }
        if let Some(((title, gated), kind)) = back {
            let outputs = self.inspect_step((self.run.queued(), 0), &kind)?;
            let regions: Vec<Region> = outputs.into_iter().map(|(_, region)| region).collect();
            self.pipeline.read_for_job(self.machine.engine_mut(), &regions)?;
            let shape = self.program(&kind)?.outputs.first().map(|o| words(&o.shape)).unwrap_or_default();
            if let Some(JobKind::Examine(job)) = self.pipeline.last_job() {
                job.over_time = Some((title, gated, shape));
            }
        }
        if let Some(kind) = kind {
            self.queue_samples(&kind, rows)?;
        }
        Ok(true)
    }

    /// The program that gives what hidden activations give, and what heads look at, for some samples, and for how many; attention is left out
    /// where there is no room for it.
    fn inside(&self) -> (Option<ProgramKind>, usize) {
        let hidden: Vec<(String, usize)> = self.activations().map(|layer| (layer.path.clone(), units(layer))).collect();
        let layers = &self.run.checked().summary.layers;
        let attentions = layers.iter().filter(|layer| layer.inner.iter().any(|inner| inner == ATTENTION_WEIGHTS));
        // Of the sequences that it reads the longer one, which may be the one that it looks at.
        let steps = |layer: &LayerSummary| {
            let of = |path: &String| layers.iter().find(|l| l.path == *path).and_then(|l| l.shape.first().copied());
            let own = layer.shape.first().copied();
            (own.unwrap_or_default(), layer.reads.iter().filter_map(of).chain(own).max().unwrap_or_default())
        };
        let weights = |(queries, keys): (usize, usize)| HEADS * queries * keys;
        let heads = attentions.map(|layer| (format!("{}.{ATTENTION_WEIGHTS}", layer.path), weights(steps(layer))));
        let all: Vec<(String, usize)> = hidden.iter().cloned().chain(heads).collect();
        for tensors in [all, hidden] {
            let numbers: usize = tensors.iter().map(|(_, numbers)| numbers).sum();
            let rows = SAMPLES.min(MOST / numbers.max(1));
            if !tensors.is_empty() && rows >= LEAST {
                let tensors = tensors.into_iter().map(|(name, _)| name).collect();
                return (
                    Some(ProgramKind::Inspect { rows, tensors, with_gradients: false }),
                    rows.min(self.run.data().train.len()),
                );
            }
        }
        (None, 0)
    }

    /// The program that gives the gradient by each step of a sequence which a recurrent layer reads, and that layer. Only of one
    /// that gives its last state: what comes from there has to come all the way back.
    fn over_time(&self) -> Option<(&LayerSummary, ProgramKind)> {
        let checked = self.run.checked();
        let cell = |layer: &Layer| {
            let fields = layer.to_full_value();
            ["rnn", "lstm", "gru"].iter().any(|name| fields[*name]["output"] == "last")
        };
        let at = checked.experiment.model.iter().position(cell)?;
        let layer = checked.summary.layers.iter().find(|layer| layer.path == format!("model[{at}]"))?;
        let tensors = vec![format!("grad:{}", layer.reads.first()?)];
        let rows = checked.experiment.training.batch_size;
        Some((layer, ProgramKind::Inspect { rows, tensors, with_gradients: true }))
    }

    /// Runs training samples, spread evenly over the set, through the program of a look.
    fn queue_samples(&mut self, kind: &ProgramKind, rows: usize) -> Result<(), UserError> {
        let train = self.run.data().train.len();
        let picks = (0..rows).map(|i| (i * train / rows.max(1)) as u32).collect();
        let samples = Rows::samples(self.run.data(), Part::Train, Some(picks))?;
        for (field, words) in samples.feeds(self.run.checked(), self.run.data(), 0..rows, false) {
            self.machine.engine_mut().feed(&format!("rows.{field}"), 0, &words)?;
        }
        let program = self.program(kind)?;
        let scalars = self.run.plain_scalars();
        self.machine.engine_mut().submit(program.id, &[scalars])?;
        let regions: Vec<Region> = program.outputs.iter().map(|o| o.region).collect();
        self.pipeline.read_for_job(self.machine.engine_mut(), &regions)?;
        let outputs = program.outputs.iter().map(|o| (o.name.clone(), words(&o.shape))).collect();
        if let (Some(JobKind::Examine(job)), ProgramKind::Inspect { rows: chunk, .. }) = (self.pipeline.last_job(), kind) {
            job.layout = ReadLayout { outputs, rows, chunk: *chunk };
        }
        Ok(())
    }

    /// Takes note of what a look has read.
    pub(crate) fn finish_examination(&mut self, job: ExamineJob, step: u64, mut reads: Vec<Vec<u32>>) {
        let state = if job.weights && !reads.is_empty() { reads.remove(0) } else { Vec::new() };
        let back = job.over_time.filter(|_| !reads.is_empty()).map(|told| (told, reads.remove(0)));
        let over_time = back.and_then(|((title, gated, shape), words)| {
            OverTime::look(title, gated, &shape, &words.into_iter().map(f32::from_bits).collect::<Vec<f32>>())
        });
        let (mut units, mut heads) = (Vec::new(), Vec::new());
        for ((path, shape), values) in job.layout.outputs.iter().zip(job.layout.gather(&reads)) {
            let layers = &self.run.checked().summary.layers;
            let attention = path.strip_suffix(ATTENTION_WEIGHTS).and_then(|path| path.strip_suffix('.'));
            let layer = layers.iter().find(|layer| layer.path == attention.unwrap_or(path));
            match attention {
                Some(_) => heads.extend(layer.map(|layer| Heads::look(layer.title(), shape, &values))),
                None => units.extend(layer.map(|layer| Units::look(layer, &values))),
            }
        }
        let weights = self.weights_of_layers(&state);
        let examination = Examination { step, samples: job.layout.rows, units, weights, heads, over_time };
        self.reports.signs_mut().layers = Some(examination);
    }

    /// Hidden activations of vectors and of pictures, from input to output.
    fn activations(&self) -> impl Iterator<Item = &LayerSummary> {
        let names = Layer::activations();
        let layers = &self.run.checked().summary.layers;
        let hidden = layers.split_last().map_or(&[][..], |(_, hidden)| hidden);
        hidden.iter().filter(move |layer| names.contains(&layer.name) && [1, 3].contains(&layer.shape.len()))
    }

    /// Every matrix of weights that is learned, in the words of parameters and gradients.
    fn weights_of_layers(&self, words: &[u32]) -> Vec<Weights> {
        let layout = self.machine.layout();
        let (parameters, gradients) = words.split_at(words.len() / 2);
        let numbers = |words: &[u32], from: u32, len: u32| -> Vec<f32> {
            words.iter().skip(from as usize).take(len as usize).map(|w| f32::from_bits(*w)).collect()
        };
        let look = |layer: &LayerSummary| {
            let (name, shape) = layer.parameters.iter().find(|(_, shape)| shape.len() == 2 && [shape[0]] == *layer.shape)?;
            let entry = layout.entry(name).filter(|_| !words.is_empty())?;
            let values = numbers(parameters, entry.offset, entry.len);
            let bias = layer.parameters.iter().find(|(_, bias)| *bias == layer.shape).and_then(|(name, _)| layout.entry(name));
            let biases = bias.map(|bias| numbers(gradients, bias.offset, bias.len)).unwrap_or_default();
            Some(Weights::look(layer, shape[0], &values, [&biases, &numbers(gradients, entry.offset, entry.len)]))
        };
        let checked = self.run.checked();
        let learns = |layer: &&LayerSummary| !checked.experiment.training.freezes(&layer.path);
        checked.summary.layers.iter().filter(learns).filter_map(look).collect()
    }
}

fn words(shape: &[usize]) -> Vec<u32> {
    shape.iter().map(|&n| n as u32).collect()
}

/// Numbers that a layer gives for a sample.
fn units(layer: &LayerSummary) -> usize {
    layer.shape.iter().product()
}
