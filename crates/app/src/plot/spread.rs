//! The small picture of a column of a table: a histogram that stands, or bars that lie, in a box of 42 by 28.

use downhill_model::data::csv::Spread;

/// Width and height of the picture.
pub const SIZE: (f64, f64) = (42.0, 28.0);

/// The outline of all bars, as an SVG path; empty where there is nothing to show.
pub fn outline(spread: &Spread) -> String {
    let (width, height) = SIZE;
    match spread {
        Spread::None => String::new(),
        Spread::Histogram { counts, .. } => bars(counts, |i, share| {
            let step = width / counts.len() as f64;
            (i as f64 * step, height - share * height, (step - 1.0).max(0.5), share * height)
        }),
        Spread::Bars { top, rest, .. } => {
            let counts: Vec<u32> = top.iter().map(|(_, count)| *count).chain((*rest > 0).then_some(*rest)).collect();
            let step = (height / counts.len().max(1) as f64).min(7.0);
            bars(&counts, |i, share| (0.0, i as f64 * step, share * width, (step - 1.5).max(0.5)))
        }
    }
}

/// A rectangle for each count, placed by its index and its share of the largest; what is rare can still be seen.
fn bars(counts: &[u32], place: impl Fn(usize, f64) -> (f64, f64, f64, f64)) -> String {
    let most = f64::from(counts.iter().copied().max().unwrap_or(0).max(1));
    let mut path = String::new();
    for (i, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (x, y, w, h) = place(i, (f64::from(*count) / most).max(0.04));
        path += &format!("M{x:.1} {y:.1}h{w:.1}v{h:.1}h-{w:.1}z");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bin_that_holds_something_is_seen_and_no_other() {
        let of = |counts: &[u32]| {
            let ends = ["0".to_string(), "1".to_string()];
            outline(&Spread::Histogram { low: 0.0, high: 1.0, ends, mean: 0.5, counts: counts.to_vec() })
        };
        assert_eq!(of(&[4, 0, 2]), "M0.0 0.0h13.0v28.0h-13.0zM28.0 14.0h13.0v14.0h-13.0z");
        assert_eq!(of(&[100_000, 1]).matches('M').count(), 2);
        assert_eq!((of(&[]), of(&[0, 0]), outline(&Spread::None)), Default::default());
    }

    #[test]
    fn words_lie_on_their_side_with_the_rest_last() {
        let top = vec![("a".to_string(), 6), ("b".to_string(), 3)];
        let path = outline(&Spread::Bars { top, others: 2, rest: 3 });
        assert_eq!(path, "M0.0 0.0h42.0v5.5h-42.0zM0.0 7.0h21.0v5.5h-21.0zM0.0 14.0h21.0v5.5h-21.0z");
    }
}
