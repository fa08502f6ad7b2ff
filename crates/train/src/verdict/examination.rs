//! A look at the layers: which units give nothing or are stuck at an end of their range, which weights are alike, how large gradients are.
//! Numbers in, numbers out; how they are had from a device is the session's business.

use downhill_model::LayerSummary;
use downhill_tensor::sort_short_by_key;
use downhill_tensor::stats::summarize;

/// Share of a bounded activation's range, at either end, that counts as flat.
const FLAT: f32 = 0.01;
/// Share of the weights' gradients below which those of the biases are nothing but rounding.
const ROUNDING: f64 = 1e-5;
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
    /// What the heads of attentions look at, from input to output.
    pub heads: Vec<Heads>,
    /// How gradients come back through the steps of a sequence.
    pub over_time: Option<OverTime>,
}

/// What the heads of an attention look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heads {
    /// Name of the layer for a person: `attention 4 heads #2`.
    pub title: String,
    /// How many there are.
    pub count: usize,
    /// By how much the two that differ most do: the share of a head's weights that lies elsewhere in the other, the mean over places; 0 for
    /// heads that all look at the same.
    pub apart: f64,
}

/// How gradients come back through the steps of sequences, to what a recurrent layer reads at each step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverTime {
    /// Name of the layer for a person: `rnn 16 #0`.
    pub title: String,
    /// Whether its cells have gates, which can learn to let gradients through.
    pub gated: bool,
    /// Steps of the longest sequence.
    pub steps: usize,
    /// The gradient that reaches the first step as a share of that at the last; the middle one of some sequences.
    pub share: f64,
}

impl Heads {
    /// Looks at `values`, `[samples, heads, queries, keys]`.
    pub(crate) fn look(title: String, shape: &[u32], values: &[f32]) -> Self {
        let &[_, heads, queries, keys] = shape else { return Self { title, ..Self::default() } };
        let (count, size) = (heads as usize, queries as usize * keys as usize);
        let mut apart = 0f64;
        for a in 0..count {
            for b in 0..a {
                let of = |head: usize| values.chunks_exact(size.max(1)).skip(head).step_by(count).flatten();
                let (sum, n) =
                    of(a).zip(of(b)).fold((0f64, 0usize), |(sum, n), (x, y)| (sum + f64::from((x - y).abs()), n + 1));
                apart = apart.max(0.5 * sum * f64::from(keys) / n.max(1) as f64);
            }
        }
        Self { title, count, apart }
    }
}

impl OverTime {
    /// Looks at gradients `[samples, steps, numbers]`; past the end of a shorter sequence they are 0.
    pub(crate) fn look(title: String, gated: bool, shape: &[u32], values: &[f32]) -> Option<Self> {
        let &[_, steps, width] = shape else { return None };
        let row = steps as usize * width as usize;
        let share = |row: &[f32]| {
            let norms: Vec<f64> = row.chunks_exact(width.max(1) as usize).map(|step| summarize(step).norm).collect();
            let last = norms.iter().rposition(|norm| *norm > 0.0)?;
            (last > 0).then(|| (last + 1, norms[0] / norms[last]))
        };
        let found: Vec<(usize, f64)> = values.chunks_exact(row.max(1)).filter_map(share).collect();
        let steps = found.iter().map(|(steps, _)| *steps).max()?;
        // Short sequences say little of what a long way does.
        let long = found.iter().filter(|(n, _)| 4 * n >= 3 * steps).map(|(_, share)| *share);
        Some(Self { title, gated, steps, share: median(long) })
    }
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
    /// What they are: `units`, or `filters` where each gives a picture.
    pub what: &'static str,
    /// How many there are.
    pub count: usize,
    /// How many of them gave exactly 0 for every sample, and everywhere in it, as a relu does below zero.
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
    /// are none, or where a norm takes away whatever they add.
    pub gradient: f64,
}

/// The middle one of some numbers, none of which is negative; NaN where there are none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    // Their bits are in the same order.
    sort_short_by_key(&mut values, |v| v.to_bits());
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Units {
    /// Looks at `values`, one row per sample, of an activation with this range; a row holds so many numbers for each unit.
    pub(crate) fn look(layer: &LayerSummary, values: &[f32]) -> Self {
        let count = layer.shape.first().copied().unwrap_or_default();
        let pixels = layer.shape.iter().skip(1).product::<usize>().max(1);
        let silent = |unit: &usize| values.chunks_exact(pixels).skip(*unit).step_by(count.max(1)).flatten().all(|v| *v == 0.0);
        let dead = if values.is_empty() { 0 } else { (0..count).filter(silent).count() };
        let saturated = layer.range.map_or(0.0, |(low, high)| {
            let (low, high) = (low as f32, high as f32);
            let edge = FLAT * (high - low);
            let flat = values.iter().filter(|v| **v < low + edge || **v > high - edge).count();
            flat as f64 / values.len().max(1) as f64
        });
        let what = if layer.shape.len() == 1 { "units" } else { "filters" };
        let (path, title, bounded) = (layer.path.clone(), layer.title(), layer.range.is_some());
        Self { path, title, layer: layer.name, bounded, what, count, dead, saturated }
    }
}

