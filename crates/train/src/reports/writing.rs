//! A text in the making: which tokens there are, what the network is to be asked next, and which token is picked of what it says. Probabilities
//! in, tokens out; nothing here runs a network.

use downhill_data::{Dataset, Language};
use downhill_protocol::{Generate, LIKELIEST};
use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

/// Tokens that are added at most, whatever is asked for.
const MOST: usize = 10_000;

/// A text that is being continued.
#[derive(Debug)]
pub(crate) struct Writing {
    ask: Generate,
    /// Tokens that the network sees at a time.
    context: usize,
    /// Tokens at which the text ends.
    most: usize,
    end: Option<u32>,
    tokens: Vec<u32>,
    given: usize,
    /// How likely each token was held; NaN where it is not known.
    probabilities: Vec<f32>,
    /// The likeliest tokens at each place, [`LIKELIEST`] a place, and their probabilities; NaN where there are fewer.
    likeliest: Vec<(f32, f32)>,
}

impl Writing {
    /// A text that begins as it is asked for.
    ///
    /// # Errors
    /// When the data is no text, or the prompt cannot be read or is too long.
    pub fn new(ask: Generate, data: &Dataset) -> Result<Self, UserError> {
        let field = data.inputs.first().and_then(|name| data.shown().field(name));
        let (Some(language), Some(field)) = (&data.language, field) else {
            return Err(UserError::new("This data is no text that could be continued.")
                .hint("Choose data whose answer is the token that comes next, such as your own text."));
        };
        check(&ask)?;
        let context = field.width();
        let tokens = if ask.prompt.is_empty() {
            field.row(0).into_iter().take(language.prompt).collect()
        } else {
            language.tokenizer.encode(&ask.prompt).map_err(|e| e.under("prompt"))?
        };
        Self::of_tokens(ask, tokens, context, language)
    }

    fn of_tokens(ask: Generate, tokens: Vec<u32>, context: usize, language: &Language) -> Result<Self, UserError> {
        let given = tokens.len();
        if given == 0 {
            return Err(UserError::at("prompt", "The prompt holds no token.").hint("Write something, or leave it empty."));
        }
        if given > context && !language.goes_on {
            let message = format!("The prompt has {given} tokens; the network continues at most {context} here.");
            return Err(UserError::at("prompt", message).hint("Make it shorter."));
        }
        let wished = given + (ask.tokens as usize).min(MOST);
        let most = if language.goes_on { wished } else { wished.min(context + 1) };
        let (probabilities, likeliest) = (vec![f32::NAN; given], vec![(f32::NAN, f32::NAN); given * LIKELIEST]);
        let end = language.end;
        Ok(Self { ask, context, most, end, tokens, given, probabilities, likeliest })
    }

    /// Whether nothing is to be added.
    pub fn is_done(&self) -> bool {
        self.tokens.len() >= self.most || self.tokens.last().copied() == self.end && self.end.is_some()
    }

    /// What the network is given, the last tokens that fit, filled up behind them, and the places of it whose answers are wanted: all of them
    /// as long as only the prompt is there, which so gets its probabilities, then the last.
    pub fn window(&self) -> (Vec<u32>, std::ops::Range<usize>) {
        let mut window = self.tokens[self.first()..].to_vec();
        let len = window.len();
        window.resize(self.context, 0);
        (window, if self.tokens.len() == self.given { 0 } else { len - 1 }..len)
    }

    /// The token that stands first in the window.
    fn first(&self) -> usize {
        self.tokens.len().saturating_sub(self.context)
    }

    /// Takes the probabilities of every token at the places of the window that were wanted, one place after the other, and adds a token.
    pub fn take(&mut self, said: &[f32]) {
        let (window, places) = self.window();
        let width = said.len() / places.len();
        let Some(last) = said.chunks_exact(width.max(1)).last() else { return };
        let begun = self.first();
        for (place, said) in places.zip(said.chunks_exact(width.max(1))) {
            // What is said at a place is about the token behind it.
            if let Some(at) = Some(begun + place + 1).filter(|at| *at < self.tokens.len()) {
                self.probabilities[at] = said.get(window[place + 1] as usize).copied().unwrap_or(f32::NAN);
                self.likeliest[at * LIKELIEST..(at + 1) * LIKELIEST].copy_from_slice(&likeliest(said));
            }
        }
        let draw = Rng::new(self.ask.seed, Stream::Text, self.tokens.len() as u32).uniform();
        let token = pick(last, &self.ask, draw);
        self.tokens.push(token as u32);
        self.probabilities.push(last.get(token).copied().unwrap_or(f32::NAN));
        self.likeliest.extend(likeliest(last));
    }

    /// The tokens so far.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many of them were given.
    pub fn given(&self) -> usize {
        self.given
    }

