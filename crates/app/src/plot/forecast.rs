//! The picture of a forecast of one quantity: where its lines run, and how far they are from what came to be.

use super::curve::Frame;

/// The lines of one quantity, in the units of the data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    /// What the network was given, the last step at 0.
    pub history: Vec<f32>,
    /// What came to be, from step 1 on; NaN where the series has ended, nothing where it is not known.
    pub truth: Vec<f32>,
    /// What the network says, for as many steps as it is asked for, and then given its own answers.
    pub says: Vec<f32>,
    /// Steps of an answer.
    pub horizon: usize,
}

/// Mean distances from what came to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Of the answer.
    pub answer: f64,
    /// Of the last value of the window again, over the same steps.
    pub naive: f64,
    /// Of the steps behind the answer, where the series goes on so long.
    pub fed_back: Option<f64>,
}

impl Lines {
    /// Quantity `at` of tensors with `width` numbers a step in the window and `predicted` in what follows.
    pub fn of(raw: &[f32], truth: &[f32], says: &[f32], (at, width, predicted): (usize, usize, usize), horizon: usize) -> Self {
        let pick = |values: &[f32], width: usize| values.iter().skip(at).step_by(width.max(1)).copied().collect();
        Self { history: pick(raw, width), truth: pick(truth, predicted), says: pick(says, predicted), horizon }
    }

    /// The point of each step of the window.
    pub fn before(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let last = self.history.len() as f64 - 1.0;
        self.history.iter().enumerate().map(move |(i, v)| (i as f64 - last, f64::from(*v)))
    }

    /// The points of steps behind the window, the last one of the window first.
    pub fn after<'a>(&'a self, values: &'a [f32]) -> impl Iterator<Item = (f64, f64)> + 'a {
        let now = self.history.last().into_iter();
        now.chain(values).enumerate().map(|(i, v)| (i as f64, f64::from(*v)))
    }

    /// The frame that shows all lines.
    pub fn frame(&self) -> Frame {
        let lines = self.before().chain(self.after(&self.truth)).chain(self.after(&self.says));
        let points: Vec<f32> = lines.flat_map(|(x, y)| [x as f32, 0.0, y as f32]).collect();
        let frame = Frame::around(&points);
        Frame { x: (1.0 - self.history.len() as f64, self.says.len().max(1) as f64), ..frame }
    }

    /// How far the answer is from what came to be; none where that is not known.
    pub fn errors(&self) -> Option<Errors> {
        let last = *self.history.last()?;
        let mean = |pairs: &mut dyn Iterator<Item = (f32, f32)>| {
            let distances = pairs.filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(a, b)| f64::from((a - b).abs()));
            let (sum, count) = distances.fold((0.0, 0u32), |(sum, count), d| (sum + d, count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        let pairs = || self.truth.iter().copied().zip(self.says.iter().copied());
        Some(Errors {
            answer: mean(&mut pairs().take(self.horizon))?,
            naive: mean(&mut self.truth.iter().take(self.horizon).map(|truth| (*truth, last)))?,
            fed_back: mean(&mut pairs().skip(self.horizon)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_told_apart_and_lines_meet_at_the_end_of_the_window() {
        // A window of two steps with three numbers each, the first two of which are predicted.
        let raw = [1.0, 10.0, 0.5, 2.0, 20.0, 0.5];
        let (truth, says) = ([3.0, 30.0, 4.0, 40.0, f32::NAN, f32::NAN], [3.5, 31.0, 4.0, 42.0, 5.0, 50.0]);
        let lines = Lines::of(&raw, &truth, &says, (1, 3, 2), 1);
        assert_eq!(lines.before().collect::<Vec<_>>(), [(-1.0, 10.0), (0.0, 20.0)]);
        assert_eq!(lines.after(&lines.says).take(2).collect::<Vec<_>>(), [(0.0, 20.0), (1.0, 31.0)]);
        assert_eq!(lines.errors(), Some(Errors { answer: 1.0, naive: 10.0, fed_back: Some(2.0) }));
        let frame = lines.frame();
        assert!(frame.x == (-1.0, 3.0) && frame.y.0 < 10.0 && frame.y.1 > 50.0);
    }

    #[test]
    fn where_nothing_came_to_be_nothing_is_measured() {
        let lines = Lines::of(&[1.0, 2.0], &[], &[3.0, 4.0], (0, 1, 1), 1);
        assert_eq!(lines.errors(), None);
        assert_eq!(Lines::default().errors(), None);
    }
}
