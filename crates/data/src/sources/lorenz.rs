//! The source `lorenz`: the weather model of three numbers by E. Lorenz (1963), to be forecast.

use downhill_tensor::rng::Rng;

use super::forecast::{Moves, forecast, runge_kutta};

forecast! {
    /// Three numbers that circle around two points in turns, never the same way: how do they go on?
    #[schemars(title = "Lorenz attractor", extend("x-glyph" = "∞"))]
    Lorenz { steps: 3000, window: 32, horizon: 8 }
    /// Time from one step to the next.
    #[schemars(title = "Spacing", range(min = 0.01, max = 0.2))]
    spacing: f64 = 0.04;
    /// How strongly it is heated; below about 24.7 it comes to rest.
    #[schemars(title = "Heating", range(min = 1.0, max = 60.0))]
    rho: f64 = 28.0;
}

/// Longest step of the integration.
const FINE: f64 = 0.01;
/// Time before the series begins, in which it finds its way onto the attractor.
const BEFORE: f64 = 20.0;

impl Moves for Lorenz {
    const NAMES: &[&str] = &["x", "y", "z"];
    const DESCRIPTION: &str = "The three numbers of the weather model by E. Lorenz (1963). A sample is a window of them; to be predicted are \
                               those that follow. Two that begin almost alike are soon as far apart as any two.";

    fn steps(&self, steps: usize, rng: &mut Rng) -> Vec<f64> {
        let slope = |[x, y, z]: [f64; 3]| [10.0 * (y - x), x * (self.rho - z) - y, x * y - 8.0 / 3.0 * z];
        let times = (self.spacing / FINE).ceil().max(1.0);
        let advance = |state: [f64; 3]| {
            let dt = self.spacing / times;
            (0..times as usize).fold(state, |state, _| runge_kutta(state, dt, slope))
        };
        let mut state = [1.0, 1.0, 20.0].map(|at| at + rng.range(-1.0, 1.0));
        for _ in 0..(BEFORE / self.spacing) as usize {
            state = advance(state);
        }
        let mut values = Vec::with_capacity(3 * steps);
        for _ in 0..steps {
            values.extend(state);
            state = advance(state);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use downhill_tensor::rng::Stream;

    fn steps(source: &Lorenz) -> Vec<[f64; 3]> {
        let values = source.steps(4000, &mut Rng::new(5, Stream::Data, 0));
        values.chunks_exact(3).map(|step| [step[0], step[1], step[2]]).collect()
    }

    #[test]
    fn it_circles_around_both_points_and_stays_on_the_attractor() {
        let all = steps(&Lorenz::default());
        assert!(all.iter().all(|[x, y, z]| x.abs() < 25.0 && y.abs() < 35.0 && (0.0..55.0).contains(z)));
        let turns = all.windows(2).filter(|pair| pair[0][0] * pair[1][0] < 0.0).count();
        assert!((40..400).contains(&turns), "{turns}");
        // The mean of z is known to be about 23.55.
        let mean = all.iter().map(|step| step[2]).sum::<f64>() / all.len() as f64;
        assert!((mean - 23.55).abs() < 0.5, "{mean}");
    }

    #[test]
    fn with_little_heating_it_rests_where_nothing_moves() {
        let rest = steps(&Lorenz { rho: 10.0, ..Lorenz::default() });
        let [x, y, z] = rest[rest.len() - 1];
        let at = (8.0f64 / 3.0 * 9.0).sqrt();
        assert!((x.abs() - at).abs() < 1e-6 && (y - x).abs() < 1e-6 && (z - 9.0).abs() < 1e-6);
    }
}
