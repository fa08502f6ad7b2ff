//! The verdict of a run: the evidence is put together here, the rules stand in `verdict/`.

use downhill_model::losses::Baseline;
use downhill_protocol::Verdict;

use super::Session;
use crate::verdict::{Evidence, fix, judge};

impl Session {
    /// How the run is doing, from all that is known of it now. What it offers to change can be changed.
    pub fn verdict(&mut self) -> Verdict {
        let found = self.judged().0;
        self.with_a_fix_that_works(found)
    }

    /// The same before its fix was tried on the experiment, and whether the loss is no better than guessing.
    pub(crate) fn judged(&mut self) -> (Verdict, bool) {
        let baseline = self.baseline();
        let signs = self.reports.signs();
        let checked = self.run.checked();
        let end = checked.experiment.training.steps;
        let evidence = Evidence {
            experiment: &checked.experiment,
            step: self.run.done(),
            evaluations: signs.history.evaluations(),
            baseline,
            held_out: checked.signature.validation,
            endless: checked.signature.streamed && !checked.experiment.augment.is_on(),
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

    /// What guessing costs: the lower loss of both parts, so that nothing above either of them counts as learned.
    pub(crate) fn baseline(&mut self) -> Baseline {
        if let Some(known) = self.reports.signs().baseline {
            return known;
        }
        let (data, checked) = (self.run.data(), self.run.checked());
        let learned = data.labels(&data.train);
        let of = |shown| checked.experiment.loss.baseline(learned, shown, checked.signature.outputs);
        let (train, shown) = (of(learned), of(data.labels(data.shown())));
        let baseline = Baseline { loss: train.loss.min(shown.loss), accuracy: train.accuracy };
        self.reports.signs_mut().baseline = Some(baseline);
        baseline
    }
}
