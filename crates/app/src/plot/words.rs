//! Vectors of words as pictures and lists: where words lie, and which are near. What is read here the worker has worked out.

/// A word by its place, and a cosine.
pub type Neighbour = (usize, f32);

/// Share of the picture that stays empty at each edge, in hundredths, so that words are not cut off.
const EDGE: f32 = 8.0;

/// The coordinates of what `View::Components` of two holds: a row for each word, without the shares behind them.
pub fn along(components: &[f32]) -> &[f32] {
    &components[..components.len().saturating_sub(2)]
}

/// Where words stand, in hundredths of the picture from its left and its top, from two coordinates of each. Both axes have a scale of their own; words that are all
/// alike stand in the middle.
pub fn places(rows: &[f32]) -> Vec<(f32, f32)> {
    let axis = |at: usize| {
        let values = || rows.iter().skip(at).step_by(2).copied();
        let (low, high) = values().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let share = move |v: f32| if high > low { (v - low) / (high - low) } else { 0.5 };
        values().map(|v| EDGE + (100.0 - 2.0 * EDGE) * share(v)).collect::<Vec<f32>>()
    };
    axis(0).into_iter().zip(axis(1)).map(|(x, y)| (x, 100.0 - y)).collect()
}

/// The share of the variance of each of two components.
pub fn shares(components: &[f32]) -> [f64; 2] {
    match *components {
        [.., first, second] => [f64::from(first), f64::from(second)],
        _ => [0.0, 0.0],
    }
}

/// What `View::Nearest` holds.
pub fn neighbours(pairs: &[f32]) -> Vec<Neighbour> {
    pairs.chunks_exact(2).map(|pair| (pair[0] as usize, pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_component_goes_to_the_right_and_the_second_up() {
        let found = [-1.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.75, 0.25];
        assert_eq!(places(along(&found)), [(8.0, 92.0), (92.0, 92.0), (50.0, 8.0)]);
        assert_eq!(shares(&[-1.0, 0.0, 0.75, 0.25]), [0.75, 0.25]);
        assert_eq!(places(&[3.0, 3.0, 3.0, 3.0]), [(50.0, 50.0); 2]);
        assert!(places(along(&[])).is_empty() && shares(&[]) == [0.0; 2]);
    }

    #[test]
    fn neighbours_are_pairs_of_a_place_and_a_cosine() {
        assert_eq!(neighbours(&[3.0, 0.5, 1.0, -0.25]), [(3, 0.5), (1, -0.25)]);
    }
}
