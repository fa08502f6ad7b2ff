//! Everything is said to be of the most frequent class: right as often as that class is frequent, and of no use.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, percent};

/// Share of the most frequent class from which accuracy says little.
const MUCH: f64 = 0.8;
/// How much more often than that class comes the answer may be right.
const NEAR: f64 = 0.01;
/// Balanced accuracy of an answer that is always the same, of two classes; of more it is lower.
const BLIND: f64 = 0.5;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let (accuracy, balanced, guessed) = (e.validation_accuracy()?, e.balanced_accuracy()?, e.known.baseline.accuracy?);
    if !e.is_plenty() || guessed < MUCH || accuracy > guessed + NEAR || balanced > BLIND {
        return None;
    }
    let sentence = format!(
        "Around step {} it was right on {} of the samples held out, but so is who always says the most frequent class. Of the other classes next to \
         nothing is found: balanced accuracy, in which all classes count the same, is {}.",
        count(e.step),
        percent(accuracy),
        percent(balanced)
    );
    let evidence = vec![
        ("validation accuracy".to_string(), percent(accuracy)),
        ("most frequent class".to_string(), percent(guessed)),
        ("balanced accuracy".to_string(), percent(balanced)),
    ];
    let sentence = e.counting(sentence);
    let (title, level) = ("Majority only".to_string(), Level::Warn);
    Some(Verdict { title, level, sentence, evidence, fix: fix::balanced(e.experiment), ..Verdict::default() })
}
