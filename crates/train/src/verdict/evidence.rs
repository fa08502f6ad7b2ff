//! What the rules may read of a run: its evaluations, what guessing costs, the state of its layers, and the experiment. Medians and trends
//! are worked out here; what they mean is for the rules to say.

use downhill_model::losses::Baseline;
use downhill_model::{Experiment, LayerSummary};
use downhill_protocol::Divergence;

use super::answers::Answers;
use super::examination::{Examination, Weights, median};
use super::fix;
use super::history::Evaluation;
use super::words::number;

/// Evaluations and steps before which nothing is said.
const FEW: (usize, u64) = (5, 200);
/// Evaluations before which a slow run is not called slow or stuck.
const SLOW: usize = 8;
/// Fall of the loss over the second half of the evaluations, relative to what it was, that counts as progress.
const PROGRESS: f64 = 0.02;

/// What the data alone say of any answer, before anything is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Loss and accuracy of an answer that does not look at its input; the lower loss of both parts of the data.
    pub baseline: Baseline,
    /// Share of the samples to learn from that have a wrong class, where they were given one on purpose.
    pub label_noise: f64,
    /// What an answer costs whoever knows how the data are made, where that is known.
    pub floor: Option<f64>,
    /// What an answer costs that looks at the token in its own place alone, where there is one.
    pub last_token: Option<f64>,
}

/// What is known of a run.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What is trained.
    pub experiment: &'a Experiment,
    /// Steps taken.
    pub step: u64,
    /// The learning rate of the next step.
    pub lr: f64,
    /// Evaluations since the run began or was last edited, in order.
    pub evaluations: &'a [Evaluation],
    /// What the data alone say.
    pub known: Known,
    /// What the newest answers for the samples held out show.
    pub answers: &'a Answers,
    /// The layers.
    pub summary: &'a [LayerSummary],
    /// Answers that are held out: one for each sample, or for each position of one.
    pub held_out: usize,
    /// Whether a sample has an answer for each of several positions, so that shares are of answers and not of samples.
    pub apart: bool,
    /// Whether every step gets new samples.
    pub endless: bool,
    /// The newest look at the layers.
    pub layers: Option<&'a Examination>,
    /// Why the run stopped, where its numbers were no longer finite.
    pub divergence: Option<&'a Divergence>,
    /// Whether all steps of the experiment are done and the run rests.
    pub ended: bool,
}

/// The lowest training loss of some evaluations.
pub(super) fn lowest(evaluations: &[Evaluation]) -> f64 {
    evaluations.iter().map(|e| e.train).fold(f64::INFINITY, f64::min)
}

/// Median of the training losses of some evaluations.
fn loss_of(evaluations: &[Evaluation]) -> f64 {
    median(evaluations.iter().map(|e| e.train))
}

