//! Stripes that differ in their direction: the smallest task for which filters have to find edges.

use std::f64::consts::{PI, TAU};

use downhill_tensor::rng::Rng;

use super::pictures::{Common, Pictures, WHITE, pictures};

pictures! {
    /// Stripes of random width and place; the class is their direction.
    #[schemars(title = "Gratings", extend("x-glyph" = "≡"))]
    Gratings { samples: 1500, noise: 0.1 }
    /// Height and width of a picture in pixels.
    #[schemars(title = "Size", range(min = 8, max = 64))]
    size: u32 = 16;
    /// How many directions there are, evenly spread.
    #[schemars(title = "Directions", range(min = 2, max = 12))]
    classes: u32 = 4;
    /// How far a direction strays from its class, as a share of what lies between two.
    #[schemars(title = "Stray", range(min = 0.0, max = 1.0))]
    stray: f64 = 0.3;
}

impl Pictures for Gratings {
    fn description(&self) -> &'static str {
        "A sample is a picture of stripes of random width, place and contrast; a pixel is a brightness from 0 to 1. The class is the direction \
         of the stripes, in degrees from the horizontal."
    }

    fn common(&self) -> Common {
        self.shared()
    }

    fn classes(&self) -> Vec<String> {
        (0..self.classes).map(|class| format!("{}°", (f64::from(class) * 180.0 / f64::from(self.classes)).round())).collect()
    }

    fn class_count(&self) -> u32 {
        self.classes
    }

    fn size(&self) -> usize {
        self.size as usize
    }

    fn paint(&self, class: u32, rng: &mut Rng, picture: &mut [u32]) {
        let angle = PI / f64::from(self.classes) * (f64::from(class) + self.stray * rng.range(-0.5, 0.5));
        let (wave, phase) = (TAU / rng.range(3.5, 7.0), rng.range(0.0, TAU));
        let contrast = rng.range(0.5, 1.0);
        // Brightness changes across the stripes; rows count down, and angles are those of a drawing.
        let (dx, dy) = (wave * libm::sin(angle), wave * libm::cos(angle));
        for (i, pixel) in picture.iter_mut().enumerate() {
            let (row, column) = (i / self.size as usize, i % self.size as usize);
            let bright = 0.5 + 0.5 * contrast * libm::sin(dx * column as f64 + dy * row as f64 + phase);
            *pixel = (bright * f64::from(WHITE)) as u32;
        }
    }
}
