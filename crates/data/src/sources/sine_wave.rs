//! The source `sine_wave`: a sine wave in time, to be forecast.

use std::f64::consts::TAU;

use downhill_tensor::rng::Rng;

use super::forecast::{Moves, forecast};

forecast! {
    /// A sine wave in time: how does it go on?
    #[schemars(title = "Sine wave in time", extend("x-glyph" = "∿", "x-short" = "wave"))]
    SineWave { steps: 1200, window: 40, horizon: 8 }
    /// Steps of a whole wave.
    #[schemars(title = "Period", range(min = 3.0, max = 500.0))]
    period: f64 = 25.0;
}

impl Moves for SineWave {
    const NAMES: &[&str] = &["height"];
    const DESCRIPTION: &str = "A sine wave in time. A sample is a window of it; to be predicted are the heights that follow.";

    fn steps(&self, steps: usize, rng: &mut Rng) -> Vec<f64> {
        let phase = rng.range(0.0, TAU);
        (0..steps).map(|step| libm::sin(phase + TAU * step as f64 / self.period)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{Labels, NoAssets};

    #[test]
    fn the_wave_comes_again_after_its_period() {
        let fields = json!({ "steps": 200, "window": 10, "horizon": 1, "period": 10, "validation": 0 });
        let set = Source::from_json("sine_wave", &fields).unwrap().build(3, &NoAssets).unwrap();
        let Labels::Real(next) = set.labels(&set.train) else { panic!("there are numbers") };
        for (i, next) in next.iter().enumerate() {
            assert!((set.train.field("x").unwrap().numbers(i)[0] - next).abs() < 1e-5);
        }
        assert!(next[0] != next[1]);
    }
}
