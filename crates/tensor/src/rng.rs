//! Counter-based random numbers: a number depends on `(seed, stream, step, index)` alone, never on what was drawn before.
//!
//! The hash is pcg4d (Jarzynski, Olano: *Hash Functions for GPU Rendering*, JCGT 2020): 32-bit arithmetic only, so that the same
//! bits come out of a compute shader.

/// Independent sources of randomness, so that changing one (the noise, say) leaves the others (the initial weights) as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum Stream {
    /// Generating a data set.
    Data = 1,
    /// Splitting it into training and validation.
    Split = 2,
    /// Initial weights.
    Init = 3,
    /// Order of the samples within an epoch.
    Order = 4,
    /// Dropout masks.
    Dropout = 5,
    /// Augmentation.
    Augmentation = 6,
    /// Batches of endless data.
    Batches = 7,
    /// Which labels are wrong.
    Labels = 8,
    /// Tokens of a text that a network continues.
    Text = 9,
}

/// Four hashed words from four counters.
#[inline]
pub const fn pcg4d(v: [u32; 4]) -> [u32; 4] {
    let [mut x, mut y, mut z, mut w] = v;
    x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    y = y.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    z = z.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    w = w.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    x = x.wrapping_add(y.wrapping_mul(w));
    y = y.wrapping_add(z.wrapping_mul(x));
    z = z.wrapping_add(x.wrapping_mul(y));
    w = w.wrapping_add(y.wrapping_mul(z));
    x ^= x >> 16;
    y ^= y >> 16;
    z ^= z >> 16;
    w ^= w >> 16;
    x = x.wrapping_add(y.wrapping_mul(w));
    y = y.wrapping_add(z.wrapping_mul(x));
    z = z.wrapping_add(x.wrapping_mul(y));
    w = w.wrapping_add(y.wrapping_mul(z));
    [x, y, z, w]
}

/// One hashed word: the random integer that `index` has at `step` in this stream of this seed. `stream` is a [`Stream`] with,
/// where an op draws its own numbers, a salt in its upper bits.
#[inline]
pub const fn hash(seed: u32, stream: u32, step: u32, index: u32) -> u32 {
    pcg4d([index, step, stream, seed])[0]
}

/// A hashed word as a uniform number in `[0, 1)`, exact in f32: the upper 24 bits.
#[inline]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A sequence drawn from one stream, for code that runs on the host.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u32,
    stream: u32,
    step: u32,
    index: u32,
}

impl Rng {
    /// The sequence of `stream`; `step` tells apart several sequences of one stream (one per epoch, per tensor, …).
    pub fn new(seed: u32, stream: Stream, step: u32) -> Self {
        Self { seed, stream: stream as u32, step, index: 0 }
    }

    /// The next random word.
    pub fn next_u32(&mut self) -> u32 {
        let word = hash(self.seed, self.stream, self.step, self.index);
        self.index = self.index.wrapping_add(1);
        word
    }

    /// Uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        f64::from(uniform(self.next_u32()))
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A whole number below `n` (0 when `n` is 0), by the multiply-shift method of Lemire.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.next_u32()) * n as u64) >> 32) as usize
    }

    /// Standard normal, by Box and Muller; `libm` so that native and wasm give the same bits.
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Puts the items into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_pinned() {
        // Links carry a seed, so these words must never change.
        let words = [hash(7, 3, 0, 0), hash(7, 3, 0, 1), hash(8, 3, 0, 0)];
        assert_eq!(words, [1_197_039_353, 821_576_618, 2_624_005_750]);
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut rng = Rng::new(1, Stream::Init, 0);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = rng.normal();
            sum += x;
            squares += x * x;
        }
        assert!((sum / f64::from(n)).abs() < 0.01);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_depends_on_the_epoch() {
        let order = |epoch| {
            let mut v: Vec<usize> = (0..100).collect();
            Rng::new(1, Stream::Order, epoch).shuffle(&mut v);
            v
        };
        let mut sorted = order(0);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(order(0), order(1));
        assert_eq!(order(3), order(3));
    }
}
