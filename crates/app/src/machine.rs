//! What trains, in words and figures: names, rates, and whether two backends agree.

use downhill_protocol::{Backend, Backends, Choice, Comparison, Difference, GpuState};

use crate::document::{grouped, number};

/// Steps that a comparison takes on both backends.
pub const COMPARED_STEPS: u32 = 20;

/// Largest relative difference that 32-bit sums in another order explain after [`COMPARED_STEPS`] steps.
const ROUNDING: f64 = 1e-3;
/// A difference that says nothing however large it is beside its tensor: of numbers that are all but zero, such as slots of weights that do
/// not matter, the last bits differ.
const NOTHING: f64 = 1e-8;

/// `auto`, `cpu` or `gpu`.
pub fn choice_name(choice: Choice) -> &'static str {
    match choice {
        Choice::Auto => "auto",
        Choice::Fixed(backend) => backend.name(),
    }
}

/// The choice of that name.
pub fn choice_of(name: &str) -> Option<Choice> {
    Some(match name {
        "auto" => Choice::Auto,
        "cpu" => Choice::Fixed(Backend::Cpu),
        "gpu" => Choice::Fixed(Backend::Gpu),
        _ => return None,
    })
}

/// `unasked`, `preparing`, `ready` or `unusable`.
pub fn state_name(gpu: &GpuState) -> &'static str {
    match gpu {
        GpuState::Unasked => "unasked",
        GpuState::Preparing => "preparing",
        GpuState::Ready(_) => "ready",
        GpuState::Unusable { .. } => "unusable",
    }
}

/// A rate as the chip shows it: `12,400/s`; slower than ten steps with a decimal.
pub fn per_second(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{}/s", grouped(rate.round() as u64)) }
}

/// Steps per second of a backend: what the run does now where that is known, else what was measured.
pub fn rate_of(backends: &Backends, backend: Backend, live: Option<f64>) -> Option<f64> {
    let measured = match (backend, &backends.gpu) {
        (Backend::Cpu, _) => backends.cpu_rate,
        (Backend::Gpu, GpuState::Ready(gpu)) => gpu.rate,
        (Backend::Gpu, _) => None,
    };
    live.filter(|_| backends.active == backend).or(measured)
}

/// Whether two copies of a tensor are as close as rounding explains; what is no number never is.
pub fn close(row: &Difference) -> bool {
    row.relative <= ROUNDING || row.absolute <= NOTHING
}

/// Whether everything that was compared is [`close`].
pub fn agrees(comparison: &Comparison) -> bool {
    comparison.rows.iter().all(close)
}

/// What a comparison says, in a sentence.
pub fn judgement(comparison: &Comparison) -> String {
    // A difference that is no number is the worst of all.
    let size = |v: f64| if v.is_finite() { v } else { f64::INFINITY };
    if comparison.rows.is_empty() {
        return "There is nothing to compare: the model has no parameters.".to_string();
    }
    let differs = comparison.rows.iter().filter(|row| row.absolute.is_nan() || row.absolute > NOTHING);
    let Some(worst) = differs.max_by(|a, b| size(a.relative).total_cmp(&size(b.relative))) else {
        return "They agree to the accuracy of 32-bit numbers: nothing differs by more than 1e-8.".to_string();
    };
    let (tensor, apart) = (&worst.tensor, number(worst.relative));
    if agrees(comparison) {
        format!("They agree to the accuracy of 32-bit numbers: the largest relative difference is {apart}, in {tensor}.")
    } else {
        format!(
            "They do not agree: {tensor} differs by {apart} of its largest value, which rounding does not explain. Train on the CPU."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use downhill_protocol::GpuInfo;

    fn comparison(relative: &[f64]) -> Comparison {
        let row = |(i, &relative): (usize, &f64)| {
            let tensor = format!("{i}.weight");
            Difference { tensor, relative, absolute: 0.1 * relative, ..Difference::default() }
        };
        Comparison { rows: relative.iter().enumerate().map(row).collect(), ..Comparison::default() }
    }

    #[test]
    fn a_name_is_the_choice_it_was_made_from() {
        for choice in [Choice::Auto, Choice::Fixed(Backend::Cpu), Choice::Fixed(Backend::Gpu)] {
            assert_eq!(choice_of(choice_name(choice)), Some(choice));
        }
        assert_eq!(choice_of("tpu"), None);
    }

    #[test]
    fn only_the_backend_that_trains_has_a_live_rate() {
        let gpu = GpuState::Ready(GpuInfo { rate: Some(7.0), ..GpuInfo::default() });
        let backends = Backends { active: Backend::Gpu, cpu_rate: Some(5.0), gpu, ..Backends::default() };
        let rates = |live| [Backend::Cpu, Backend::Gpu].map(|b| rate_of(&backends, b, live));
        assert_eq!(rates(Some(9.0)), [Some(5.0), Some(9.0)]);
        assert_eq!(rates(None), [Some(5.0), Some(7.0)]);
    }

    #[test]
    fn a_difference_beyond_rounding_or_that_is_no_number_is_no_agreement() {
        assert!(judgement(&comparison(&[1e-7, 4e-6])).contains("largest relative difference is 4e-6, in 1.weight"));
        assert!(judgement(&comparison(&[0.02, 1e-7])).contains("0.weight differs by 0.02"));
        assert!(judgement(&comparison(&[0.02, f64::NAN])).contains("1.weight differs by NaN"));
        assert!(judgement(&comparison(&[])).contains("nothing to compare"));
    }

    #[test]
    fn numbers_that_are_all_but_zero_on_both_raise_no_alarm() {
        let mut compared = comparison(&[0.4]);
        compared.rows[0].absolute = 6e-10;
        assert!(agrees(&compared));
        assert!(judgement(&compared).contains("nothing differs by more than 1e-8"), "{}", judgement(&compared));
        compared.rows[0].absolute = f64::NAN;
        compared.rows[0].relative = f64::NAN;
        assert!(!agrees(&compared) && judgement(&compared).contains("do not agree"));
    }

    #[test]
    fn slow_rates_keep_a_decimal() {
        assert_eq!([0.52, 9.0, 12_400.4].map(per_second), ["0.5/s", "9.0/s", "12,400/s"]);
    }
}