    /// How likely each of them was held.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The likeliest tokens at each place with their probabilities, [`LIKELIEST`] a place.
    pub fn likeliest(&self) -> &[(f32, f32)] {
        &self.likeliest
    }
}

fn check(ask: &Generate) -> Result<(), UserError> {
    if !(ask.temperature.is_finite() && ask.temperature >= 0.0) {
        return Err(UserError::at("temperature", "A temperature is a number from 0 on.").hint("Use 1, or 0 for the likeliest."));
    }
    if !(ask.top_p > 0.0 && ask.top_p <= 1.0) {
        return Err(UserError::at("top_p", "This is a probability above 0 and at most 1.").hint("Use 1 to pick from all."));
    }
    Ok(())
}

/// The likeliest tokens and their probabilities.
fn likeliest(said: &[f32]) -> [(f32, f32); LIKELIEST] {
    let mut best = [(f32::NAN, f32::NAN); LIKELIEST];
    for (token, &p) in said.iter().enumerate() {
        // The last is the smallest, so few get past it.
        if best[LIKELIEST - 1].1 >= p {
            continue;
        }
        let at = best.iter().position(|(_, q)| q.is_nan() || *q < p).unwrap_or(LIKELIEST - 1);
        best.copy_within(at..LIKELIEST - 1, at + 1);
        best[at] = (token as f32, p);
    }
    best
}

/// The token that a number from 0 to 1 picks of these probabilities: after temperature, then `top_k`, then `top_p`.
fn pick(said: &[f32], ask: &Generate, draw: f64) -> usize {
    let mut order: Vec<(f32, usize)> =
        said.iter().copied().zip(0..).map(|(p, at)| (if p.is_nan() { 0.0 } else { p }, at)).collect();
    // The likeliest first; of equals the earlier, as an argmax has it.
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let Some(&(best, first)) = order.first() else { return 0 };
    if ask.temperature == 0.0 || best <= 0.0 {
        return first;
    }
    if ask.top_k > 0 {
        order.truncate(ask.top_k as usize);
    }
    let weight = |p: f32| libm::exp(libm::log(f64::from(p) / f64::from(best)) / f64::from(ask.temperature));
    let weights: Vec<f64> = order.iter().map(|(p, _)| if *p > 0.0 { weight(*p) } else { 0.0 }).collect();
    let all: f64 = weights.iter().sum();
    // As many as it takes to hold the share, the likeliest always.
    let (mut kept, mut held) = (0, 0.0);
    while kept < weights.len() && (kept == 0 || held < f64::from(ask.top_p) * all) {
        held += weights[kept];
        kept += 1;
    }
    let mut left = draw * held;
    for (weight, (_, token)) in weights.iter().zip(&order).take(kept) {
        if left < *weight {
            return *token;
        }
        left -= weight;
    }
    order.get(kept - 1).map_or(first, |(_, token)| *token)
}

#[cfg(test)]
mod tests {
    use downhill_data::{NoAssets, Source};
    use serde_json::json;

    use super::*;

    const SAID: [f32; 5] = [0.05, 0.4, 0.3, 0.05, 0.2];

    fn shares(ask: &Generate) -> Vec<f64> {
        let mut counts = [0u32; 5];
        (0..1000).for_each(|i| counts[pick(&SAID, ask, (f64::from(i) + 0.5) / 1000.0)] += 1);
        counts.iter().map(|n| f64::from(*n) / 1000.0).collect()
    }

    fn ask() -> Generate {
        Generate { temperature: 1.0, top_p: 1.0, ..Generate::default() }
    }

