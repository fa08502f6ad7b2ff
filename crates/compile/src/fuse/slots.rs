//! A set of places in the order of tasks, from which the first is taken again and again.

/// One bit for each place. Taking the first looks at 64 places at a time, from the first that can be in.
#[derive(Default)]
pub struct Slots {
    words: Vec<u64>,
    /// No word before this one has a bit.
    first: usize,
}

impl Slots {
    /// Puts a place in; one that is in stays in.
    pub fn insert(&mut self, slot: usize) {
        let word = slot / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (slot % 64);
        self.first = self.first.min(word);
    }

    /// Takes the first place out.
    pub fn pop_first(&mut self) -> Option<usize> {
        while let Some(word) = self.words.get_mut(self.first) {
            if *word != 0 {
                let bit = word.trailing_zeros() as usize;
                *word &= *word - 1;
                return Some(self.first * 64 + bit);
            }
            self.first += 1;
        }
        None
    }

    /// Whether no place is in.
    pub fn is_empty(&self) -> bool {
        self.words[self.first.min(self.words.len())..].iter().all(|word| *word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_comes_first_whenever_it_was_put_in() {
        let mut slots = Slots::default();
        assert!(slots.is_empty());
        [200, 3, 64, 3].into_iter().for_each(|slot| slots.insert(slot));
        assert_eq!((slots.pop_first(), slots.pop_first()), (Some(3), Some(64)));
        slots.insert(5);
        assert_eq!((slots.pop_first(), slots.pop_first()), (Some(5), Some(200)));
        assert!(slots.is_empty());
        assert_eq!(slots.pop_first(), None);
    }
}
