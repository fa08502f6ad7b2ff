//! Evaluations: which samples are looked at, how they are queued, and what came out last.

use downhill_compile::Region;
use downhill_data::{Dataset, IGNORED, Labels};
use downhill_model::{Checked, ProgramKind, Signature, Split, Task};
use downhill_tensor::{UserError, apart};

use super::found::{FIRST, Found};
use crate::machine::Machine;
use crate::pipeline::Pipeline;
use crate::run::Run;
use crate::verdict::answers::{Answers, Count};

/// Splits in the order in which they are evaluated.
const SPLITS: [Split; 2] = [Split::Train, Split::Validation];

/// Training samples that an evaluation looks at: enough for a smooth curve, few enough not to slow the run.
const TRAIN_SAMPLES: usize = 1000;

/// Which samples are evaluated, and what came out last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluator {
    samples: [Vec<u32>; 2],
    metrics: Vec<(String, f64)>,
    /// Share of each class that is predicted right; empty where that is not told.
    recall: Vec<f32>,
    answers: Answers,
    /// Step of the last evaluation queued, with the edits of then.
    last: Option<(u64, u64)>,
    under_way: bool,
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

    /// Of the last one, the share of the held-out samples of each class that is predicted right; NaN for a class without samples.
    pub fn recall(&self) -> &[f32] {
        &self.recall
    }

    /// What the answers of the last one show.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Forgets them, when the state was replaced.
    pub fn forget(&mut self) {
        self.metrics.clear();
        self.recall.clear();
        self.answers = Answers::default();
        (self.last, self.under_way) = (None, false);
    }

    /// Whether the last evaluation queued is of this state.
    pub fn shows(&self, state: (u64, u64)) -> bool {
        self.last == Some(state)
    }

    /// Whether the last evaluation queued has not come yet.
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// What was queued last has come.
    pub fn arrived(&mut self) {
        self.under_way = false;
    }

    /// Takes up results.
    pub fn note(&mut self, results: Results) {
        (self.metrics, self.recall, self.answers) = (results.metrics, results.recall, results.answers);
    }

    /// Queues an evaluation of the state behind all queued steps as a job of this kind.
    ///
    /// # Errors
    /// When its program cannot be compiled, or the device is lost.
    pub fn queue<K>(&mut self, kind: K, run: &Run, machine: &mut Machine, pipeline: &mut Pipeline<K>) -> Result<(), UserError> {
        (self.last, self.under_way) = (Some(run.shown_state()), true);
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
    pub fn sum_up(&self, checked: &Checked, data: &Dataset, rows: usize, reads: &[Vec<u32>]) -> Option<Results> {
        let mut reads = reads.iter();
        let mut results = Results::default();
        let names = checked.signature.task.metrics();
        let weighs = checked.experiment.loss.weighs_classes();
        let mut whole = 0;
        let mut answered = Count::default();
        let mut found = Found::default();
        for (samples, split) in self.samples.iter().zip(SPLITS) {
            let count = samples.len();
            let mut sums = [0.0f64; 2];
            // Where classes weigh differently, so do the chunks.
            let mut all = 0.0;
            for start in (0..count).step_by(rows) {
                let words = reads.next()?;
                let number = |at: usize| words.get(at).map_or(f64::NAN, |word| f64::from(f32::from_bits(*word)));
                let chunk = (count - start).min(rows);
                let share = chunk as f64 / count as f64;
                for (at, sum) in sums.iter_mut().enumerate().take(names.len()) {
                    let weight = if weighs && at == 0 { number(names.len()) } else { share };
                    *sum += weight * if weight > 0.0 { number(at) } else { 0.0 };
                }
                all += if weighs { number(names.len()) } else { share };
                let predictions = words.get(names.len() + usize::from(weighs)..).unwrap_or(&[]);
                if split == Split::Validation && checked.signature.tells_recall() {
                    answered.add(data, &samples[start..start + chunk], predictions, rows);
                }
                if split == Split::Validation && checked.signature.task == Task::Retrieval {
                    apart(|| found.add(predictions, chunk, rows));
                }
                if split == Split::Validation && checked.signature.tells_sequences() {
                    let Labels::Class(labels) = data.labels(&data.validation) else { continue };
                    whole += right_as_a_whole(
                        labels,
                        checked.signature.answers(),
                        &samples[start..start + chunk],
                        predictions,
                        rows,
                    );
                }
            }
            if count > 0 {
                if all > 0.0 {
                    sums[0] /= all;
                }
                results.metrics.extend(names.iter().map(|kind| format!("{}_{kind}", split.name())).zip(sums));
            }
        }
        if checked.signature.tells_sequences() && checked.signature.validation > 0 {
            let share = whole as f64 / checked.signature.validation as f64;
            results.metrics.push(("validation_sequence_accuracy".to_string(), share));
        }
        if checked.signature.task == Task::Retrieval
            && let Some(shares) = apart(|| found.recall(data))
        {
            let name = |first: usize| format!("validation_recall_at_{first}");
            results.metrics.extend(FIRST.map(name).into_iter().zip(shares));
        }
        // Of one quantity the distance is told in its own units; several have none in common.
        if let [std, rest @ ..] = data.normalisation.target_std.as_slice()
            && rest.iter().all(|other| other == std)
        {
            results.metrics.iter_mut().filter(|(name, _)| name.ends_with("_mae")).for_each(|(_, value)| *value *= std);
        }
        results.recall = answered.recall();
        results.answers = answered.finish(data);
        let known: Vec<f64> = results.recall.iter().filter(|share| !share.is_nan()).map(|share| f64::from(*share)).collect();
        if !known.is_empty() {
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            results.metrics.push(("validation_balanced_accuracy".to_string(), mean));
        }
        Some(results)
    }
}

