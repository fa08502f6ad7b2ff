//! The source `gaussians`: points scattered normally around one centre per class.

use std::f64::consts::TAU;

use downhill_tensor::rng::Rng;

use super::planar::{Planar, planar};

planar! {
    /// Clouds around one centre per class; a straight line separates two of them.
    #[schemars(title = "Gaussians", extend("x-short" = "gauss"))]
    Gaussians { samples: 400, noise: 0.2 }
    /// How many clouds.
    #[schemars(title = "Classes", range(min = 2, max = 6))]
    classes: u32 = 2;
}

impl Planar for Gaussians {
    fn description(&self) -> &'static str {
        "Points scattered normally around one centre per class; the centres lie on a circle."
    }

    fn classes(&self) -> u32 {
        self.classes
    }

    fn point(&self, class: u32, _: &mut Rng) -> [f64; 2] {
        let angle = TAU * (0.125 + f64::from(class) / f64::from(self.classes));
        [0.6 * libm::cos(angle), 0.6 * libm::sin(angle)]
    }
}
