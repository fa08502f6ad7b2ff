//! Where the time of a training step goes: kernels by layer and by phase, against what the device can do.

use downhill_protocol::{KernelTime, ProfileReport};

/// The phases of a step in their order.
pub const PHASES: [&str; 3] = ["forward", "backward", "update"];

/// What some kernels take together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Time.
    pub nanoseconds: f64,
    /// Bytes that they read and write at least.
    pub bytes: f64,
    /// Floating-point operations.
    pub flops: f64,
}

impl Cost {
    /// Of the kernels that are given.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a KernelTime>) -> Self {
        rows.into_iter().fold(Self::default(), |sum, row| Self {
            nanoseconds: sum.nanoseconds + row.nanoseconds,
            bytes: sum.bytes + row.bytes,
            flops: sum.flops + row.flops,
        })
    }

    /// How close it comes to what limits it: the ceiling that would bind first, and the share of it that is reached (the roofline model:
    /// Williams, Waterman, Patterson 2009). `None` where a ceiling or the time is unknown.
    pub fn reach(&self, report: &ProfileReport) -> Option<(f64, &'static str)> {
        let known = |v: f64| v.is_finite() && v > 0.0;
        if ![self.nanoseconds, report.peak_bytes, report.peak_flops].into_iter().all(known) {
            return None;
        }
        let (moving, computing) = (self.bytes / report.peak_bytes, self.flops / report.peak_flops);
        let (least, limit) = if computing > moving { (computing, "compute") } else { (moving, "memory") };
        Some((least * 1e9 / self.nanoseconds, limit))
    }
}

/// The kernels of each layer, as places in the report's rows. Layers stand in the order in which their first kernel runs.
pub fn by_layer(rows: &[KernelTime]) -> Vec<(String, Vec<usize>)> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        match groups.iter_mut().find(|g| g.0 == row.layer) {
            Some(group) => group.1.push(i),
            None => groups.push((row.layer.clone(), vec![i])),
        }
    }
    groups
}

/// What each of [`PHASES`] takes.
pub fn by_phase(rows: &[KernelTime]) -> [Cost; 3] {
    PHASES.map(|phase| Cost::of(rows.iter().filter(|row| row.phase == phase)))
}

/// A time in three digits: `840 ns`, `12.3 µs`.
pub fn duration(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        n if n >= 1e9 => (n / 1e9, "s"),
        n if n >= 1e6 => (n / 1e6, "ms"),
        n if n >= 1e3 => (n / 1e3, "µs"),
        n => (n, "ns"),
    };
    let digits = if unit == "ns" || value >= 100.0 { 0 } else { 1 + usize::from(value < 10.0) };
    format!("{value:.digits$}\u{a0}{unit}")
}

/// A share as a percentage, with a decimal where it is small.
pub fn percent(share: f64) -> String {
    let digits = usize::from(share < 0.0995);
    format!("{:.digits$}\u{a0}%", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(layer: &str, phase: &str, nanoseconds: f64, bytes: f64, flops: f64) -> KernelTime {
        KernelTime { kernel: String::new(), layer: layer.into(), phase: phase.into(), nanoseconds, bytes, flops }
    }

    fn step() -> Vec<KernelTime> {
        vec![
            row("model[0]", "forward", 10.0, 100.0, 2000.0),
            row("loss", "forward", 5.0, 10.0, 10.0),
            row("model[0]", "backward", 20.0, 200.0, 4000.0),
            row("optimizer", "update", 40.0, 800.0, 80.0),
        ]
    }

    #[test]
    fn a_layer_has_its_kernels_of_both_directions_and_no_kernel_is_lost() {
        let groups = by_layer(&step());
        let wanted = [("model[0]", vec![0, 2]), ("loss", vec![1]), ("optimizer", vec![3])];
        assert_eq!(groups, wanted.map(|(name, rows)| (name.to_string(), rows)));
    }

    #[test]
    fn phases_add_up_to_the_step() {
        let times = by_phase(&step()).map(|cost| cost.nanoseconds);
        assert_eq!(times, [15.0, 20.0, 40.0]);
        assert_eq!(Cost::of(&step()).nanoseconds, times.iter().sum::<f64>());
    }

    #[test]
    fn the_ceiling_that_binds_first_is_the_limit() {
        // 40 bytes and 400 operations per nanosecond.
        let report = ProfileReport { peak_bytes: 40e9, peak_flops: 400e9, ..ProfileReport::default() };
        let rows = step();
        assert_eq!(Cost::of(&rows[..1]).reach(&report), Some((0.5, "compute")));
        assert_eq!(Cost::of(&rows[3..]).reach(&report), Some((0.5, "memory")));
        assert_eq!(Cost::default().reach(&report), None);
        assert_eq!(Cost::of(&rows).reach(&ProfileReport::default()), None);
    }

    #[test]
    fn times_and_shares_have_three_digits_at_most() {
        assert_eq!(
            [840.0, 1_230.0, 12_340.0, 123_400.0, 2.5e6].map(duration),
            ["840 ns", "1.23 µs", "12.3 µs", "123 µs", "2.50 ms"].map(|text| text.replace(' ', "\u{a0}"))
        );
        assert_eq!(
            [0.004, 0.0994, 0.5, 1.4].map(percent),
            ["0.4 %", "9.9 %", "50 %", "140 %"].map(|text| text.replace(' ', "\u{a0}"))
        );
    }
}
