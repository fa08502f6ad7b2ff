//! Writing as the way of a pen: steps to the right and down, on the paper (1) or in the air (0). What it looks like, and which steps were made
//! by a pointer on a pad.

use downhill_data::pen::{self, Point};

use super::pad::Bitmap;

/// Pixels of the pad on which pictures are drawn, each of which is four fine ones wide.
const CELLS: usize = 14;
/// Pixels along a side of a picture of writing.
pub const SIDE: usize = 4 * CELLS;
/// Share of the picture that stays free on each side.
const MARGIN: f64 = 0.1;

/// Ink, 0 to 1, in every pixel of a picture `[SIDE, SIDE]` that some steps draw; as large as fits, in the middle. Steps end where they are no
/// numbers.
pub fn drawn(steps: &[f32]) -> Vec<f32> {
    let mut at = [0.0; 2];
    let mut lines: Vec<[Point; 2]> = Vec::new();
    for step in steps.chunks_exact(pen::STEP.len()).take_while(|step| step.iter().all(|v| v.is_finite())) {
        let to = [at[0] + f64::from(step[0]), at[1] + f64::from(step[1])];
        lines.extend((step[2] > 0.5).then_some([at, to]));
        at = to;
    }
    let mut bitmap = Bitmap::new(CELLS);
    if let Some((corner, size)) = bounds(lines.iter().flatten().copied()) {
        let scale = (1.0 - 2.0 * MARGIN) / size[0].max(size[1]).max(1e-6);
        let place = |at: Point| {
            let [x, y] = [0, 1].map(|axis| 0.5 + (at[axis] - corner[axis] - size[axis] / 2.0) * scale);
            (x, y)
        };
        lines.iter().for_each(|[from, to]| bitmap.stroke(place(*from), place(*to)));
    }
    bitmap.ink().to_vec()
}

/// The upper left corner of some points, and their width and height; none where there is no point.
fn bounds(points: impl Iterator<Item = Point>) -> Option<(Point, Point)> {
    let around = points.fold(None, |found: Option<(Point, Point)>, at| {
        let (low, high) = found.unwrap_or((at, at));
        Some(([0, 1].map(|axis| low[axis].min(at[axis])), [0, 1].map(|axis| high[axis].max(at[axis]))))
    });
    around.map(|(low, high)| (low, [high[0] - low[0], high[1] - low[1]]))
}

/// What a pointer has written on a pad: the points of each stroke, the pad being 0…1 on both axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writing {
    strokes: Vec<Vec<Point>>,
}

impl Writing {
    /// The pointer goes down.
    pub fn begin(&mut self, at: Point) {
        self.strokes.push(vec![at]);
    }

    /// The pointer moves while it is down.
    pub fn go_on(&mut self, at: Point) {
        if let Some(stroke) = self.strokes.last_mut().filter(|_| at.iter().all(|v| v.is_finite())) {
            stroke.push(at);
        }
    }

    /// Ink in every pixel of the pad `[SIDE, SIDE]`, where it was left.
    pub fn ink(&self) -> Vec<f32> {
        let mut bitmap = Bitmap::new(CELLS);
        for stroke in &self.strokes {
            let ends = stroke.iter().skip(1).chain(stroke.last());
            stroke.iter().zip(ends).for_each(|(from, to)| bitmap.stroke((from[0], from[1]), (to[0], to[1])));
        }
        bitmap.ink().to_vec()
    }

    /// As steps of about `spacing`, at most `most`; a step on the spot, in the air, as long as nothing is written.
    pub fn steps(&self, spacing: f64, most: usize) -> Vec<f32> {
        let Some((_, [_, height])) = bounds(self.strokes.iter().flatten().copied()) else { return vec![0.0; pen::STEP.len()] };
        // What is hardly higher than a dot is not blown up.
        let scale = pen::TALL / height.max(0.1);
        let strokes: Vec<Vec<Point>> =
            self.strokes.iter().map(|stroke| stroke.iter().map(|at| at.map(|v| v * scale)).collect()).collect();
        pen::steps(&pen::points(&strokes, spacing, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left, top, right and bottom of the ink, as shares of the picture.
    fn inked(ink: &[f32]) -> [f64; 4] {
        let places = || (0..ink.len()).filter(|&i| ink[i] > 0.5).map(|i| [(i % SIDE) as f64, (i / SIDE) as f64]);
        let ([left, top], [width, height]) = bounds(places()).expect("there is ink");
        [left, top, left + width, top + height].map(|at| at / SIDE as f64)
    }

    #[test]
    fn steps_are_drawn_as_large_as_fits_and_only_where_the_pen_was_on_the_paper() {
        // To the right, through the air, and to the right below.
        let ink = drawn(&[4.0, 0.0, 1.0, -4.0, 4.0, 0.0, 4.0, 0.0, 1.0, f32::NAN, f32::NAN, f32::NAN]);
        let [left, top, right, bottom] = inked(&ink);
        assert!(left < 0.12 && top < 0.12 && right > 0.88 && bottom > 0.88, "{left} {top} {right} {bottom}");
        assert_eq!(ink[SIDE / 2 * SIDE + SIDE / 2], 0.0, "nothing was written through the air");
        assert!(drawn(&[f32::NAN; 6]).iter().chain(&drawn(&[])).all(|&ink| ink == 0.0));
        assert!(drawn(&[0.0, 0.0, 1.0]).iter().any(|&ink| ink > 0.5), "a dot is seen");
    }

    #[test]
    fn what_was_written_on_the_pad_becomes_steps_of_writing_that_is_ten_high() {
        let mut writing = Writing::default();
        assert_eq!(writing.steps(1.0, 20), [0.0; 3]);
        writing.begin([0.2, 0.2]);
        writing.go_on([0.2, 0.5]);
        writing.go_on([f64::NAN, 0.5]);
        writing.go_on([0.2, 0.8]);
        let steps = writing.steps(2.5, 20);
        let expected = [0.0, 2.5, 1.0].repeat(4);
        assert!(steps.len() == 12 && steps.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{steps:?}");
        let [left, top, right, bottom] = inked(&writing.ink());
        assert!(left > 0.1 && right < 0.3 && top > 0.1 && bottom < 0.9, "where it was left");
        writing.begin([0.8, 0.2]);
        writing.go_on([0.8, 0.8]);
        assert_eq!(writing.steps(2.5, 20).chunks(3).filter(|step| step[2] == 0.0).count(), 1);
        assert!(writing.steps(0.01, 20).len() <= 60, "no more steps than the network takes");
    }
}
