//! One sentence on how a run is doing, from its numbers.

/// How good or bad the news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// Nothing to say yet.
    Quiet,
    /// Worth a change.
    Warn,
    /// Stopped.
    Bad,
}

/// What is known of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signs {
    /// Steps taken.
    pub step: u64,
    /// Loss on the training part.
    pub train_loss: Option<f64>,
    /// Loss on the validation part.
    pub validation_loss: Option<f64>,
    /// Accuracy on the training part, 0–1.
    pub train_accuracy: Option<f64>,
    /// Accuracy on the validation part, 0–1.
    pub validation_accuracy: Option<f64>,
    /// Loss of guessing.
    pub baseline: f64,
    /// Relative change of the training loss over the last half of the run.
    pub trend: f64,
    /// Relative change of the validation loss over the last half of the run.
    pub validation_trend: f64,
    /// Where and why numbers ran away.
    pub diverged: Option<String>,
}

/// A verdict: level, one word, and a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Level.
    pub level: Level,
    /// One or two words.
    pub title: &'static str,
    /// What shows it and what to change.
    pub text: String,
}

fn verdict(level: Level, title: &'static str, text: impl Into<String>) -> Verdict {
    Verdict { level, title, text: text.into() }
}

fn percent(v: f64) -> String {
    format!("{:.1} %", 100.0 * v)
}

/// Judges a run.
pub fn judge(signs: &Signs) -> Verdict {
    /// Evaluations come every few dozen steps; before that there is nothing to judge by.
    const EARLY: u64 = 150;
    if let Some(why) = &signs.diverged {
        return verdict(Level::Bad, "Diverged.", why.clone());
    }
    let Some(loss) = signs.train_loss.filter(|_| signs.step > 0) else {
        return verdict(Level::Quiet, "Ready.", "Press play, or the space bar, to train.");
    };
    if signs.step < EARLY {
        return verdict(Level::Quiet, "Starting.", "The first steps say little; wait for a few evaluations.");
    }
    if loss > 2.0 * signs.baseline {
        let text = format!(
            "After {} steps the loss {loss:.3} is far worse than guessing ({:.3}): the steps are too large. Lower the learning rate, or clip the gradient's norm, and reset.",
            signs.step, signs.baseline
        );
        return verdict(Level::Warn, "Overshooting.", text);
    }
    if loss > 0.97 * signs.baseline && signs.trend > -0.02 {
        let text = format!(
            "After {} steps the loss {loss:.3} is no better than guessing ({:.3}). Try another learning rate, or give the network more units or features.",
            signs.step, signs.baseline
        );
        return verdict(Level::Warn, "Not learning.", text);
    }
    if let Some(found) = overfitting(signs, loss) {
        return found;
    }
    if signs.trend > 0.25 {
        return verdict(
            Level::Warn,
            "Unsteady.",
            "The loss climbs again. Lower the learning rate, or clip the gradient's norm.",
        );
    }
    let held_out = signs.validation_accuracy.map(|a| format!(" {} of the points it never learned from are right.", percent(a)));
    let held_out = held_out.unwrap_or_default();
    if signs.trend > -0.03 {
        let (level, advice) = match signs.train_accuracy {
            Some(a) if a < 0.9 => (Level::Quiet, " More units, more features or a lower learning rate may take it further."),
            _ => (Level::Good, ""),
        };
        return verdict(level, "Settled.", format!("The loss hardly moves any more.{held_out}{advice}"));
    }
    verdict(Level::Good, "Healthy.", format!("The loss is still falling.{held_out}"))
}

fn overfitting(signs: &Signs, loss: f64) -> Option<Verdict> {
    let validation = signs.validation_loss?;
    let gap = signs.train_accuracy.zip(signs.validation_accuracy).map(|(t, v)| t - v);
    let wide = gap.map_or(validation > 2.0 * loss + 0.05 * signs.baseline, |g| g > 0.06);
    if !wide || validation < 1.3 * loss {
        return None;
    }
    let seen = match gap {
        Some(_) => format!(
            "Right on {} of what it learned from, on {} of what it did not.",
            percent(signs.train_accuracy?),
            percent(signs.validation_accuracy?)
        ),
        None => format!("The loss is {loss:.3} on what it learned from and {validation:.3} on what it did not."),
    };
    let rising = if signs.validation_trend > 0.03 { " The validation loss is rising." } else { "" };
    Some(verdict(Level::Warn, "Overfitting.", format!("{seen}{rising} More data, weight decay, dropout or fewer units help.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs() -> Signs {
        Signs {
            step: 1000,
            train_loss: Some(0.05),
            validation_loss: Some(0.06),
            train_accuracy: Some(0.99),
            validation_accuracy: Some(0.98),
            baseline: 0.693,
            trend: -0.2,
            ..Signs::default()
        }
    }

    #[test]
    fn each_state_of_a_run_has_its_own_word() {
        let title = |change: fn(&mut Signs)| {
            let mut s = signs();
            change(&mut s);
            judge(&s).title
        };
        assert_eq!(title(|_| ()), "Healthy.");
        assert_eq!(title(|s| s.trend = 0.0), "Settled.");
        assert_eq!(title(|s| s.step = 0), "Ready.");
        assert_eq!(title(|s| s.step = 10), "Starting.");
        assert_eq!(title(|s| (s.train_loss, s.trend) = (Some(0.69), 0.0)), "Not learning.");
        assert_eq!(title(|s| s.train_loss = Some(5.0)), "Overshooting.");
        assert_eq!(title(|s| (s.validation_loss, s.validation_accuracy) = (Some(0.5), Some(0.8))), "Overfitting.");
        assert_eq!(title(|s| s.trend = 0.5), "Unsteady.");
        assert_eq!(title(|s| s.diverged = Some("x".into())), "Diverged.");
    }

    #[test]
    fn a_run_that_settles_early_is_no_good_news() {
        let settled = |accuracy| judge(&Signs { trend: 0.0, train_accuracy: Some(accuracy), ..signs() }).level;
        assert_eq!((settled(0.55), settled(0.99)), (Level::Quiet, Level::Good));
    }

    #[test]
    fn a_sentence_holds_the_numbers_that_led_to_it() {
        let mut s = signs();
        s.validation_accuracy = Some(0.801);
        s.validation_loss = Some(0.9);
        assert!(judge(&s).text.contains("80.1 %"), "{}", judge(&s).text);
    }
}
