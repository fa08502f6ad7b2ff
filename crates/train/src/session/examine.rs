//! A look at the layers for a verdict: some training samples run through the network, and the weights are read with the gradients that the
//! last step left.

use downhill_compile::{Region, Space};
use downhill_model::{Layer, LayerSummary, ProgramKind};
use downhill_protocol::Part;
use downhill_tensor::UserError;
use web_time::Instant;

use super::Session;
use super::job::JobKind;
use crate::reports::rows::Rows;
use crate::reports::signs::ExamineJob;
use crate::reports::watches::ReadLayout;
use crate::verdict::examination::{Examination, Units, Weights};

/// Samples that run through the network.
const SAMPLES: usize = 256;
/// Numbers that are read at most; of a network that has more, this part is not looked at.
const MOST: usize = 1 << 20;

impl Session {
    /// Whether the layers are to be looked at now.
    pub(crate) fn examination_due(&mut self, now: Instant) -> bool {
        self.baseline();
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
        let hidden: Vec<String> = self.activations().map(|layer| layer.path.clone()).collect();
        let numbers: usize = self.activations().map(units).sum();
        let rows = SAMPLES.min(self.run.data().train.len());
        let inside = !hidden.is_empty() && numbers.saturating_mul(SAMPLES) <= MOST;
        let offsets = &self.machine.layout().offsets;
        let (parameters, gradients, len) = (offsets.parameters, offsets.gradients, offsets.parameter_len);
        let weights = len as usize <= MOST / 2;
        let kind = ProgramKind::Inspect { rows: SAMPLES, tensors: hidden, with_gradients: false };
        if inside {
            self.program(&kind)?;
        }
        if !inside && !weights {
            return Ok(false);
        }
        self.pipeline.begin_job(JobKind::Examine(ExamineJob { weights, ..ExamineJob::default() }), self.run.queued());
        if weights {
            let region = |offset| Region { space: Space::Arena, offset, len };
            self.pipeline.read_for_job(self.machine.engine_mut(), &[region(parameters), region(gradients)])?;
        }
        if inside {
            self.queue_samples(&kind, rows)?;
        }
        Ok(true)
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
        let shape = |shape: &[usize]| shape.iter().map(|&n| n as u32).collect();
        let outputs = program.outputs.iter().map(|o| (o.name.clone(), shape(&o.shape))).collect();
        if let Some(JobKind::Examine(job)) = self.pipeline.last_job() {
            job.layout = ReadLayout { outputs, rows, chunk: SAMPLES };
        }
        Ok(())
    }

    /// Takes note of what a look has read.
    pub(crate) fn finish_examination(&mut self, job: ExamineJob, step: u64, mut reads: Vec<Vec<u32>>) {
        let state = if job.weights && !reads.is_empty() { reads.remove(0) } else { Vec::new() };
        let mut units = Vec::new();
        for ((path, _), values) in job.layout.outputs.iter().zip(job.layout.gather(&reads)) {
            let layer = self.run.checked().summary.layers.iter().find(|layer| layer.path == *path);
            units.extend(layer.map(|layer| Units::look(layer, self::units(layer), &values)));
        }
        let weights = self.weights_of_layers(&state);
        let examination = Examination { step, samples: job.layout.rows, units, weights };
        self.reports.signs_mut().layers = Some(examination);
    }

    /// Hidden activations of vectors, from input to output.
    fn activations(&self) -> impl Iterator<Item = &LayerSummary> {
        let names = Layer::activations();
        let layers = &self.run.checked().summary.layers;
        let hidden = layers.split_last().map_or(&[][..], |(_, hidden)| hidden);
        hidden.iter().filter(move |layer| names.contains(&layer.name) && layer.shape.len() == 1)
    }

    /// Every matrix of weights in the words of parameters and gradients.
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
            let of = bias.unwrap_or(entry);
            let gradient = numbers(gradients, of.offset, of.len);
            Some(Weights::look(layer, shape[0], &values, &gradient))
        };
        self.run.checked().summary.layers.iter().filter_map(look).collect()
    }
}

/// Numbers that a layer gives for a sample.
fn units(layer: &LayerSummary) -> usize {
    layer.shape.iter().product()
}