/// What an evaluation gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    /// By name.
    pub metrics: Vec<(String, f64)>,
    /// See [`Evaluator::recall`].
    pub recall: Vec<f32>,
    /// What the answers for the samples held out show.
    pub answers: Answers,
}

/// Of samples with so many answers each, how many have the right one at every place that asks for one; the words are the logits of `rows` rows,
/// of which the samples are the first.
fn right_as_a_whole(labels: &[u32], answers: usize, samples: &[u32], words: &[u32], rows: usize) -> usize {
    let width = words.len() / (rows * answers).max(1);
    let is_right = |(label, logits): (&u32, &[u32])| {
        let logit = |at: usize| f32::from_bits(logits[at]);
        *label == IGNORED || (0..width).fold(0, |best, at| if logit(at) > logit(best) { at } else { best }) == *label as usize
    };
    let row = |(sample, words): (&u32, &[u32])| {
        let labels = labels.get(*sample as usize * answers..(*sample as usize + 1) * answers).unwrap_or(&[]);
        labels.len() == answers && labels.iter().zip(words.chunks_exact(width.max(1))).all(is_right)
    };
    let each = words.chunks_exact((width * answers).max(1));
    samples.iter().zip(each).filter(|(sample, words)| row((sample, words))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_right_where_every_answer_that_is_asked_for_is() {
        let labels = [IGNORED, 1, 0, /* */ IGNORED, 0, 1, /* */ 1, 1, 1];
        let logits =
            |classes: [u32; 3]| classes.into_iter().flat_map(|class| if class == 0 { [2.0f32, -1.0] } else { [0.0, 0.5] });
        let words: Vec<u32> =
            [[0, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]].into_iter().flat_map(logits).map(f32::to_bits).collect();
        assert_eq!(right_as_a_whole(&labels, 3, &[0, 1, 2], &words, 4), 2);
        // The samples may be any; what is beyond them is filled up.
        assert_eq!(right_as_a_whole(&labels, 3, &[2, 0], &words, 4), 0);
        assert_eq!(right_as_a_whole(&labels, 3, &[0], &words, 4), 1);
        assert_eq!(right_as_a_whole(&labels, 3, &[0], &[], 4), 0);
    }
}
