//! Splits samples into a training and a validation part, the same share of every class.

use downhill_tensor::rng::{Rng, Stream};

/// Which samples are learned from and which only measure; both ascending, together all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the training part; never empty unless there are no samples.
    pub train: Vec<u32>,
    /// Indices of the validation part.
    pub validation: Vec<u32>,
}

/// Splits samples whose class (or 0 throughout, for regression) is `classes`, so that `fraction` of every class is in the
/// validation part, and at least one sample of every class in the training part.
pub fn split(classes: &[u32], fraction: f64, seed: u32) -> Split {
    let count = classes.iter().max().map_or(0, |&c| c as usize + 1);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (&class, i) in classes.iter().zip(0u32..) {
        members[class as usize].push(i);
    }
    let mut is_held_out = vec![false; classes.len()];
    for (mut class, stream) in members.into_iter().zip(0u32..) {
        Rng::new(seed, Stream::Split, stream).shuffle(&mut class);
        let held_out = (class.len() as f64 * fraction).round() as usize;
        let held_out = held_out.min(class.len().saturating_sub(1));
        class[..held_out].iter().for_each(|&i| is_held_out[i as usize] = true);
    }
    let (validation, train) = (0..classes.len() as u32).partition(|&i| is_held_out[i as usize]);
    Split { train, validation }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_sample_is_in_exactly_one_part_and_classes_keep_their_share(
            classes in prop::collection::vec(0u32..5, 1..300), fraction in 0.0f64..0.9, seed: u32,
        ) {
            let parts = split(&classes, fraction, seed);
            let mut all = [parts.train.clone(), parts.validation.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..classes.len() as u32).collect::<Vec<_>>());
            for class in 0..5 {
                let of = |part: &[u32]| part.iter().filter(|&&i| classes[i as usize] == class).count();
                let (train, validation) = (of(&parts.train), of(&parts.validation));
                let wanted = (train + validation) as f64 * fraction;
                prop_assert!((validation as f64 - wanted).abs() <= 1.0);
                prop_assert!(train > 0 || validation == 0);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_split_and_another_seed_another() {
        let classes = [0, 1].repeat(50);
        assert_eq!(split(&classes, 0.3, 7), split(&classes, 0.3, 7));
        assert_ne!(split(&classes, 0.3, 7), split(&classes, 0.3, 8));
    }
}
