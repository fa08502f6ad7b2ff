//! What a sample is made of: named columns. Bytes stay bytes and whole numbers stay whole numbers; whoever uploads or shows them asks for
//! the form it needs. Which columns are inputs and which one is the target says the [`Dataset`](crate::Dataset).

use downhill_tensor::{Dtype, Shape};

/// Where the hash of FNV-1a begins.
pub(crate) const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// One more word in a hash of FNV-1a.
pub(crate) fn fnv(state: u64, word: u32) -> u64 {
    (state ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3)
}

/// The values of one part's samples, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers.
    F32(Vec<f32>),
    /// Whole numbers: tokens, classes, lengths.
    U32(Vec<u32>),
    /// Numbers of which there are at most 256 different ones: `byte · scale + shift`. A byte takes a quarter of a number's place.
    U8 {
        /// What is stored.
        bytes: Vec<u8>,
        /// Factor.
        scale: f32,
        /// What the byte 0 stands for.
        shift: f32,
    },
}

impl Column {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Column::F32(values) => values.len(),
            Column::U32(values) => values.len(),
            Column::U8 { bytes, .. } => bytes.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a value is once it is read.
    pub fn dtype(&self) -> Dtype {
        match self {
            Column::F32(_) | Column::U8 { .. } => Dtype::F32,
            Column::U32(_) => Dtype::U32,
        }
    }

    /// The values from `start`, `len` of them, as 32-bit words: numbers by their bits. Past the end there are none.
    pub fn words(&self, start: usize, len: usize) -> Vec<u32> {
        fn part<T>(values: &[T], start: usize, len: usize) -> &[T] {
            let end = start.saturating_add(len).min(values.len());
            values.get(start.min(end)..end).unwrap_or(&[])
        }
        match self {
            Column::F32(values) => part(values, start, len).iter().map(|v| v.to_bits()).collect(),
            Column::U32(values) => part(values, start, len).to_vec(),
            Column::U8 { bytes, scale, shift } => {
                part(bytes, start, len).iter().map(|&b| (f32::from(b) * scale + shift).to_bits()).collect()
            }
        }
    }

    /// The hash `state` with some values added; bytes as they are.
    pub(crate) fn hash(&self, start: usize, len: usize, state: u64) -> u64 {
        match self {
            Column::U8 { bytes, .. } => {
                bytes.iter().skip(start).take(len).fold(state, |state, &byte| fnv(state, u32::from(byte)))
            }
            Column::F32(values) => values.iter().skip(start).take(len).fold(state, |state, value| fnv(state, value.to_bits())),
            Column::U32(values) => values.iter().skip(start).take(len).fold(state, |state, &word| fnv(state, word)),
        }
    }

    /// The bytes of rows of `width` values, four in a word with the first in the lowest bits; every row begins with a word. Nothing for values
    /// that are no bytes.
    pub fn packed(&self, width: usize) -> Vec<u32> {
        let Column::U8 { bytes, .. } = self else { return Vec::new() };
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        bytes.chunks(width.max(1)).flat_map(|row| row.chunks(4).map(word)).collect()
    }

    /// The values of some rows of `width` values each.
    fn select(&self, rows: &[u32], width: usize) -> Column {
        fn pick<T: Copy>(values: &[T], rows: &[u32], width: usize) -> Vec<T> {
            rows.iter().flat_map(|&i| values[i as usize * width..][..width].iter().copied()).collect()
        }
        match self {
            Column::F32(values) => Column::F32(pick(values, rows, width)),
            Column::U32(values) => Column::U32(pick(values, rows, width)),
            Column::U8 { bytes, scale, shift } => Column::U8 { bytes: pick(bytes, rows, width), scale: *scale, shift: *shift },
        }
    }
}

/// A column with its name and what is known of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name: `x`, `tokens`, `y`, …
    pub name: String,
    /// Shape of one sample's values.
    pub shape: Shape,
    /// Values of all samples, `[samples, …shape]`.
    pub column: Column,
    /// Whole numbers are below this.
    pub vocabulary: Option<usize>,
    /// What whole numbers stand for, where that is not what the classes are called.
    pub words: Vec<String>,
    /// The field with the number of steps that count of the first dimension; what follows them is padding.
    pub lengths: Option<String>,
}

impl Field {
    /// A field of which nothing more is known.
    pub fn new(name: impl Into<String>, shape: impl Into<Shape>, column: Column) -> Self {
        Self { name: name.into(), shape: shape.into(), column, vocabulary: None, words: Vec::new(), lengths: None }
    }

    /// Says that all values are below `size`.
    pub fn vocabulary(mut self, size: usize) -> Self {
        self.vocabulary = Some(size);
        self
    }

    /// Says what the values stand for.
    pub fn words(mut self, words: Vec<String>) -> Self {
        self.vocabulary = Some(words.len());
        self.words = words;
        self
    }

    /// Says which field holds the number of steps that count.
    pub fn lengths(mut self, field: impl Into<String>) -> Self {
        self.lengths = Some(field.into());
        self
    }

    /// Values per sample.
    pub fn width(&self) -> usize {
        self.shape.numel()
    }

    /// The values of a sample as 32-bit words.
    pub fn row(&self, sample: usize) -> Vec<u32> {
        self.column.words(sample.saturating_mul(self.width()), self.width())
    }

    /// The values of a sample as numbers.
    pub fn numbers(&self, sample: usize) -> Vec<f32> {
        let words = self.row(sample);
        match self.column.dtype() {
            Dtype::U32 => words.into_iter().map(|word| word as f32).collect(),
            _ => words.into_iter().map(f32::from_bits).collect(),
        }
    }

    /// The same field of some samples.
    pub(crate) fn select(&self, rows: &[u32]) -> Field {
        Field { column: self.column.select(rows, self.width()), ..self.without_values() }
    }

    fn without_values(&self) -> Field {
        Field {
            name: self.name.clone(),
            shape: self.shape.clone(),
            column: Column::F32(Vec::new()),
            vocabulary: self.vocabulary,
            words: self.words.clone(),
            lengths: self.lengths.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_the_numbers_they_stand_for() {
        let column = Column::U8 { bytes: vec![0, 8, 16, 4], scale: 1.0 / 16.0, shift: -0.5 };
        let field = Field::new("x", [2], column);
        assert_eq!((field.numbers(0), field.numbers(1)), (vec![-0.5, 0.0], vec![0.5, -0.25]));
        assert_eq!(field.select(&[1]).numbers(0), [0.5, -0.25]);
        assert_eq!(field.column.words(3, 9), [(-0.25f32).to_bits()]);
        assert!(field.numbers(7).is_empty());
    }

    #[test]
    fn rows_of_bytes_begin_with_a_word() {
        let column = Column::U8 { bytes: vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10], scale: 1.0, shift: 0.0 };
        assert_eq!(column.packed(5), [0x0403_0201, 5, 0x0908_0706, 10]);
        assert_eq!(column.packed(2), [0x0201, 0x0403, 0x0605, 0x0807, 0x0a09]);
        assert!(Column::U32(vec![1]).packed(1).is_empty());
    }

    #[test]
    fn tokens_stay_whole_numbers() {
        let field = Field::new("tokens", [3], Column::U32(vec![1, 2, 3, 4, 5, u32::MAX]));
        assert_eq!((field.row(1), field.column.dtype()), (vec![4, 5, u32::MAX], Dtype::U32));
    }
}
