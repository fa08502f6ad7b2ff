//! The source `checkerboard`: points on the squares of a board.

use downhill_tensor::UserError;
use downhill_tensor::rng::Rng;

use super::planar::{Planar, planar};

planar! {
    /// The squares of a board, their classes taking turns.
    #[schemars(title = "Checkerboard", extend("x-short" = "checks"))]
    Checkerboard { samples: 800, noise: 0.01 }
    /// Squares along one side.
    #[schemars(title = "Squares", range(min = 2, max = 8))]
    cells: u32 = 4;
    /// How many classes take turns along a row.
    #[schemars(title = "Classes", range(min = 2, max = 6))]
    classes: u32 = 2;
}

impl Planar for Checkerboard {
    fn description(&self) -> &'static str {
        "Points spread evenly over the squares of a board; classes take turns along rows and columns."
    }

    fn classes(&self) -> u32 {
        self.classes
    }

    fn check(&self) -> Result<(), UserError> {
        if self.classes < 2 * self.cells {
            return Ok(());
        }
        let message = format!("A board of {0} by {0} squares has no square for each of {1} classes.", self.cells, self.classes);
        Err(UserError::at("classes", message).hint("Lower the classes, or raise `cells`."))
    }

    fn point(&self, class: u32, rng: &mut Rng) -> [f64; 2] {
        let squares = |column: u32| (0..self.cells).filter(move |row| (row + column) % self.classes == class);
        let count: usize = (0..self.cells).map(|column| squares(column).count()).sum();
        let mut all = (0..self.cells).flat_map(|column| squares(column).map(move |row| (column, row)));
        let (column, row) = all.nth(rng.below(count)).unwrap_or_default();
        let side = 1.9 / f64::from(self.cells);
        [column, row].map(|cell| -0.95 + side * (f64::from(cell) + rng.uniform()))
    }
}
