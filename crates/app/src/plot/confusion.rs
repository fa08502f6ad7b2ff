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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_counts_once_in_the_row_of_its_class() {
        let target = Elements { shape: &[3, 1], data: &[0.0, 0.0, 1.0] };
        let output = Elements { shape: &[3, 2], data: &[0.9, 0.1, 0.2, 0.8, 0.4, 0.6] };
        assert_eq!(confusion(target, output), [1, 1, 0, 1]);
        assert!(confusion(target, Elements { shape: &[0, 2], data: &[] }).iter().sum::<u32>() <= 3);
    }
}
