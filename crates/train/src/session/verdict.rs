//! The verdict of a run: the evidence is put together here, the rules stand in `verdict/`.

use downhill_data::{Column, Dataset, IGNORED, Labels, Part, Task};
use downhill_model::Loss;
use downhill_model::losses::{Asked, Baseline};
use downhill_protocol::Verdict;

use super::Session;
use crate::verdict::{Evidence, Known, fix, judge};

impl Session {
    /// How the run is doing, from all that is known of it now. What it offers to change can be changed.
    pub fn verdict(&mut self) -> Verdict {
        let found = self.judged().0;
        self.with_a_fix_that_works(found)
    }

    /// The same before its fix was tried on the experiment, and whether the loss is no better than guessing.
    pub(crate) fn judged(&mut self) -> (Verdict, bool) {
        let known = self.known();
        let signs = self.reports.signs();
        let checked = self.run.checked();
        let end = checked.experiment.training.steps;
        let evidence = Evidence {
            experiment: &checked.experiment,
            step: self.run.done(),
            lr: self.run.lr_at(self.run.done()),
            evaluations: signs.history.evaluations(),
            known,
            answers: self.reports.evaluator().answers(),
            summary: &checked.summary.layers,
            held_out: checked.signature.validation * checked.signature.positions.iter().product::<usize>(),
            apart: !checked.signature.positions.is_empty(),
            // A text is drawn from anew at every step, but it ends, and can be learned by heart; so can pictures, however they are changed.
            endless: checked.signature.streamed && self.run.data().language.is_none() && !checked.experiment.augment.is_on(),
            layers: signs.layers.as_ref(),
            divergence: signs.divergence.as_ref(),
            ended: !self.run.drive().running() && end.is_some_and(|end| self.run.done() >= end),
        };
        (Verdict { run: self.run.number(), ..judge(&evidence) }, evidence.is_no_better_than_guessing())
    }

    /// The verdict without a change that cannot be made.
    pub(crate) fn with_a_fix_that_works(&self, mut verdict: Verdict) -> Verdict {
        verdict.fix = verdict.fix.filter(|fix| fix::applied(fix, self.run.checked()).is_some());
        verdict
    }

    /// What the data alone say of any answer. Guessing costs the lower loss of both parts, so that nothing above either of them counts as
    /// learned.
    pub(crate) fn known(&mut self) -> Known {
        if let Some(known) = self.reports.signs().known {
            return known;
        }
        let data = self.run.data();
        let (train, shown) = (self.unlearned(&data.train).0, self.unlearned(data.shown()).0);
        let baseline = Baseline { loss: train.loss.min(shown.loss), accuracy: train.accuracy };
        let plain = self.run.checked().experiment.loss == Loss::default();
        let (floor, last_token) = if plain { (data.floor, last_token(data)) } else { (None, None) };
        let known = Known { baseline, label_noise: data.label_noise, floor, last_token };
        self.reports.signs_mut().known = Some(known);
        known
    }

    /// What is reached on a part without learning: by an answer that does not look at its input, or, where samples are windows of series and that
    /// costs less, by the naive forecast; and whether it is the latter.
    pub(crate) fn unlearned(&self, part: &Part) -> (Baseline, bool) {
        let (data, checked) = (self.run.data(), self.run.checked());
        let (loss, shown) = (&checked.experiment.loss, data.labels(part));
        let signature = &checked.signature;
        let asked = Asked {
            outputs: signature.outputs,
            answers: signature.answers(),
            together: checked.experiment.training.batch_size,
        };
        let blind = loss.baseline(data.labels(&data.train), shown, asked);
        let naive = data.naive(part).map(|naive| loss.of_answers(&naive, shown));
        match naive.filter(|naive| *naive < blind.loss) {
            Some(naive) => (Baseline { loss: naive, ..blind }, true),
            None => (blind, false),
        }
    }
}

/// What an answer costs that looks at the token in its own place alone: the entropy of the answers to learn from, given that token. Nothing
/// where samples are not a token and an answer in each place.
fn last_token(data: &Dataset) -> Option<f64> {
    const MOST: usize = 1 << 20;
    let Labels::Class(answers) = data.labels(&data.train) else { return None };
    let input = data.train.field(data.written()?)?;
    let (Column::U32(tokens), Task::Classification { classes }) = (&input.column, &data.task) else { return None };
    let (vocabulary, classes) = (input.vocabulary?, classes.len());
    if tokens.len() != answers.len() || input.shape.is_empty() || vocabulary.saturating_mul(classes) > MOST {
        return None;
    }
    let mut counts = vec![0u32; vocabulary * classes];
    for (&token, &answer) in tokens.iter().zip(answers).filter(|(_, answer)| **answer != IGNORED) {
        *counts.get_mut(token as usize * classes + answer as usize)? += 1;
    }
    // The entropy of each token's answers, weighed by how many there are: n·ln n − Σ c·ln c.
    let cost = |n: u32| if n == 0 { 0.0 } else { f64::from(n) * libm::log(f64::from(n)) };
    let of_token = |answers: &[u32]| cost(answers.iter().sum()) - answers.iter().map(|n| cost(*n)).sum::<f64>();
    let asked: u32 = counts.iter().sum();
    Some(counts.chunks_exact(classes.max(1)).map(of_token).sum::<f64>() / f64::from(asked.max(1)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_data::{NoAssets, Source};
    use serde_json::json;

    use super::last_token;

    #[test]
    fn the_last_token_alone_says_nothing_of_an_induction_and_much_of_a_story() {
        let of = |source: &str| {
            let source = Source::from_json(source, &json!({})).unwrap().build(1, &NoAssets).unwrap();
            (last_token(&source), source)
        };
        let (tales, set) = of("tinytales");
        assert!(tales.unwrap() > 1.2 * set.floor.unwrap() && tales.unwrap() < 2.0, "{tales:?}");
        assert_eq!((of("parity").0, of("spirals").0), (None, None));
    }
}
