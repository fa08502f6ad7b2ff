//! Series in time, cut into windows: a sample is some steps of a series, and its target what the series is in the steps that follow. Where
//! series come from, the sources say.

use std::sync::Arc;

use downhill_tensor::UserError;

use crate::dataset::{INPUT, Normalisation, Samples, Scaling, Task};
use crate::field::{Column, Field};
use crate::forecast::Forecast;
use crate::split::Split;
use crate::windows::{Cut, Series, learned, parts_of};

/// Most numbers that all windows may have together: 80 MB.
const MAX_NUMBERS: usize = 20_000_000;

/// Cuts the series into windows.
///
/// # Errors
/// When no stretch is long enough for a single window, or there are too many of them.
pub(crate) fn samples(series: Series, cut: Cut, fraction: f64, card: (&str, &str)) -> Result<Samples, UserError> {
    let (width, runs) = (series.names.len(), series.runs);
    let lengths: Vec<usize> = runs.iter().map(|run| run.len() / width).collect();
    learned(&lengths, cut, fraction)?;
    let mut places = [Vec::new(), Vec::new()];
    for (&steps, at) in lengths.iter().zip(0u32..) {
        for (places, starts) in places.iter_mut().zip(parts_of(steps, cut, fraction)) {
            places.extend(starts.into_iter().map(|start| (at, start)));
        }
    }
    let count = places[0].len() + places[1].len();
    if count.saturating_mul(cut.window * width + cut.horizon * series.predicted) > MAX_NUMBERS {
        let message = format!("The series becomes {count} windows of {} steps, which is too much.", cut.window);
        return Err(UserError::at("stride", message).hint("Raise `stride`, or lower `window`."));
    }
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for &(run, start) in places.iter().flatten() {
        let steps = &runs[run as usize][start as usize * width..];
        x.extend_from_slice(&steps[..cut.window * width]);
        let ahead = steps[cut.window * width..].chunks_exact(width).take(cut.horizon);
        y.extend(ahead.flat_map(|step| &step[..series.predicted]));
    }
    let named = |names: &[String], from: i64, steps: usize| -> Vec<String> {
        (from..).take(steps).flat_map(|at| names.iter().map(move |name| format!("{name} {at:+}"))).collect()
    };
    let task = Task::Regression { targets: named(&series.names[..series.predicted], 1, cut.horizon) };
    let field = Field::new(INPUT, [cut.window, width], Column::F32(x));
    let (mean, std): (Vec<f64>, Vec<f64>) = series.scales.iter().copied().unzip();
    let normalisation = Normalisation {
        target_mean: mean[..series.predicted].repeat(cut.horizon),
        target_std: std[..series.predicted].repeat(cut.horizon),
        mean: mean.repeat(cut.window),
        std: std.repeat(cut.window),
    };
    let learned = places[0].len() as u32;
    let mut samples = Samples::new(task, vec![field], Column::F32(y), card);
    samples.features = named(&series.names, 1 - cut.window as i64, cut.window);
    samples.scaling = Scaling::Done(normalisation);
    samples.parts = Some(Split { train: (0..learned).collect(), validation: (learned..count as u32).collect() });
    samples.forecast = Some(Forecast {
        window: cut.window,
        horizon: cut.horizon,
        predicted: series.predicted,
        names: series.names,
        runs: Arc::new(runs),
        places,
    });
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Labels, Part};

    fn counted(steps: usize) -> Series {
        let runs = vec![(0..steps).flat_map(|i| [i as f32, -(i as f32)]).collect()];
        Series { names: vec!["up".into(), "down".into()], predicted: 1, runs, scales: vec![(0.0, 1.0); 2] }
    }

    fn cut(window: usize, horizon: usize, stride: usize) -> Cut {
        Cut { window, horizon, stride }
    }

    #[test]
    fn what_is_held_out_lies_behind_all_that_is_learned_from() {
        for (horizon, stride) in [(1, 1), (3, 1), (3, 2), (2, 5)] {
            let data = samples(counted(60), cut(4, horizon, stride), 0.3, ("", "")).unwrap().finish(0.3, 1).unwrap();
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
        let data = samples(counted(20), cut(4, 3, 1), 0.0, ("", "")).unwrap().finish(0.0, 1).unwrap();
        let forecast = data.forecast.as_ref().unwrap();
        assert_eq!(data.naive(&data.train).unwrap()[3..6], [4.0; 3]);
        assert_eq!(data.naive_error(&data.train), Some(2.0));
        assert_eq!(forecast.ahead(true, 0, 2), [4.0, -4.0, 5.0, -5.0]);
        let end = forecast.ahead(true, data.train.len() - 1, 4);
        assert!(end[5] == -19.0 && end[6].is_nan() && end[7].is_nan());
    }

    #[test]
    fn scales_are_those_of_what_is_learned_from() {
        let values: Vec<f64> = (0..40).map(|i| 5_400_000.0 + 0.5 * f64::from(i)).collect();
        let series = Series::fit(vec!["up".into()], &values, cut(4, 1, 1), 0.5).unwrap();
        let data = samples(series, cut(4, 1, 1), 0.5, ("", "")).unwrap().finish(0.5, 1).unwrap();
        let learned = data.train.len() + 4;
        let mean = values[..learned].iter().sum::<f64>() / learned as f64;
        assert!((data.normalisation.target_mean[0] - mean).abs() < 1e-6 && learned < 25);
        // Values that are large and differ by little keep their differences.
        let window = data.train.field(INPUT).unwrap().numbers(0);
        let step = f64::from(window[1] - window[0]) * data.normalisation.target_std[0];
        assert!((step - 0.5).abs() < 1e-5, "{step}");
    }

    #[test]
    fn a_window_that_is_longer_than_the_series_is_refused_by_name() {
        let error = samples(counted(10), cut(9, 2, 1), 0.3, ("", "")).err().unwrap();
        assert_eq!(error.path.as_deref(), Some("window"));
        assert!(error.message.contains("11 steps") && error.message.contains("has 10"), "{}", error.message);
        assert!(samples(counted(11), cut(9, 2, 1), 0.3, ("", "")).is_ok());
    }
}
