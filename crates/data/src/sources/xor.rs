//! The source `xor`: points in the four quadrants of the plane, opposite ones of the same class.

use downhill_tensor::rng::Rng;

use super::planar::{Planar, planar};

planar! {
    /// Opposite quadrants share a class, so that no single straight line helps.
    #[schemars(title = "Exclusive or")]
    Xor { samples: 400, noise: 0.03 }
    /// Width of the empty cross between the quadrants.
    #[schemars(title = "Gap", range(min = 0.0, max = 0.5))]
    gap: f64 = 0.1;
}

impl Planar for Xor {
    fn description(&self) -> &'static str {
        "Points in the four quadrants of the plane; class 1 where x and y have the same sign."
    }

    fn point(&self, class: u32, rng: &mut Rng) -> [f64; 2] {
        let x = rng.range(self.gap / 2.0, 0.95);
        let y = rng.range(self.gap / 2.0, 0.95);
        let side = if rng.below(2) == 0 { 1.0 } else { -1.0 };
        [side * x, if class == 1 { side * y } else { -side * y }]
    }
}
