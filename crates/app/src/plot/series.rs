//! The curves of a run as they arrive, and what the charts draw of them.

use downhill_tensor::NameMap;

/// What the names of the gradients' curves begin with.
pub const GRADIENT: &str = "grad:";

/// One curve: steps and the mean of the values that fell into each point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Steps, ascending.
    pub steps: Vec<f64>,
    /// Values.
    pub values: Vec<f64>,
}

/// All curves of a run, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves(NameMap<Curve>);

impl Curves {
    /// Takes up new points: `values` holds mean, min, max and last for every step. `replace` starts the curve over.
    pub fn append(&mut self, name: &str, steps: &[f32], values: &[f32], replace: bool) {
        let curve = self.0.or_default(name);
        if replace {
            *curve = Curve::default();
        }
        let width = values.len().checked_div(steps.len()).unwrap_or(0).max(1);
        for (step, point) in steps.iter().zip(values.chunks(width)) {
            curve.steps.push(f64::from(*step));
            curve.values.push(f64::from(point[0]));
        }
    }

    /// Takes up a point, unless the last one is nearer than a chart could tell: a curve of any length has some thousand points.
    pub fn note(&mut self, name: &str, step: f64, value: f64) {
        const APART: f64 = 1.0 / 2000.0;
        let curve = self.0.or_default(name);
        let near = |first: f64, last: f64| step <= last || step - last < (step - first) * APART;
        if !curve.steps.first().zip(curve.steps.last()).is_some_and(|(&first, &last)| near(first, last)) {
            curve.steps.push(step);
            curve.values.push(value);
        }
    }

    /// The last step of all of them.
    pub fn end(&self) -> f64 {
        self.0.iter().filter_map(|(_, curve)| curve.steps.last()).copied().fold(0.0, f64::max)
    }

    /// Every curve with its name.
    pub fn iter(&self) -> impl Iterator<Item = &(String, Curve)> {
        self.0.iter()
    }

    /// A curve by name, if it has points.
    pub fn get(&self, name: &str) -> Option<&Curve> {
        self.0.get(name).filter(|c| !c.steps.is_empty())
    }
}

impl Curve {
    /// The last value.
    pub fn last(&self) -> Option<f64> {
        self.values.last().copied()
    }

    /// At most about `points` points, each the mean of a run of neighbours; the last one is kept as it is. NaN stays NaN.
    pub fn thinned(&self, points: usize) -> Curve {
        let run = self.steps.len().div_ceil(points.max(2));
        if run <= 1 {
            return self.clone();
        }
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let mut thin = Curve {
            steps: self.steps.chunks(run).map(|c| c[c.len() / 2]).collect(),
            values: self.values.chunks(run).map(mean).collect(),
        };
        if let (Some(&step), Some(&value)) = (self.steps.last(), self.values.last()) {
            thin.steps.push(step);
            thin.values.push(value);
        }
        thin
    }

    /// Exponential moving average with weight `amount` (0 leaves it alone, below 1), unbiased at the start; NaN interrupts nothing.
    pub fn smoothed(mut self, amount: f64) -> Curve {
        if amount <= 0.0 {
            return self;
        }
        let (mut mean, mut weight) = (0.0, 0.0);
        for v in self.values.iter_mut().filter(|v| v.is_finite()) {
            mean = amount * mean + (1.0 - amount) * *v;
            weight = amount * weight + (1.0 - amount);
            *v = mean / weight;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_appended_until_the_worker_starts_a_curve_over() {
        let mut curves = Curves::default();
        curves.append("loss", &[0.0, 1.0], &[1.0, 0.5, 2.0, 1.0, 3.0, 2.0, 4.0, 3.0], false);
        curves.append("loss", &[2.0], &[5.0, 5.0, 5.0, 5.0], false);
        assert_eq!(curves.get("loss").unwrap().values, [1.0, 3.0, 5.0]);
        curves.append("loss", &[4.0], &[7.0], true);
        assert_eq!(curves.get("loss").unwrap().steps, [4.0]);
        assert!(curves.get("lr").is_none());
        curves.note("norm", 9.0, 1.0);
        assert_eq!((curves.end(), Curves::default().end()), (9.0, 0.0));
    }

    #[test]
    fn a_curve_that_is_noted_point_by_point_has_every_early_one_and_never_too_many() {
        let mut curves = Curves::default();
        (0..1_000_000).for_each(|i| curves.note("norm", f64::from(i), 1.0));
        curves.note("norm", 7.0, 0.0);
        let steps = &curves.get("norm").unwrap().steps;
        assert!(steps.len() < 20_000 && steps[1999] == 1999.0 && steps[steps.len() - 1] > 999_000.0);
    }

    #[test]
    fn a_thinned_curve_keeps_its_end_and_a_smoothed_one_its_level() {
        let curve = Curve { steps: (0..1000).map(f64::from).collect(), values: vec![3.0; 1000] };
        let thin = curve.thinned(100);
        assert!(thin.steps.len() <= 102 && thin.steps.last() == Some(&999.0));
        assert!(curve.smoothed(0.9).values.iter().all(|v| (v - 3.0).abs() < 1e-9));
        let broken = Curve { steps: vec![0.0, 1.0, 2.0], values: vec![1.0, f64::NAN, 1.0] }.smoothed(0.5);
        assert!(broken.values[1].is_nan() && broken.values[2] == 1.0);
    }
}
