//! There is not enough evidence for any other verdict.

use downhill_protocol::Verdict;

use super::evidence::Evidence;
use super::words::{count, counted, number};

const EARLY: &str = "Too early to say";

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    if e.is_enough() {
        return Some(not_yet(e));
    }
    let (title, sentence) = if e.step == 0 {
        ("Ready", "No step was taken yet.".to_string())
    } else {
        let evaluations = counted(e.evaluations.len() as u64, "evaluation");
        (EARLY, format!("There is little to go by: {evaluations} over {}.", counted(e.age(), "step")))
    };
    Some(Verdict { title: title.to_string(), sentence, ..Verdict::default() })
}

/// The loss moves, and what it comes to is not to be seen yet.
fn not_yet(e: &Evidence<'_>) -> Verdict {
    let (before, after) = e.before_and_after();
    let outcome = match e.validation() {
        _ if e.is_no_better_than_guessing() => "it is no better than that so far".to_string(),
        Some(loss) if !e.beats_guessing() => format!("the validation loss was {}", number(loss)),
        _ => "it is below that".to_string(),
    };
    Verdict {
        title: EARLY.to_string(),
        sentence: format!(
            "By step {} the loss had gone from {} to {}. Guessing costs {}, and {outcome}.",
            count(e.step),
            number(before),
            number(after),
            number(e.known.baseline.loss)
        ),
        evidence: vec![("loss".to_string(), number(e.loss())), e.guessing()],
        ..Verdict::default()
    }
}
