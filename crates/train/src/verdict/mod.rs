//! How a run is doing: rules that read its evaluations, the state of its layers, what guessing costs and the experiment. Each rule is a file
//! and a line in the list below; the first that applies gives the verdict. Nothing here trains, draws or keeps time for itself.

pub mod answers;
pub mod evidence;
pub mod examination;
pub(crate) mod fix;
pub(crate) mod history;
pub(crate) mod standing;
mod words;

use downhill_protocol::Verdict;
use downhill_tensor::apart;

pub use evidence::{Evidence, Known};
pub use history::Evaluation;

/// Marked with `apart` are those that can only apply to an experiment whose code comes later: see [`apart`].
macro_rules! rules {
    ($($name:ident $($apart:ident)?,)*) => {
        $(mod $name;)*

        /// Every rule, the one that counts most first.
        const RULES: &[(&str, fn(&Evidence<'_>) -> Option<Verdict>)] = &[$((stringify!($name), rules!(@ $name $($apart)?))),*];
    };
    (@ $name:ident) => { $name::rule };
    (@ $name:ident apart) => { |e| if e.experiment.is_at_once() { None } else { apart(|| $name::rule(e)) } };
}

rules! {
    diverged,
    one_answer,
    alike,
    exploding,
    dead,
    small_batches,
    forgetting,
    oscillating,
    saturated,
    vanishing,
    fading_over_time apart,
    same_heads apart,
    memorised_labels,
    by_heart,
    overfitting,
    majority,
    most_frequent apart,
    context_unused apart,
    at_floor,
    confused,
    learned,
    creeping,
    plateau,
    underfitting,
    finished,
    learning,
    early,
}

/// What the rules say of a run.
pub fn judge(evidence: &Evidence<'_>) -> Verdict {
    let found = RULES.iter().find_map(|(name, rule)| Some(Verdict { name: (*name).to_string(), ..rule(evidence)? }));
    Verdict { step: evidence.step, ..found.unwrap_or_default() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_model::Experiment;
    use downhill_model::losses::Baseline;
    use downhill_protocol::Level;

    use super::answers::Answers;
    use super::*;

    fn experiment() -> Experiment {
        let text = r#"{ "data": "xor", "model": [{ "linear": { "out": "classes" } }], "training": { "steps": 4000 } }"#;
        Experiment::parse(text).unwrap().experiment
    }

    const KNOWN: Known =
        Known { baseline: Baseline { loss: 0.7, accuracy: None }, label_noise: 0.0, floor: None, last_token: None };

    static NONE: Answers = Answers { classes: 0, confusion: None, lengths: Vec::new() };

    fn evaluations(count: u64, loss: impl Fn(u64) -> f64) -> Vec<Evaluation> {
        let at = |i: u64| Evaluation { step: 50 * i, train: loss(i), validation: Some(loss(i)), ..Evaluation::default() };
        (0..count).map(at).collect()
    }

    fn said(experiment: &Experiment, evaluations: &[Evaluation], ended: bool) -> Verdict {
        judge(&evidence(experiment, evaluations, ended))
    }

    fn evidence<'a>(experiment: &'a Experiment, evaluations: &'a [Evaluation], ended: bool) -> Evidence<'a> {
        Evidence {
            experiment,
            step: evaluations.last().map_or(0, |e| e.step),
            lr: experiment.lr_at(evaluations.last().map_or(0, |e| e.step)),
            evaluations,
            known: KNOWN,
            answers: &NONE,
            summary: &[],
            held_out: 100,
            apart: false,
            endless: false,
            layers: None,
            divergence: None,
            ended,
        }
    }

    #[test]
    fn nothing_is_said_before_there_is_evidence() {
        let experiment = experiment();
        for count in 0..5 {
            let verdict = said(&experiment, &evaluations(count, |i| 0.5 / (i + 1) as f64), false);
            assert_eq!((verdict.name.as_str(), verdict.level), ("early", Level::Quiet), "{count}");
        }
        assert_eq!(said(&experiment, &evaluations(10, |i| 0.6 / (i + 1) as f64), false).name, "learning");
    }

    #[test]
    fn no_curve_at_or_above_guessing_is_healthy() {
        let experiment = experiment();
        let curves: [fn(u64) -> f64; 5] = [
            |_| 0.7,
            |i| 5.0 / (i + 1) as f64 + 0.7,
            |i| 0.7 + 0.1 * (i % 2) as f64,
            |i| 0.7 - 1e-4 * (i % 7) as f64,
            |i| 1e6 - i as f64,
        ];
        for (which, curve) in curves.iter().enumerate() {
            for count in 0..80 {
                for ended in [false, true] {
                    let verdict = said(&experiment, &evaluations(count, curve), ended);
                    assert!(verdict.level != Level::Good && !verdict.name.is_empty(), "{which} after {count}: {verdict:?}");
                }
            }
        }
    }

    #[test]
    fn every_sentence_is_one_and_every_number_in_it_is_a_number() {
        let experiment = experiment();
        let curves: [fn(u64) -> f64; 6] = [
            |_| 0.0,
            |i| 1e-30 / (i + 1) as f64,
            |i| 0.6 / (i + 1) as f64,
            |i| 0.6 - 1e-4 * i as f64,
            |_| 0.3,
            |i| 0.5 + 0.3 * (i % 2) as f64,
        ];
        for curve in curves {
            for count in 0..80 {
                let verdict = said(&experiment, &evaluations(count, curve), count > 70);
                assert!(!verdict.title.is_empty() && verdict.sentence.ends_with('.'), "{verdict:?}");
                assert!(!verdict.sentence.contains("NaN") && !verdict.sentence.contains("inf"), "{verdict:?}");
                assert!(count <= 70 || verdict.name != "learning", "{verdict:?}");
            }
        }
    }

    #[test]
    fn confident_mistakes_on_few_samples_are_overfitting_and_never_called_early() {
        let experiment = experiment();
        let mut sure = evaluations(100, |i| 0.6 / ((i + 1) * (i + 1)) as f64);
        for e in &mut sure {
            (e.train_accuracy, e.validation_accuracy) = (Some(1.0), Some(0.95));
            e.validation = Some(0.3 + 0.01 * e.step as f64 / 50.0);
        }
        let names: Vec<String> = (10..100).map(|count| said(&experiment, &sure[..count], false).name).collect();
        assert!(names.iter().all(|name| name != "early"), "{names:?}");
        assert_eq!(names.last().unwrap(), "overfitting");
    }

    #[test]
    fn where_every_position_has_an_answer_answers_are_counted_and_not_samples() {
        let experiment = experiment();
        let mut right = evaluations(20, |i| 0.6 / ((i + 1) * (i + 1)) as f64);
        right.iter_mut().for_each(|e| (e.train_accuracy, e.validation_accuracy) = (Some(1.0), Some(1.0)));
        let sentence = |apart: bool| judge(&Evidence { apart, ..evidence(&experiment, &right, false) }).sentence;
        assert!(sentence(false).contains("of the samples it learns from"), "{}", sentence(false));
        assert!(sentence(true).contains("of the answers it learns from"), "{}", sentence(true));
    }

    #[test]
    fn endless_data_is_never_learned_by_heart() {
        let experiment = experiment();
        let mut rising = evaluations(60, |i| 0.6 / (i + 1) as f64);
        rising.iter_mut().for_each(|e| e.validation = Some(0.3 + 0.02 * e.step as f64 / 50.0));
        assert_eq!(said(&experiment, &rising, false).name, "overfitting");
        let endless = Evidence { endless: true, ..evidence(&experiment, &rising, false) };
        assert_ne!(judge(&endless).name, "overfitting");
    }

    #[test]
    fn a_loss_of_which_only_chance_is_left_is_at_the_floor() {
        let experiment = experiment();
        let known = Known { floor: Some(0.3), ..KNOWN };
        let name = |level: f64| {
            let falling = evaluations(20, |i| level + 0.3 / ((i + 1) * (i + 1)) as f64);
            judge(&Evidence { known, ..evidence(&experiment, &falling, false) }).name
        };
        assert_eq!((name(0.305), name(0.33)), ("at_floor".to_string(), "learning".to_string()));
    }
}
