//! Surfaces without an outline: what tells them apart is what repeats, not where it is.

use std::f64::consts::TAU;

use downhill_tensor::rng::{Rng, hash, uniform};

use super::pictures::{Common, Pictures, WHITE, pictures};

pictures! {
    /// Stripes, checks, dots, rings or grain, in random width, rotation and contrast.
    #[schemars(title = "Textures", extend("x-glyph" = "▦"))]
    Textures { samples: 2000, noise: 0.1 }
    /// Height and width of a picture in pixels.
    #[schemars(title = "Size", range(min = 12, max = 64))]
    size: u32 = 24;
}

const NAMES: [&str; 5] = ["stripes", "checks", "dots", "rings", "grain"];

/// Random brightness that changes smoothly from one whole place to the next.
fn grain(u: f64, v: f64, salt: u32) -> f64 {
    let (u, v) = (u + 1000.0, v + 1000.0);
    let at = |i: f64, j: f64| f64::from(uniform(hash(salt, 0, i as u32, j as u32)));
    let (i, j) = (u.floor(), v.floor());
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let (s, t) = (smooth(u - i), smooth(v - j));
    let row = |j: f64| at(i, j) * (1.0 - s) + at(i + 1.0, j) * s;
    row(j) * (1.0 - t) + row(j + 1.0) * t
}

impl Pictures for Textures {
    fn description(&self) -> &'static str {
        "A sample is a piece of a surface in random width, rotation, place and contrast; a pixel is a brightness from 0 to 1. The class is the \
         kind of surface."
    }

    fn common(&self) -> Common {
        self.shared()
    }

    fn classes(&self) -> Vec<String> {
        NAMES.map(str::to_string).to_vec()
    }

    fn class_count(&self) -> u32 {
        NAMES.len() as u32
    }

    fn size(&self) -> usize {
        self.size as usize
    }

    fn paint(&self, class: u32, rng: &mut Rng, picture: &mut [u32]) {
        let (scale, turn) = (TAU / rng.range(4.0, 7.0), rng.range(0.0, TAU));
        let (shift, salt) = ([rng.range(0.0, TAU), rng.range(0.0, TAU)], rng.next_u32());
        let (low, high) = (rng.range(0.0, 0.35), rng.range(0.65, 1.0));
        let (sin, cos) = (libm::sin(turn), libm::cos(turn));
        let middle = f64::from(self.size) / 2.0;
        for (i, pixel) in picture.iter_mut().enumerate() {
            let (y, x) = ((i / self.size as usize) as f64 - middle, (i % self.size as usize) as f64 - middle);
            let (u, v) = (scale * (cos * x - sin * y) + shift[0], scale * (sin * x + cos * y) + shift[1]);
            let value = match class {
                0 => 0.5 + 2.0 * libm::sin(u),
                1 => 0.5 + 4.0 * libm::sin(u) * libm::sin(v),
                2 => 3.0 * (libm::cos(u) + libm::cos(v) - 0.7),
                3 => 0.5 + 2.0 * libm::sin(libm::sqrt(u * u + v * v)),
                _ => 0.5 + 2.5 * (grain(u, v, salt) - 0.5),
            };
            *pixel = ((low + (high - low) * value.clamp(0.0, 1.0)) * f64::from(WHITE)) as u32;
        }
    }
}
