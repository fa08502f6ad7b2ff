//! Pictures of any size as squares of one size: the square in the middle, each new pixel the weighted mean of those around its place, as PyTorch's
//! `interpolate` computes it with `mode="bilinear", antialias=True`.

/// Weights of the old pixels that a new one is made of: the first, and one for each from there on.
struct Taps(Vec<(usize, Vec<f64>)>);

impl Taps {
    /// Of `to` new pixels out of `from` old ones.
    fn new(from: usize, to: usize) -> Self {
        let step = from as f64 / to as f64;
        let reach = step.max(1.0);
        let tap = |i: usize| {
            let middle = (i as f64 + 0.5) * step;
            let first = (middle - reach + 0.5).max(0.0) as usize;
            let last = ((middle + reach + 0.5) as usize).min(from);
            let weight = |j: usize| (1.0 - ((j as f64 + 0.5 - middle) / reach).abs()).max(0.0);
            let weights: Vec<f64> = (first..last).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.into_iter().map(|w| w / sum).collect())
        };
        Self((0..to).map(tap).collect())
    }
}

/// Makes squares of pictures that all have the same size.
pub struct Resize {
    width: usize,
    /// The first row and column of the square in the middle, and its side.
    top: usize,
    left: usize,
    side: usize,
    size: usize,
    taps: Taps,
}

impl Resize {
    /// From `height` × `width` to `size` × `size`.
    pub fn new(height: usize, width: usize, size: usize) -> Self {
        let side = height.min(width);
        Self { width, top: (height - side) / 2, left: (width - side) / 2, side, size, taps: Taps::new(side, size) }
    }

    /// The new pixels of a plane whose values `at` gives by their places, appended to `into`.
    pub fn plane(&self, at: impl Fn(usize) -> u8, into: &mut Vec<u8>) {
        let old = |row: usize, column: usize| at((self.top + row) * self.width + self.left + column);
        if self.side == self.size {
            return into.extend((0..self.size * self.size).map(|i| old(i / self.size, i % self.size)));
        }
        let mut rows = Vec::with_capacity(self.side * self.size);
        for row in 0..self.side {
            rows.extend(self.taps.0.iter().map(|(first, weights)| {
                weights.iter().zip(*first..).map(|(weight, column)| weight * f64::from(old(row, column))).sum::<f64>()
            }));
        }
        for (first, weights) in &self.taps.0 {
            for column in 0..self.size {
                let value: f64 =
                    weights.iter().zip(*first..).map(|(weight, row)| weight * rows[row * self.size + column]).sum();
                into.push((value + 0.5) as u8);
            }
        }
    }
}