    fn near(a: &[f64], b: &[f64]) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.003), "{a:?} is not {b:?}");
    }

    #[test]
    fn tokens_are_picked_as_often_as_their_probabilities_say() {
        near(&shares(&ask()), &SAID.map(f64::from));
        near(&shares(&Generate { temperature: 0.0, ..ask() }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
        // Squares: 25, 1600, 900, 25 and 400 of 2950.
        let cold = [25.0, 1600.0, 900.0, 25.0, 400.0].map(|n| n / 2950.0);
        near(&shares(&Generate { temperature: 0.5, ..ask() }), &cold);
        near(&shares(&Generate { top_k: 2, ..ask() }), &[0.0, 4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        // 0.4 and 0.3 hold 0.7, which is enough; 0.71 takes one more.
        near(&shares(&Generate { top_p: 0.69, ..ask() }), &[0.0, 4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        near(&shares(&Generate { top_p: 0.71, ..ask() }), &[0.0, 4.0 / 9.0, 3.0 / 9.0, 0.0, 2.0 / 9.0]);
        near(&shares(&Generate { top_p: 0.01, ..ask() }), &[0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_likeliest_come_first_and_of_equals_the_earlier() {
        let best = likeliest(&SAID);
        assert_eq!(best[..5].iter().map(|(token, _)| *token).collect::<Vec<_>>(), [1.0, 2.0, 4.0, 0.0, 3.0]);
        assert!(best[5].0.is_nan());
        let many: Vec<f32> = (0..100u8).map(|i| f32::from(i % 50)).collect();
        assert_eq!(likeliest(&many)[..3], [(49.0, 49.0), (99.0, 49.0), (48.0, 48.0)]);
    }

    fn text() -> Dataset {
        let source = Source::from_json("text", &json!({ "text": "abcdefgh".repeat(30), "context": 4 })).unwrap();
        source.build(1, &NoAssets).unwrap()
    }

    fn say(writing: &mut Writing, next: impl Fn(u32) -> u32) {
        while !writing.is_done() {
            let (window, places) = writing.window();
            let row = |token: &u32| (0..8).map(|i| if i == next(*token) { 0.9 } else { 0.1 / 7.0 }).collect::<Vec<f32>>();
            let said: Vec<f32> = window[places].iter().flat_map(row).collect();
            writing.take(&said);
        }
    }

    #[test]
    fn a_text_goes_on_beyond_what_the_network_sees_at_a_time() {
        let data = text();
        let ask = Generate { prompt: "cdefgha".to_string(), tokens: 6, temperature: 0.0, ..ask() };
        let mut writing = Writing::new(ask, &data).unwrap();
        assert_eq!(writing.window(), (vec![5, 6, 7, 0], 0..4));
        say(&mut writing, |token| (token + 1) % 8);
        let language = data.language.unwrap();
        assert_eq!(language.tokenizer.decode(writing.tokens()), "cdefghabcdefg");
        assert_eq!((writing.given(), writing.probabilities().len(), writing.likeliest().len()), (7, 13, 130));
        // What lies before the window was never asked about.
        let known: Vec<bool> = writing.probabilities().iter().map(|p| (p - 0.9).abs() < 1e-6).collect();
        assert_eq!(known, [[false; 4].as_slice(), &[true; 9]].concat());
        assert_eq!(writing.likeliest()[12 * LIKELIEST].0, 6.0);
    }

    #[test]
    fn a_story_ends_with_its_end_and_an_answer_with_its_last_token() {
        let build = |name: &str| Source::from_json(name, &json!({ "samples": 50 })).unwrap().build(1, &NoAssets).unwrap();
        let stories = build("tinytales");
        let ask = Generate { prompt: "once there".to_string(), tokens: 500, ..ask() };
        let mut writing = Writing::new(ask.clone(), &stories).unwrap();
        let end = stories.language.as_ref().unwrap().end.unwrap();
        while !writing.is_done() {
            let (_, places) = writing.window();
            let classes = stories.language.as_ref().unwrap().tokenizer.len();
            let said: Vec<f32> = places.flat_map(|_| (0..classes as u32).map(|t| if t == end { 1.0 } else { 0.0 })).collect();
            writing.take(&said);
        }
        assert_eq!((writing.tokens().len(), writing.tokens().last()), (3, Some(&end)));
        let sums = build("addition");
        let sum = Generate { prompt: "12+45=".to_string(), ..ask.clone() };
        let mut writing = Writing::new(sum, &sums).unwrap();
        let classes = sums.language.as_ref().unwrap().tokenizer.len();
        while !writing.is_done() {
            let places = writing.window().1;
            writing.take(&vec![1.0 / classes as f32; classes * places.len()]);
        }
        assert_eq!(writing.tokens().len(), 2 + 1 + 2 + 1 + 3);
        let refused = |prompt: &str| Writing::new(Generate { prompt: prompt.to_string(), ..ask.clone() }, &sums).unwrap_err();
        assert!(refused(&"1".repeat(60)).message.contains("60 tokens"));
        assert_eq!(refused("one").path.as_deref(), Some("prompt"));
        assert!(refused("  ").message.contains("no token"));
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused_by_its_name() {
        let data = text();
        let refused = |ask: Generate, data: &Dataset| Writing::new(ask, data).unwrap_err();
        assert_eq!(refused(Generate { temperature: -1.0, ..ask() }, &data).path.as_deref(), Some("temperature"));
        assert_eq!(refused(Generate { temperature: f32::NAN, ..ask() }, &data).path.as_deref(), Some("temperature"));
        assert_eq!(refused(Generate { top_p: 0.0, ..ask() }, &data).path.as_deref(), Some("top_p"));
        let spirals = Source::from_json("spirals", &json!({})).unwrap().build(1, &NoAssets).unwrap();
        assert!(refused(ask(), &spirals).message.contains("no text"));
    }
}
