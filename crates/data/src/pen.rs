//! Writing as the way of a pen: strokes become points that are evenly far apart, and points become the steps that a network is given. What is
//! written is the business of a source, or of whoever writes on a pad.

/// What writing is high, by which ways are measured.
pub const TALL: f64 = 10.0;
/// Numbers of a step: to the right, down, and 1 where the pen is on the paper.
pub const STEP: [&str; 3] = ["right", "down", "pen"];
/// Where the next stroke begins so near, the pen stays on the paper.
const NEAR: f64 = 0.3;

/// A place on the paper: to the right and down.
pub type Point = [f64; 2];

/// The points at which a pen is after each step, that where it begins first, and whether it came there on the paper. There are at most `most`
/// steps of about `spacing`: a pen with a longer way takes longer steps.
pub fn points(strokes: &[Vec<Point>], spacing: f64, most: usize) -> Vec<(Point, bool)> {
    // Each stroke ends with a step of its own, and one in the air may lead to it.
    let room = most.saturating_sub(2 * strokes.len()).max(1);
    let spacing = spacing.max(strokes.iter().map(|stroke| length(stroke)).sum::<f64>() / room as f64);
    let mut points: Vec<(Point, bool)> = Vec::new();
    for stroke in strokes {
        let Some(&first) = stroke.first() else { continue };
        if points.last().is_none_or(|(last, _)| distance(*last, first) > NEAR) {
            points.push((first, false));
        }
        points.extend(even(stroke, spacing).into_iter().map(|at| (at, true)));
    }
    points.truncate(most + 1);
    points
}

/// The steps from point to point, `[steps, 3]`.
pub fn steps(points: &[(Point, bool)]) -> Vec<f32> {
    let step = |pair: &[(Point, bool)]| {
        let [(from, _), (to, paper)] = [pair[0], pair[1]];
        [(to[0] - from[0]) as f32, (to[1] - from[1]) as f32, f32::from(u8::from(paper))]
    };
    points.windows(2).flat_map(step).collect()
}

fn distance(a: Point, b: Point) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    libm::sqrt(dx * dx + dy * dy)
}

fn length(stroke: &[Point]) -> f64 {
    stroke.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
}

/// Points along a stroke that are equally far apart, about `spacing`; without its first, with its last.
fn even(stroke: &[Point], spacing: f64) -> Vec<Point> {
    let whole = length(stroke);
    let parts = (whole / spacing).round().max(1.0);
    let mut points = Vec::new();
    let mut gone = 0.0;
    for pair in stroke.windows(2) {
        let part = distance(pair[0], pair[1]);
        while (points.len() as f64) + 1.0 < parts {
            let share = ((points.len() as f64 + 1.0) / parts * whole - gone) / part.max(1e-12);
            if share > 1.0 {
                break;
            }
            points.push([0, 1].map(|axis| pair[0][axis] + share * (pair[1][axis] - pair[0][axis])));
        }
        gone += part;
    }
    points.extend(stroke.last());
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pen_takes_even_steps_along_a_stroke_and_one_through_the_air() {
        let strokes = [vec![[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]], vec![[0.0, 5.0], [0.0, 7.0]]];
        let found = steps(&points(&strokes, 1.0, 20));
        let expected = [
            [1.0, 0.0, 1.0],
            [1.0, 0.0, 1.0],
            [1.0, 0.0, 1.0],
            [0.0, 1.0, 1.0],
            [-3.0, 4.0, 0.0],
            [0.0, 1.0, 1.0],
            [0.0, 1.0, 1.0],
        ];
        assert_eq!(found, expected.concat());
        // A stroke that begins where the last one ended goes on with it, and a dot is a step on the spot.
        let corner = [vec![[0.0, 0.0], [2.0, 0.0]], vec![[2.0, 0.1], [2.0, 2.1]]];
        assert!(points(&corner, 1.0, 20).iter().skip(1).all(|(_, paper)| *paper));
        assert_eq!(steps(&points(&[vec![[4.0, 4.0]]], 1.0, 20)), [0.0, 0.0, 1.0]);
        assert_eq!(steps(&points(&[], 1.0, 20)), [0.0; 0]);
    }

    #[test]
    fn where_there_is_room_for_few_steps_they_are_longer_and_reach_the_end() {
        let strokes = [vec![[0.0, 0.0], [100.0, 0.0]], vec![[0.0, 9.0], [50.0, 9.0]]];
        for most in [4, 7, 30] {
            let found = points(&strokes, 1.0, most);
            assert!(found.len() <= most + 1 && found.last() == Some(&([50.0, 9.0], true)), "{most}: {found:?}");
        }
        let many = vec![vec![[0.0, 0.0], [0.0, 5.0]]; 40];
        assert_eq!(points(&many, 1.0, 10).len(), 11);
    }
}
