//! The rows of a matrix as vectors, such as those of words: principal components, and which point the same way. Numbers in, numbers out.

use downhill_tensor::rng::{Rng, Stream};

/// Components that are worked out beside those that are asked for, so that these converge quickly.
const BESIDE: usize = 6;
/// Times that a component outgrows those that are left out: with six beside, a ratio of 0.7 is below 1e-6 after 40.
const ROUNDS: usize = 40;
/// Passes over a small symmetric matrix; each makes what is off its diagonal about a square smaller.
const SWEEPS: usize = 12;

/// Vectors, one after the other.
pub(super) struct Rows<'a> {
    /// All numbers.
    pub values: &'a [f32],
    /// Numbers of each.
    pub width: usize,
}

impl Rows<'_> {
    fn all(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// Coordinates of the rows along the first principal components `[rows, count]`, then the share of the variance of each; where there are fewer
    /// numbers than components, what is left is 0. By block power iteration (Halko, Martinsson and Tropp 2011) on the centred rows X: Q ← orth(Xᵀ·X·Q), then the
    /// eigenvectors of the small matrix (X·Q)ᵀ·(X·Q).
    pub fn components(&self, count: usize) -> Vec<f32> {
        let rows = self.all().count();
        let mean = |column: usize| self.all().map(|row| f64::from(row[column])).sum::<f64>() / rows.max(1) as f64;
        let means: Vec<f64> = (0..self.width).map(mean).collect();
        let centred: Vec<f64> = self.all().flat_map(|row| row.iter().zip(&means).map(|(v, m)| f64::from(*v) - m)).collect();
        let variance: f64 = centred.iter().map(|v| v * v).sum();
        let block = (count + BESIDE).min(self.width);
        let mut told = vec![0.0; (rows + 1) * count];
        if !variance.is_finite() || variance <= 0.0 {
            return told;
        }
        let mut rng = Rng::new(0, Stream::Init, 0);
        let mut basis: Vec<Vec<f64>> = (0..block).map(|_| (0..self.width).map(|_| rng.normal()).collect()).collect();
        orthonormalise(&mut basis);
        let along = |direction: &[f64]| centred.chunks_exact(self.width).map(|row| dot(row, direction)).collect::<Vec<f64>>();
        for _ in 0..ROUNDS {
            for direction in &mut basis {
                let coordinates = along(direction);
                direction.fill(0.0);
                for (row, at) in centred.chunks_exact(self.width).zip(coordinates) {
                    direction.iter_mut().zip(row).for_each(|(d, v)| *d += at * v);
                }
            }
            orthonormalise(&mut basis);
        }
        let seen: Vec<Vec<f64>> = basis.iter().map(|direction| along(direction)).collect();
        let small = seen.iter().flat_map(|a| seen.iter().map(move |b| dot(a, b))).collect();
        for (k, (share, mix)) in eigen(small, block).into_iter().take(count).enumerate() {
            let at = |row: usize| mix.iter().zip(&seen).map(|(m, s)| m * s[row]).sum::<f64>();
            let coordinates: Vec<f64> = (0..rows).map(at).collect();
            let largest = coordinates.iter().fold(0.0f64, |most, v| if v.abs() > most.abs() { *v } else { most });
            for (row, v) in coordinates.iter().enumerate() {
                told[row * count + k] = (v * largest.signum()) as f32;
            }
            told[rows * count + k] = (share / variance) as f32;
        }
        told
    }

    /// Places and cosines of the rows nearest to `Σ plus/‖plus‖ − Σ minus/‖minus‖`, the nearest first; nothing where no row is named, or one that there is
    /// not.
    pub fn nearest(&self, plus: &[u32], minus: &[u32], count: usize) -> Vec<f32> {
        let unit: Vec<Vec<f64>> = self.all().map(normalised).collect();
        let mut goal = vec![0.0; self.width];
        for (sign, named) in [(1.0, plus), (-1.0, minus)] {
            for place in named {
                let Some(row) = unit.get(*place as usize) else { return Vec::new() };
                goal.iter_mut().zip(row).for_each(|(g, v)| *g += sign * v);
            }
        }
        let length = dot(&goal, &goal).sqrt();
        if length == 0.0 || !length.is_finite() {
            return Vec::new();
        }
        let named = |place: usize| plus.iter().chain(minus).any(|named| *named as usize == place);
        let others = unit.iter().enumerate().filter(|(place, _)| !named(*place));
        let mut all: Vec<(f64, usize)> = others.map(|(place, row)| (dot(row, &goal) / length, place)).collect();
        let mut told = Vec::new();
        // Few are asked for, so each is looked for anew.
        while told.len() / 2 < count && !all.is_empty() {
            let best = (1..all.len()).fold(0, |best, i| if all[i].0 > all[best].0 { i } else { best });
            let (nearness, place) = all.remove(best);
            told.extend([place as f32, nearness as f32]);
        }
        told
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A vector of length 1 that points as a row does; zeros for zeros.
fn normalised(row: &[f32]) -> Vec<f64> {
    let row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
    let length = dot(&row, &row).sqrt().max(f64::MIN_POSITIVE);
    row.into_iter().map(|v| v / length).collect()
}

/// Gram and Schmidt, twice for what the first time leaves; a direction that is made of those before it becomes 0.
fn orthonormalise(basis: &mut [Vec<f64>]) {
    for i in 0..basis.len() {
        let (before, rest) = basis.split_at_mut(i);
        let direction = &mut rest[0];
        let whole = dot(direction, direction).sqrt();
        for other in before.iter().chain(before.iter()) {
            let share = dot(direction, other);
            direction.iter_mut().zip(other).for_each(|(d, o)| *d -= share * o);
        }
        let left = dot(direction, direction).sqrt();
        let scale = if left > 1e-12 * whole && left > 0.0 { 1.0 / left } else { 0.0 };
        direction.iter_mut().for_each(|d| *d *= scale);
    }
}

/// Eigenvalues and eigenvectors of a symmetric matrix `[n, n]`, the largest value first, by Jacobi's rotations.
fn eigen(mut a: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    let mut vectors: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
    for _ in 0..SWEEPS {
        for (p, q) in (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))) {
            if a[p * n + q] == 0.0 {
                continue;
            }
            let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
            let t = (1.0 / (theta.abs() + (theta * theta + 1.0).sqrt())).copysign(theta);
            let c = 1.0 / (t * t + 1.0).sqrt();
            let s = t * c;
            let rotate = |m: &mut Vec<f64>, i: usize, j: usize| (m[i], m[j]) = (c * m[i] - s * m[j], s * m[i] + c * m[j]);
            (0..n).for_each(|k| rotate(&mut a, k * n + p, k * n + q));
            (0..n).for_each(|k| rotate(&mut a, p * n + k, q * n + k));
            (0..n).for_each(|k| rotate(&mut vectors, k * n + p, k * n + q));
        }
    }
    let mut left: Vec<(f64, Vec<f64>)> = (0..n).map(|i| (a[i * n + i], (0..n).map(|k| vectors[k * n + i]).collect())).collect();
    let largest = |pairs: &[(f64, Vec<f64>)]| (0..pairs.len()).reduce(|a, b| if pairs[b].0 > pairs[a].0 { b } else { a });
    let mut pairs = Vec::new();
    while let Some(at) = largest(&left) {
        pairs.push(left.remove(at));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f32], wanted: &[f32]) {
        let fits = found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(fits, "{found:?} {wanted:?}");
    }

    #[test]
    fn components_are_those_of_a_cloud_that_was_turned() {
        // The first number of a point goes along (3, 4)/5, the second along (−4, 3)/5, and all are moved by (10, −7).
        let points = [(-1.0f32, 0.0f32), (-2.0, 0.0), (0.0, 1.0), (0.0, -1.0), (3.0, 0.0), (0.0, 0.0)];
        let values: Vec<f32> = points.iter().flat_map(|(a, b)| [10.0 + 0.6 * a - 0.8 * b, -7.0 + 0.8 * a + 0.6 * b]).collect();
        let found = Rows { values: &values, width: 2 }.components(2);
        // Of 16 squares 14 lie along the first.
        let first: Vec<f32> = found.chunks(2).map(|row| row[0]).collect();
        near(&first, &[-1.0, -2.0, 0.0, 0.0, 3.0, 0.0, 14.0 / 16.0]);
        let second: Vec<f32> = found.chunks(2).map(|row| row[1]).collect();
        near(&second.iter().map(|v| v.abs()).collect::<Vec<_>>(), &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 2.0 / 16.0]);
    }

    #[test]
    fn the_components_of_many_numbers_have_the_variance_of_no_other_direction() {
        let mut rng = Rng::new(5, Stream::Data, 0);
        let (rows, width) = (60, 16);
        let values: Vec<f32> = (0..rows * width).map(|i| (rng.normal() / (1.0 + (i % width) as f64)) as f32).collect();
        let found = Rows { values: &values, width }.components(3);
        assert_eq!(found.len(), (rows + 1) * 3);
        let column = |k: usize| found.chunks(3).take(rows).map(|row| f64::from(row[k])).collect::<Vec<_>>();
        // Uncorrelated, and each with at least the variance along any axis that is orthogonal to those before.
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert!(dot(&column(a), &column(b)).abs() < 1e-3);
        }
        let shares = &found[rows * 3..];
        assert!(shares[0] >= shares[1] && shares[1] >= shares[2] && shares[2] > 0.0 && shares.iter().sum::<f32>() < 1.0);
        let mean = values.iter().step_by(width).sum::<f32>() / rows as f32;
        let first: f32 = values.iter().step_by(width).map(|v| (v - mean) * (v - mean)).sum();
        assert!(dot(&column(0), &column(0)) >= f64::from(first) - 1e-3);
    }

    #[test]
    fn fewer_numbers_than_components_and_rows_that_are_all_alike_give_zeros() {
        near(&Rows { values: &[1.0, 3.0, 2.0], width: 1 }.components(2), &[1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        near(&Rows { values: &[2.0; 6], width: 3 }.components(2), &[0.0; 6]);
        near(&Rows { values: &[], width: 3 }.components(1), &[0.0]);
        assert_eq!(Rows { values: &[f32::NAN; 4], width: 2 }.components(1), [0.0; 3]);
    }

    #[test]
    fn the_nearest_rows_point_the_same_way_and_are_none_of_those_named() {
        // Left or right, low or high: the fourth is the third as the second is the first.
        let values = [1.0, 0.0, 0.1, 1.0, 1.0, 0.1, 0.0, 0.2, 1.0, 0.0, 1.2, 1.0, 5.0, 5.0, -9.0];
        let rows = Rows { values: &values, width: 3 };
        let to_first = rows.nearest(&[0], &[], 2);
        assert_eq!((to_first.len(), to_first[0]), (4, 1.0));
        near(&to_first[1..2], &[(1.0 + 0.01) / (1.01f32.sqrt() * 2.01f32.sqrt())]);
        assert_eq!(rows.nearest(&[1, 2], &[0], 1)[0], 3.0);
        assert_eq!(rows.nearest(&[0], &[], 99).len(), 8, "there are no more");
        assert!(
            rows.nearest(&[9], &[], 3).is_empty()
                && rows.nearest(&[], &[], 3).is_empty()
                && rows.nearest(&[1], &[1], 3).is_empty()
        );
    }
}
