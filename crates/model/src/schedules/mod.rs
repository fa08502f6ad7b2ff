//! The registry of schedules: one file each, one line in the list below.
//!
//! With `w` warm-up steps, the rate of step `t` (0 is the first) is, for the base rate `lr`:
//!
//! ```text
//! t < w:  lr · (t + 1) / (w + 1)
//! else:   the schedule's own form in s = t − w, over T steps (those of the training without the warm-up)
//! ```
//!
//! Torch's schedulers know no warm-up; without one, these are torch's stepped once per batch. Past its end a schedule stays
//! where it is.

mod constant;
mod cosine;
mod exponential;
mod linear;
mod one_cycle;
mod reduce_on_plateau;
mod step;

use downhill_tensor::UserError;

pub use constant::Constant;
pub use cosine::Cosine;
pub use exponential::Exponential;
pub use linear::Linear;
pub use one_cycle::OneCycle;
pub use reduce_on_plateau::{Plateau, ReduceOnPlateau};
pub use step::Step;

use crate::registry::registry;

/// What every schedule can do.
pub(crate) trait ScheduleDef {
    /// Steps of warm-up.
    fn warmup(&self) -> u64;

    /// The rate `s` steps after the warm-up; `total` is the length of the schedule, at least 1.
    fn after(&self, lr: f64, s: u64, total: u64) -> f64;

    /// The same as a Python expression in `lr`, `s` and `total`.
    fn python(&self) -> String;

    /// Whether it needs to know when training ends.
    fn needs_end(&self) -> bool {
        false
    }

    /// The rule by which it follows the validation loss, where it does.
    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        None
    }

    /// What the ranges of the single fields cannot say.
    fn validate(&self) -> Result<(), UserError> {
        Ok(())
    }
}

registry! {
    /// How the learning rate changes over time.
    "schedule" at "/properties/schedule/anyOf/1/properties"
    Schedule: ScheduleDef {
        "constant" => constant::Constant,
        "step" => step::Step,
        "exponential" => exponential::Exponential,
        "linear" => linear::Linear,
        "cosine" => cosine::Cosine,
        "one_cycle" => one_cycle::OneCycle,
        "reduce_on_plateau" => reduce_on_plateau::ReduceOnPlateau,
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule::Constant(Constant::default())
    }
}

impl Schedule {
    /// The learning rate of step `t` (0 is the first) for the base rate `lr`; `steps` is how long training lasts. The closed
    /// form is in the [module](self)'s head.
    pub fn lr_at(&self, lr: f64, t: u64, steps: Option<u64>) -> f64 {
        let warmup = self.def().warmup();
        if t < warmup {
            return lr * (t + 1) as f64 / (warmup + 1) as f64;
        }
        let total = steps.unwrap_or(u64::MAX).saturating_sub(warmup).max(1);
        self.def().after(lr, t - warmup, total)
    }

    /// Whether it needs to know when training ends.
    pub fn needs_end(&self) -> bool {
        self.def().needs_end()
    }

    /// The rule by which it follows the validation loss, where it does; the run then keeps where the rate stands.
    pub fn plateau(&self) -> Option<&ReduceOnPlateau> {
        self.def().plateau()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: impl Into<Schedule>, at: &[u64], steps: u64) -> Vec<f64> {
        let schedule = schedule.into();
        at.iter().map(|&t| (schedule.lr_at(1.0, t, Some(steps)) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn a_warm_up_climbs_in_equal_steps_to_the_full_rate() {
        let schedule = Constant { warmup: 3 };
        assert_eq!(rates(schedule, &[0, 1, 2, 3, 4], 100), [0.25, 0.5, 0.75, 1.0, 1.0]);
    }

    #[test]
    fn schedules_follow_their_closed_form_and_stay_at_their_end() {
        let step = Step { every: 10, gamma: 0.1, warmup: 0 };
        assert_eq!(rates(step, &[0, 9, 10, 19, 20], 100), [1.0, 1.0, 0.1, 0.1, 0.01]);
        let linear = Linear { end_factor: 0.2, warmup: 0 };
        assert_eq!(rates(linear, &[0, 50, 100, 1000], 100), [1.0, 0.6, 0.2, 0.2]);
        let cosine = Cosine { eta_min: 0.0, warmup: 10 };
        assert_eq!(rates(cosine, &[10, 60, 110, 5000], 110), [1.0, 0.5, 0.0, 0.0]);
        let exponential = Exponential { gamma: 0.5, warmup: 0 };
        assert_eq!(rates(exponential, &[0, 1, 3], 100), [1.0, 0.5, 0.125]);
        // What OneCycleLR(max_lr=1, total_steps=100, div_factor=10, final_div_factor=100) gives.
        let one_cycle = OneCycle { pct_start: 0.3, div_factor: 10.0, final_div_factor: 100.0 };
        assert_eq!(rates(one_cycle, &[0, 29, 64, 99, 5000], 100), [0.1, 1.0, 0.5005, 0.001, 0.001]);
    }

    #[test]
    fn no_step_count_makes_a_rate_that_is_not_finite() {
        for name in Schedule::NAMES {
            let schedule = Schedule::read(&serde_json::json!(name), &mut Default::default()).unwrap();
            for t in [0, 1, u64::MAX] {
                for steps in [None, Some(0), Some(u64::MAX)] {
                    assert!(schedule.lr_at(0.1, t, steps).is_finite(), "{name} at {t} of {steps:?}");
                }
            }
        }
    }
}
