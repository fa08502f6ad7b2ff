//! The network gets better on what it learns from and worse on what it does not: it learns by heart.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::examination::median;
use super::fix;
use super::words::{count, number, percent};

/// How far the validation loss has to lie above its lowest, and above the training loss, relative to the loss of guessing.
const RISE: f64 = 0.1;
const GAP: f64 = 0.15;
/// So many times the training loss is far from it, however little the validation loss has risen.
const FAR: f64 = 3.0;
/// Difference of the accuracies that counts as one.
const LESS: f64 = 0.04;

/// Evaluations at the end that all have to lie above the lowest before them.
const LATE: usize = 5;

/// The lowest validation loss (of three neighbours the middle one) before the last evaluations, and the step of it.
fn lowest(e: &Evidence<'_>) -> Option<(u64, f64)> {
    let before = &e.evaluations[..e.evaluations.len().saturating_sub(LATE)];
    let of = |three: &[super::Evaluation]| Some((three[1].step, median(three.iter().filter_map(|e| e.validation))));
    before.windows(3).filter_map(of).filter(|(_, loss)| loss.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1))
}

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let validation = e.validation()?;
    if e.endless || !e.is_enough() {
        return None;
    }
    let (best_step, best) = lowest(e)?;
    let guessing = e.known.baseline.loss;
    let above = |loss: f64| loss - best > (RISE * guessing).max(0.1 * best);
    let far = validation > FAR * e.loss();
    let risen = (far || above(validation)) && e.last(LATE).iter().filter_map(|e| e.validation).all(|loss| loss > best);
    let risen = risen && (far || e.last(1).iter().filter_map(|e| e.validation).all(above));
    let apart = validation - e.loss() > (GAP * guessing).max(0.5 * e.loss());
    // A share of few samples is known to within its standard error only. What costs more than guessing is worse whatever the shares.
    let less = match (e.accuracy(), e.validation_accuracy()) {
        (Some(train), Some(held_out)) => {
            let error = (held_out * (1.0 - held_out) / e.held_out.max(1) as f64).sqrt();
            train - held_out > LESS.max(2.0 * error)
        }
        _ => true,
    };
    if !risen || !apart || !(less || validation > guessing) {
        return None;
    }
    let right = match (e.accuracy(), e.validation_accuracy()) {
        (Some(train), Some(held_out)) => {
            format!(" It was right on {} of what it learned from and on {} of what it did not.", percent(train), percent(held_out))
        }
        _ => String::new(),
    };
    // What is judged is smoothed; what is said is what the chart shows.
    let shown = |e: &&super::Evaluation| e.validation.is_some_and(f64::is_finite);
    let by_loss = |a: &&super::Evaluation, b: &&super::Evaluation| {
        a.validation.unwrap_or(f64::INFINITY).total_cmp(&b.validation.unwrap_or(f64::INFINITY))
    };
    let (best_step, best) = e.evaluations.iter().filter(shown).min_by(by_loss).map_or((best_step, best), |e| (e.step, e.validation.unwrap_or(best)));
    Some(Verdict {
        title: "Overfitting".to_string(),
        level: Level::Warn,
        sentence: format!(
            "The validation loss was lowest at step {} ({}) and stood at {} around step {}, while the training loss fell to {}.{right} It learns \
             by heart; more data, fewer units or a penalty on weights help.",
            count(best_step),
            number(best),
            number(validation),
            count(e.step),
            number(e.loss())
        ),
        evidence: vec![
            ("training loss".to_string(), number(e.loss())),
            ("validation loss".to_string(), number(validation)),
            ("lowest".to_string(), format!("{} at step {}", number(best), count(best_step))),
        ],
        fix: fix::stronger_decay(e.experiment),
        ..Verdict::default()
    })
}
