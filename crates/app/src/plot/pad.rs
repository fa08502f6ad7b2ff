//! A drawing pad: ink that pen and eraser leave on fine pixels, and what a network is given of it. A drawing is brought to the full height and
//! the middle, as the digits of a set are; what was moved by hand, or came from the set, stays where it is.

/// Fine pixels along a side of a pixel that the network sees.
const BLOCK: usize = 4;
/// Radius of the pen, as a share of the pad; the eraser is larger.
const PEN: f64 = 1.55 / 32.0;
const ERASER: f64 = 1.5 * PEN;

/// Ink, 0 to 1, in every fine pixel of a square pad.
#[derive(Clone, Debug, PartialEq)]
pub struct Bitmap {
    ink: Vec<f32>,
    /// Pixels along a side as the network sees them.
    cells: usize,
    /// Whether it is brought to the middle before it is shown to the network.
    centred: bool,
}

impl Bitmap {
    /// An empty pad for pictures of `cells` by `cells` pixels.
    pub fn new(cells: usize) -> Self {
        Self { ink: vec![0.0; (cells * BLOCK).pow(2)], cells, centred: true }
    }

    /// A picture of the set, `[cells, cells]` shares of ink, as it is.
    pub fn of(cells: usize, shares: &[f32]) -> Self {
        let side = cells * BLOCK;
        let share = |at: usize| shares.get(at / side / BLOCK * cells + at % side / BLOCK).copied().unwrap_or(0.0);
        Self { ink: (0..side * side).map(share).collect(), cells, centred: false }
    }

    /// Fine pixels along a side.
    pub fn side(&self) -> usize {
        self.cells * BLOCK
    }

    /// Ink in every fine pixel, row by row.
    pub fn ink(&self) -> &[f32] {
        &self.ink
    }

    /// Draws with a round pen from one point to another; the pad is 0…1 on both axes.
    pub fn stroke(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.trace(from, to, PEN, |ink, covered| ink.max(covered));
    }

    /// Takes ink away from one point to another.
    pub fn erase(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.trace(from, to, ERASER, |ink, covered| ink.min(1.0 - covered));
    }

    fn trace(&mut self, from: (f64, f64), to: (f64, f64), radius: f64, mark: fn(f32, f32) -> f32) {
        let side = self.side() as f64;
        let scale = |p: (f64, f64)| (p.0.clamp(-1.0, 2.0) * side, p.1.clamp(-1.0, 2.0) * side);
        let (a, b, radius) = (scale(from), scale(to), radius * side);
        let parts = ((b.0 - a.0).hypot(b.1 - a.1) * 2.0 / radius).ceil().max(1.0);
        let mut t = 0.0;
        while t <= parts {
            self.dot(a.0 + (b.0 - a.0) * t / parts, a.1 + (b.1 - a.1) * t / parts, radius, mark);
            t += 1.0;
        }
    }

    fn dot(&mut self, x: f64, y: f64, radius: f64, mark: fn(f32, f32) -> f32) {
        let side = self.side();
        let span = |middle: f64| {
            let end = |v: f64| (v.max(0.0) as usize).min(side);
            end(middle - radius - 1.0)..end(middle + radius + 2.0)
        };
        for row in span(y) {
            for column in span(x) {
                let distance = (column as f64 + 0.5 - x).hypot(row as f64 + 0.5 - y);
                // A fine pixel that the edge runs through is covered in part.
                let covered = (radius + 0.5 - distance).clamp(0.0, 1.0) as f32;
                let ink = &mut self.ink[row * side + column];
                *ink = mark(*ink, covered);
            }
        }
    }

    /// The same moved by a share of the pad; what leaves it is gone. It is not brought to the middle any more.
    #[must_use]
    pub fn moved(&self, (across, down): (f64, f64)) -> Self {
        let side = self.side();
        let pixels = |share: f64| (share.clamp(-1.0, 1.0) * side as f64).round() as isize;
        let (across, down) = (pixels(across), pixels(down));
        let from = |at: usize, by: isize| usize::try_from(at as isize - by).ok().filter(|&at| at < side);
        let ink = self.centred();
        let at = |i: usize| Some(ink[from(i / side, down)? * side + from(i % side, across)?]);
        Self { ink: (0..side * side).map(|i| at(i).unwrap_or(0.0)).collect(), cells: self.cells, centred: false }
    }

