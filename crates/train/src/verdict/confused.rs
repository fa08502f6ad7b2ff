//! Two classes are taken for each other far more often than any others are: the network does not see what tells them apart.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, percent};

/// Share of the samples of both classes that has to be taken for the other.
const MANY: f64 = 0.2;
/// Share of all mistakes that has to be between the two.
const MOST: f64 = 0.6;
/// How many mistakes between them there have to be.
const ENOUGH: u32 = 10;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let found = e.answers.confusion.as_ref()?;
    let share = f64::from(found.mistaken) / f64::from(found.samples.max(1));
    let of_all = f64::from(found.mistaken) / f64::from(found.mistakes.max(1));
    // Of two classes in all every mistake is one between them.
    let others = e.answers.classes > 2;
    if !others || found.mistaken < ENOUGH || share < MANY || of_all < MOST || !e.is_plenty() || e.falls() || e.breaks_through() {
        return None;
    }
    let [a, b] = &found.names;
    Some(Verdict {
        title: "Two classes confused".to_string(),
        level: Level::Warn,
        sentence: e.counting(format!(
            "At step {} {} of the {} samples of {a} and {b} that were held out were taken for the other, {} of all mistakes. The surest of them is \
             {}: it is {} and was taken for {}.",
            count(e.step),
            found.mistaken,
            found.samples,
            percent(of_all),
            found.place,
            found.truth,
            found.said
        )),
        evidence: vec![
            ("confused".to_string(), format!("{a} and {b}")),
            ("share of their samples".to_string(), percent(share)),
            ("share of all mistakes".to_string(), percent(of_all)),
            ("a sample".to_string(), found.place.clone()),
        ],
        fix: fix::larger(e.experiment),
        ..Verdict::default()
    })
}