impl<'a> Evidence<'a> {
    /// The last so many evaluations, or fewer.
    pub(super) fn last(&self, count: usize) -> &'a [Evaluation] {
        &self.evaluations[self.evaluations.len().saturating_sub(count)..]
    }

    /// Steps that the evaluations span.
    pub(super) fn age(&self) -> u64 {
        let first = self.evaluations.first().map_or(self.step, |e| e.step);
        self.evaluations.last().map_or(0, |e| e.step.saturating_sub(first))
    }

    /// Whether there is enough to say anything.
    pub(super) fn is_enough(&self) -> bool {
        self.evaluations.len() >= FEW.0 && self.age() >= FEW.1
    }

    /// Whether there is enough to call a run slow or stuck: a quarter of the steps there are, between 300 and 1000.
    pub(super) fn is_plenty(&self) -> bool {
        let quarter = self.experiment.training.steps.map_or(u64::MAX, |steps| steps / 4);
        self.evaluations.len() >= SLOW && self.age() >= quarter.clamp(300, 1000)
    }

    /// Whether a run is stuck for so long that it will hardly get off by itself: for this share of its steps, 5000 of them at most.
    pub(super) fn is_long(&self, share: f64) -> bool {
        const LONG: f64 = 5000.0;
        self.age() as f64 >= self.experiment.training.steps.map_or(LONG, |steps| (share * steps as f64).min(LONG))
    }

    /// Whether something nonlinear stands between input and output, as far as that is known.
    pub(super) fn has_hidden_layers(&self) -> bool {
        const BENDING: [&str; 4] = ["rnn", "lstm", "gru", "max_pool2d"];
        let bends = |layer: &LayerSummary| BENDING.contains(&layer.name) || !layer.inner.is_empty();
        self.layers.is_none_or(|layers| !layers.units.is_empty()) || self.summary.iter().any(bends)
    }

    /// What a verdict on gradients stands on: those of the first and the last layer, and the loss.
    pub(super) fn of_gradients(&self, first: &Weights, last: &Weights) -> Vec<(String, String)> {
        let gradient = |of: &Weights| (format!("gradient of {}", of.title), number(of.gradient));
        let loss = ("loss".to_string(), number(self.loss()));
        vec![gradient(first), gradient(last), loss, self.guessing()]
    }

    /// A sentence that counts samples, where they are counted one by one.
    pub(super) fn counting(&self, sentence: String) -> String {
        if self.apart { sentence.replace("samples", "answers") } else { sentence }
    }

    /// What guessing costs, as evidence beside other losses.
    pub(super) fn guessing(&self) -> (String, String) {
        ("loss of guessing".to_string(), number(self.known.baseline.loss))
    }

    /// Training loss of late: a median, so that a single jump does not count.
    pub(super) fn loss(&self) -> f64 {
        loss_of(self.last(3))
    }

    /// Validation loss of late; it jumps more.
    pub(super) fn validation(&self) -> Option<f64> {
        let values: Vec<f64> = self.last(5).iter().filter_map(|e| e.validation).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    }

    /// Training accuracy of late, where there are classes.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let values: Vec<f64> = self.last(3).iter().filter_map(|e| e.train_accuracy).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    }

    /// Validation accuracy of late.
    pub(super) fn validation_accuracy(&self) -> Option<f64> {
        let values: Vec<f64> = self.last(3).iter().filter_map(|e| e.validation_accuracy).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    }

    /// Balanced accuracy of late: what is right of each class, all classes alike.
    pub(super) fn balanced_accuracy(&self) -> Option<f64> {
        let values: Vec<f64> = self.last(3).iter().filter_map(|e| e.balanced_accuracy).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    }

    /// Training loss of late as a share of what guessing costs: 1 is no better than guessing.
    pub(super) fn level(&self) -> f64 {
        self.loss() / self.known.baseline.loss
    }

    /// Whether the training loss of late is no lower than what guessing costs.
    pub(crate) fn is_no_better_than_guessing(&self) -> bool {
        self.level() >= 1.0
    }

    /// Whether training and validation loss have both been lower than what guessing costs of late, by more than chance gives.
    pub(super) fn beats_guessing(&self) -> bool {
        const MARGIN: f64 = 0.98;
        let below = |loss: f64| loss < MARGIN * self.known.baseline.loss;
        self.last(3).iter().all(|e| below(e.train)) && self.validation().is_none_or(below)
    }

    /// How much better than guessing the answers are, from 0 to 1: by accuracy where there are classes, else by loss.
    pub(super) fn skill(&self) -> f64 {
        let by_loss = 1.0 - self.level();
        match (self.accuracy(), self.known.baseline.accuracy) {
            (Some(accuracy), Some(guessed)) if guessed < 1.0 => by_loss.max((accuracy - guessed) / (1.0 - guessed)),
            _ => by_loss,
        }
    }

    /// The second half of the evaluations.
    pub(super) fn recent(&self) -> &'a [Evaluation] {
        &self.evaluations[self.evaluations.len() / 2..]
    }

    /// Training loss at the beginning and at the end of the second half of the evaluations; medians of a third of it each.
    pub(super) fn before_and_after(&self) -> (f64, f64) {
        let recent = self.recent();
        let third = recent.len().div_ceil(3);
        (loss_of(&recent[..third.min(recent.len())]), loss_of(&recent[recent.len() - third.min(recent.len())..]))
    }

    /// Whether the loss still fell over the second half of the evaluations.
    pub(super) fn falls(&self) -> bool {
        let (before, after) = self.before_and_after();
        before - after > PROGRESS * before
    }

    /// How many of the moves of the training loss between neighbours went up, and the mean size of a move.
    pub(super) fn moves(evaluations: &[Evaluation]) -> (usize, f64) {
        let moves: Vec<f64> = evaluations.windows(2).map(|pair| pair[1].train - pair[0].train).collect();
        let size = moves.iter().map(|m| m.abs()).sum::<f64>() / moves.len().max(1) as f64;
        (moves.iter().filter(|m| **m > 0.0).count(), size)
    }

    /// Whether the weights of every layer are close to zero: nothing but a penalty does that.
    pub(super) fn has_collapsed(&self) -> bool {
        const SMALL: f64 = 0.02;
        self.layers.is_some_and(|layers| !layers.weights.is_empty() && layers.weights.iter().all(|w| w.size < SMALL))
    }

    /// Whether the learning rate is below what is usual.
    pub(super) fn rate_is_low(&self) -> bool {
        self.lr < fix::usual_rate(self.experiment)
    }

    /// Whether the optimizer's learning rate is so far above what is usual that a few steps throw units where they give nothing any more.
    pub(super) fn rate_is_high(&self) -> bool {
        const FAR: f64 = 10.0;
        self.experiment.optimizer.lr() > FAR * fix::usual_rate(self.experiment)
    }

    /// Whether the newest evaluations are the best by far: the loss is on its way down.
    pub(super) fn breaks_through(&self) -> bool {
        let before = &self.evaluations[..self.evaluations.len().saturating_sub(3)];
        !before.is_empty() && self.loss() < (1.0 - PROGRESS) * lowest(before)
    }

    /// Whether the schedule holds the learning rate far below what the optimizer says, as at a warm-up and at the end.
    pub(super) fn rate_is_held_down(&self) -> bool {
        self.lr < 0.3 * self.experiment.optimizer.lr()
    }
}
