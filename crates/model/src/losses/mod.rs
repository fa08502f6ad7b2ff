//! The registry of losses: one file each, one line in the list below.
//!
//! There is no `kl_div`: no source gives distributions, and against labels it is the cross-entropy less the entropy of the (smoothed) labels, a
//! constant, with the same gradients. What it would be wanted for, answers that are not too sure, is `label_smoothing`.

mod baseline;
mod bce_with_logits;
mod cross_entropy;
mod dice;
mod huber;
mod info_nce;
mod l1;
mod mse;
mod negative_sampling;
mod reconstruction;

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_graph::{Graph, OpError, Value};
use downhill_tensor::UserError;

pub use baseline::{Asked, Baseline};
pub use bce_with_logits::BceWithLogits;
pub use cross_entropy::{ClassWeight, CrossEntropy};
pub use dice::Dice;
pub use huber::Huber;
pub use info_nce::InfoNce;
pub use l1::L1;
pub use mse::Mse;
pub use negative_sampling::NegativeSampling;
pub use reconstruction::Reconstruction;

use crate::layers::def::Builder;
use crate::registry::registry;
use crate::{Signature, Task};

/// What every loss can do.
pub(crate) trait LossDef {
    /// The kernel that computes it, with its gradient; nothing where [`LossDef::build`] puts it together from other ops.
    fn kind(&self) -> Option<LossKind> {
        None
    }

    /// The loss of a prediction, rows of answers as [`Targets`] are; weights are one for each answer.
    ///
    /// # Errors
    /// When shapes do not fit.
    fn build(&self, cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
        let kind = self.kind().ok_or_else(|| OpError::new("loss", "there is no kernel for it"))?;
        cx.graph.loss(kind, prediction, y, weights)
    }

    /// The `torch.nn` module of the exported program.
    fn torch(&self) -> String;

    /// The function that [`torch`](Self::torch) names, where `torch.nn` has none.
    fn torch_helper(&self) -> Option<&'static str> {
        None
    }

    /// What the ranges of the single fields cannot say.
    fn validate(&self) -> Result<(), UserError> {
        Ok(())
    }

    /// Whether every class counts the same, however rare it is: a sample then weighs as the `balanced` one of [`class_weights`] says.
    fn weighs_classes(&self) -> bool {
        false
    }

    /// Whether the network is to give its first input again, whatever answers the data has.
    fn reconstructs(&self) -> bool {
        false
    }

    /// Whether it stays far from 0 whatever the network has learned, as where the data it is for leave open what is right.
    fn leaves_open(&self) -> bool {
        false
    }

    /// Whether the samples of a batch are compared with each other: then its size is part of what is asked, and an evaluation goes over as many at a time.
    fn compares_samples(&self) -> bool {
        false
    }

    /// Whether it takes what a network gives, a sample of this shape; nothing where that follows from the data, a number for each of
    /// [`Loss::columns`].
    fn takes(&self, _shape: &[usize]) -> Option<Result<(), UserError>> {
        None
    }

    /// How labels become targets.
    ///
    /// # Errors
    /// When the loss does not go with the task.
    fn targets(&self, signature: &Signature) -> Result<Targets, UserError>;

    /// What a person is told of the prediction: probabilities where it is logits, else the prediction itself.
    ///
    /// # Errors
    /// When the prediction has no last dimension.
    fn answer(&self, _graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        Ok(prediction)
    }

    /// What it makes of one difference between an answer and a number; NaN for a loss of classes.
    fn of_difference(&self, _difference: f64) -> f64 {
        f64::NAN
    }

    /// The mean loss over `shown` of an answer that does not look at its input: the share of each class of `learned`, or its mean.
    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64;

    /// The probability of the second of two classes, from what a model with one output gives (after the output's own function).
    fn second_class(&self, output: f32) -> f32 {
        // Targets are −1 and 1.
        f32::midpoint(output, 1.0).clamp(0.0, 1.0)
    }
}

/// How the labels of a data set become the `*.y` feeds of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Class numbers, u32 `[rows]`.
    Classes,
    /// One column of f32 from two classes: the first class is `first`, the second 1.
    Binary {
        /// 0, or −1 for losses of a difference.
        first: i8,
    },
    /// Real targets, f32 `[rows, targets]`.
    Values,
    /// The number of what each sample belongs to, f32 `[rows, 1]`.
    Numbers,
    /// None of their own: the first input is compared with, as f32 `[rows, numbers]`.
    Input,
}

