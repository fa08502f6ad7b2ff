//! Numbers of sequences as pictures and words: states over time, sizes of vectors, names of tokens, and which answers are right.

use downhill_protocol::Elements;

use super::heatmap::likeliest;

/// What a token is called: its word, `·` where that is empty, its number where it has none.
pub fn token(words: &[String], token: f32) -> String {
    match words.get(token as usize) {
        Some(word) if word.is_empty() => "·".to_string(),
        Some(word) => seen(word),
        None => (token as u32).to_string(),
    }
}

/// A word as it can be seen: a blank is `␣`, the end of a line `↵`, a tab `⇥`, and what cannot be seen either its number.
pub fn seen(word: &str) -> String {
    let sign = |c: char| match c {
        ' ' => "␣".to_string(),
        '\n' => "↵".to_string(),
        '\t' => "⇥".to_string(),
        _ if c.is_control() || c.is_whitespace() => format!("U+{:04X}", u32::from(c)),
        _ => c.to_string(),
    };
    word.chars().map(sign).collect()
}

/// What a token takes on the screen, in pixels: each letter, what is around them with the gap to the next column, and the least of both; and a line.
struct Size {
    letter: f64,
    around: f64,
    least: f64,
    line: f64,
}

/// As tokens are usually written, and small.
const SIZES: [Size; 2] =
    [Size { letter: 6.7, around: 16.0, least: 24.0, line: 20.0 }, Size { letter: 5.5, around: 5.0, least: 12.0, line: 13.0 }];
/// More tokens than that are written small.
const MANY: usize = 30;

/// How tokens are written, one below the other in as many columns as it takes, where there is so much room: whether small, and how many of
/// them; where that is not all, the last `more` pixels are for a line that says how many there are besides.
pub fn lay_out(tokens: &[String], (width, height): (f64, f64), more: f64) -> (bool, usize) {
    let fit = |size: &Size, height: f64| {
        let rows = (height / size.line).max(1.0) as usize;
        let taken = tokens.chunks(rows).scan(0.0, |taken, column| {
            let letters = column.iter().map(|token| token.chars().count()).max().unwrap_or_default();
            *taken += (size.letter * letters as f64 + size.around).max(size.least);
            Some(*taken)
        });
        (rows * taken.take_while(|taken| *taken <= width).count().max(1)).min(tokens.len())
    };
    let [usual, small] = &SIZES;
    let all = |size| fit(size, height) == tokens.len();
    if tokens.len() <= MANY && all(usual) {
        (false, tokens.len())
    } else if all(small) {
        (true, tokens.len())
    } else {
        (true, fit(small, height - more))
    }
}

/// Tokens as a person types them, by word or number: with blanks between them, or, where every word is one letter, without. The word that is
/// none where there is one.
pub fn tokens_of(words: &[String], text: &str) -> Result<Vec<f32>, String> {
    let number = |piece: &str| match words.iter().position(|word| word == piece) {
        Some(at) => Ok(at as f32),
        None if piece == "·" => Ok(words.iter().position(String::is_empty).unwrap_or_default() as f32),
        None => piece.parse::<u16>().map(f32::from).map_err(|_| piece.to_string()),
    };
    let letters = words.iter().all(|word| word.chars().count() <= 1);
    let piece = |piece: &str| match number(piece) {
        Err(_) if letters => piece.chars().map(|c| number(c.encode_utf8(&mut [0; 4]))).collect(),
        found => found.map(|token| vec![token]),
    };
    text.split_whitespace().map(piece).collect::<Result<Vec<_>, _>>().map(|all| all.concat())
}

/// An answer at a position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The likeliest class.
    pub class: usize,
    /// Its probability.
    pub p: f32,
    /// The right one; none where nothing is asked for, or it is not known.
    pub truth: Option<usize>,
}

impl Said {
    /// Whether it is known to be wrong.
    pub fn is_wrong(&self) -> bool {
        self.truth.is_some_and(|truth| truth != self.class)
    }
}

/// The answers of one sample, from probabilities `[positions, classes]` and right answers `[positions]`, NaN where none is asked for.
pub fn said(probabilities: &[f32], classes: usize, target: &[f32]) -> Vec<Said> {
    let truth = |at: usize| target.get(at).filter(|t| !t.is_nan()).map(|t| *t as usize);
    let answer = |(at, row): (usize, &[f32])| {
        let (class, p) = likeliest(row);
        Said { class, p, truth: truth(at) }
    };
    probabilities.chunks_exact(classes.max(1)).enumerate().map(answer).collect()
}

