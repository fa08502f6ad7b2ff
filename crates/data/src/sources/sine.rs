//! The source `sine`: heights of a sine wave, a regression.

use std::f64::consts::PI;

use super::curve::{Curve, curve};

curve! {
    /// A sine wave to be fitted by a curve.
    #[schemars(title = "Sine")]
    Sine { samples: 200, noise: 0.1 }
    /// Whole waves over the width of the picture.
    #[schemars(title = "Frequency", range(min = 0.25, max = 8.0))]
    frequency: f64 = 1.5;
}

impl Curve for Sine {
    fn description(&self) -> &'static str {
        "Points of a sine wave with noise in the height; the target is the height."
    }

    fn height(&self, x: f64) -> f64 {
        0.8 * libm::sin(PI * self.frequency * x)
    }
}