registry! {
    /// What training makes small.
    "loss" at "/properties/loss/anyOf/1/properties"
    Loss: LossDef {
        "cross_entropy" => cross_entropy::CrossEntropy,
        "bce_with_logits" => bce_with_logits::BceWithLogits,
        "mse" => mse::Mse,
        "l1" => l1::L1,
        "huber" => huber::Huber,
        "reconstruction" => reconstruction::Reconstruction,
        "dice" => dice::Dice,
        "negative_sampling" => negative_sampling::NegativeSampling,
        "info_nce" => info_nce::InfoNce,
    }
}

impl Default for Loss {
    fn default() -> Self {
        Loss::CrossEntropy(CrossEntropy::default())
    }
}

impl Loss {
    /// The kernel that computes it; nothing where it is put together from other ops.
    pub fn kind(&self) -> Option<LossKind> {
        self.def().kind()
    }

    /// The loss of a prediction: see [`LossDef::build`].
    pub(crate) fn build(
        &self,
        cx: &mut Builder,
        prediction: Value,
        y: Value,
        weights: Option<Value>,
    ) -> Result<Value, OpError> {
        self.def().build(cx, prediction, y, weights)
    }

    /// Whether it stays far from 0 whatever the network has learned.
    pub fn leaves_open(&self) -> bool {
        self.def().leaves_open()
    }

    /// Whether every class counts the same, however rare it is.
    pub fn weighs_classes(&self) -> bool {
        self.def().weighs_classes()
    }

    /// Whether the network is to give its first input again, whatever answers the data has.
    pub fn reconstructs(&self) -> bool {
        self.def().reconstructs()
    }

    /// Whether the samples of a batch are compared with each other.
    pub fn compares_samples(&self) -> bool {
        self.def().compares_samples()
    }

    /// Whether the page can build it from the start; the code of those that are put together from other ops comes later.
    pub(crate) fn is_at_once(&self) -> bool {
        self.kind().is_some() && !self.reconstructs()
    }

    /// How labels become targets.
    ///
    /// # Errors
    /// When the loss does not go with the task; the path is `loss.<name>`.
    pub fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        self.def().targets(signature).map_err(|e| e.under(self.name()).under("loss"))
    }

    /// What a person is told of the prediction: probabilities where it is logits, else the prediction itself.
    ///
    /// # Errors
    /// When the prediction has no last dimension.
    pub fn answer(&self, graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        self.def().answer(graph, prediction)
    }

    /// Loss and accuracy over `shown` of an answer that does not look at its input, made from the labels `learned`.
    pub fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> Baseline {
        let accuracy =
            if self.compares_samples() { baseline::found(shown) } else { baseline::accuracy(learned, shown, asked.outputs) };
        Baseline { loss: self.def().baseline(learned, shown, asked), accuracy }
    }

    /// The mean loss of answers that are known, as those of a naive forecast are.
    pub fn of_answers(&self, answers: &[f32], shown: Labels<'_>) -> f64 {
        let Labels::Real(shown) = shown else { return f64::NAN };
        let differences = shown.iter().zip(answers).map(|(shown, answer)| f64::from(shown - answer));
        differences.map(|d| self.def().of_difference(d)).sum::<f64>() / shown.len().max(1) as f64
    }

    /// The probability of the second of two classes, from what a model with one output gives.
    pub fn second_class(&self, output: f32) -> f32 {
        self.def().second_class(output)
    }

    /// Number of columns the network must give.
    ///
    /// # Errors
    /// As [`Loss::targets`].
    pub fn columns(&self, signature: &Signature) -> Result<usize, UserError> {
        Ok(match self.targets(signature)? {
            Targets::Binary { .. } | Targets::Numbers => 1,
            Targets::Classes | Targets::Values | Targets::Input => signature.outputs,
        })
    }
}

/// What a sample of each class weighs so that all classes count the same: `samples / (classes · samples of the class)`, as scikit-learn's
/// `balanced`; 0 for a class without samples.
pub fn class_weights(labels: &[u32], classes: usize) -> Vec<f32> {
    let shares = baseline::shares(labels, classes);
    shares.iter().map(|share| if *share > 0.0 { (1.0 / (shares.len() as f64 * share)) as f32 } else { 0.0 }).collect()
}

/// Refuses data that ask what belongs together.
fn is_search(name: &str) -> UserError {
    UserError::new(format!("`{name}` compares answers, but this data asks which document belongs to a query."))
        .hint("Use `info_nce`.")
}

/// Refuses data that ask for an answer at every position.
fn one_answer(name: &str, signature: &Signature) -> Result<(), UserError> {
    if signature.positions.is_empty() {
        return Ok(());
    }
    let message = format!("`{name}` compares one answer per sample, but this data asks for one at every position.");
    Err(UserError::new(message).hint("Use `cross_entropy`."))
}

