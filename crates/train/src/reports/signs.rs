//! What verdicts are made from, and when the layers are looked at for one. The rules stand in `verdict/`.

use std::time::Duration;

use downhill_protocol::Divergence;
use web_time::Instant;

use super::watches::ReadLayout;
use crate::verdict::Known;
use crate::verdict::examination::Examination;
use crate::verdict::history::History;

/// Evaluations before the layers are first looked at.
const FIRST: usize = 4;
/// Loss, relative to that of guessing, below which nothing in the layers keeps the network from learning.
const GOOD: f64 = 0.5;
/// Least time between two looks where a run is watched.
const PAUSE: Duration = Duration::from_secs(1);

/// What verdicts are made from.
#[derive(Default)]
pub(crate) struct Signs {
    /// The evaluations.
    pub history: History,
    /// Why the run stopped, where its numbers were no longer finite.
    pub divergence: Option<Divergence>,
    /// The newest look at the layers.
    pub layers: Option<Examination>,
    /// What the data alone say; worked out when it is first asked for.
    pub known: Option<Known>,
    /// Step and time of the last look that was asked for.
    looked: Option<(u64, Instant)>,
    /// Whether the layers of this model cannot be looked at.
    blind: bool,
}

impl Signs {
    /// Is about step 0 again.
    pub fn begin(&mut self) {
        *self = Self { known: self.known, blind: self.blind, ..Self::default() };
    }

    /// What follows is trained otherwise: evidence of before does not count.
    pub fn restart(&mut self) {
        self.history.restart();
        (self.divergence, self.layers, self.looked) = (None, None, None);
    }

    /// Whether the layers are to be looked at: where the loss is high, again after an eighth of the steps so far, and where the run rests.
    /// A run that learns well is not looked at.
    pub fn wants_examination(&self, step: u64, rests: bool, watched: bool, now: Instant) -> bool {
        let (Some(known), Some(last)) = (self.known, self.history.evaluations().last()) else { return false };
        if self.blind || self.history.evaluations().len() < FIRST || last.train < GOOD * known.baseline.loss {
            return false;
        }
        self.looked.is_none_or(|(then, at)| {
            let due = if rests { then != step } else { step >= then + then / 8 + 50 };
            due && (rests || !watched || now >= at + PAUSE)
        })
    }

    /// A look at the layers was asked for.
    pub fn note_looking(&mut self, step: u64, now: Instant) {
        self.looked = Some((step, now));
    }

    /// The layers cannot be looked at.
    pub fn give_up(&mut self) {
        self.blind = true;
    }
}

/// A look at the layers in the making.
#[derive(Debug, Default)]
pub(crate) struct ExamineJob {
    /// Whether parameters and gradients come first.
    pub weights: bool,
    /// The recurrent layer whose gradients over time come next, if they do, whether it has gates, and the shape of those.
    pub over_time: Option<(String, bool, Vec<u32>)>,
    /// How the words of the other reads are put together.
    pub layout: ReadLayout,
}
