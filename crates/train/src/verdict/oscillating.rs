//! The loss jumps up and down and gets nowhere: steps go too far, because the learning rate is too high.

use downhill_protocol::{Level, Verdict};

use super::evidence::{Evidence, lowest};
use super::examination::median;
use super::fix;
use super::words::{count, number};

/// Evaluations that are looked at, at least and at most.
const SEEN: (usize, usize) = (8, 60);
/// Share of the moves that go up where a loss jumps; one that falls or climbs steadily has less or more.
const UPS: (f64, f64) = (0.25, 0.75);
/// Mean size of a move, relative to the loss of guessing.
const SIZE: f64 = 0.06;
/// What the loss has to fall to, relative to what it was, where it gets somewhere.
const PROGRESS: f64 = 0.85;
/// Loss, relative to that of guessing, above which nothing is gained.
const HIGH: f64 = 0.95;
/// Skill above which a network that jumps has learned all the same.
const SKILLED: f64 = 0.85;
/// Loss, relative to that of guessing, that only steps which are too large keep up.
const THROWN: f64 = 1.5;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let recent = e.recent();
    let seen = &recent[recent.len().saturating_sub(SEEN.1)..];
    if seen.len() < SEEN.0.min(e.evaluations.len().div_ceil(2).max(5)) || !e.is_enough() {
        return None;
    }
    let (first, second) = seen.split_at(seen.len() / 2);
    let level = |part: &[super::Evaluation]| median(part.iter().map(|e| e.train));
    let (before, after, middle) = (level(first), level(second), level(seen));
    let (ups, size) = Evidence::moves(seen);
    let moves = seen.len() - 1;
    let jumps = (UPS.0..=UPS.1).contains(&(ups as f64 / moves as f64));
    let thrown = middle > THROWN * e.known.baseline.loss;
    let large = size > SIZE * e.known.baseline.loss || thrown;
    // Above what guessing costs a jumping loss is lower now and then by chance; only a large fall counts there.
    let high = after > HIGH * e.known.baseline.loss;
    let falls = after < PROGRESS * before && lowest(second) < PROGRESS * lowest(first);
    // A network that gets off a plateau at once has moved by one large step, and not up and down.
    let escapes = e.breaks_through() && (!high || e.level() < PROGRESS);
    let gets_on = escapes || if high { after < 0.5 * before && !thrown } else { falls };
    if !jumps || !large || gets_on || e.skill() > SKILLED {
        return None;
    }
    let outcome = if high { "no better than guessing" } else { "hardly lower than before" };
    let factor = if high { 0.1 } else { 0.3 };
    Some(Verdict {
        title: "Oscillating".to_string(),
        level: Level::Warn,
        sentence: format!(
            "The loss went up in {ups} of the last {moves} evaluations and was {} at step {}, {outcome}. The learning rate of {} is too high: \
             steps go too far.",
            number(e.loss()),
            count(e.step),
            number(e.lr)
        ),
        evidence: vec![
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
            ("mean move".to_string(), number(size)),
            ("learning rate".to_string(), number(e.lr)),
        ],
        fix: fix::rate(e.experiment, factor, false),
        ..Verdict::default()
    })
}
