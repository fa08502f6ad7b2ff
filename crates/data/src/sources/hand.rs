//! A hand that writes digits: how it bends, slants, scales and shifts the skeletons of `strokes.rs`, and the curves that its pen follows. What
//! is drawn along them, or kept of them, is the business of the sources.

use downhill_tensor::rng::Rng;

use super::strokes::{Stroke, WAYS};

/// Height and width of the sheet in pixels.
pub const SIZE: usize = 28;
/// Height of a digit in pixels; what is left around it is room for shifts.
pub const HEIGHT: f64 = 19.0;
/// Parts of a curve between two of its points.
const PARTS: usize = 5;
/// Waves that bend a digit as a whole.
const WAVES: usize = 3;

/// A hand: how it bends, slants, turns, scales and shifts a point, and how thick and soft its pen is.
pub struct Hand {
    /// Rows of `[x, y] → pixels`, with the shift last.
    matrix: [[f64; 3]; 2],
    /// Direction, phase, and how far it moves, of each wave.
    waves: [[f64; 5]; WAVES],
    /// Half the width of the pen in pixels.
    pub radius: f64,
    /// Half the width of the pen's edge in pixels.
    pub soft: f64,
    /// How far a point in the middle of a stroke strays.
    stray: f64,
}

impl Hand {
    /// A hand of those that differ so much: 0 writes all digits alike, 1 as many people would.
    pub fn new(variation: f64, rng: &mut Rng) -> Self {
        let mut normal = |spread: f64| variation * spread * rng.normal().clamp(-2.2, 2.2);
        let (slant, turn) = (0.12 * variation + normal(0.16), normal(0.07));
        let (width, height) = (HEIGHT * (0.72 + normal(0.09)), HEIGHT * (1.0 + normal(0.07)));
        let shift = [normal(1.1), normal(1.0)];
        let wave = |normal: &mut dyn FnMut(f64) -> f64| [normal(3.0), normal(3.0), normal(3.0), normal(0.028), normal(0.022)];
        let waves = std::array::from_fn(|_| wave(&mut normal));
        let radius = (1.25 + normal(0.34)).max(0.6);
        let soft = (0.75 + normal(0.16)).max(0.4);
        // Up is −y: a slant to the right moves the upper half right.
        let (sin, cos) = (libm::sin(turn), libm::cos(turn));
        let (a, b) = ([width, -slant * height], [0.0, height]);
        let row = |p: f64, q: f64, at: f64| [p * a[0] + q * b[0], p * a[1] + q * b[1], SIZE as f64 / 2.0 + at];
        Self { matrix: [row(cos, -sin, shift[0]), row(sin, cos, shift[1])], waves, radius, soft, stray: 0.018 * variation }
    }

    /// Where a point of the unit square comes to lie.
    fn place(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (mut dx, mut dy) = (0.0, 0.0);
        for [fx, fy, phase, across, along] in self.waves {
            let wave = libm::sin(fx * x + fy * y + phase);
            dx += across * wave;
            dy += along * wave;
        }
        let (x, y) = (x - 0.5 + dx, y - 0.5 + dy);
        self.matrix.map(|[p, q, at]| p * x + q * y + at)
    }

    /// The pen follows a stroke: a curve through its points (Catmull and Rom), told in short lines, each with the share of the stroke that lies
    /// behind its end. Allocates nothing.
    pub fn follow(&self, stroke: &Stroke, rng: &mut Rng, mut line: impl FnMut([f64; 2], [f64; 2], f64)) {
        const MOST: usize = 16;
        let mut points = [[0.0; 2]; MOST];
        let count = stroke.len().min(MOST);
        for (i, (place, &(x, y))) in points.iter_mut().zip(*stroke).enumerate() {
            // Where strokes meet they go on meeting.
            let inside = i > 0 && i + 1 < count;
            let stray = if inside { [self.stray * rng.normal(), self.stray * rng.normal()] } else { [0.0; 2] };
            *place = self.place([x + stray[0], y + stray[1]]);
        }
        let at = |i: isize| points[i.clamp(0, count as isize - 1) as usize];
        let spans = count.saturating_sub(1);
        let mut from = at(0);
        for part in 1..=spans * PARTS {
            let (i, t) = (((part - 1) / PARTS) as isize, ((part - 1) % PARTS + 1) as f64 / PARTS as f64);
            let [p, q, r, s] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
            let to = [0, 1].map(|axis| {
                let (p, q, r, s) = (p[axis], q[axis], r[axis], s[axis]);
                0.5 * (2.0 * q + t * (r - p + t * (2.0 * p - 5.0 * q + 4.0 * r - s + t * (3.0 * (q - r) + s - p))))
            });
            line(from, to, part as f64 / (spans * PARTS) as f64);
            from = to;
        }
    }
}

/// One of the ways in which people write a digit; the first, where all write alike.
pub fn way(digit: u32, variation: f64, rng: &mut Rng) -> &'static [Stroke] {
    let ways = WAYS[digit as usize % WAYS.len()];
    ways[rng.below(if variation > 0.0 { ways.len() } else { 1 })]
}
