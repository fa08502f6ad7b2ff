//! Which token is picked of the scores that a network gives: what the text has already counts less, then temperature, `top_k`, `top_p` and `min_p`,
//! in the order and by the definitions of Hugging Face's transformers.

use downhill_protocol::Generate;
use downhill_tensor::UserError;

/// Refuses what cannot be picked by.
///
/// # Errors
/// Names the field, and what it may be.
pub(crate) fn check(ask: &Generate) -> Result<(), UserError> {
    let refused = |field: &str, message: &str, hint: &str| Err(UserError::at(field, message).hint(hint));
    if !(ask.temperature.is_finite() && ask.temperature >= 0.0) {
        return refused("temperature", "A temperature is a number from 0 on.", "Use 1, or 0 for the likeliest.");
    }
    if !(ask.top_p > 0.0 && ask.top_p <= 1.0) {
        return refused("top_p", "This is a probability above 0 and at most 1.", "Use 1 to pick from all.");
    }
    if !(0.0..=1.0).contains(&ask.min_p) {
        return refused("min_p", "This is a share of the likeliest's probability, from 0 to 1.", "Use 0 to pick from all.");
    }
    if !(ask.repetition_penalty.is_finite() && ask.repetition_penalty > 0.0) {
        return refused("repetition_penalty", "A penalty is a number above 0.", "Use 1 for none, or 1.2.");
    }
    if ask.stop.iter().any(String::is_empty) {
        return refused("stop", "A stop word is empty, and every text begins with nothing.", "Leave it out.");
    }
    Ok(())
}

/// The probabilities that belong to scores.
pub(crate) fn softmax(scores: &[f32]) -> Vec<f32> {
    let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| libm::expf(score - best)).collect();
    let all: f64 = powers.iter().map(|p| f64::from(*p)).sum();
    powers.iter().map(|p| (f64::from(*p) / all) as f32).collect()
}

/// The token that a number from 0 to 1 picks by these scores, behind the tokens that were said.
pub(crate) fn pick(scores: &[f32], said: &[u32], ask: &Generate, draw: f64) -> usize {
    let scores = penalised(scores, said, ask.repetition_penalty);
    if ask.temperature == 0.0 {
        return likeliest(&scores);
    }
    let kept = candidates(&scores, ask);
    let mut left = draw * kept.iter().map(|(weight, _)| weight).sum::<f64>();
    for (weight, token) in &kept {
        if left < *weight {
            return *token;
        }
        left -= weight;
    }
    kept.last().map_or(0, |(_, token)| *token)
}

/// The scores, less for what was said already (Keskar et al. 2019); what is no number is never picked.
fn penalised(scores: &[f32], said: &[u32], penalty: f32) -> Vec<f32> {
    let scores: Vec<f32> = scores.iter().map(|score| if score.is_nan() { f32::NEG_INFINITY } else { *score }).collect();
    let mut less = scores.clone();
    if penalty != 1.0 {
        for &token in said {
            // Of the score as it was: what was said twice counts no less than what was said once.
            if let (Some(to), Some(&score)) = (less.get_mut(token as usize), scores.get(token as usize)) {
                *to = if score < 0.0 { score * penalty } else { score / penalty };
            }
        }
    }
    less
}

/// The likeliest, of equals the first, as an argmax has it.
fn likeliest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (token, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = token;
        }
    }
    best
}

