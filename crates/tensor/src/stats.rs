//! Summary statistics of a slice of floats, as panels and tables show them.

use serde::{Deserialize, Serialize};

/// What one line says about many numbers. Non-finite values are counted and left out of the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many numbers, non-finite ones included.
    pub count: usize,
    /// How many were NaN or infinite.
    pub non_finite: usize,
    /// Arithmetic mean of the finite ones; 0 when there are none.
    pub mean: f64,
    /// Population standard deviation of the finite ones.
    pub std: f64,
    /// Smallest finite one.
    pub min: f64,
    /// Largest finite one.
    pub max: f64,
    /// Square root of the sum of squares of the finite ones.
    pub norm: f64,
}

/// Summarises `values` in one pass (Welford's update).
pub fn summarize(values: &[f32]) -> Summary {
    let mut s = Summary { count: values.len(), min: f64::INFINITY, max: f64::NEG_INFINITY, ..Summary::default() };
    let (mut n, mut m2, mut squares) = (0.0f64, 0.0f64, 0.0f64);
    for &v in values {
        if !v.is_finite() {
            s.non_finite += 1;
            continue;
        }
        let v = f64::from(v);
        n += 1.0;
        let delta = v - s.mean;
        s.mean += delta / n;
        m2 += delta * (v - s.mean);
        squares += v * v;
        s.min = s.min.min(v);
        s.max = s.max.max(v);
    }
    if n == 0.0 {
        (s.min, s.max) = (0.0, 0.0);
        return s;
    }
    s.std = (m2 / n).sqrt();
    s.norm = squares.sqrt();
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_leaves_non_finite_values_out_and_counts_them() {
        let s = summarize(&[1.0, f32::NAN, 3.0, f32::INFINITY]);
        assert_eq!((s.count, s.non_finite, s.mean, s.std, s.min, s.max), (4, 2, 2.0, 1.0, 1.0, 3.0));
        assert_eq!(summarize(&[]), Summary::default());
    }
}
