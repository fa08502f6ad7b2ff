//! Metrics over the steps, thinned where there are too many points, and what of them was sent.

use downhill_protocol::{Arrays, SeriesChunk};

/// Points a curve may hold before neighbours are merged.
const MAX_POINTS: usize = 20_000;

/// Some neighbouring values of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Step of the last value.
    pub step: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Last value.
    pub last: f32,
    count: u64,
}

impl Point {
    fn new(step: u64, value: f32) -> Self {
        Self { step, mean: f64::from(value), min: value, max: value, last: value, count: 1 }
    }

    fn merge(&mut self, later: &Point) {
        let total = self.count + later.count;
        self.mean += (later.mean - self.mean) * (later.count as f64 / total as f64);
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        (self.step, self.last, self.count) = (later.step, later.last, total);
    }
}

/// A metric over the steps in buckets of equal width, at most [`MAX_POINTS`] of them: a bucket doubles when there are too many.
#[derive(Clone, Debug)]
pub struct Curve {
    name: String,
    width: u64,
    points: Vec<Point>,
    open: Option<Point>,
    /// Points already sent; `None` when all must be sent anew.
    sent: Option<usize>,
}

impl Curve {
    fn new(name: &str) -> Self {
        Self { name: name.to_string(), width: 1, points: Vec::new(), open: None, sent: None }
    }

    fn push(&mut self, step: u64, value: f32) {
        let point = Point::new(step, value);
        match &mut self.open {
            Some(open) if open.step / self.width == step / self.width => open.merge(&point),
            _ => {
                self.close();
                self.open = Some(point);
            }
        }
        if self.width == 1 {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(point) = self.open.take() else { return };
        self.points.push(point);
        if self.points.len() >= MAX_POINTS {
            self.thin();
        }
    }

    fn thin(&mut self) {
        while self.points.len() > MAX_POINTS / 2 {
            self.width = self.width.saturating_mul(2);
            let width = self.width;
            self.points.dedup_by(|later, kept| {
                let same = later.step / width == kept.step / width;
                if same {
                    kept.merge(later);
                }
                same
            });
        }
        self.sent = None;
    }
}

/// All curves of a run.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    curves: Vec<Curve>,
}

impl Curves {
    /// The curve of this name, for [`Curves::push`]; made when it is new.
    pub fn index(&mut self, name: &str) -> usize {
        self.curves.iter().position(|c| c.name == name).unwrap_or_else(|| {
            self.curves.push(Curve::new(name));
            self.curves.len() - 1
        })
    }

    /// Adds a value to a curve; steps must not fall. An index that [`Curves::index`] did not give is ignored.
    pub fn push(&mut self, curve: usize, step: u64, value: f32) {
        if let Some(curve) = self.curves.get_mut(curve) {
            curve.push(step, value);
        }
    }

    /// Finished points of a curve.
    pub fn points(&self, name: &str) -> &[Point] {
        self.curves.iter().find(|c| c.name == name).map_or(&[], |c| &c.points)
    }

    /// Forgets all values, and that any were sent.
    pub fn clear(&mut self) {
        for curve in &mut self.curves {
            *curve = Curve::new(&curve.name);
        }
    }

    /// Forgets values at `step` and later, where a run goes on from an earlier step.
    pub fn truncate(&mut self, step: u64) {
        for curve in &mut self.curves {
            curve.open = curve.open.filter(|p| p.step < step);
            let before = curve.points.len();
            curve.points.retain(|p| p.step < step);
            if curve.points.len() < before {
                curve.sent = None;
            }
        }
    }

    /// Finishes the points that are still being gathered, when the run rests.
    pub fn close(&mut self) {
        self.curves.iter_mut().for_each(Curve::close);
    }

    /// Marks all points as not sent, for a page that has lost them.
    pub fn resend(&mut self) {
        self.curves.iter_mut().for_each(|c| c.sent = None);
    }

    /// The points that were not sent yet: those of curves that start over (`replace`), or those that follow.
    pub fn take(&mut self, run: u32, replace: bool, arrays: &mut Arrays) -> Option<SeriesChunk> {
        let mut curves = Vec::new();
        for curve in self.curves.iter_mut().filter(|c| c.sent.is_none() == replace) {
            let new = &curve.points[curve.sent.unwrap_or(0).min(curve.points.len())..];
            if new.is_empty() {
                continue;
            }
            let steps = arrays.push(new.iter().map(|p| p.step as f32).collect());
            let values = arrays.push(new.iter().flat_map(|p| [p.mean as f32, p.min, p.max, p.last]).collect());
            curves.push((curve.name.clone(), steps, values));
            curve.sent = Some(curve.points.len());
        }
        (!curves.is_empty()).then_some(SeriesChunk { run, replace, curves })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve_of(steps: u64) -> Curves {
        let mut curves = Curves::default();
        let loss = curves.index("loss");
        for step in 0..steps {
            curves.push(loss, step, if step == 12_345 { 100.0 } else { (step % 4) as f32 });
        }
        curves
    }

    #[test]
    fn a_long_run_keeps_few_points_that_still_show_every_extreme() {
        let curves = curve_of(1_000_000);
        let points = curves.points("loss");
        assert!(points.len() > MAX_POINTS / 4 && points.len() < MAX_POINTS, "{}", points.len());
        assert_eq!(points.iter().map(|p| p.max).fold(0.0, f32::max), 100.0);
        assert!(points.iter().all(|p| p.min == 0.0));
        let plain = points.last().unwrap();
        assert_eq!((plain.mean, plain.last), (1.5, 3.0));
    }

    #[test]
    fn a_point_is_sent_once_and_all_of_them_again_after_thinning() {
        let mut curves = curve_of(10);
        let take = |curves: &mut Curves, replace| {
            let mut arrays = Arrays::default();
            let chunk = curves.take(1, replace, &mut arrays)?;
            let message = arrays.with(chunk);
            Some(message.array(message.header.curves[0].1).len())
        };
        assert_eq!(take(&mut curves, false), None);
        assert_eq!(take(&mut curves, true), Some(10));
        assert_eq!(take(&mut curves, true), None);
        let loss = curves.index("loss");
        curves.push(loss, 10, 1.0);
        assert_eq!(take(&mut curves, false), Some(1));
        for step in 11..20_000 {
            curves.push(loss, step, 1.0);
        }
        assert_eq!(take(&mut curves, false), None);
        assert_eq!(take(&mut curves, true), Some(10_000));
    }

    #[test]
    fn going_back_to_an_earlier_step_forgets_the_later_points() {
        let mut curves = curve_of(100);
        curves.truncate(40);
        assert_eq!(curves.points("loss").last().unwrap().step, 39);
    }
}