/// The `count` likeliest of some probabilities, the likeliest first, and their entropy in nats.
pub fn likeliest_of(row: &[f32], count: usize) -> (Vec<(usize, f32)>, f32) {
    let mut left = row.to_vec();
    let mut best = Vec::new();
    while best.len() < count.min(row.len()) {
        let (at, p) = likeliest(&left);
        left[at] = f32::MIN;
        best.push((at, p));
    }
    (best, row.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum())
}

/// The answer, of those of a sample with so many numbers each, that differs most between two runs of a network.
pub fn changed_most(with: &[f32], without: &[f32], numbers: usize) -> usize {
    let change = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
    let changes = with.chunks_exact(numbers.max(1)).zip(without.chunks_exact(numbers.max(1))).map(change);
    changes.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(row, _)| row)
}

/// One part of `[steps, parts, units]` as a picture with time to the right and units downwards: `[units, steps]`, no longer than `steps`.
pub fn over_time(values: &[f32], (parts, units): (usize, usize), part: usize, steps: usize) -> Vec<f32> {
    let at = |unit: usize, step: usize| values.get((step * parts + part) * units + unit).copied().unwrap_or(0.0);
    (0..units).flat_map(|unit| (0..steps).map(move |step| at(unit, step))).collect()
}

/// The 2-norm of every vector of `width` numbers.
pub fn norms(values: &[f32], width: usize) -> Vec<f32> {
    values.chunks_exact(width.max(1)).map(|row| row.iter().map(|v| v * v).sum::<f32>().sqrt()).collect()
}

/// How high a bar of a chart over so many powers of ten stands, 0…1: the largest value reaches the top, what is smaller by all of them or nothing
/// the ground.
pub fn height(value: f32, largest: f32, decades: f32) -> f32 {
    if value > 0.0 && largest > 0.0 { (1.0 + (value / largest).log10() / decades).clamp(0.0, 1.0) } else { 0.0 }
}

/// Powers of ten between the largest of some values and the smallest that is not 0, from 2 to 12.
pub fn decades(values: &[f32]) -> f32 {
    let there = || values.iter().copied().filter(|v| *v > 0.0 && v.is_finite());
    let (least, most) = there().fold((f32::INFINITY, 0.0f32), |(low, high), v| (low.min(v), high.max(v)));
    if most > 0.0 { (most / least).log10().ceil().clamp(2.0, 12.0) } else { 2.0 }
}

/// The weights of one head, `[queries, keys]`, of those of all, `[1, heads, queries, keys]`.
pub fn head<'a>(weights: Elements<'a>, head: usize) -> Option<Elements<'a>> {
    let [_, _, queries, keys] = *weights.shape else { return None };
    let each = (queries * keys) as usize;
    Some(Elements { shape: &weights.shape[2..], data: weights.data.get(head * each..)?.get(..each)? })
}

/// How many keys there are, and how much each query looks at each of them on the mean of all heads, `[queries, keys]`.
pub fn mean_of_heads(weights: Elements<'_>) -> Option<(usize, Vec<f32>)> {
    let [_, heads, queries, keys] = *weights.shape else { return None };
    let each = (queries * keys) as usize;
    let mean = |at: usize| (0..heads as usize).map(|head| weights.data.get(head * each + at)).sum::<Option<f32>>();
    let sums = (0..each).map(mean).collect::<Option<Vec<f32>>>()?;
    Some((keys as usize, sums.into_iter().map(|sum| sum / heads.max(1) as f32).collect()))
}

