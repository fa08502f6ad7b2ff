//! A rate that stays as it is after the warm-up.

use super::ScheduleDef;
use crate::registry::fields;

fields! {
    /// The same rate all the time: `lr`.
    #[schemars(title = "Constant")]
    Constant {
        /// Steps in which the rate climbs from nearly zero.
        #[schemars(title = "Warm-up", range(min = 0, max = 1000000))]
        warmup: u64 = 0,
    }
}

impl ScheduleDef for Constant {
    fn warmup(&self) -> u64 {
        self.warmup
    }

    fn after(&self, lr: f64, _: u64, _: u64) -> f64 {
        lr
    }

    fn python(&self) -> String {
        "lr".to_string()
    }
}
