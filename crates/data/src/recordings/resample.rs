//! A wave at another rate: each new sample is a weighted sum of those around its place, by a sinc under a window of Hann, which leaves out what is
//! higher than half of either rate (J. O. Smith, "Digital Audio Resampling").

use std::f64::consts::PI;

/// How often the sinc crosses zero to each side before the window ends it.
const CROSSINGS: f64 = 16.0;
/// Most places between two samples whose weights are kept; places between these are moved to the nearest.
const MOST_PHASES: usize = 1024;

/// The wave that was sampled `from` times a second, sampled `to` times a second.
pub fn resample(wave: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to || from == 0 || to == 0 {
        return wave.to_vec();
    }
    // A new sample lies `step / parts` old ones behind the one before: 441 / 160 from 44,100 to 16,000.
    let common = divisor(from, to);
    let (step, parts) = (u64::from(from / common), u64::from(to / common));
    let phases = (parts as usize).min(MOST_PHASES);
    let cut = f64::from(to.min(from)) / f64::from(from);
    let reach = (CROSSINGS / cut).ceil() as i64;
    let weights: Vec<Vec<f64>> = (0..phases).map(|phase| taps(phase as f64 / phases as f64, cut, reach)).collect();
    let count = (wave.len() as u64 * parts).div_ceil(step);
    let sample = |i: u64| {
        let (at, part) = (i * step / parts, i * step % parts);
        let phase = part as usize * phases / parts as usize;
        let first = at as i64 - reach + 1;
        let value = |(weight, place): (&f64, i64)| {
            let old = usize::try_from(place).ok().and_then(|place| wave.get(place));
            old.map_or(0.0, |v| weight * f64::from(*v))
        };
        weights[phase].iter().zip(first..).map(value).sum::<f64>() as f32
    };
    (0..count).map(sample).collect()
}

/// The weights of the samples from `1 − reach` to `reach` for a place that lies `offset` behind sample 0.
fn taps(offset: f64, cut: f64, reach: i64) -> Vec<f64> {
    let weight = |i: i64| {
        let x = (i as f64 - offset) * cut;
        let sinc = if x == 0.0 { 1.0 } else { libm::sin(PI * x) / (PI * x) };
        let window = libm::cos(PI / 2.0 * (x / CROSSINGS).clamp(-1.0, 1.0));
        sinc * window * window
    };
    let weights: Vec<f64> = (1 - reach..=reach).map(weight).collect();
    // A wave that does not move stays where it is.
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let samples = (seconds * f64::from(rate)) as usize;
        (0..samples).map(|i| libm::sin(TAU * hertz * i as f64 / f64::from(rate)) as f32).collect()
    }

    #[test]
    fn a_tone_is_the_same_tone_at_another_rate() {
        // The last one has more places between two samples than are kept, so that its samples are moved by up to a 2048th of one.
        for (from, exact) in [(44_100, 2e-4), (48_000, 2e-4), (22_050, 2e-4), (8000, 2e-4), (11_025, 2e-4), (44_099, 2e-3)] {
            let heard = resample(&tone(700.0, from, 0.3), from, 16_000);
            let wanted = tone(700.0, 16_000, 0.3);
            assert!(heard.len().abs_diff(wanted.len()) <= 1, "{from}");
            // At its ends there is nothing to one side.
            let middle = 600..4000;
            let off = heard[middle.clone()].iter().zip(&wanted[middle]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(f64::from(off) < exact, "{from}: {off}");
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone_and_does_not_come_back_as_another_tone() {
        let loudest = |wave: Vec<f32>| wave[600..4000].iter().fold(0.0f32, |most, v| most.max(v.abs()));
        assert!(loudest(resample(&tone(11_000.0, 48_000, 0.3), 48_000, 16_000)) < 2e-3);
        assert!(loudest(resample(&tone(6000.0, 48_000, 0.3), 48_000, 16_000)) > 0.99);
    }

    #[test]
    fn the_same_rate_changes_nothing_and_nothing_stays_nothing() {
        assert_eq!(resample(&[0.5, -0.25], 16_000, 16_000), [0.5, -0.25]);
        assert!(resample(&[], 44_100, 16_000).is_empty());
        assert_eq!(resample(&[0.5; 100], 1, 16_000).len(), 1_600_000);
    }
}
