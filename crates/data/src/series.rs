//! Series in time, cut into windows: a sample is some steps of a series, and its target what the series is in the steps that follow. Where
//! series come from, the sources say.

use std::sync::Arc;

use downhill_tensor::UserError;

use crate::dataset::{Dataset, INPUT, Labels, Normalisation, Part, Samples, Scaling, Task};
use crate::field::{Column, Field};
use crate::split::Split;

/// Most numbers that all windows may have together: 80 MB.
const MAX_NUMBERS: usize = 20_000_000;

/// How a series is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Steps that the network is given.
    pub window: usize,
    /// Steps that it is to predict.
    pub horizon: usize,
    /// Steps from one window to the next.
    pub stride: usize,
}

/// A series before it is cut.
pub(crate) struct Series {
    /// Name of each number of a step; those that are predicted come first.
    pub names: Vec<String>,
    /// How many of them are predicted.
    pub predicted: usize,
    /// Stretches without a gap, `[steps, names]` each, in the order of time.
    pub runs: Vec<Vec<f64>>,
    /// What is taken off each number and what it is divided by; none where both are to be fitted here.
    pub scales: Option<Vec<(f64, f64)>>,
}

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
    runs: Arc<Vec<Vec<f32>>>,
    /// Stretch and first step of the windows that are learned from, and of those held out.
    places: [Vec<(u32, u32)>; 2],
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

    /// The naive forecast of every sample of a part: the last value of the window again, at every step.
    pub fn naive(&self, part: &Part) -> Vec<f32> {
        let Some(Column::F32(values)) = part.field(INPUT).map(|field| &field.column) else { return Vec::new() };
        let (width, window) = (self.names.len(), self.window * self.names.len());
        let last = |window: &[f32]| window[window.len() - width..][..self.predicted].repeat(self.horizon);
        values.chunks_exact(window.max(1)).flat_map(last).collect()
    }

    /// The mean distance of the naive forecast from the answers of a part.
    pub fn naive_error(&self, data: &Dataset, part: &Part) -> f64 {
        let Labels::Real(answers) = data.labels(part) else { return f64::NAN };
        let naive = self.naive(part);
        answers.iter().zip(&naive).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / answers.len().max(1) as f64
    }
}

/// The windows of one stretch that are learned from, and those held out, by their first steps: whatever is to be predicted of the first is
/// over before the first thing that is to be predicted of the second.
fn parts_of(steps: usize, cut: Cut, fraction: f64) -> [Vec<u32>; 2] {
    let starts: Vec<u32> =
        (0..(steps + 1).saturating_sub(cut.window + cut.horizon)).step_by(cut.stride.max(1)).map(|start| start as u32).collect();
    // Of 10 windows with a horizon of 3 and a stride of 1, the two between the parts are in neither.
    let between = if fraction > 0.0 { (cut.horizon - 1) / cut.stride.max(1) } else { 0 };
    let used = starts.len().saturating_sub(between);
    let held_out = ((used as f64 * fraction).round() as usize).min(used.saturating_sub(1));
    if held_out == 0 {
        return [starts, Vec::new()];
    }
    let (train, rest) = starts.split_at(used - held_out);
    [train.to_vec(), rest[between..].to_vec()]
}

impl Series {
    /// The first step of each stretch that nothing is learned from.
    pub(crate) fn learned(runs: &[usize], cut: Cut, fraction: f64) -> Vec<usize> {
        let end = |&steps: &usize| {
            let [train, _] = parts_of(steps, cut, fraction);
            train.last().map_or(0, |&start| start as usize + cut.window + cut.horizon)
        };
        runs.iter().map(end).collect()
    }

    /// Mean and standard deviation of each number, over what is learned from.
    fn fit(&self, cut: Cut, fraction: f64) -> Vec<(f64, f64)> {
        let width = self.names.len();
        let lengths: Vec<usize> = self.runs.iter().map(|run| run.len() / width).collect();
        let ends = Self::learned(&lengths, cut, fraction);
        let fit = |at: usize| {
            let values =
                || self.runs.iter().zip(&ends).flat_map(move |(run, &end)| run.iter().skip(at).step_by(width).take(end));
            let count = values().count().max(1) as f64;
            let mean = values().sum::<f64>() / count;
            let std = (values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count).sqrt();
            (mean, if std > 1e-13 * mean.abs() && std > 1e-15 { std } else { 1.0 })
        };
        (0..width).map(fit).collect()
    }

