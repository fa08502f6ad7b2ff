//! What sources of sequences share: their lengths, and what they are called.

use downhill_tensor::UserError;
use downhill_tensor::rng::Rng;

/// Name of the field with the number of steps that count.
pub(super) const LENGTH: &str = "length";

/// Of samples that are made here.
pub(super) const LICENCE: &str = "Generated from the seed; free to use.";

/// A range of lengths goes up.
pub(super) fn check_lengths(min: u32, max: u32) -> Result<(), UserError> {
    if min <= max {
        return Ok(());
    }
    let message = format!("The shortest sequence, {min}, is longer than the longest, {max}.");
    Err(UserError::at("min_length", message).hint("Lower `min_length`, or raise `max_length`."))
}

/// A length of the range, each as likely.
pub(super) fn length(rng: &mut Rng, min: u32, max: u32) -> usize {
    min as usize + rng.below((max - min) as usize + 1)
}
