//! Four shapes at any place, in any size and rotation: what a network has to know of an image that is not where it was.

use downhill_tensor::rng::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// What is to be said of a picture.
    #[schemars(title = "Answer")]
    answer: ShapesAnswer = ShapesAnswer::Class;
}

/// What is to be said of a picture of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShapesAnswer {
    /// Which shape it shows
    Class,
    /// Of every pixel, which shape it belongs to, or none
    Mask,
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

/// Where a shape lies and how bright it is.
struct Placed {
    radius: f64,
    centre: [f64; 2],
    bright: f64,
    shape: Corners,
}

impl Shapes {
    fn placed(&self, class: u32, rng: &mut Rng) -> Placed {
        let side = f64::from(self.size);
        let radius = side * rng.range(RADIUS[0], RADIUS[1]);
        let room = self.place * (side / 2.0 - radius);
        let centre = [0, 1].map(|_| side / 2.0 + rng.range(-room, room));
        let bright = f64::from(WHITE) * rng.range(0.55, 1.0);
        Placed { radius, centre, bright, shape: corners(class, rng.range(0.0, std::f64::consts::TAU)) }
    }

    /// How many pixels the middle of a pixel lies outside of a shape; negative inside.
    fn outside(&self, placed: &Placed, pixel: usize) -> f64 {
        let (row, column) = (pixel / self.size as usize, pixel % self.size as usize);
        let Placed { radius, centre, shape, .. } = placed;
        let at = [column as f64 + 0.5 - centre[0], row as f64 + 0.5 - centre[1]].map(|v| v / radius);
        radius * distance(at, shape)
    }
}

impl Pictures for Shapes {
    fn description(&self) -> &'static str {
        match self.answer {
            ShapesAnswer::Class => {
                "A sample is a picture of one shape at a random place, in a random size, rotation and brightness; a pixel is a brightness from \
                 0 to 1. The class is the kind of shape."
            }
            ShapesAnswer::Mask => {
                "A sample is a picture of one shape at a random place, in a random size, rotation and brightness; a pixel is a brightness from \
                 0 to 1. Every pixel has a class: the kind of the shape that its middle lies in, or the background."
            }
        }
    }

    fn common(&self) -> Common {
        self.shared()
    }

    fn classes(&self) -> Vec<String> {
        let background = self.masks().then_some("background");
        background.into_iter().chain(NAMES).map(str::to_string).collect()
    }

    fn class_count(&self) -> u32 {
        NAMES.len() as u32
    }

    fn size(&self) -> usize {
        self.size as usize
    }

    fn paint(&self, class: u32, rng: &mut Rng, picture: &mut [u32]) {
        let placed = self.placed(class, rng);
        for (i, pixel) in picture.iter_mut().enumerate() {
            let outside = self.outside(&placed, i);
            let outside = if self.filled { outside } else { outside.abs() - 0.9 };
            *pixel = (placed.bright * (0.5 - outside).clamp(0.0, 1.0)) as u32;
        }
    }

    fn masks(&self) -> bool {
        self.answer == ShapesAnswer::Mask
    }

    fn mask(&self, class: u32, mut rng: Rng, mask: &mut [u32]) {
        if !self.masks() {
            return;
        }
        let placed = self.placed(class, &mut rng);
        for (i, label) in mask.iter_mut().enumerate() {
            if self.outside(&placed, i) < 0.0 {
                *label = class + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_lies_where_the_shape_is_painted_and_a_stream_gives_such_masks_too() {
        let fields = serde_json::json!({ "answer": "mask", "size": 16, "noise": 0.0, "samples": 40, "endless": true });
        let set = crate::Source::from_json("shapes", &fields).unwrap().build(3, &crate::NoAssets).unwrap();
        let (x, y) = (set.train.field("x").unwrap(), set.train.field("y").unwrap());
        assert_eq!((&y.shape[..], y.vocabulary), (&[16, 16][..], Some(5)));
        let (mut pixels, mut labels) = (vec![0; 8 * 256], vec![0; 8 * 256]);
        set.stream.as_ref().unwrap().fill(2, &mut pixels, &mut labels);
        let drawn = pixels.chunks(256).map(|p| p.iter().map(|bits| f32::from_bits(*bits)).collect()).zip(labels.chunks(256).map(<[u32]>::to_vec));
        let kept = (0..set.train.len()).map(|i| (x.numbers(i), y.row(i)));
        for (picture, mask) in kept.chain(drawn.collect::<Vec<(Vec<f32>, Vec<u32>)>>()) {
            let class = *mask.iter().max().unwrap();
            assert!((1..=4).contains(&class) && mask.iter().all(|&label| label == 0 || label == class));
            let bright = picture.iter().copied().fold(0.0, f32::max);
            // An edge may cut through a pixel.
            let agree = |(v, label): (&f32, &u32)| if *label == 0 { *v < 0.75 * bright } else { *v > 0.25 * bright };
            assert!(picture.iter().zip(&mask).all(agree));
        }
    }

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
