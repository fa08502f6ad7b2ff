//! Evaluations: which samples are looked at, how they are queued, and what came out last.

use downhill_compile::Region;
use downhill_model::{Checked, ProgramKind, Signature, Split};
use downhill_tensor::UserError;

use crate::machine::Machine;
use crate::pipeline::Pipeline;
use crate::run::Run;

/// Splits in the order in which they are evaluated.
const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

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

    /// Whether the last evaluation queued is of this state.
    pub fn shows(&self, state: (u64, u64)) -> bool {
        self.last == Some(state)
    }

    /// Takes up results.
    pub fn note(&mut self, metrics: Vec<(String, f64)>) {
        self.metrics = metrics;
    }

    /// Queues an evaluation of the state behind all queued steps as a job of this kind.
    ///
    /// # Errors
    /// When its program cannot be compiled, or the device is lost.
    pub fn queue<K>(&mut self, kind: K, run: &Run, machine: &mut Machine, pipeline: &mut Pipeline<K>) -> Result<(), UserError> {
        self.last = Some(run.shown_state());
        pipeline.begin_job(kind, run.queued());
        let rows = machine.programs().eval_rows;
        let scalars = run.plain_scalars();
        for (samples, split) in self.samples.iter().zip(SPLITS).filter(|(samples, _)| !samples.is_empty()) {
            let program = machine.program(&ProgramKind::Eval { rows, split }, run.checked())?;
            let regions: Vec<Region> = program.outputs.iter().map(|o| o.region).collect();
            let (mut indices, mut weights) = (vec![0u32; rows], vec![0u32; rows]);
            for chunk in samples.chunks(rows) {
                indices.fill(0);
                indices[..chunk.len()].copy_from_slice(chunk);
                weights.fill(0);
                weights[..chunk.len()].fill(1f32.to_bits());
                let engine = machine.engine_mut();
                engine.feed("eval.indices", 0, &indices)?;
                engine.feed("eval.weights", 0, &weights)?;
                engine.submit(program.id, &[scalars])?;
                pipeline.read_for_job(engine, &regions)?;
            }
        }
        Ok(())
    }

    /// Sums up what [`Evaluator::queue`] read, by runs of `rows` rows; nothing where words are missing.
    pub fn sum_up(&self, checked: &Checked, rows: usize, reads: &[Vec<u32>]) -> Option<Vec<(String, f64)>> {
        let mut reads = reads.iter();
        let mut metrics = Vec::new();
        for (samples, split) in self.samples.iter().zip(SPLITS) {
            let samples = samples.len();
            let mut sums = [0.0f64; 2];
            for start in (0..samples).step_by(rows) {
                let words = reads.next()?;
                let share = (samples - start).min(rows) as f64 / samples as f64;
                for (sum, word) in sums.iter_mut().zip(words) {
                    *sum += share * f64::from(f32::from_bits(*word));
                }
            }
            if samples > 0 {
                let names = checked.signature.task.metrics().iter().map(|kind| format!("{}_{kind}", split.name()));
                metrics.extend(names.zip(sums));
            }
        }
        Some(metrics)
    }
}
