//! How the layers `concat` and `cat` put things side by side: vectors and sequences of them number by number, images channel by channel.

use downhill_tensor::UserError;

use super::def::Port;

/// The dimension that grows, counted from the end as PyTorch does: the channels of an image, else the last.
pub(super) fn dim(port: &Port) -> isize {
    if port.shape.len() == 3 { -3 } else { -1 }
}

/// What two ports are side by side; `says` introduces the second in the sentence about what does not fit.
///
/// # Errors
/// When they differ in more than the dimension that grows.
pub(super) fn joined(layer: &str, before: &Port, says: &str, next: &Port) -> Result<Port, UserError> {
    let grows = usize::from(before.shape.len() == 2);
    let rest = |port: &Port| port.shape.iter().enumerate().filter(|(i, _)| *i != grows).map(|(_, &n)| n).collect::<Vec<_>>();
    let alike = before.shape.len() == next.shape.len() && rest(before) == rest(next) && before.lengths == next.lengths;
    let (true, Some(&a), Some(&b)) = (alike, before.shape.get(grows), next.shape.get(grows)) else {
        let message =
            format!("{layer} puts things of one size side by side, but what stands before is {before} and {says} {next}.");
        let hint = match (before.shape.len(), next.shape.len()) {
            (3, 3) => "Let both have the same height and width: choose padding, stride, pooling or `upsample` so.",
            (2, 2) => "Let both have as many steps.",
            _ => "Insert `flatten` before what is not a vector.",
        };
        return Err(UserError::new(message).hint(hint));
    };
    let mut port = before.clone();
    port.shape[grows] = a.saturating_add(b);
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_grow_at_the_end_and_images_by_channels() {
        let shape = |a: &[usize], b: &[usize]| {
            let joined = joined("cat", &Port::numbers(a), "`a` is", &Port::numbers(b));
            joined.map(|port| (port.shape.clone(), dim(&port))).map_err(|e| e.to_string())
        };
        assert_eq!(shape(&[3], &[4]), Ok((vec![7], -1)));
        assert_eq!(shape(&[5, 3], &[5, 4]), Ok((vec![5, 7], -1)));
        assert_eq!(shape(&[2, 8, 6], &[3, 8, 6]), Ok((vec![5, 8, 6], -3)));
        assert_eq!(
            shape(&[2, 8, 6], &[3, 8, 7]).unwrap_err(),
            "cat puts things of one size side by side, but what stands before is 2×8×6 and `a` is 3×8×7. Let both have the same height and \
             width: choose padding, stride, pooling or `upsample` so."
        );
        assert!(shape(&[5, 3], &[4, 3]).unwrap_err().ends_with("Let both have as many steps."));
        assert!(shape(&[2, 8, 6], &[3]).unwrap_err().ends_with("Insert `flatten` before what is not a vector."));
    }
}