    fn bounds(&self) -> Option<(usize, usize, usize, usize)> {
        let side = self.side();
        let inked = |at: usize| self.ink[at] >= 0.5;
        let rows = (0..side).filter(|r| (0..side).any(|c| inked(r * side + c)));
        let columns = (0..side).filter(|c| (0..side).any(|r| inked(r * side + c)));
        Some((rows.clone().min()?, rows.max()?, columns.clone().min()?, columns.max()?))
    }

    /// The ink as the network is shown it.
    fn centred(&self) -> Vec<f32> {
        let side = self.side();
        let Some((top, bottom, left, right)) = self.bounds().filter(|_| self.centred) else { return self.ink.clone() };
        let (height, width) = ((bottom - top + 1) as f64, (right - left + 1) as f64);
        let zoom = (side as f64 / height).min(side as f64 / width).min(2.5);
        let centre = ((left + right + 1) as f64 / 2.0, (top + bottom + 1) as f64 / 2.0);
        let half = side as f64 / 2.0;
        let inside = |v: f64| (0.0..side as f64).contains(&v);
        let at = |i: usize| {
            let x = ((i % side) as f64 + 0.5 - half) / zoom + centre.0;
            let y = ((i / side) as f64 + 0.5 - half) / zoom + centre.1;
            if inside(x) && inside(y) { self.ink[y as usize * side + x as usize] } else { 0.0 }
        };
        (0..side * side).map(at).collect()
    }

    /// The share of ink in each pixel that the network sees, `[cells, cells]`.
    pub fn cells(&self) -> Vec<f32> {
        let (side, cells) = (self.side(), self.cells);
        let mut shares = vec![0.0; cells * cells];
        for (at, ink) in self.centred().into_iter().enumerate() {
            shares[at / side / BLOCK * cells + at % side / BLOCK] += ink / (BLOCK * BLOCK) as f32;
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_stroke_in_a_corner_is_brought_to_the_middle_and_fills_the_height() {
        let mut bitmap = Bitmap::new(8);
        bitmap.stroke((0.1, 0.1), (0.1, 0.6));
        let cells = bitmap.cells();
        let row = |r: usize| cells[r * 8..][..8].iter().sum::<f32>();
        assert!(row(0) > 0.25 && row(7) > 0.25, "full height: {cells:?}");
        let column = |c: usize| (0..8).map(|r| cells[r * 8 + c]).sum::<f32>();
        let middle = (0..8).map(|c| (c as f32 + 0.5) * column(c)).sum::<f32>() / cells.iter().sum::<f32>();
        assert!((middle - 4.0).abs() < 0.25 && column(0) == 0.0, "in the middle: {middle} {cells:?}");
        assert!(cells.iter().all(|&ink| (0.0..=1.0).contains(&ink)));
    }

    #[test]
    fn the_eraser_takes_away_what_the_pen_left() {
        let mut bitmap = Bitmap::new(28);
        bitmap.stroke((0.3, 0.3), (0.7, 0.7));
        assert!(bitmap.ink().contains(&1.0));
        bitmap.erase((0.3, 0.3), (0.7, 0.7));
        assert_eq!(bitmap, Bitmap::new(28));
    }

    #[test]
    fn a_picture_of_the_set_stays_as_it_is_until_it_is_moved() {
        let shares: Vec<f32> = (0..64u8).map(|i| f32::from(i % 5) / 4.0).collect();
        let bitmap = Bitmap::of(8, &shares);
        assert_eq!(bitmap.cells(), shares);
        let moved = bitmap.moved((0.125, 0.0)).cells();
        assert_eq!((moved[0], &moved[1..8]), (0.0, &shares[..7]));
        assert_eq!(bitmap.moved((9.0, 0.0)).cells(), [0.0; 64]);
    }

    #[test]
    fn what_was_moved_is_not_brought_back_to_the_middle() {
        let mut bitmap = Bitmap::new(8);
        bitmap.stroke((0.4, 0.4), (0.4, 0.6));
        let (before, after) = (bitmap.cells(), bitmap.moved((0.25, 0.0)).cells());
        assert_eq!((before[27], after[29]), (after[29], before[27]));
        assert_ne!(before, after);
    }

    #[test]
    fn strokes_outside_the_pad_are_harmless() {
        let mut bitmap = Bitmap::new(8);
        bitmap.stroke((-5.0, 2.0), (1e9, -3.0));
        bitmap.erase((f64::NAN, 0.0), (0.0, 0.0));
        assert_eq!(bitmap.cells().len(), 64);
    }
}