impl Weights {
    /// Looks at a matrix of so many rows and at the gradients of its biases and of itself.
    pub(crate) fn look(layer: &LayerSummary, units: usize, values: &[f32], gradients: [&[f32]; 2]) -> Self {
        let width = values.len() / units.max(1);
        let largest = values.iter().fold(0f32, |m, v| m.max(v.abs()));
        let first = values.get(..width).unwrap_or(&[]);
        let same = |row: &[f32]| row.iter().zip(first).all(|(a, b)| (a - b).abs() <= SAME * largest);
        let alike = units > 1 && width > 0 && values.chunks_exact(width).all(same);
        let mean_square = |values: &[f32]| summarize(values).norm / (values.len().max(1) as f64).sqrt();
        let (size, [of_biases, of_weights]) = (mean_square(values), gradients.map(mean_square));
        // Not 0 but rounding is what comes through a norm.
        let gradient = if of_biases > ROUNDING * of_weights { of_biases } else { of_weights };
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
    fn a_unit_or_filter_is_dead_where_it_gives_nothing_for_any_sample() {
        let of = |name, range, shape: &[usize]| LayerSummary { shape: shape.to_vec(), ..layer(name, range) };
        let relu = Units::look(&of("relu", None, &[3]), &[0., 1., 0., 0., 0., 0.]);
        assert_eq!((relu.what, relu.dead, relu.saturated), ("units", 2, 0.0));
        let tanh = Units::look(&of("tanh", Some((-1.0, 1.0)), &[2]), &[0.999, -0.5, -0.999, 0.2]);
        assert_eq!((tanh.dead, tanh.saturated), (0, 0.5));
        // Two samples of two filters with pictures of 1 × 2: the second filter gives something in one place of one sample.
        let maps = Units::look(&of("relu", None, &[2, 1, 2]), &[0., 0., 0., 0., 0., 0., 0., 1.]);
        assert_eq!((maps.what, maps.count, maps.dead), ("filters", 2, 1));
    }

    #[test]
    fn heads_are_as_far_apart_as_their_weights() {
        let look = |values: &[f32]| Heads::look(String::new(), &[1, 2, 1, 2], values).apart;
        assert_eq!([look(&[1., 0., 1., 0.]), look(&[1., 0., 0., 1.]), look(&[1., 0., 0.75, 0.25])], [0.0, 1.0, 0.25]);
    }

    #[test]
    fn a_gradient_over_time_is_that_of_the_first_step_beside_the_last_that_counts() {
        let look =
            |values: &[f32]| OverTime::look(String::new(), false, &[2, 3, 1], values).map(|found| (found.steps, found.share));
        assert_eq!(look(&[0.5, 9.0, 2.0, -0.25, 1.0, 1.0]), Some((3, 0.25)));
        assert_eq!(look(&[0.5, 2.0, 0.0, 1.0, 0.0, 0.0]), Some((2, 0.25)));
        assert_eq!(look(&[0.0; 6]), None);
    }

    #[test]
    fn rows_are_alike_where_no_weight_tells_them_apart() {
        let linear = layer("linear", None);
        let look = |values: &[f32]| Weights::look(&linear, 2, values, [&[3.0, 4.0], &[0.5; 4]]);
        assert!(look(&[0.5, 0.1, 0.5, 0.1]).alike && look(&[0.0; 4]).alike);
        assert!(!look(&[0.5, 0.1, 0.5, 0.2]).alike);
        assert!((look(&[1.0, 2.0]).gradient - 12.5f64.sqrt()).abs() < 1e-6);
        assert!(!Weights::look(&linear, 1, &[1.0, 2.0], [&[], &[]]).alike, "one unit is like no other");
        let before_a_norm = Weights::look(&linear, 2, &[1.0, 2.0], [&[1e-9, 0.0], &[0.5; 2]]);
        assert_eq!(before_a_norm.gradient, 0.5);
    }
}