/// What is picked from, the likeliest first, each with its weight beside the likeliest's, which is 1.
fn candidates(scores: &[f32], ask: &Generate) -> Vec<(f64, usize)> {
    let mut order: Vec<(f32, usize)> = scores.iter().copied().zip(0..).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let Some(&(best, first)) = order.first() else { return Vec::new() };
    if best == f32::NEG_INFINITY {
        return vec![(1.0, first)];
    }
    if let Some(&(least, _)) = (ask.top_k as usize).checked_sub(1).and_then(|last| order.get(last)) {
        order.truncate(order.iter().take_while(|(score, _)| *score >= least).count());
    }
    // A score may be infinite, and so may the difference of two equal ones not be asked for.
    let weight = |score: f32| if score == best { 1.0 } else { libm::exp(f64::from(score - best) / f64::from(ask.temperature)) };
    let mut kept: Vec<(f64, usize)> = order.iter().map(|(score, token)| (weight(*score), *token)).collect();
    // As many as it takes to hold the share, the likeliest always.
    let all: f64 = kept.iter().map(|(weight, _)| weight).sum();
    let mut held = 0.0;
    let enough = kept.iter().take_while(|(weight, _)| {
        let wanted = held == 0.0 || held < f64::from(ask.top_p) * all;
        held += weight;
        wanted
    });
    let enough = enough.count();
    kept.truncate(enough);
    kept.retain(|(weight, _)| *weight >= f64::from(ask.min_p));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores whose probabilities are 0.05, 0.4, 0.3, 0.05 and 0.2.
    fn scores() -> Vec<f32> {
        [0.05f32, 0.4, 0.3, 0.05, 0.2].iter().map(|p| p.ln() + 3.0).collect()
    }

    fn ask() -> Generate {
        Generate { temperature: 1.0, top_p: 1.0, ..Generate::default() }
    }

    /// How often each token is picked of these scores, and that the draws keep to what is picked from.
    fn shares_of(scores: &[f32], said: &[u32], ask: &Generate) -> Vec<f64> {
        let mut counts = vec![0u32; scores.len()];
        (0..1000).for_each(|i| counts[pick(scores, said, ask, (f64::from(i) + 0.5) / 1000.0)] += 1);
        let counted: Vec<f64> = counts.iter().map(|n| f64::from(*n) / 1000.0).collect();
        if ask.temperature > 0.0 {
            let kept = candidates(&penalised(scores, said, ask.repetition_penalty), ask);
            let all: f64 = kept.iter().map(|(weight, _)| weight).sum();
            let mut exact = vec![0.0; scores.len()];
            kept.iter().for_each(|(weight, token)| exact[*token] = weight / all);
            near(&counted, &exact, 0.002);
            return exact;
        }
        counted
    }

    fn shares(ask: &Generate) -> Vec<f64> {
        shares_of(&scores(), &[], ask)
    }

    fn near(a: &[f64], b: &[f64], by: f64) {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < by), "{a:?} is not {b:?}");
    }

    fn is(a: &[f64], b: &[f64]) {
        near(a, b, 1e-6);
    }

    #[test]
    fn tokens_are_picked_as_often_as_their_probabilities_say() {
        is(&shares(&ask()), &[0.05, 0.4, 0.3, 0.05, 0.2]);
        is(&shares(&Generate { temperature: 0.0, ..ask() }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
        // Squares: 25, 1600, 900, 25 and 400 of 2950.
        let cold = [25.0, 1600.0, 900.0, 25.0, 400.0].map(|n| n / 2950.0);
        is(&shares(&Generate { temperature: 0.5, ..ask() }), &cold);
        is(&shares(&Generate { top_k: 2, ..ask() }), &[0.0, 4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        is(&shares(&Generate { top_k: 4, ..ask() }), &[0.05, 0.4, 0.3, 0.05, 0.2]);
        is(&shares(&Generate { top_k: 4_000_000_000, ..ask() }), &[0.05, 0.4, 0.3, 0.05, 0.2]);
    }

    #[test]
    fn the_likeliest_that_hold_a_share_are_kept() {
        // 0.4 and 0.3 hold 0.7, which is enough; 0.71 takes one more.
        is(&shares(&Generate { top_p: 0.69, ..ask() }), &[0.0, 4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        is(&shares(&Generate { top_p: 0.71, ..ask() }), &[0.0, 4.0 / 9.0, 3.0 / 9.0, 0.0, 2.0 / 9.0]);
        is(&shares(&Generate { top_p: 0.01, ..ask() }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
        // Of the three likeliest, 0.4 / 0.9 and 0.3 / 0.9 hold 0.77.
        is(&shares(&Generate { top_k: 3, top_p: 0.75, ..ask() }), &[0.0, 4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_much_rarer_than_the_likeliest_is_left_out() {
        // 0.2 is half of 0.4, 0.05 an eighth.
        is(&shares(&Generate { min_p: 0.49, ..ask() }), &[0.0, 4.0 / 9.0, 3.0 / 9.0, 0.0, 2.0 / 9.0]);
        is(&shares(&Generate { min_p: 0.51, ..ask() }), &[0.0, 4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        is(&shares(&Generate { min_p: 1.0, ..ask() }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
        // Behind the temperature: squared, 0.2 is a quarter.
        is(&shares(&Generate { min_p: 0.3, temperature: 0.5, ..ask() }), &[0.0, 1600.0 / 2500.0, 900.0 / 2500.0, 0.0, 0.0]);
    }

    #[test]
    fn what_was_said_already_scores_less_once_however_often_it_was_said() {
        let scores = [2.0, 1.0, -1.0];
        let penalty = |penalty: f32, temperature: f32| Generate { repetition_penalty: penalty, temperature, ..ask() };
        // Scores 1, 1 and −2, for the first and the last were said.
        let powers = [1.0, 1.0, -2.0].map(|score: f64| score.exp());
        let all: f64 = powers.iter().sum();
        is(&shares_of(&scores, &[0, 2, 0, 0], &penalty(2.0, 1.0)), &powers.map(|p| p / all));
        // The likeliest is another one then, and with 1 it is not.
        is(&shares_of(&scores, &[0], &penalty(2.5, 0.0)), &[0.0, 1.0, 0.0]);
        is(&shares_of(&scores, &[0], &penalty(1.0, 0.0)), &[1.0, 0.0, 0.0]);
        // What was said is liked below 1.
        is(&shares_of(&scores, &[1], &penalty(0.4, 0.0)), &[0.0, 1.0, 0.0]);
    }

    #[test]
    fn what_is_no_number_is_never_picked() {
        let scores = [f32::NAN, 1.0, f32::NEG_INFINITY];
        is(&shares_of(&scores, &[0, 1, 2], &Generate { repetition_penalty: 1.5, ..ask() }), &[0.0, 1.0, 0.0]);
        assert_eq!(pick(&[f32::NAN, f32::NAN], &[], &ask(), 0.9), 0);
        assert_eq!(pick(&[], &[], &ask(), 0.9), 0);
    }

    #[test]
    fn scores_become_probabilities() {
        let said: Vec<f64> = softmax(&scores()).into_iter().map(f64::from).collect();
        is(&said, &[0.05, 0.4, 0.3, 0.05, 0.2]);
    }

    #[test]
    fn what_cannot_be_picked_by_is_refused_by_its_name() {
        let absurd = [
            ("temperature", Generate { temperature: -1.0, ..ask() }),
            ("temperature", Generate { temperature: f32::NAN, ..ask() }),
            ("top_p", Generate { top_p: 0.0, ..ask() }),
            ("top_p", Generate { top_p: f32::NAN, ..ask() }),
            ("min_p", Generate { min_p: -0.1, ..ask() }),
            ("min_p", Generate { min_p: 1.5, ..ask() }),
            ("min_p", Generate { min_p: f32::NAN, ..ask() }),
            ("repetition_penalty", Generate { repetition_penalty: 0.0, ..ask() }),
            ("repetition_penalty", Generate { repetition_penalty: f32::INFINITY, ..ask() }),
            ("stop", Generate { stop: vec!["end".to_string(), String::new()], ..ask() }),
        ];
        for (field, ask) in absurd {
            assert_eq!(check(&ask).unwrap_err().path.as_deref(), Some(field), "{ask:?}");
        }
        assert!(check(&Generate { top_k: u32::MAX, min_p: 1.0, repetition_penalty: 0.1, ..ask() }).is_ok());
    }
}
