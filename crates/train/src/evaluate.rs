use downhill_compile::Region;
use downhill_graph::StepScalars;
use downhill_model::{ProgramKind, Signature, Split};
use downhill_tensor::UserError;

use crate::jobs::JobKind;
use crate::session::{SPLITS, Session};

/// Training samples that an evaluation looks at: enough for a smooth curve, few enough not to slow the run.
const TRAIN_SAMPLES: usize = 1000;

/// Which samples are evaluated, and what came out last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluator {
    samples: [Vec<u32>; 2],
    metrics: Vec<(String, f64)>,
    /// Step of the last evaluation queued, with the edits of then.
    last: Option<(u64, u64)>,
}

impl Evaluator {
    /// An evaluator for data of this size: all validation samples, training samples spread evenly over the set.
    pub fn new(signature: &Signature) -> Self {
        let train = signature.train;
        let shown = train.min(TRAIN_SAMPLES);
        let spread = (0..shown).map(|i| (i * train / shown.max(1)) as u32).collect();
        Self { samples: [spread, (0..signature.validation as u32).collect()], ..Self::default() }
    }

    /// Last results.
    pub fn metrics(&self) -> &[(String, f64)] {
        &self.metrics
    }

    /// Forgets them, when the state was replaced.
    pub fn forget(&mut self) {
        self.metrics.clear();
        self.last = None;
    }
}

impl Session {
    /// Whether the state of now has not been evaluated.
    pub(crate) fn evaluation_wanted(&self) -> bool {
        self.evaluator.last != Some((self.queued, self.edits))
    }

    /// Queues an evaluation of the state behind all queued steps.
    pub(crate) fn queue_evaluation(&mut self) -> Result<(), UserError> {
        self.evaluator.last = Some((self.queued, self.edits));
        self.begin_job(JobKind::Evaluate);
        let rows = self.programs.eval_rows;
        let scalars = StepScalars { seed: self.checked.experiment.seed, ..StepScalars::default() };
        for (part, split) in SPLITS.into_iter().enumerate() {
            if self.evaluator.samples[part].is_empty() {
                continue;
            }
            let program = self.program(&ProgramKind::Eval { rows, split })?;
            let regions: Vec<Region> = program.outputs.iter().map(|o| o.region).collect();
            let (mut indices, mut weights) = (vec![0u32; rows], vec![0u32; rows]);
            for start in (0..self.evaluator.samples[part].len()).step_by(rows) {
                let chunk = &self.evaluator.samples[part][start..];
                let chunk = &chunk[..chunk.len().min(rows)];
                indices.fill(0);
                indices[..chunk.len()].copy_from_slice(chunk);
                weights.fill(0);
                weights[..chunk.len()].fill(1f32.to_bits());
                self.engine.feed("eval.indices", 0, &indices)?;
                self.engine.feed("eval.weights", 0, &weights)?;
                self.engine.submit(program.id, &[scalars])?;
                self.read_for_job(&regions)?;
            }
        }
        Ok(())
    }

    /// Sums up what [`Session::queue_evaluation`] read.
    pub(crate) fn finish_evaluation(&mut self, step: u64, reads: &[Vec<u32>]) {
        let rows = self.programs.eval_rows;
        let mut reads = reads.iter();
        let mut metrics = Vec::new();
        for (part, split) in SPLITS.into_iter().enumerate() {
            let samples = self.evaluator.samples[part].len();
            let mut sums = [0.0f64; 2];
            for start in (0..samples).step_by(rows) {
                let Some(words) = reads.next() else { return };
                let share = (samples - start).min(rows) as f64 / samples as f64;
                for (sum, word) in sums.iter_mut().zip(words) {
                    *sum += share * f64::from(f32::from_bits(*word));
                }
            }
            if samples > 0 {
                let names = self.evaluation_names(split);
                metrics.extend(names.into_iter().zip(sums));
            }
        }
        for (name, value) in &metrics {
            let curve = self.curves.index(name);
            self.curves.push(curve, step, *value as f32);
        }
        self.evaluator.metrics = metrics;
    }

    fn evaluation_names(&self, split: Split) -> Vec<String> {
        let kinds = self.checked.signature.task.metrics();
        kinds.iter().map(|kind| format!("{}_{kind}", split.name())).collect()
    }
}
