//! A rate that falls when the validation loss does not any more, as in `torch.optim.lr_scheduler.ReduceLROnPlateau`, and where it stands.

use super::ScheduleDef;
use crate::registry::fields;

fields! {
    /// Falls to a fraction of itself when the validation loss has not become lower for some evaluations.
    #[schemars(title = "Reduce on plateau")]
    ReduceOnPlateau {
        /// Factor by which every fall multiplies the rate.
        #[schemars(title = "Factor", range(min = 0.0, max = 0.999))]
        factor: f64 = 0.1,
        /// Evaluations without a lower loss that are waited for.
        #[schemars(title = "Patience", range(min = 0, max = 1000))]
        patience: u64 = 10,
        /// Share of the lowest loss by which a lower one has to be below it.
        #[schemars(title = "Threshold", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
        threshold: f64 = 0.0001,
        /// Evaluations after a fall that are not counted.
        #[schemars(title = "Cooldown", range(min = 0, max = 1000))]
        cooldown: u64 = 0,
        /// The rate falls no lower.
        #[schemars(title = "Lowest rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
        min_lr: f64 = 0.0,
    }
}

impl ScheduleDef for ReduceOnPlateau {
    fn warmup(&self) -> u64 {
        0
    }

    /// Before any fall.
    fn after(&self, lr: f64, _: u64, _: u64) -> f64 {
        lr
    }

    fn python(&self) -> String {
        "lr".to_string()
    }

    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        Some(self)
    }
}

/// PyTorch's `eps`: a fall by less is none.
const LEAST_FALL: f64 = 1e-8;

/// Where a rate that follows the validation loss stands. It belongs to a run, for no step number tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plateau {
    /// The lowest loss.
    best: Option<f64>,
    /// Evaluations since then, and those that are not counted any more.
    bad: u64,
    cooling: u64,
    /// Evaluations of steps up to this one are counted.
    counted: u64,
    /// From which step on the rate is which part of the schedule's.
    falls: Vec<(u64, f64)>,
}

impl Plateau {
    /// Before any fall, where evaluations count that come after this step.
    pub fn from_step(step: u64) -> Self {
        Self { counted: step, ..Self::default() }
    }

    /// The part of the schedule's rate that step `t` takes.
    pub fn scale_at(&self, t: u64) -> f64 {
        self.falls.iter().rev().find(|(from, _)| *from <= t).map_or(1.0, |(_, scale)| *scale)
    }

    /// Whether no step may be taken before an evaluation after `step` steps is counted, where one is due every `every` steps.
    pub fn awaits(&self, step: u64, every: u64) -> bool {
        step > self.counted && step.is_multiple_of(every.max(1))
    }

    /// Counts an evaluation after `step` steps. `lr` is the rate without falls.
    pub fn note(&mut self, rule: &ReduceOnPlateau, lr: f64, step: u64, loss: f64) {
        self.counted = step;
        if self.best.is_none_or(|best| loss < best * (1.0 - rule.threshold)) {
            (self.best, self.bad) = (Some(loss), 0);
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            (self.cooling, self.bad) = (self.cooling - 1, 0);
        }
        if self.bad > rule.patience {
            let now = lr * self.scale_at(step);
            let next = (now * rule.factor).max(rule.min_lr);
            if now - next > LEAST_FALL {
                self.falls.push((step, next / lr));
            }
            (self.cooling, self.bad) = (rule.cooldown, 0);
        }
    }

    /// Losses of before say nothing about those that come: others are measured, or on other samples.
    pub fn forget_losses(&mut self) {
        (self.best, self.bad) = (None, 0);
    }

    /// The run goes on from an earlier step.
    pub fn back_to(&mut self, step: u64) {
        self.counted = self.counted.min(step);
        self.falls.retain(|(from, _)| *from <= step);
    }

    /// All of it as whole numbers, which a document keeps to the last bit.
    pub fn to_words(&self) -> Vec<u64> {
        let best = self.best.map_or([0, 0], |best| [1, best.to_bits()]);
        let falls = self.falls.iter().flat_map(|(step, scale)| [*step, scale.to_bits()]);
        best.into_iter().chain([self.bad, self.cooling, self.counted]).chain(falls).collect()
    }

    /// What was written; before any fall where nothing was.
    pub fn from_words(words: &[u64]) -> Self {
        let [known, best, bad, cooling, counted, falls @ ..] = words else { return Self::default() };
        let falls = falls.as_chunks::<2>().0.iter().map(|[step, scale]| (*step, f64::from_bits(*scale))).collect();
        let best = (*known != 0).then(|| f64::from_bits(*best));
        Self { best, bad: *bad, cooling: *cooling, counted: *counted, falls }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates after each loss that `ReduceLROnPlateau(SGD([p], lr=1), factor=0.5, patience=1, threshold=0.1, cooldown=2, min_lr=0.2)` of PyTorch
    /// 2.15 gives.
    #[test]
    fn the_rate_falls_where_pytorchs_does() {
        let rule = ReduceOnPlateau { factor: 0.5, patience: 1, threshold: 0.1, cooldown: 2, min_lr: 0.2 };
        let losses = [1.0, 0.95, 0.91, 0.8, 0.79, 0.79, 0.79, f64::NAN, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5];
        let rates = [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2];
        let mut plateau = Plateau::default();
        for ((step, loss), rate) in (10..).step_by(10).zip(losses).zip(rates) {
            assert!(plateau.awaits(step, 10) && !plateau.awaits(step + 5, 10), "{step}");
            plateau.note(&rule, 1.0, step, loss);
            assert!(!plateau.awaits(step, 10));
            assert_eq!(plateau.scale_at(step), rate, "{step}");
            assert_eq!(Plateau::from_words(&plateau.to_words()), plateau);
        }
        assert_eq!([29, 30, 69, 70].map(|step| plateau.scale_at(step)), [1.0, 0.5, 0.5, 0.25]);
        plateau.back_to(69);
        assert_eq!((plateau.scale_at(1000), plateau.awaits(70, 10)), (0.5, true));
    }

    #[test]
    fn a_run_of_before_there_were_plateaus_stands_before_any_fall() {
        assert_eq!(Plateau::from_words(&[]), Plateau::default());
        assert_eq!(Plateau::from_words(&[7, 7]), Plateau::default());
    }
}
