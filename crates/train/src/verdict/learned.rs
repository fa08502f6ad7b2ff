//! The network has learned what there is to learn: nearly everything is right, or the loss is far below guessing and stays there.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::words::{count, number, percent};

/// Accuracies on both parts, or loss relative to that of guessing, at which nothing is left to learn.
const RIGHT: f64 = 0.97;
const HELD_OUT: f64 = 0.93;
const LITTLE: f64 = 0.03;
/// Skill of a network whose loss stays where it is that counts as learned.
const SKILLED: f64 = 0.75;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    if !e.is_enough() || !e.beats_guessing() {
        return None;
    }
    let right = e.accuracy().is_some_and(|a| a >= RIGHT) && e.validation_accuracy().is_none_or(|a| a >= HELD_OUT);
    let close = e.accuracy().is_none()
        && e.level() <= LITTLE
        && e.validation().is_none_or(|loss| loss <= 2.0 * LITTLE * e.known.baseline.loss);
    let settled = e.is_plenty() && !e.falls() && !e.breaks_through() && e.skill() >= SKILLED;
    if !right && !close && !settled {
        return None;
    }
    let sentence = match (e.accuracy(), e.validation_accuracy()) {
        (Some(train), Some(held_out)) => format!(
            "Around step {} it was right on {} of the samples it learns from and on {} of those held out.",
            count(e.step),
            percent(train),
            percent(held_out)
        ),
        (Some(train), None) => {
            format!("Around step {} it was right on {} of the samples it learns from.", count(e.step), percent(train))
        }
        _ => format!(
            "Around step {} the loss was {}, {} below what guessing costs.",
            count(e.step),
            number(e.loss()),
            percent(1.0 - e.level())
        ),
    };
    let mut evidence = vec![("loss".to_string(), number(e.loss()))];
    evidence.extend(e.validation().map(|loss| ("validation loss".to_string(), number(loss))));
    evidence.push(e.guessing());
    let sentence = e.counting(sentence);
    Some(Verdict { title: "Learned".to_string(), level: Level::Good, sentence, evidence, ..Verdict::default() })
}
