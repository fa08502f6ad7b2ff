//! How often each class is taken for which.

use downhill_protocol::Elements;

use super::heatmap::likeliest;

/// Counts `[classes, classes]`, true class by row, likeliest class by column, from right answers `[rows, 1]` and probabilities
/// `[rows, classes]`. Two samples of class 0, of which one is taken for class 1, are `[1, 1, 0, 0]`.
pub fn confusion(target: Elements<'_>, output: Elements<'_>) -> Vec<u32> {
    let classes = output.width();
    let mut counts = vec![0; classes * classes];
    for (i, truth) in target.data.iter().enumerate() {
        let at = *truth as usize * classes + likeliest(output.row(i)).0;
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    }
    counts
}

/// The places of the samples of class `truth` whose likeliest class is `guess`, in order.
pub fn taken(target: Elements<'_>, output: Elements<'_>, truth: usize, guess: usize) -> Vec<u32> {
    let is = |&(i, class): &(usize, &f32)| *class as usize == truth && likeliest(output.row(i)).0 == guess;
    target.data.iter().enumerate().filter(is).map(|(i, _)| i as u32).collect()
}

/// The share of the samples of a class that are taken for it, from its row of the counts; `None` where there are none.
pub fn recall(row: &[u32], class: usize) -> Option<f64> {
    let all: u32 = row.iter().sum();
    (all > 0).then(|| f64::from(row.get(class).copied().unwrap_or(0)) / f64::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_is_the_share_of_a_class_that_is_found() {
        assert_eq!((recall(&[3, 1], 0), recall(&[3, 1], 1), recall(&[0, 0], 0)), (Some(0.75), Some(0.25), None));
    }

    #[test]
    fn every_sample_counts_once_in_the_row_of_its_class() {
        let target = Elements { shape: &[3, 1], data: &[0.0, 0.0, 1.0] };
        let output = Elements { shape: &[3, 2], data: &[0.9, 0.1, 0.2, 0.8, 0.4, 0.6] };
        assert_eq!(confusion(target, output), [1, 1, 0, 1]);
        assert_eq!(
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| taken(target, output, i, j)),
            [vec![0], vec![1], vec![], vec![2]]
        );
        assert!(confusion(target, Elements { shape: &[0, 2], data: &[] }).iter().sum::<u32>() <= 3);
    }
}
