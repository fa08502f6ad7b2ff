//! Short sequences are answered right and long ones are guessed: what came so many steps ago is forgotten.

use downhill_protocol::{Level, Verdict};

use super::answers::OfLength;
use super::evidence::Evidence;
use super::fix;
use super::words::{count, percent};

/// Accuracy of the short sequences.
const RIGHT: f64 = 0.9;
/// Share of the way from guessing to all right below which long ones are guessed.
const GUESSED: f64 = 0.3;
/// Sequences of each kind that there have to be.
const ENOUGH: u32 = 30;

/// How many there are, and the share of them that is right.
fn sum(lengths: &[OfLength]) -> (u32, f64) {
    let (samples, right) = lengths.iter().fold((0, 0), |(s, r), l| (s + l.samples, r + l.right));
    (samples, f64::from(right) / f64::from(samples.max(1)))
}

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let guessed = e.known.baseline.accuracy?;
    if !e.is_plenty() || e.falls() || e.breaks_through() {
        return None;
    }
    let lengths = &e.answers.lengths;
    let apart = |at: usize| {
        let ((short, right), (long, wrong)) = (sum(&lengths[..at]), sum(&lengths[at..]));
        let skill = (wrong - guessed) / (1.0 - guessed).max(1e-9);
        (short.min(long) >= ENOUGH && right >= RIGHT && skill <= GUESSED).then_some((at, right, wrong))
    };
    // As many lengths as it can still answer.
    let (at, right, wrong) = (1..lengths.len()).rev().find_map(apart)?;
    let (last, next) = (lengths[at - 1].length, lengths[at].length);
    Some(Verdict {
        title: "Forgets the beginning".to_string(),
        level: Level::Warn,
        sentence: format!(
            "At step {} it was right on {} of the sequences of up to {last} steps, and on {} of those of {next} and more, where guessing gives {}. \
             What came longer ago is forgotten.",
            count(e.step),
            percent(right),
            percent(wrong),
            percent(guessed)
        ),
        evidence: vec![
            (format!("up to {last} steps"), percent(right)),
            (format!("{next} steps and more"), percent(wrong)),
            ("accuracy of guessing".to_string(), percent(guessed)),
        ],
        fix: fix::more_memory(e.experiment),
        ..Verdict::default()
    })
}
