//! The source `mackey_glass`: a series that depends on its own past (Mackey and Glass, 1977), to be forecast. With a delay below about 17 it
//! repeats itself, above it is chaotic.

use downhill_tensor::rng::Rng;

use super::forecast::{Moves, forecast};

forecast! {
    /// A chaotic series whose change depends on its own past: how does it go on?
    #[schemars(title = "Mackey–Glass", extend("x-glyph" = "MG"))]
    MackeyGlass { steps: 2500, window: 48, horizon: 8 }
    /// How far in its past lies what the change depends on, in units of time.
    #[schemars(title = "Delay", range(min = 5, max = 60))]
    delay: u32 = 17;
    /// Units of time from one step to the next.
    #[schemars(title = "Spacing", range(min = 1, max = 10))]
    spacing: u32 = 2;
}

/// Steps of the integration in a unit of time.
const FINE: usize = 10;
/// Units of time before the series begins, in which it forgets how it was started.
const BEFORE: usize = 300;

impl Moves for MackeyGlass {
    const NAMES: &[&str] = &["value"];
    const DESCRIPTION: &str = "The series of Mackey and Glass (1977): a value decays by a tenth of itself and grows by what it was some time ago, the less \
                               the larger it was. A sample is a window of it; to be predicted are the values that follow.";

    fn steps(&self, steps: usize, rng: &mut Rng) -> Vec<f64> {
        let delay = self.delay as usize * FINE;
        let spacing = self.spacing as usize * FINE;
        let dt = 1.0 / FINE as f64;
        let slope = |now: f64, past: f64| {
            let square = past * past;
            let tenth = square * square * square * square * square;
            0.2 * past / (1.0 + tenth) - 0.1 * now
        };
        let mut values: Vec<f64> = (0..=delay).map(|_| rng.range(0.9, 1.3)).collect();
        let end = BEFORE * FINE + steps * spacing;
        while values.len() <= delay + end {
            let now = values[values.len() - 1];
            let (past, next) = (values[values.len() - 1 - delay], values[values.len() - delay]);
            // Heun's method: the mean of the slopes at both ends.
            let first = slope(now, past);
            let second = slope(now + dt * first, next);
            values.push(now + dt * (first + second) / 2.0);
        }
        values[delay + BEFORE * FINE..].iter().step_by(spacing).take(steps).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use downhill_tensor::rng::Stream;

    fn series(delay: u32) -> Vec<f64> {
        MackeyGlass { delay, ..MackeyGlass::default() }.steps(2000, &mut Rng::new(3, Stream::Data, 0))
    }

    #[test]
    fn it_stays_within_the_bounds_that_are_known_of_it() {
        let values = series(17);
        let (low, high) = values.iter().fold((9.0f64, 0.0f64), |(low, high), v| (low.min(*v), high.max(*v)));
        assert!((0.2..0.6).contains(&low) && (1.2..1.5).contains(&high), "{low} {high}");
        // Without any delay to speak of it would rest at 1, where growth and decay are equal.
        let calm = series(5);
        let spread = |values: &[f64]| values.iter().map(|v| (v - 1.0).abs()).fold(0.0, f64::max);
        assert!(spread(&calm[500..]) < spread(&values[500..]));
    }
}
