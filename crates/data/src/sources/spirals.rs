//! The source `spirals`: points along arms that wind around each other.

use std::f64::consts::TAU;

use downhill_tensor::rng::Rng;

use super::planar::{Planar, planar};

planar! {
    /// Arms that wind around each other, one per class: easy to see, hard to separate.
    #[schemars(title = "Spirals")]
    Spirals { samples: 500, noise: 0.03 }
    /// How many arms; each is a class.
    #[schemars(title = "Arms", range(min = 2, max = 6))]
    classes: u32 = 2;
    /// How often an arm goes round.
    #[schemars(title = "Turns", range(min = 0.25, max = 4.0))]
    turns: f64 = 1.5;
}

impl Planar for Spirals {
    fn description(&self) -> &'static str {
        "Points along spiral arms that start near the centre; the class is the arm."
    }

    fn classes(&self) -> u32 {
        self.classes
    }

    fn point(&self, class: u32, rng: &mut Rng) -> [f64; 2] {
        // The arms keep away from the centre, where noise alone would decide the class.
        let along = rng.uniform();
        let radius = 0.1 + 0.85 * along;
        let angle = TAU * (self.turns * along + f64::from(class) / f64::from(self.classes));
        [radius * libm::sin(angle), radius * libm::cos(angle)]
    }
}
