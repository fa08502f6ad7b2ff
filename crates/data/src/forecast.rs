//! What is known of samples that are windows of series: how they were cut, what follows them, and the naive forecast.

use std::sync::Arc;

/// What is known of a data set whose samples are windows of series.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Steps that the network is given.
    pub window: usize,
    /// Steps that it is to predict.
    pub horizon: usize,
    /// Numbers of a step that are predicted, the first ones.
    pub predicted: usize,
    /// Name of each number of a step.
    pub names: Vec<String>,
    /// `[steps, names]` of each stretch, as the network is given them.
    pub(crate) runs: Arc<Vec<Vec<f32>>>,
    /// Stretch and first step of the windows that are learned from, and of those held out.
    pub(crate) places: [Vec<(u32, u32)>; 2],
}

/// Times that a network may be given its own answers in turn: enough to see where it goes, few enough for one program.
const MOST_ROUNDS: usize = 48;

impl Forecast {
    /// How many answers, each of a horizon, make up a continuation: twice the window, where that is not too many.
    pub fn rounds(&self) -> usize {
        (2 * self.window).div_ceil(self.horizon).clamp(4, MOST_ROUNDS)
    }

    /// The `steps` steps behind the window of a sample, as the network is given them; NaN where the series has ended.
    pub fn ahead(&self, train: bool, sample: usize, steps: usize) -> Vec<f32> {
        let width = self.names.len();
        let mut values = Vec::new();
        if let Some(&(run, start)) = self.places[usize::from(!train)].get(sample) {
            let from = (start as usize + self.window) * width;
            let run = self.runs.get(run as usize).map_or(&[][..], Vec::as_slice);
            values.extend(run.iter().skip(from).take(steps * width));
        }
        values.resize(steps * width, f32::NAN);
        values
    }

    /// The naive forecast for each of some windows, as the network is given them: the last value again, at every step.
    pub(crate) fn naive(&self, windows: &[f32]) -> Vec<f32> {
        let (width, window) = (self.names.len(), self.window * self.names.len());
        let last = |window: &[f32]| window[window.len() - width..][..self.predicted].repeat(self.horizon);
        windows.chunks_exact(window.max(1)).flat_map(last).collect()
    }
}
