//! Digits as a hand writes them: a skeleton of strokes for each way to write a digit, bent, slanted, scaled, shifted, and drawn with a soft pen.

use downhill_tensor::rng::Rng;

use super::pictures::{Common, Pictures, WHITE, pictures};
use super::strokes::{Stroke, WAYS};

const SIZE: usize = 28;
/// Height of a digit in pixels; what is left around it is room for shifts.
const HEIGHT: f64 = 19.0;
/// Parts of a curve between two of its points.
const PARTS: usize = 5;
/// Waves that bend a digit as a whole.
const WAVES: usize = 3;

pictures! {
    /// Handwritten digits of 28 × 28 pixels, drawn with strokes.
    #[schemars(title = "Drawn digits", extend("x-glyph" = "3", "x-short" = "drawn digits"))]
    DrawnDigits { samples: 3000, noise: 0.0 }
    /// How much hands differ: 0 writes all digits alike, 1 as many people would.
    #[schemars(title = "Variation", range(min = 0.0, max = 2.0))]
    variation: f64 = 1.0;
}

/// A hand: how it bends, slants, turns, scales and shifts a point, and how thick and soft its pen is.
struct Hand {
    /// Rows of `[x, y] → pixels`, with the shift last.
    matrix: [[f64; 3]; 2],
    /// Direction, phase, and how far it moves, of each wave.
    waves: [[f64; 5]; WAVES],
    radius: f64,
    /// Half the width of the pen's edge in pixels.
    soft: f64,
    /// How far a point in the middle of a stroke strays.
    stray: f64,
}

impl Hand {
    fn new(variation: f64, rng: &mut Rng) -> Self {
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
}

impl Pictures for DrawnDigits {
    fn description(&self) -> &'static str {
        "A sample is one digit of 28 × 28 pixels, drawn with a soft pen along strokes that a random hand bends, slants, scales and shifts; a \
         pixel is the ink in it, from 0 to 1. The class is the digit."
    }

    fn common(&self) -> Common {
        self.shared()
    }

    fn classes(&self) -> Vec<String> {
        (0..10).map(|digit| digit.to_string()).collect()
    }

    fn class_count(&self) -> u32 {
        10
    }

    fn size(&self) -> usize {
        SIZE
    }

    fn paint(&self, class: u32, rng: &mut Rng, picture: &mut [u32]) {
        let ways = WAYS[class as usize % WAYS.len()];
        let way = ways[rng.below(if self.variation > 0.0 { ways.len() } else { 1 })];
        let hand = Hand::new(self.variation, rng);
        way.iter().for_each(|stroke| draw(stroke, &hand, rng, picture));
    }
}

/// Draws a stroke: a curve through its points (Catmull and Rom), with a pen that presses less at the end.
fn draw(stroke: &Stroke, hand: &Hand, rng: &mut Rng, picture: &mut [u32]) {
    const MOST: usize = 16;
    let mut points = [[0.0; 2]; MOST];
    let count = stroke.len().min(MOST);
    for (i, (place, &(x, y))) in points.iter_mut().zip(*stroke).enumerate() {
        // Where strokes meet they go on meeting.
        let inside = i > 0 && i + 1 < count;
        let stray = if inside { [hand.stray * rng.normal(), hand.stray * rng.normal()] } else { [0.0; 2] };
        *place = hand.place([x + stray[0], y + stray[1]]);
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
        let pressure = 1.0 - 0.25 * part as f64 / (spans * PARTS) as f64;
        line(from, to, (hand.radius * pressure, hand.soft), picture);
        from = to;
    }
}

/// Draws a line with round ends; where ink lies already, the darker stays.
fn line(a: [f64; 2], b: [f64; 2], (radius, soft): (f64, f64), picture: &mut [u32]) {
    let reach = radius + soft;
    let range = |axis: usize| {
        let (low, high) = (a[axis].min(b[axis]) - reach, a[axis].max(b[axis]) + reach);
        (low.floor().clamp(0.0, SIZE as f64) as usize)..(high.ceil().clamp(0.0, SIZE as f64) as usize)
    };
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = (dx * dx + dy * dy).max(1e-12);
    for row in range(1) {
        for column in range(0) {
            let (x, y) = (column as f64 + 0.5 - a[0], row as f64 + 0.5 - a[1]);
            let t = ((x * dx + y * dy) / length).clamp(0.0, 1.0);
            let (x, y) = (x - t * dx, y - t * dy);
            let ink = ((reach - libm::sqrt(x * x + y * y)) / (2.0 * soft)).clamp(0.0, 1.0);
            let pixel = &mut picture[row * SIZE + column];
            *pixel = (*pixel).max((ink * f64::from(WHITE)) as u32);
        }
    }
}
