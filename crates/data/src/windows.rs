//! Where the windows of a series begin, and which of them are held out. Samples are made of them in `series.rs`.

use downhill_tensor::UserError;

/// How a series is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
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
    /// Stretches without a gap, `[steps, names]` each, in the order of time, as the network is given them.
    pub runs: Vec<Vec<f32>>,
    /// What was taken off each number and what it was divided by.
    pub scales: Vec<(f64, f64)>,
}

/// The windows of one stretch that are learned from, and those held out, by their first steps: whatever is to be predicted of the first is
/// over before the first thing that is to be predicted of the second.
pub(crate) fn parts_of(steps: usize, cut: Cut, fraction: f64) -> [Vec<u32>; 2] {
    let starts: Vec<u32> = (0..(steps + 1).saturating_sub(cut.window + cut.horizon))
        .step_by(cut.stride.max(1))
        .map(|start| start as u32)
        .collect();
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

/// The first step of each stretch that nothing is learned from.
///
/// # Errors
/// When no stretch is long enough for a single window.
pub(crate) fn learned(lengths: &[usize], cut: Cut, fraction: f64) -> Result<Vec<usize>, UserError> {
    let (window, horizon) = (cut.window, cut.horizon);
    let longest = lengths.iter().max().copied().unwrap_or(0);
    if longest < window + horizon {
        let needed = window + horizon;
        let message = format!(
            "A window of {window} steps and a horizon of {horizon} need {needed} steps in a row, but the longest stretch has {longest}."
        );
        return Err(UserError::at("window", message).hint("Lower `window` or `horizon`, or use a longer series."));
    }
    let end = |&steps: &usize| {
        let [train, _] = parts_of(steps, cut, fraction);
        train.last().map_or(0, |&start| start as usize + window + horizon)
    };
    Ok(lengths.iter().map(end).collect())
}

impl Series {
    /// A single stretch, all of which is predicted; mean and standard deviation of each number are those of what is learned from.
    ///
    /// # Errors
    /// As [`learned`].
    pub(crate) fn fit(names: Vec<String>, run: &[f64], cut: Cut, fraction: f64) -> Result<Self, UserError> {
        let width = names.len();
        let end = learned(&[run.len() / width], cut, fraction)?[0];
        let fit = |at: usize| {
            let values = || run.iter().skip(at).step_by(width).take(end);
            let count = values().count().max(1) as f64;
            let mean = values().sum::<f64>() / count;
            let std = (values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count).sqrt();
            (mean, if std > 1e-13 * mean.abs() && std > 1e-15 { std } else { 1.0 })
        };
        let scales: Vec<(f64, f64)> = (0..width).map(fit).collect();
        let scaled = run.iter().enumerate().map(|(i, v)| ((v - scales[i % width].0) / scales[i % width].1) as f32).collect();
        Ok(Self { predicted: width, names, runs: vec![scaled], scales })
    }
}
