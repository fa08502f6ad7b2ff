//! The source `rings`: points on rings around a common centre.

use std::f64::consts::TAU;

use downhill_tensor::UserError;
use downhill_tensor::rng::Rng;

use super::planar::{Planar, planar};

planar! {
    /// Rings around a common centre, their classes taking turns from the inside out.
    #[schemars(title = "Rings")]
    Rings { samples: 600, noise: 0.03 }
    /// How many rings.
    #[schemars(title = "Rings", range(min = 2, max = 8))]
    rings: u32 = 4;
    /// How many classes take turns.
    #[schemars(title = "Classes", range(min = 2, max = 6))]
    classes: u32 = 2;
}

impl Planar for Rings {
    fn description(&self) -> &'static str {
        "Points on concentric circles; classes take turns from the inside out."
    }

    fn classes(&self) -> u32 {
        self.classes
    }

    fn check(&self) -> Result<(), UserError> {
        if self.classes <= self.rings {
            return Ok(());
        }
        let message = format!("{} rings are too few for {} classes.", self.rings, self.classes);
        Err(UserError::at("classes", message).hint("Lower the classes, or raise `rings`."))
    }

    fn point(&self, class: u32, rng: &mut Rng) -> [f64; 2] {
        // An outer ring is longer, so it gets more points: ring r of a class is drawn with weight r + 1.
        let own = || (class..self.rings).step_by(self.classes as usize);
        let mut left = rng.range(0.0, own().map(|ring| f64::from(ring + 1)).sum());
        let mut ring = class;
        for candidate in own() {
            ring = candidate;
            left -= f64::from(candidate + 1);
            if left < 0.0 {
                break;
            }
        }
        let radius = 0.92 * f64::from(ring + 1) / f64::from(self.rings);
        let angle = rng.range(0.0, TAU);
        [radius * libm::cos(angle), radius * libm::sin(angle)]
    }
}
