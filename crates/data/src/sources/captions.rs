//! Pictures of digits with their captions: what digits there are, in words and from left to right. A picture is read, and a text is written of it.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::answer::{ANSWER, TEACHER_FORCING};
use super::drawn_digits::draw;
use super::hand::SIZE;
use super::pictures::{field, samples};
use super::{Generate, Outline};
use crate::assets::Assets;
use crate::dataset::{Dataset, IGNORED, Samples};
use crate::field::{Column, Field};
use crate::fields;
use crate::language::Language;

fields! {
    /// Pictures of digits to be described in words: 7 3 → seven three.
    #[schemars(title = "Captions", extend("x-short" = "captions"))]
    Captions {
        /// Pictures in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 3000,
        /// Digits of a picture at most; it has room for so many, and holds from one to all of them.
        #[schemars(title = "Digits", range(min = 1, max = 4))]
        digits: u32 = 2,
        /// How much hands differ: 0 writes all digits alike, 1 as many people would.
        #[schemars(title = "Variation", range(min = 0.0, max = 2.0))]
        variation: f64 = 1.0,
        /// Share of the pictures that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.2,
    }
}

/// The words, each at the place of its digit, then what begins a caption and what ends it.
const WORDS: [&str; 12] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "→", "."];
const BEGIN: u32 = 10;
const END: u32 = 11;

impl Captions {
    /// Height and width of a picture.
    fn size(&self) -> (usize, usize) {
        (SIZE, SIZE * self.digits as usize)
    }

    /// Words of the longest caption, with what ends it.
    fn steps(&self) -> usize {
        self.digits as usize + 1
    }

    /// What the decoder is given: what begins the caption, then its words.
    fn answers(&self, words: Vec<u32>) -> Field {
        Field::new(ANSWER, [self.steps()], Column::U32(words)).vocabulary(WORDS.len())
    }

    /// Draws digits side by side, and what is left to the right of them before, between and behind them.
    fn paint(&self, digits: &[u32], rng: &mut Rng, picture: &mut [u32]) {
        let width = self.size().1;
        let mut left = width - digits.len() * SIZE;
        let (mut at, mut sheet) = (0, [0; SIZE * SIZE]);
        for &digit in digits {
            let gap = rng.below(left + 1);
            (at, left) = (at + gap, left - gap);
            sheet.fill(0);
            draw(digit, self.variation, rng, &mut sheet);
            for (row, line) in sheet.chunks_exact(SIZE).zip(picture.chunks_exact_mut(width)) {
                line[at..at + SIZE].copy_from_slice(row);
            }
            at += SIZE;
        }
    }
}

impl Generate for Captions {
    fn outline(&self) -> Option<Outline> {
        let (height, width) = self.size();
        Some(Outline {
            samples: self.samples as usize,
            inputs: vec![field([1, height, width], Vec::new()), self.answers(Vec::new())],
            classes: WORDS.len(),
            positions: vec![self.steps()],
            validation: self.validation,
            streamed: false,
        })
    }

    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let ((height, width), steps) = (self.size(), self.steps());
        let (mut bytes, mut answers, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let mut picture = vec![0; height * width];
        for i in 0..self.samples {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let count = 1 + rng.below(self.digits as usize);
            let digits: Vec<u32> = (0..count).map(|_| rng.below(10) as u32).collect();
            picture.fill(0);
            self.paint(&digits, &mut rng, &mut picture);
            bytes.extend(picture.iter().map(|&brightness| brightness as u8));
            let caption = [&[BEGIN][..], &digits, &[END]].concat();
            let place = |at: usize, behind: u32| caption.get(at).copied().unwrap_or(behind);
            answers.extend((0..steps).map(|at| place(at, END)));
            targets.extend((1..=steps).map(|at| place(at, IGNORED)));
        }
        let words: Vec<String> = WORDS.map(ToString::to_string).to_vec();
        let language = Language { end: Some(END), ..Language::of_answers(&words) };
        let description = "A sample is a picture of digits, drawn with a soft pen by a random hand, and its caption: their names from left to right, then a \
                           full stop.";
        let card = (description, "Generated from the seed; free to use.");
        let pictures = samples([1, height, width], bytes, (words, targets), card);
        let fields = pictures.fields.into_iter().chain([self.answers(answers)]).collect();
        let notes = vec![TEACHER_FORCING.to_string()];
        let set = Samples { fields, positions: vec![steps], notes, ..pictures }.finish(self.validation, seed)?;
        Ok(Dataset { language: Some(language), ..set })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::Source;
    use crate::{INPUT, NoAssets};

    fn built(fields: serde_json::Value) -> Dataset {
        Source::from_json("captions", &fields).unwrap().build(3, &NoAssets).unwrap()
    }

    #[test]
    fn the_decoder_is_given_the_caption_so_far_and_asked_for_its_next_word() {
        let set = built(json!({ "samples": 60, "digits": 3 }));
        let (answer, target) = (set.train.field(ANSWER).unwrap(), set.train.field("y").unwrap());
        let mut lengths = [0; 4];
        for i in 0..set.train.len() {
            let (given, asked) = (answer.row(i), target.row(i));
            let words = asked.iter().position(|&word| word == END).unwrap();
            assert!((1..=3).contains(&words) && given[0] == BEGIN && given[1..=words] == asked[..words]);
            assert!(asked[..words].iter().all(|&word| word < 10));
            assert!(given[words + 1..].iter().all(|&word| word == END));
            assert!(asked[words + 1..].iter().all(|&word| word == IGNORED));
            lengths[words] += 1;
        }
        assert!(lengths[1..].iter().all(|&count| count > 5), "{lengths:?}");
        let language = set.language.as_ref().unwrap();
        assert_eq!((set.written(), language.prompt, language.end), (Some(&ANSWER.to_string()), 1, Some(END)));
    }

    #[test]
    fn digits_stand_in_the_picture_in_the_order_of_the_words() {
        // Without variation a digit looks the same wherever it stands.
        let (alone, pairs) = (built(json!({ "digits": 1, "variation": 0.0 })), built(json!({ "variation": 0.0, "samples": 200 })));
        let mut known = vec![Vec::new(); 10];
        for i in 0..alone.train.len() {
            let word = alone.train.field("y").unwrap().row(i)[0];
            known[word as usize] = alone.train.field(INPUT).unwrap().numbers(i);
        }
        for i in 0..pairs.train.len() {
            let asked = pairs.train.field("y").unwrap().row(i);
            if asked[1] < 10 {
                let picture = pairs.train.field(INPUT).unwrap().numbers(i);
                for (at, &word) in asked[..2].iter().enumerate() {
                    let half: Vec<f32> = picture.chunks(2 * SIZE).flat_map(|row| row[at * SIZE..][..SIZE].to_vec()).collect();
                    assert_eq!(half, known[word as usize], "sample {i}");
                }
            }
        }
    }
}