/// Rows and columns of so many places that cover an image of this height and width evenly; none where they do not.
pub fn grid_of(places: usize, (height, width): (usize, usize)) -> Option<(usize, usize)> {
    (1..=height.min(places)).find_map(|down| {
        let across = places / down;
        (down * across == places && down * width == across * height).then_some((down, across))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_cover_an_image_where_they_have_its_proportions() {
        assert_eq!(
            [(98, (28, 56)), (16, (28, 28)), (1, (7, 7))].map(|(n, size)| grid_of(n, size)),
            [Some((7, 14)), Some((4, 4)), Some((1, 1))]
        );
        assert_eq!([(97, (28, 56)), (98, (28, 28)), (0, (28, 28))].map(|(n, size)| grid_of(n, size)), [None; 3]);
    }

    #[test]
    fn the_mean_of_heads_is_taken_query_by_query() {
        let data = [0.0, 1.0, 0.5, 0.5, 1.0, 0.0, 0.5, 0.5];
        let mean = mean_of_heads(Elements { shape: &[1, 2, 2, 2], data: &data });
        assert_eq!(mean, Some((2, vec![0.5; 4])));
        assert_eq!(mean_of_heads(Elements { shape: &[1, 2, 2, 2], data: &data[..7] }), None);
    }

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tokens_are_read_as_they_are_written() {
        let letters = words(&["a", "b", "c", "→"]);
        assert_eq!(tokens_of(&letters, "cab→ a 1"), Ok(vec![2.0, 0.0, 1.0, 3.0, 0.0, 1.0]));
        assert_eq!(tokens_of(&letters, "caX"), Err("X".to_string()));
        let story = words(&["", "once", "a", "cat"]);
        assert_eq!(tokens_of(&story, "once a cat ·"), Ok(vec![1.0, 2.0, 3.0, 0.0]));
        assert_eq!(tokens_of(&story, "once dog"), Err("dog".to_string()));
        assert_eq!(
            (token(&story, 0.0), token(&story, 3.0), token(&[], 7.0)),
            ("·".to_string(), "cat".to_string(), "7".to_string())
        );
    }

    #[test]
    fn an_answer_is_right_or_wrong_only_where_one_is_asked_for() {
        let found = said(&[0.9, 0.1, 0.2, 0.8, 0.6, 0.4], 2, &[f32::NAN, 0.0, 0.0]);
        assert_eq!(found.iter().map(Said::is_wrong).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!((found[0].truth, found[1].class, found[2].truth), (None, 1, Some(0)));
        assert!(said(&[0.9, 0.1], 2, &[]).iter().all(|s| s.truth.is_none()));
    }

    #[test]
    fn the_likeliest_come_first_with_the_entropy_of_all() {
        let (best, entropy) = likeliest_of(&[0.25, 0.5, 0.25], 2);
        assert_eq!(best, [(1, 0.5), (0, 0.25)]);
        assert!((entropy - 1.5 * std::f32::consts::LN_2).abs() < 1e-6);
    }

    #[test]
    fn the_answer_that_changes_most_is_found() {
        assert_eq!(changed_most(&[0.5, 0.5, 1.0, 0.0, 0.2, 0.8], &[0.5, 0.5, 0.2, 0.8, 0.3, 0.7], 2), 1);
        assert_eq!(changed_most(&[], &[], 0), 0);
    }

    #[test]
    fn a_part_of_what_a_cell_keeps_is_turned_so_that_time_goes_right() {
        // Two steps of two parts of three units.
        let kept: Vec<f32> = (0..12u8).map(f32::from).collect();
        assert_eq!(over_time(&kept, (2, 3), 1, 2), [3.0, 9.0, 4.0, 10.0, 5.0, 11.0]);
        assert_eq!(norms(&[3.0, 4.0, 0.0, 0.0], 2), [5.0, 0.0]);
    }

    #[test]
    fn gradients_are_as_high_as_their_power_of_ten() {
        assert_eq!(decades(&[1.0, 1e-6, 0.0]), 6.0);
        assert_eq!([height(1.0, 1.0, 6.0), height(0.0, 1.0, 6.0), height(1e-9, 1.0, 6.0)], [1.0, 0.0, 0.0]);
        assert!((height(1e-3, 1.0, 6.0) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_head_is_cut_out_of_all() {
        let data: Vec<f32> = (0..8u8).map(f32::from).collect();
        let weights = Elements { shape: &[1, 2, 2, 2], data: &data };
        assert_eq!(head(weights, 1).map(|h| h.data), Some(&data[4..]));
        assert!(head(weights, 2).is_none());
    }

    #[test]
    fn tokens_are_written_small_where_they_need_to_be_and_counted_where_even_that_is_not_enough() {
        let tokens = |count: usize, letters: usize| vec!["a".repeat(letters); count];
        assert_eq!(lay_out(&tokens(10, 4), (104.0, 200.0), 18.0), (false, 10));
        // Two columns of 43 pixels, and three of them.
        assert_eq!(lay_out(&tokens(20, 4), (104.0, 200.0), 18.0), (false, 20));
        assert_eq!(lay_out(&tokens(21, 4), (104.0, 200.0), 18.0), (true, 21));
        assert_eq!(lay_out(&tokens(31, 1), (104.0, 400.0), 18.0), (true, 31), "many");
        // Fourteen in each of three columns.
        assert_eq!(lay_out(&tokens(100, 5), (104.0, 200.0), 18.0), (true, 42));
        assert_eq!(lay_out(&tokens(100, 40), (104.0, 10.0), 18.0), (true, 1), "one is always there");
        assert_eq!(lay_out(&tokens(0, 0), (0.0, 0.0), 18.0), (false, 0));
    }
}
