//! Sorting short lists. The library's sort is several kilobytes of code for every type it is used with, which a page has to
//! download; insertion is a few hundred bytes, and as fast for the lists of a compiler.

/// Sorts a list of at most a few hundred elements, or one that is nearly in order already. Equal elements keep their order.
pub fn sort_short<T: Ord>(items: &mut [T]) {
    insert_each(items, |a, b| a < b);
}

/// As [`sort_short`], by a key.
pub fn sort_short_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    insert_each(items, |a, b| key(a) < key(b));
}

fn insert_each<T>(items: &mut [T], before: impl Fn(&T, &T) -> bool) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && before(&items[at], &items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Stream};

    #[test]
    fn a_short_list_is_sorted_as_the_library_sorts_it_and_equals_keep_their_order() {
        for len in 0..40 {
            let mut rng = Rng::new(len, Stream::Data, 0);
            let list: Vec<(u32, u32)> = (0..len).map(|i| ((rng.uniform() * 8.0) as u32, i)).collect();
            let (mut ours, mut theirs) = (list.clone(), list.clone());
            sort_short_by_key(&mut ours, |item| item.0);
            theirs.sort_by_key(|item| item.0);
            assert_eq!(ours, theirs);
            let mut reversed: Vec<u32> = (0..len).rev().collect();
            sort_short(&mut reversed);
            assert!(reversed.is_sorted());
        }
    }
}
