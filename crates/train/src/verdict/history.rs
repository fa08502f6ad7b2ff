//! The evaluations that verdicts are made from: those since the run began or was last edited, thinned where there are many.

/// Evaluations that are kept at most.
const MOST: usize = 1024;
/// The newest of them, none of which is left out when the others are thinned.
const NEWEST: usize = 256;

/// One evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Steps taken before it.
    pub step: u64,
    /// Loss on the training part.
    pub train: f64,
    /// Loss on the held-out part.
    pub validation: Option<f64>,
    /// Accuracy on the training part, where there are classes.
    pub train_accuracy: Option<f64>,
    /// Accuracy on the held-out part.
    pub validation_accuracy: Option<f64>,
    /// Mean over the classes of what is right of each, on the held-out part.
    pub balanced_accuracy: Option<f64>,
}

/// Evaluations in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    evaluations: Vec<Evaluation>,
}

impl History {
    /// What there is.
    pub fn evaluations(&self) -> &[Evaluation] {
        &self.evaluations
    }

    /// Adds what an evaluation of a step gave, by the names of its metrics.
    pub fn note(&mut self, step: u64, metrics: &[(String, f64)]) {
        let metric = |name: &str| metrics.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
        let Some(train) = metric("train_loss").filter(|loss| loss.is_finite()) else { return };
        self.back_to(step);
        self.evaluations.push(Evaluation {
            step,
            train,
            validation: metric("validation_loss"),
            train_accuracy: metric("train_accuracy"),
            validation_accuracy: metric("validation_accuracy"),
            balanced_accuracy: metric("validation_balanced_accuracy"),
        });
        if self.evaluations.len() >= MOST {
            self.thin();
        }
    }

    /// Whether so many evaluations have come since the one with the largest of these numbers, and no more: whoever goes on after that is not
    /// stopped again before there was a better one.
    pub fn has_waited(&self, patience: u64, of: impl Fn(&Evaluation) -> Option<f64>) -> bool {
        let numbers = self.evaluations.iter().map(|e| of(e).unwrap_or(f64::NEG_INFINITY)).enumerate();
        let best = numbers.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.is_some_and(|(at, _)| (self.evaluations.len() - 1 - at) as u64 == patience)
    }

    /// Leaves out some of the older evaluations, so that the others are about the same number of steps apart.
    fn thin(&mut self) {
        let newest = self.evaluations.split_off(self.evaluations.len().saturating_sub(NEWEST));
        let ends = self.evaluations.first().zip(self.evaluations.last());
        let apart = ends.map_or(0, |(first, last)| (last.step - first.step) / (MOST / 2) as u64);
        self.evaluations.dedup_by(|later, kept| later.step < kept.step + apart);
        self.evaluations.extend(newest);
    }

    /// Keeps the last one only: what follows is another experiment's.
    pub fn restart(&mut self) {
        self.evaluations.drain(..self.evaluations.len().saturating_sub(1));
    }

    /// Forgets evaluations of `step` and later, where a run goes on from there.
    pub fn back_to(&mut self, step: u64) {
        self.evaluations.retain(|e| e.step < step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_keeps_its_beginning_and_all_of_its_newest_evaluations() {
        let mut history = History::default();
        for step in 0..100_000 {
            history.note(step, &[("train_loss".to_string(), 1.0)]);
        }
        let steps: Vec<u64> = history.evaluations().iter().map(|e| e.step).collect();
        assert!(steps.len() < MOST && steps.is_sorted(), "{}", steps.len());
        assert!(steps[0] == 0 && steps[1..9].iter().all(|step| *step < 10_000), "{:?}", &steps[..9]);
        assert!(steps[steps.len() - NEWEST..].windows(2).all(|pair| pair[1] == pair[0] + 1));
    }

    #[test]
    fn patience_runs_out_once_for_every_best_evaluation() {
        let mut history = History::default();
        let losses = [5.0, 3.0, 4.0, 3.0, 6.0, 2.0, 2.0, 2.5];
        let out: Vec<bool> = losses
            .into_iter()
            .zip(0..)
            .map(|(loss, step)| {
                history.note(step, &[("train_loss".to_string(), 1.0), ("validation_loss".to_string(), loss)]);
                history.has_waited(2, |e| e.validation.map(|loss| -loss))
            })
            .collect();
        assert_eq!(out, [false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn an_edit_keeps_the_last_evaluation_and_an_evaluation_without_a_number_is_none() {
        let mut history = History::default();
        (0..5).for_each(|step| history.note(step, &[("train_loss".to_string(), step as f64)]));
        history.restart();
        history.note(9, &[("train_loss".to_string(), f64::NAN)]);
        assert_eq!(history.evaluations().iter().map(|e| e.step).collect::<Vec<_>>(), [4]);
    }
}
