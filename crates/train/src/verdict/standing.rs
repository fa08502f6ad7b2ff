//! The verdict that is shown: it stands for a while, so that it can be read, unless something worse comes.

use std::time::Duration;

use downhill_protocol::{Level, Verdict};

/// How long a verdict stands at least.
const TIME: Duration = Duration::from_secs(3);
/// Steps for which it stands at least while the run moves.
const STEPS: u64 = 200;

/// When the rules are asked, and what they do not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The time.
    pub time: Duration,
    /// Whether the run moves.
    pub moves: bool,
    /// Whether the loss is no better than guessing, so that nothing good may be said.
    pub guesses: bool,
}

/// What is shown, and since when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    shown: Option<Verdict>,
    /// Time and step at which a verdict of this name was first shown.
    since: (Duration, u64),
    /// When it was last told.
    told: Duration,
    /// Whether another verdict waits for its turn.
    waiting: bool,
    /// Whether the experiment was edited, so that the next verdict need not wait.
    edited: bool,
}

impl Standing {
    /// What the rules say; gives what is to be told: another verdict, or newer numbers.
    pub fn offer(&mut self, found: Verdict, moment: Moment) -> Option<Verdict> {
        let Moment { time: now, moves, guesses } = moment;
        let edited = std::mem::take(&mut self.edited);
        let Some(shown) = &self.shown else { return Some(self.show(found, now)) };
        if (shown.run, &shown.name, shown.level) == (found.run, &found.name, found.level) {
            self.waiting = false;
            let news = (&shown.sentence, &shown.evidence, &shown.fix) != (&found.sentence, &found.evidence, &found.fix);
            // At rest the numbers are the last ones, and what is called something else is something else.
            if news && (now >= self.told + TIME || !moves || shown.title != found.title) {
                self.told = now;
                self.shown = Some(found.clone());
                return Some(found);
            }
            return None;
        }
        let stood = now >= self.since.0 + TIME && (!moves || found.step >= self.since.1 + STEPS);
        // A new run, an edit, and a run that broke or is no better than guessing any more do not wait. What was not yet a verdict gives way to one.
        let urgent = edited || shown.run != found.run || found.level == Level::Bad || found.step < self.since.1;
        let urgent = urgent || (guesses && shown.level == Level::Good);
        if urgent || stood || is_none(shown) {
            return Some(self.show(found, now));
        }
        self.waiting = true;
        None
    }

    fn show(&mut self, found: Verdict, now: Duration) -> Verdict {
        (self.since, self.told, self.waiting) = ((now, found.step), now, false);
        self.shown = Some(found.clone());
        found
    }

    /// The experiment was edited: what was said of it may hold no more.
    pub fn note_edit(&mut self) {
        self.edited = true;
    }

    /// When a verdict that waits may be shown, if one does.
    pub fn due(&self) -> Option<Duration> {
        self.waiting.then_some(self.since.0 + TIME)
    }
}

/// Whether it says that there is nothing to say yet.
fn is_none(verdict: &Verdict) -> bool {
    verdict.evidence.is_empty() && verdict.level == Level::Quiet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, step: u64, level: Level) -> Verdict {
        let evidence = if name == "early" { Vec::new() } else { vec![("loss".to_string(), step.to_string())] };
        Verdict { name: name.to_string(), step, level, evidence, ..Verdict::default() }
    }

    fn now(seconds: f64, moves: bool) -> Moment {
        Moment { time: Duration::from_secs_f64(seconds), moves, guesses: false }
    }

    #[test]
    fn a_verdict_stands_for_three_seconds_and_two_hundred_steps() {
        let mut standing = Standing::default();
        let mut told = |name: &str, step, at| {
            let level = match name {
                "diverged" => Level::Bad,
                "early" => Level::Quiet,
                _ => Level::Good,
            };
            standing.offer(found(name, step, level), now(at, true)).map(|v| v.name)
        };
        assert_eq!(told("early", 0, 0.0).as_deref(), Some("early"));
        assert_eq!(told("learning", 10, 0.1).as_deref(), Some("learning"), "before there was none");
        assert_eq!(told("learned", 5000, 2.9), None, "too soon");
        assert_eq!(told("learned", 100, 60.0), None, "too few steps");
        assert_eq!(told("learned", 210, 3.2).as_deref(), Some("learned"));
        assert_eq!(told("diverged", 211, 3.3).as_deref(), Some("diverged"), "that does not wait");
        assert_eq!(told("learned", 500, 4.0), None);
        assert_eq!(told("early", 0, 4.1).as_deref(), Some("early"), "the run begins anew");
    }

    #[test]
    fn newer_numbers_are_told_every_three_seconds_and_the_name_counts_from_its_beginning() {
        let mut standing = Standing::default();
        let mut told = |name: &str, step, at| standing.offer(found(name, step, Level::Good), now(at, true)).is_some();
        assert!(told("learning", 100, 0.0));
        assert!(!told("learning", 200, 1.0));
        assert!(told("learning", 300, 3.0));
        assert!(told("learned", 400, 3.1), "learning stood since 0");
    }

    #[test]
    fn at_rest_time_alone_counts_and_what_waits_says_when_it_is_due() {
        let mut standing = Standing::default();
        standing.offer(found("learning", 100, Level::Good), now(1.0, true));
        standing.note_edit();
        assert!(standing.offer(found("learned", 110, Level::Good), now(1.0, true)).is_some(), "an edit does not wait");
        assert!(standing.offer(found("finished", 150, Level::Quiet), now(2.0, false)).is_none(), "not twice");
        assert_eq!(standing.due(), Some(Duration::from_secs(4)));
        assert!(standing.offer(found("finished", 150, Level::Quiet), now(4.0, false)).is_some());
        assert_eq!(standing.due(), None);
    }

    #[test]
    fn nothing_good_stands_where_guessing_does_as_well() {
        let mut standing = Standing::default();
        standing.offer(found("learning", 100, Level::Good), now(0.0, true));
        assert!(standing.offer(found("plateau", 110, Level::Quiet), now(0.5, true)).is_none());
        let guesses = Moment { guesses: true, ..now(0.6, true) };
        assert!(standing.offer(found("plateau", 120, Level::Quiet), guesses).is_some());
    }
}
