//! The picture of a regression along one input: points and the learned function in the unit square.

/// Ranges of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Smallest and largest input.
    pub x: (f64, f64),
    /// Smallest and largest value.
    pub y: (f64, f64),
}

impl Frame {
    /// The frame that shows `points` (x, _, value triples) with a margin.
    pub fn around(points: &[f32]) -> Self {
        let range = |values: &mut dyn Iterator<Item = f32>| {
            let (low, high) = values
                .filter(|v| v.is_finite())
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(f64::from(v)), h.max(f64::from(v))));
            if low > high { (-1.0, 1.0) } else { (low, high.max(low + 1e-6)) }
        };
        let widen = |(low, high): (f64, f64), by: f64| (low - by * (high - low), high + by * (high - low));
        let x = range(&mut points.chunks_exact(3).map(|p| p[0]));
        let y = range(&mut points.chunks_exact(3).map(|p| p[2]));
        Self { x: widen(x, 0.04), y: widen(y, 0.15) }
    }

    /// Where a point stands in a picture `width` by `height`, y downwards.
    pub fn place(&self, x: f64, y: f64, width: f64, height: f64) -> (f64, f64) {
        let share = |v: f64, (low, high): (f64, f64)| (v - low) / (high - low).max(1e-12);
        (share(x, self.x) * width, (1.0 - share(y, self.y)).clamp(-2.0, 3.0) * height)
    }
}

/// The square of the plane that shows points (x, y, class triples) whole: the smallest and largest coordinate of both axes.
pub fn square_around(points: &[f32]) -> (f32, f32) {
    let coordinates = points.chunks_exact(3).flat_map(|p| [p[0], p[1]]).filter(|v| v.is_finite());
    let (low, high) = coordinates.fold((-1.0f32, 1.0f32), |(l, h), v| (l.min(v), h.max(v)));
    let margin = 0.06 * (high - low);
    (low - margin, high + margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_shows_all_points_with_a_margin() {
        let frame = Frame::around(&[-1.0, 0.0, 2.0, 1.0, 0.0, 4.0]);
        let (x, y) = frame.place(-1.0, 4.0, 100.0, 100.0);
        assert!(x > 0.0 && x < 10.0 && y > 0.0 && y < 20.0);
        assert!(Frame::around(&[]).x.0 < Frame::around(&[]).x.1);
        assert_eq!(square_around(&[0.0, 0.0, 1.0]), (-1.12, 1.12));
    }
}
