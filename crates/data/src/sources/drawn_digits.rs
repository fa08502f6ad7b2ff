//! Digits as a hand writes them: a skeleton of strokes for each way to write a digit, bent, slanted, scaled, shifted, and drawn with a soft pen.

use downhill_tensor::rng::Rng;

use super::hand::{Hand, SIZE, way};
use super::pictures::{Common, Pictures, WHITE, pictures};

pictures! {
    /// Handwritten digits of 28 × 28 pixels, drawn with strokes.
    #[schemars(title = "Drawn digits", extend("x-glyph" = "3", "x-short" = "drawn digits"))]
    DrawnDigits { samples: 3000, noise: 0.0 }
    /// How much hands differ: 0 writes all digits alike, 1 as many people would.
    #[schemars(title = "Variation", range(min = 0.0, max = 2.0))]
    variation: f64 = 1.0;
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
        draw(class, self.variation, rng, picture);
    }
}

/// Draws a digit into a sheet `[SIZE, SIZE]` of zeros, by a hand of those that differ so much. Allocates nothing.
pub(super) fn draw(digit: u32, variation: f64, rng: &mut Rng, picture: &mut [u32]) {
    let way = way(digit, variation, rng);
    let hand = Hand::new(variation, rng);
    for stroke in way {
        // The pen presses less at the end.
        hand.follow(stroke, rng, |from, to, share| line(from, to, (hand.radius * (1.0 - 0.25 * share), hand.soft), picture));
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
