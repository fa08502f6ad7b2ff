//! What is typed into a search box, and what comes first. Scores are the engine's.

/// A query as it was typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Typed {
    /// The tokens of its words.
    pub tokens: Vec<f32>,
    /// The first word that the vocabulary lacks.
    pub unknown: Option<String>,
}

/// Reads a query. The last word may be under way: while a word begins like it, it is none yet.
pub fn typed(words: &[String], text: &str) -> Typed {
    let text = text.to_lowercase();
    let mut read = Typed::default();
    let mut pieces =
        text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | '?')).filter(|piece| !piece.is_empty()).peekable();
    while let Some(piece) = pieces.next() {
        let mut begun = || pieces.peek().is_none() && text.ends_with(piece) && words.iter().any(|word| word.starts_with(piece));
        match words.iter().position(|word| word == piece) {
            Some(at) => read.tokens.push(at as f32),
            None if begun() => {}
            None if read.unknown.is_none() => read.unknown = Some(piece.to_string()),
            None => {}
        }
    }
    read
}

/// The places of the largest scores, at most `count`, the largest first; of equals the earlier.
pub fn first(scores: &[f32], count: usize) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    // Few are asked for, so each is looked for anew.
    while found.len() < count {
        let left = (0..scores.len()).filter(|at| !found.contains(at));
        let best = left.reduce(|a, b| if scores[b].total_cmp(&scores[a]).is_gt() { b } else { a });
        let Some(best) = best else { break };
        found.push(best);
    }
    found
}

/// The place of one among all, from 1, behind all that are as good, as recall counts it.
pub fn place_of(scores: &[f32], at: usize) -> Option<usize> {
    let own = *scores.get(at)?;
    let is_behind = |other: usize| scores[other] < own;
    Some(1 + (0..scores.len()).filter(|other| *other != at && !is_behind(*other)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_typed_and_the_first_unknown_one_is_told() {
        let words = ["", "royal", "girl", "horse"].map(String::from);
        let read = |text: &str| typed(&words, text);
        assert_eq!(read("Royal  girl, horse?"), Typed { tokens: vec![1.0, 2.0, 3.0], unknown: None });
        assert_eq!(read("girl ro"), Typed { tokens: vec![2.0], unknown: None });
        assert_eq!(read("girl ro ").unknown.as_deref(), Some("ro"));
        assert_eq!(read("unicorn girl dragon"), Typed { tokens: vec![2.0], unknown: Some("unicorn".to_string()) });
        assert_eq!(read(" "), Typed::default());
    }

    #[test]
    fn the_largest_come_first_and_a_tie_is_no_find() {
        let scores = [0.1, 0.9, 0.5, 0.9];
        assert_eq!((first(&scores, 3), first(&scores, 9).len(), first(&[], 3)), (vec![1, 3, 2], 4, Vec::new()));
        assert_eq!([0, 1, 2, 3, 4].map(|at| place_of(&scores, at)), [Some(4), Some(2), Some(3), Some(2), None]);
        assert_eq!(place_of(&[f32::NAN, 0.0], 1), Some(2));
    }
}
