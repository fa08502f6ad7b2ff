//! The source `moons`: points along two half circles that reach into each other.

use std::f64::consts::PI;

use downhill_tensor::rng::Rng;

use super::planar::{Planar, planar};

planar! {
    /// Two half circles that reach into each other.
    #[schemars(title = "Moons")]
    Moons { samples: 400, noise: 0.06 }
}

impl Planar for Moons {
    fn description(&self) -> &'static str {
        "Points along two interleaved half circles; the class is the half circle."
    }

    fn point(&self, class: u32, rng: &mut Rng) -> [f64; 2] {
        let angle = rng.range(0.0, PI);
        let (x, y) = (0.6 * libm::cos(angle), 0.6 * libm::sin(angle));
        if class == 0 { [x - 0.3, y - 0.2] } else { [0.3 - x, 0.2 - y] }
    }
}
