//! The hash map of tokenizers: bytes and pairs of numbers come by the million, and nobody who writes a text gains by collisions but a slow page.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map that hashes quickly. Its order says nothing.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// A set that hashes quickly. Its order says nothing.
pub(super) type Set<K> = HashSet<K, BuildHasherDefault<Quick>>;

/// Multiplies and rotates eight bytes at a time, as `rustc` does for its own tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quick(u64);

impl Quick {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            self.add(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        let rest = words.remainder().iter().fold(words.remainder().len() as u64, |word, byte| word << 8 | u64::from(*byte));
        self.add(rest);
    }

    fn write_u8(&mut self, n: u8) {
        self.add(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.add(u64::from(n));
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes its place from the low bits and its tag from the high ones; the product mixes the high ones alone.
        self.0.rotate_left(26)
    }
}
