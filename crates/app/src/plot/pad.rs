//! A drawing pad that makes of strokes what the digits set holds: a 32 × 32 bitmap, ink counted in 4 × 4 blocks.

/// Side of the bitmap.
pub const SIDE: usize = 32;
/// Side of the picture the network sees.
pub const CELLS: usize = 8;
const BLOCK: usize = SIDE / CELLS;

/// The bitmap.
#[derive(Clone, Debug, PartialEq)]
pub struct Bitmap(Vec<bool>);

impl Default for Bitmap {
    fn default() -> Self {
        Self(vec![false; SIDE * SIDE])
    }
}

impl Bitmap {
    /// Whether nothing is drawn.
    pub fn is_blank(&self) -> bool {
        !self.0.contains(&true)
    }

    /// Draws with a round pen from one point to another; the pad is 0…1 on both axes.
    pub fn stroke(&mut self, from: (f64, f64), to: (f64, f64)) {
        const PEN: f64 = 1.55;
        let scale = |p: (f64, f64)| (p.0 * SIDE as f64, p.1 * SIDE as f64);
        let (a, b) = (scale(from), scale(to));
        let parts = ((b.0 - a.0).hypot(b.1 - a.1).clamp(0.0, 100.0) * 2.0).ceil().max(1.0);
        let mut t = 0.0;
        while t <= parts {
            let (x, y) = (a.0 + (b.0 - a.0) * t / parts, a.1 + (b.1 - a.1) * t / parts);
            self.dot(x, y, PEN);
            t += 1.0;
        }
    }

    fn dot(&mut self, x: f64, y: f64, radius: f64) {
        for row in 0..SIDE {
            for column in 0..SIDE {
                let (dx, dy) = (column as f64 + 0.5 - x, row as f64 + 0.5 - y);
                if dx * dx + dy * dy <= radius * radius {
                    self.0[row * SIDE + column] = true;
                }
            }
        }
    }

    fn bounds(&self) -> Option<(usize, usize, usize, usize)> {
        let rows = (0..SIDE).filter(|r| (0..SIDE).any(|c| self.0[r * SIDE + c]));
        let columns = (0..SIDE).filter(|c| (0..SIDE).any(|r| self.0[r * SIDE + c]));
        Some((rows.clone().min()?, rows.max()?, columns.clone().min()?, columns.max()?))
    }

    /// Ink per cell, `[8, 8]`, 0–16, of the drawing brought to the full height and the middle, as the set's digits are.
    pub fn cells(&self) -> Vec<f32> {
        let mut cells = vec![0.0; CELLS * CELLS];
        let Some((top, bottom, left, right)) = self.bounds() else { return cells };
        let (height, width) = ((bottom - top + 1) as f64, (right - left + 1) as f64);
        let zoom = (SIDE as f64 / height).min(SIDE as f64 / width).min(2.5);
        let centre = ((left + right + 1) as f64 / 2.0, (top + bottom + 1) as f64 / 2.0);
        let half = SIDE as f64 / 2.0;
        for row in 0..SIDE {
            for column in 0..SIDE {
                let x = (column as f64 + 0.5 - half) / zoom + centre.0;
                let y = (row as f64 + 0.5 - half) / zoom + centre.1;
                let inside = (0.0..SIDE as f64).contains(&x) && (0.0..SIDE as f64).contains(&y);
                if inside && self.0[y as usize * SIDE + x as usize] {
                    cells[row / BLOCK * CELLS + column / BLOCK] += 1.0;
                }
            }
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_stroke_in_a_corner_is_brought_to_the_middle_and_fills_the_height() {
        let mut bitmap = Bitmap::default();
        assert!(bitmap.is_blank());
        bitmap.stroke((0.1, 0.1), (0.1, 0.6));
        let cells = bitmap.cells();
        let row = |r: usize| cells[r * CELLS..][..CELLS].iter().sum::<f32>();
        assert!(row(0) > 4.0 && row(7) > 4.0, "full height: {cells:?}");
        let column = |c: usize| (0..CELLS).map(|r| cells[r * CELLS + c]).sum::<f32>();
        assert!((column(3) - column(4)).abs() <= 16.0 && column(0) == 0.0, "in the middle: {cells:?}");
        assert!(cells.iter().all(|&ink| (0.0..=16.0).contains(&ink)));
    }

    #[test]
    fn strokes_outside_the_pad_are_harmless() {
        let mut bitmap = Bitmap::default();
        bitmap.stroke((-5.0, 2.0), (1e9, -3.0));
        assert_eq!(bitmap.cells().len(), 64);
    }
}
