//! The source `circles`: points in a disc and in the ring around it.

use std::f64::consts::TAU;

use downhill_tensor::rng::Rng;

use super::planar::{Planar, planar};

planar! {
    /// A disc inside a ring.
    #[schemars(title = "Circles")]
    Circles { samples: 400, noise: 0.05 }
    /// Radius of the disc as a share of the ring's inner radius.
    #[schemars(title = "Disc size", range(min = 0.1, max = 1.0))]
    factor: f64 = 0.7;
}

impl Planar for Circles {
    fn description(&self) -> &'static str {
        "Points spread evenly over a disc (class 0) and over the ring around it (class 1)."
    }

    fn point(&self, class: u32, rng: &mut Rng) -> [f64; 2] {
        const INNER: f64 = 0.6;
        const OUTER: f64 = 0.9;
        let (low, high) = if class == 0 { (0.0, self.factor * INNER) } else { (INNER, OUTER) };
        // Evenly by area, not by radius.
        let radius = libm::sqrt(rng.range(low * low, high * high));
        let angle = rng.range(0.0, TAU);
        [radius * libm::cos(angle), radius * libm::sin(angle)]
    }
}
