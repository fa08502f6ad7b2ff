//! What a loss is for an answer that does not look at its input: the share of each class, or the mean of the targets. It is what a network
//! has to beat.

use downhill_data::{IGNORED, Labels};

use crate::MOST_FOUND;

/// Loss and, for classes and documents, accuracy of an answer that does not look at its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// The loss.
    pub loss: f64,
    /// Share of the samples that are of the most frequent class, or of the queries whose document is found by chance.
    pub accuracy: Option<f64>,
}

/// What the answer to a sample is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Classes, or numbers to predict.
    pub outputs: usize,
    /// Answers of a sample.
    pub answers: usize,
    /// Samples that are compared with each other, where a loss does that.
    pub together: usize,
}

impl Default for Asked {
    fn default() -> Self {
        Self { outputs: 1, answers: 1, together: 1 }
    }
}

/// Least share of a class in a logarithm: a class that was never seen costs much, not infinitely much.
const LEAST: f64 = 1e-12;

/// The share of every class.
pub(super) fn shares(labels: &[u32], classes: usize) -> Vec<f64> {
    let mut shares = vec![0.0; classes.max(1)];
    let all = labels.iter().filter(|label| counts(**label)).count().max(1) as f64;
    for &label in labels {
        if let Some(share) = shares.get_mut(label as usize) {
            *share += 1.0 / all;
        }
    }
    shares
}

/// Share of `shown` that is of the class that is most frequent in `learned`.
pub(super) fn accuracy(learned: Labels<'_>, shown: Labels<'_>, classes: usize) -> Option<f64> {
    let (Labels::Class(learned), Labels::Class(shown)) = (learned, shown) else { return None };
    let shares = shares(learned, classes);
    let best = shares.iter().enumerate().fold(0, |best, (i, s)| if *s > shares[best] { i } else { best });
    let all = shown.iter().filter(|label| counts(**label)).count().max(1);
    Some(shown.iter().filter(|&&c| c as usize == best).count() as f64 / all as f64)
}

/// Share of the queries that find their document where all are as likely.
pub(super) fn found(shown: Labels<'_>) -> Option<f64> {
    let Labels::Class(shown) = shown else { return None };
    (!shown.is_empty()).then(|| 1.0 / shown.len().min(MOST_FOUND) as f64)
}

/// Mean of the cross-entropy between the labels (with `smoothing` of their certainty spread over all classes) and the share of each class.
pub(super) fn cross_entropy(learned: Labels<'_>, shown: Labels<'_>, classes: usize, smoothing: f64) -> f64 {
    let (Labels::Class(learned), Labels::Class(shown)) = (learned, shown) else { return f64::NAN };
    let costs: Vec<f64> = shares(learned, classes).iter().map(|share| -libm::log(share.max(LEAST))).collect();
    let spread = costs.iter().sum::<f64>() / costs.len().max(1) as f64;
    let cost = |&class: &u32| (1.0 - smoothing) * costs.get(class as usize).unwrap_or(&spread) + smoothing * spread;
    let (sum, count) =
        shown.iter().filter(|class| counts(**class)).fold((0.0, 0usize), |(sum, n), class| (sum + cost(class), n + 1));
    sum / count.max(1) as f64
}

/// Mean over `shown` of the cross-entropies of all classes, each against all others, where the share of a class is the probability of its being right.
pub(super) fn each_class(learned: Labels<'_>, shown: Labels<'_>, classes: usize) -> f64 {
    let (Labels::Class(learned), Labels::Class(shown)) = (learned, shown) else { return f64::NAN };
    let shares = shares(learned, classes);
    let cost = |share: f64| -libm::log(share.max(LEAST));
    let wrong: f64 = shares.iter().map(|share| cost(1.0 - share)).sum();
    let right = |class: &u32| shares.get(*class as usize).map_or(0.0, |share| cost(*share) - cost(1.0 - share));
    wrong + shown.iter().map(right).sum::<f64>() / shown.len().max(1) as f64
}

/// Whether a label is one: at a position where nothing is asked for there is [`IGNORED`].
fn counts(label: u32) -> bool {
    label != IGNORED
}

/// The cross-entropy where every class counts the same: what is best said without a look is that all are as likely.
pub(super) fn balanced(learned: Labels<'_>, classes: usize) -> f64 {
    let Labels::Class(learned) = learned else { return f64::NAN };
    let present = shares(learned, classes).iter().filter(|share| **share > 0.0).count();
    libm::log(present.max(1) as f64)
}

/// Mean of what `loss` makes of the difference between each target and the mean of those learned from; two classes are −1 and 1.
pub(super) fn differences(learned: Labels<'_>, shown: Labels<'_>, outputs: usize, loss: impl Fn(f64) -> f64) -> f64 {
    match (learned, shown) {
        (Labels::Class(learned), Labels::Class(shown)) => {
            let target = |&class: &u32| if class == 0 { -1.0 } else { 1.0 };
            let mean = learned.iter().map(target).sum::<f64>() / learned.len().max(1) as f64;
            shown.iter().map(|class| loss(target(class) - mean)).sum::<f64>() / shown.len().max(1) as f64
        }
        (Labels::Real(learned), Labels::Real(shown)) => {
            let width = outputs.max(1);
            let mean = |column: usize| {
                let values = learned.iter().skip(column).step_by(width);
                values.map(|v| f64::from(*v)).sum::<f64>() / (learned.len() / width).max(1) as f64
            };
            let means: Vec<f64> = (0..width).map(mean).collect();
            let errors = shown.iter().enumerate().map(|(i, v)| loss(f64::from(*v) - means[i % width]));
            errors.sum::<f64>() / shown.len().max(1) as f64
        }
        _ => f64::NAN,
    }
}
