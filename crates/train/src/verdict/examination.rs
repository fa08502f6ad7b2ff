//! A look at the layers: which units give nothing or are stuck at an end of their range, which weights are alike, how large gradients are.
//! Numbers in, numbers out; how they are had from a device is the session's business.

use downhill_model::LayerSummary;
use downhill_tensor::stats::summarize;

/// Share of a bounded activation's range, at either end, that counts as flat.
const FLAT: f32 = 0.01;
/// Difference of two weights, relative to the largest, below which they are the same.
const SAME: f32 = 1e-6;

/// The state of the layers at a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examination {
    /// Steps taken before it.
    pub step: u64,
    /// Samples that ran through the network.
    pub samples: usize,
    /// Hidden activations, from input to output.
    pub units: Vec<Units>,
    /// Matrices of weights, from input to output.
    pub weights: Vec<Weights>,
}

/// What the units of a hidden activation gave for some samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// Path of the layer.
    pub path: String,
    /// Its name for a person: `linear 8 #0`.
    pub title: String,
    /// Its name among the layers: `relu`.
    pub layer: &'static str,
    /// Whether it has a smallest and a largest value.
    pub bounded: bool,
    /// How many units.
    pub count: usize,
    /// How many of them gave exactly 0 for every sample, as a relu does below zero.
    pub dead: usize,
    /// Share of all numbers that lie at a flat end of its range; 0 where it has none.
    pub saturated: f64,
}

/// The weights of a layer and their gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Path of the layer.
    pub path: String,
    /// Its name for a person: `linear 8 #0`.
    pub title: String,
    /// Its name among the layers: `linear`.
    pub layer: &'static str,
    /// Number of units, one row of weights each.
    pub units: usize,
    /// Whether all rows are the same.
    pub alike: bool,
    /// Root mean square of the weights.
    pub size: f64,
    /// Root mean square of the last step's gradient: of the biases, for theirs is that of the units themselves; of the weights where there
    /// are none.
    pub gradient: f64,
}

impl Units {
    /// Looks at `values`, one row per sample and one column per unit, of an activation with this range.
    pub(crate) fn look(layer: &LayerSummary, count: usize, values: &[f32]) -> Self {
        let silent = |unit: &usize| values.iter().skip(*unit).step_by(count.max(1)).all(|v| *v == 0.0);
        let dead = if values.is_empty() { 0 } else { (0..count).filter(silent).count() };
        let saturated = layer.range.map_or(0.0, |(low, high)| {
            let (low, high) = (low as f32, high as f32);
            let edge = FLAT * (high - low);
            let flat = values.iter().filter(|v| **v < low + edge || **v > high - edge).count();
            flat as f64 / values.len().max(1) as f64
        });
        let (path, title, bounded) = (layer.path.clone(), layer.title(), layer.range.is_some());
        Self { path, title, layer: layer.name, bounded, count, dead, saturated }
    }
}

impl Weights {
    /// Looks at a matrix of so many rows and at a gradient.
    pub(crate) fn look(layer: &LayerSummary, units: usize, values: &[f32], gradient: &[f32]) -> Self {
        let width = values.len() / units.max(1);
        let largest = values.iter().fold(0f32, |m, v| m.max(v.abs()));
        let first = values.get(..width).unwrap_or(&[]);
        let same = |row: &[f32]| row.iter().zip(first).all(|(a, b)| (a - b).abs() <= SAME * largest);
        let alike = units > 1 && width > 0 && values.chunks_exact(width).all(same);
        let mean_square = |values: &[f32]| summarize(values).norm / (values.len().max(1) as f64).sqrt();
        let (size, gradient) = (mean_square(values), mean_square(gradient));
        Self { path: layer.path.clone(), title: layer.title(), layer: layer.name, units, alike, size, gradient }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &'static str, range: Option<(f64, f64)>) -> LayerSummary {
        LayerSummary {
            path: "model[0]".into(),
            scope: "0".into(),
            label: name.into(),
            name,
            shape: Vec::new(),
            range,
            tokens: false,
            reads: Vec::new(),
            field: None,
            parameters: Vec::new(),
            inner: Vec::new(),
        }
    }

    #[test]
    fn a_unit_is_dead_where_it_gives_nothing_for_any_sample() {
        let relu = Units::look(&layer("relu", None), 3, &[0., 1., 0., 0., 0., 0.]);
        assert_eq!((relu.dead, relu.saturated), (2, 0.0));
        let tanh = Units::look(&layer("tanh", Some((-1.0, 1.0))), 2, &[0.999, -0.5, -0.999, 0.2]);
        assert_eq!((tanh.dead, tanh.saturated), (0, 0.5));
    }

    #[test]
    fn rows_are_alike_where_no_weight_tells_them_apart() {
        let linear = layer("linear", None);
        let look = |values: &[f32]| Weights::look(&linear, 2, values, &[3.0, 4.0]);
        assert!(look(&[0.5, 0.1, 0.5, 0.1]).alike && look(&[0.0; 4]).alike);
        assert!(!look(&[0.5, 0.1, 0.5, 0.2]).alike);
        assert!((look(&[1.0, 2.0]).gradient - 12.5f64.sqrt()).abs() < 1e-6);
        assert!(!Weights::look(&linear, 1, &[1.0, 2.0], &[]).alike, "one unit is like no other");
    }
}