    /// Cuts the series into windows.
    ///
    /// # Errors
    /// When no stretch is long enough for a single window, or there are too many of them.
    pub(crate) fn samples(self, cut: Cut, fraction: f64, card: (&str, &str)) -> Result<Samples, UserError> {
        let width = self.names.len();
        let longest = self.runs.iter().map(|run| run.len() / width).max().unwrap_or(0);
        if longest < cut.window + cut.horizon {
            let (window, horizon) = (cut.window, cut.horizon);
            let message = format!(
                "A window of {window} steps and a horizon of {horizon} need {} steps in a row, but the longest stretch has {longest}.",
                window + horizon
            );
            return Err(UserError::at("window", message).hint("Lower `window` or `horizon`, or use a longer series."));
        }
        let scales = self.scales.clone().unwrap_or_else(|| self.fit(cut, fraction));
        let scaled = |run: &Vec<f64>| {
            let scale = |(i, v): (usize, &f64)| ((v - scales[i % width].0) / scales[i % width].1) as f32;
            run.iter().enumerate().map(scale).collect::<Vec<f32>>()
        };
        let runs: Vec<Vec<f32>> = self.runs.iter().map(scaled).collect();
        let mut places = [Vec::new(), Vec::new()];
        for (run, at) in runs.iter().zip(0u32..) {
            for (places, starts) in places.iter_mut().zip(parts_of(run.len() / width, cut, fraction)) {
                places.extend(starts.into_iter().map(|start| (at, start)));
            }
        }
        let count = places[0].len() + places[1].len();
        if count.saturating_mul(cut.window * width + cut.horizon * self.predicted) > MAX_NUMBERS {
            let message = format!("The series becomes {count} windows of {} steps, which is too much.", cut.window);
            return Err(UserError::at("stride", message).hint("Raise `stride`, or lower `window`."));
        }
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for &(run, start) in places.iter().flatten() {
            let steps = &runs[run as usize][start as usize * width..];
            x.extend_from_slice(&steps[..cut.window * width]);
            let ahead = steps[cut.window * width..].chunks_exact(width).take(cut.horizon);
            y.extend(ahead.flat_map(|step| &step[..self.predicted]));
        }
        let named = |names: &[String], from: i64, steps: usize| -> Vec<String> {
            (from..).take(steps).flat_map(|at| names.iter().map(move |name| format!("{name} {at:+}"))).collect()
        };
        let task = Task::Regression { targets: named(&self.names[..self.predicted], 1, cut.horizon) };
        let field = Field::new(INPUT, [cut.window, width], Column::F32(x));
        let (mean, std): (Vec<f64>, Vec<f64>) = scales.iter().copied().unzip();
        let normalisation = Normalisation {
            target_mean: mean[..self.predicted].repeat(cut.horizon),
            target_std: std[..self.predicted].repeat(cut.horizon),
            mean: mean.repeat(cut.window),
            std: std.repeat(cut.window),
        };
        let learned = places[0].len() as u32;
        let mut samples = Samples::new(task, vec![field], Column::F32(y), card);
        samples.features = named(&self.names, 1 - cut.window as i64, cut.window);
        samples.scaling = Scaling::Done(normalisation);
        samples.parts = Some(Split { train: (0..learned).collect(), validation: (learned..count as u32).collect() });
        samples.forecast = Some(Forecast {
            window: cut.window,
            horizon: cut.horizon,
            predicted: self.predicted,
            names: self.names,
            runs: Arc::new(runs),
            places,
        });
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(steps: usize) -> Series {
        let runs = vec![(0..steps).flat_map(|i| [i as f64, -(i as f64)]).collect()];
        Series { names: vec!["up".into(), "down".into()], predicted: 1, runs, scales: Some(vec![(0.0, 1.0); 2]) }
    }

    fn cut(window: usize, horizon: usize, stride: usize) -> Cut {
        Cut { window, horizon, stride }
    }

    #[test]
    fn what_is_held_out_lies_behind_all_that_is_learned_from() {
        for (horizon, stride) in [(1, 1), (3, 1), (3, 2), (2, 5)] {
            let data = counted(60).samples(cut(4, horizon, stride), 0.3, ("", "")).unwrap().finish(0.3, 1).unwrap();
            let answers = |part: &Part| match data.labels(part) {
                Labels::Real(values) => values.to_vec(),
                Labels::Class(_) => panic!("there are numbers"),
            };
            let (train, held_out) = (answers(&data.train), answers(&data.validation));
            assert!(train.iter().fold(0.0, |a: f32, b| a.max(*b)) < held_out[0], "{horizon} {stride}");
            assert_eq!(train[0], 4.0);
            // The next value of a window is the next of the series.
            for (part, answers) in [(&data.train, &train), (&data.validation, &held_out)] {
                for i in 0..part.len() {
                    let window = part.field(INPUT).unwrap().numbers(i);
                    assert_eq!((window.len(), window[6] + 1.0, -window[6]), (8, answers[i * horizon], window[7]));
                }
            }
        }
    }

    #[test]
    fn the_naive_forecast_says_the_last_value_again() {
        let data = counted(20).samples(cut(4, 3, 1), 0.0, ("", "")).unwrap().finish(0.0, 1).unwrap();
        let forecast = data.forecast.as_ref().unwrap();
        assert_eq!(forecast.naive(&data.train)[3..6], [4.0; 3]);
        assert_eq!(forecast.naive_error(&data, &data.train), 2.0);
        assert_eq!(forecast.ahead(true, 0, 2), [4.0, -4.0, 5.0, -5.0]);
        let end = forecast.ahead(true, data.train.len() - 1, 4);
        assert!(end[5] == -19.0 && end[6].is_nan() && end[7].is_nan());
    }

    #[test]
    fn scales_are_those_of_what_is_learned_from() {
        let series = Series { scales: None, ..counted(40) };
        let data = series.samples(cut(4, 1, 1), 0.5, ("", "")).unwrap().finish(0.5, 1).unwrap();
        let learned = data.train.len() + 4;
        let mean = (0..learned).map(|i| i as f64).sum::<f64>() / learned as f64;
        assert!((data.normalisation.target_mean[0] - mean).abs() < 1e-12 && learned < 25);
        assert_eq!(data.normalisation.input(&[mean as f32; 8])[0], ((f64::from(mean as f32) - mean) as f32));
    }

    #[test]
    fn a_window_that_is_longer_than_the_series_is_refused_by_name() {
        let error = counted(10).samples(cut(9, 2, 1), 0.3, ("", "")).err().unwrap();
        assert_eq!(error.path.as_deref(), Some("window"));
        assert!(error.message.contains("11 steps") && error.message.contains("has 10"), "{}", error.message);
        assert!(counted(11).samples(cut(9, 2, 1), 0.3, ("", "")).is_ok());
    }
}
