//! The lines between units: where they run, how thick they are, and which one the pointer is on.

/// One line from a unit to a unit of the next column, in CSS pixels of the network's box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wire {
    /// Start.
    pub from: (f64, f64),
    /// End.
    pub to: (f64, f64),
    /// Column of the unit it leads to.
    pub column: usize,
    /// Unit it leads to.
    pub unit: usize,
    /// Unit it comes from.
    pub input: usize,
}

impl Wire {
    /// The x of both control points of its curve.
    pub fn middle(&self) -> f64 {
        (self.from.0 + self.to.0) / 2.0
    }

    /// Its height where the curve has run through the share `t` of its way, with the x there.
    fn at(&self, t: f64) -> (f64, f64) {
        let (u, m) = (1.0 - t, self.middle());
        let x = u * u * u * self.from.0 + 3.0 * u * t * m + t * t * t * self.to.0;
        let y = u * u * (u + 3.0 * t) * self.from.1 + t * t * (t + 3.0 * u) * self.to.1;
        (x, y)
    }

    /// Squared distance from a point, to about a pixel.
    fn distance(&self, (x, y): (f64, f64)) -> f64 {
        (0..=32)
            .map(|i| self.at(f64::from(i) / 32.0))
            .map(|p| (p.0 - x).powi(2) + (p.1 - y).powi(2))
            .fold(f64::INFINITY, f64::min)
    }
}

/// Width in pixels and opacity of a wire of this weight, where `largest` is the largest magnitude of its layer.
pub fn stroke(weight: f32, largest: f32) -> (f64, f32) {
    let t = (weight.abs() / largest.max(1e-6)).min(1.0);
    (0.4 + 3.6 * f64::from(t), 0.1 + 0.78 * t)
}

/// The wire nearest to a point, within reach of a pointer.
pub fn nearest(wires: &[Wire], at: (f64, f64)) -> Option<usize> {
    /// Pixels that a hand may miss by.
    const REACH: f64 = 7.0;
    wires
        .iter()
        .enumerate()
        .filter(|(_, w)| at.0 > w.from.0 && at.0 < w.to.0)
        .map(|(i, w)| (i, w.distance(at)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, d)| *d < REACH * REACH)
        .map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_finds_the_wire_it_is_on_and_none_beside() {
        let wire = |y0, y1, input| Wire { from: (0.0, y0), to: (100.0, y1), column: 1, unit: 0, input };
        let wires = [wire(0.0, 0.0, 0), wire(80.0, 0.0, 1)];
        assert_eq!(nearest(&wires, (20.0, 2.0)), Some(0));
        assert_eq!(nearest(&wires, (50.0, 40.0)), Some(1));
        assert_eq!(nearest(&wires, (50.0, 70.0)), None);
        assert_eq!(nearest(&wires, (120.0, 0.0)), None);
    }

    #[test]
    fn a_larger_weight_is_a_thicker_and_darker_line() {
        let (thin, pale) = stroke(0.1, 2.0);
        let (thick, dark) = stroke(-2.0, 2.0);
        assert!(thin < thick && pale < dark);
        assert!(stroke(f32::INFINITY, 1.0).0.is_finite());
    }
}
