//! Four shapes at any place, in any size and rotation: what a network has to know of an image that is not where it was.

use downhill_tensor::rng::Rng;

use super::pictures::{Common, Pictures, WHITE, pictures};

pictures! {
    /// Circle, square, triangle or star, somewhere in the picture.
    #[schemars(title = "Shapes", extend("x-glyph" = "★"))]
    Shapes { samples: 2000, noise: 0.05 }
    /// Height and width of a picture in pixels.
    #[schemars(title = "Size", range(min = 12, max = 64))]
    size: u32 = 28;
    /// How far from the middle shapes may lie: 0 keeps them there, 1 lets them go to the border.
    #[schemars(title = "Place", range(min = 0.0, max = 1.0))]
    place: f64 = 1.0;
    /// Whether shapes are filled, or lines.
    #[schemars(title = "Filled")]
    filled: bool = true;
}

const NAMES: [&str; 4] = ["circle", "square", "triangle", "star"];
/// Radius of the smallest and of the largest shape, as a share of the picture.
const RADIUS: [f64; 2] = [0.14, 0.27];
/// How deep a star is cut.
const INNER: f64 = 0.42;

/// Corners of a polygon around the origin; none for a circle.
type Corners = ([[f64; 2]; 10], usize);

fn corners(class: u32, turn: f64) -> Corners {
    let mut corners = [[0.0; 2]; 10];
    let count = [0, 4, 3, 10].get(class as usize).copied().unwrap_or(0);
    for (i, corner) in corners.iter_mut().take(count).enumerate() {
        let angle = turn + std::f64::consts::TAU * i as f64 / count as f64;
        let far = if count == 10 && i % 2 == 1 { INNER } else { 1.0 };
        *corner = [far * libm::cos(angle), far * libm::sin(angle)];
    }
    (corners, count)
}

/// How far a point lies outside of a shape; negative inside.
fn distance([x, y]: [f64; 2], (corners, count): &Corners) -> f64 {
    if *count == 0 {
        return libm::sqrt(x * x + y * y) - 1.0;
    }
    let (mut nearest, mut inside) = (f64::INFINITY, false);
    for i in 0..*count {
        let (a, b) = (corners[i], corners[(i + 1) % count]);
        let (dx, dy, px, py) = (b[0] - a[0], b[1] - a[1], x - a[0], y - a[1]);
        let t = ((px * dx + py * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
        let (ex, ey) = (px - t * dx, py - t * dy);
        nearest = nearest.min(ex * ex + ey * ey);
        // A ray to the right crosses this side.
        if (a[1] > y) != (b[1] > y) && px < dx * py / dy {
            inside = !inside;
        }
    }
    libm::sqrt(nearest) * if inside { -1.0 } else { 1.0 }
}

impl Pictures for Shapes {
    fn description(&self) -> &'static str {
        "A sample is a picture of one shape at a random place, in a random size, rotation and brightness; a pixel is a brightness from 0 to 1. \
         The class is the kind of shape."
    }

    fn common(&self) -> Common {
        self.shared()
    }

    fn classes(&self) -> Vec<String> {
        NAMES.map(str::to_string).to_vec()
    }

    fn class_count(&self) -> u32 {
        NAMES.len() as u32
    }

    fn size(&self) -> usize {
        self.size as usize
    }

    fn paint(&self, class: u32, rng: &mut Rng, picture: &mut [u32]) {
        let side = f64::from(self.size);
        let radius = side * rng.range(RADIUS[0], RADIUS[1]);
        let room = self.place * (side / 2.0 - radius);
        let centre = [0, 1].map(|_| side / 2.0 + rng.range(-room, room));
        let bright = f64::from(WHITE) * rng.range(0.55, 1.0);
        let shape = corners(class, rng.range(0.0, std::f64::consts::TAU));
        for (i, pixel) in picture.iter_mut().enumerate() {
            let (row, column) = (i / self.size as usize, i % self.size as usize);
            let at = [column as f64 + 0.5 - centre[0], row as f64 + 0.5 - centre[1]].map(|v| v / radius);
            let outside = radius * distance(at, &shape);
            let outside = if self.filled { outside } else { outside.abs() - 0.9 };
            *pixel = (bright * (0.5 - outside).clamp(0.0, 1.0)) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_shapes() {
        let square = corners(1, 0.0);
        assert!((distance([0.0, 0.0], &square) + 0.5f64.sqrt()).abs() < 1e-12);
        assert!((distance([2.0, 0.0], &square) - 1.0).abs() < 1e-12);
        assert!((distance([0.0, 3.0], &corners(0, 0.0)) - 2.0).abs() < 1e-12);
        let star = corners(3, 0.0);
        assert!(distance([0.9, 0.0], &star) < 0.0, "in an arm");
        let between = std::f64::consts::TAU / 10.0;
        assert!(distance([0.9 * between.cos(), 0.9 * between.sin()], &star) > 0.1, "between two arms");
    }
}
