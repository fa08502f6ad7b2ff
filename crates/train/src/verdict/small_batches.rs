//! Batch norm takes its mean and variance from so few numbers that they say little of the data: every step sees another network.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number};

/// Numbers of a channel from which the statistics of a batch are as good as none.
const FEW: usize = 8;
/// Share of the loss of guessing below which the network learns all the same.
const GOOD: f64 = 0.25;
/// Samples of a batch that are enough.
const ENOUGH: usize = 32;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let batch = e.experiment.training.batch_size;
    let numbers = |shape: &[usize]| batch.saturating_mul(shape.iter().skip(1).product());
    let norms = e.summary.iter().filter(|layer| layer.name == "batch_norm");
    let (layer, numbers) = norms.map(|layer| (layer, numbers(&layer.shape))).min_by_key(|(_, numbers)| *numbers)?;
    if numbers > FEW || !e.is_plenty() || e.level() < GOOD {
        return None;
    }
    Some(Verdict {
        title: "Batches too small".to_string(),
        level: Level::Warn,
        sentence: format!(
            "Up to step {} {} took every mean and variance from {numbers} numbers, the samples of a batch. So few say little of the data: what is \
             learned with them does not hold for the running mean and variance, and the loss stood at {}, where guessing costs {}.",
            count(e.step),
            layer.title(),
            number(e.loss()),
            number(e.known.baseline.loss)
        ),
        evidence: vec![
            ("batch size".to_string(), count(batch as u64)),
            ("numbers per mean".to_string(), count(numbers as u64)),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: Some(fix::batch_size(ENOUGH)),
        ..Verdict::default()
    })
}