/// Targets of a loss that measures a difference: the values, or −1 and 1 for two classes.
fn differences(name: &str, signature: &Signature) -> Result<Targets, UserError> {
    one_answer(name, signature)?;
    match (signature.task, signature.outputs) {
        (Task::Retrieval, _) => Err(is_search(name)),
        (Task::Regression, _) => Ok(Targets::Values),
        (Task::Classification, 2) => Ok(Targets::Binary { first: -1 }),
        (Task::Classification, n) => {
            let message = format!("`{name}` compares numbers and tells two classes apart, but the data has {n}.");
            Err(UserError::new(message).hint("Use `cross_entropy`."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(loss: impl Into<Loss>, learned: Labels<'_>, shown: Labels<'_>) -> f64 {
        loss.into().baseline(learned, shown, Asked { outputs: 2, ..Asked::default() }).loss
    }

    #[test]
    fn the_baseline_is_the_loss_itself_of_a_constant_answer() {
        // The mean of what was learned from is 1, so the differences are −3 and 1.
        let (learned, shown) = (Labels::Real(&[0.0, 0.0, 2.0, 2.0]), Labels::Real(&[-2.0, 2.0]));
        let of = |loss: Loss| loss.baseline(learned, shown, Asked::default()).loss;
        assert_eq!(of(Mse::default().into()), 5.0);
        assert_eq!(of(L1::default().into()), 2.0);
        // Below delta half the square, beyond it delta · (|d| − delta / 2).
        assert_eq!(of(Huber { delta: 1.0 }.into()), f64::midpoint(2.5, 0.5));
        assert_eq!(of(Huber { delta: 2.0 }.into()), f64::midpoint(4.0, 0.5));
        assert_eq!(of(Huber { delta: 0.5 }.into()), f64::midpoint(1.375, 0.375));
    }

    #[test]
    fn answers_that_are_known_cost_what_their_differences_do() {
        let shown = Labels::Real(&[-2.0, 2.0]);
        let of = |loss: Loss| loss.of_answers(&[-1.0, -1.0], shown);
        assert_eq!(of(Mse::default().into()), 5.0);
        assert_eq!(of(L1::default().into()), 2.0);
        assert_eq!(of(Huber { delta: 1.0 }.into()), f64::midpoint(0.5, 2.5));
        assert!(of(Loss::default()).is_nan());
    }

    #[test]
    fn every_loss_is_among_the_cases_that_all_backends_run() {
        use downhill_graph::Op;
        let kinds: Vec<LossKind> = downhill_graph::ops::all_cases()
            .into_iter()
            .filter_map(|case| if let Op::Loss(loss) = case.op { Some(loss.kind) } else { None })
            .collect();
        for name in Loss::NAMES {
            // What is put together from other ops runs on every backend as they do.
            let Some(kind) = Loss::named(name).unwrap().kind() else { continue };
            let same = |other: &LossKind| std::mem::discriminant(other) == std::mem::discriminant(&kind);
            assert!(kinds.iter().any(same), "{name}: add its kind to `LossKind::tries`");
        }
    }

    #[test]
    fn the_baseline_of_classes_is_what_their_shares_cost() {
        let (learned, shown) = (Labels::Class(&[0, 0, 0, 1]), Labels::Class(&[0, 1]));
        let (first, second) = (-(0.75f64.ln()), -(0.25f64.ln()));
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        near(baseline(CrossEntropy::default(), learned, shown), f64::midpoint(first, second));
        near(baseline(BceWithLogits::default(), learned, shown), f64::midpoint(first, second));
        let only_first = Labels::Class(&[0]);
        near(
            baseline(CrossEntropy { label_smoothing: 0.2, ..CrossEntropy::default() }, learned, only_first),
            0.9 * first + 0.1 * second,
        );
        let balanced = CrossEntropy { weight: ClassWeight::Balanced, ..CrossEntropy::default() };
        near(baseline(balanced, learned, shown), 2f64.ln());
        // Of the right one −ln of its share, of the other −ln of what its own leaves.
        let each = NegativeSampling::default().baseline(learned, Labels::Class(&[1]), Asked { outputs: 2, ..Asked::default() });
        near(each, -(0.25f64.ln()) - 0.25f64.ln());
        assert_eq!(class_weights(&[0, 0, 0, 2], 3), [4.0 / 9.0, 0.0, 4.0 / 3.0]);
        // −1 and 1 have the mean −0.5.
        near(baseline(Mse::default(), learned, shown), f64::midpoint(0.25, 2.25));
        assert_eq!(Loss::default().baseline(learned, shown, Asked { outputs: 2, ..Asked::default() }).accuracy, Some(0.5));
    }
}
