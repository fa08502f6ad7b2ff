//! The source `steps`: heights of a staircase, a regression.

use super::curve::{Curve, curve};

curve! {
    /// A staircase to be fitted by a curve: smooth activations round its edges.
    #[schemars(title = "Steps")]
    Steps { samples: 200, noise: 0.05 }
    /// How many treads.
    #[schemars(title = "Treads", range(min = 2, max = 12))]
    treads: u32 = 4;
}

impl Curve for Steps {
    fn description(&self) -> &'static str {
        "Points of a rising staircase with noise in the height; the target is the height."
    }

    fn height(&self, x: f64) -> f64 {
        let treads = f64::from(self.treads);
        let tread = libm::floor((x + 1.0) / 2.0 * treads).clamp(0.0, treads - 1.0);
        -0.8 + 1.6 * tread / (treads - 1.0)
    }
}
