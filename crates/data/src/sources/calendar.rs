//! A small language of dates and numbers that only says what is true: three days after 28 february is 3 march, nine minus two plus four is eleven.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::Generate;
use super::answer::{Answers, floor_note};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// True sentences about dates and numbers: three days after 28 february is 3 march.
    #[schemars(title = "Dates and numbers", extend("x-short" = "dates, numbers"))]
    Calendar {
        /// Sentences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 50000))]
        samples: u32 = 10000,
        /// Share of the sentences that are about dates; the others are about numbers.
        #[schemars(title = "Dates", range(min = 0.0, max = 1.0))]
        dates: f64 = 0.5,
        /// Days from one date to the other, at most.
        #[schemars(title = "Days", range(min = 1, max = 20))]
        days: u32 = 7,
        /// The largest number that is added or taken away.
        #[schemars(title = "Largest number", range(min = 2, max = 20))]
        largest: u32 = 10,
        /// Whether one year of four has a 29 february. Sentences do not say which, so that what is one day after 28 february cannot be known.
        #[schemars(title = "Leap years")]
        leap_years: bool = false,
        /// Share of the sentences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.2,
    }
}

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const NUMBERS: [&str; 20] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
];
/// From thirty on; three numbers of at most twenty make at most sixty.
const TENS: [&str; 4] = ["thirty", "forty", "fifty", "sixty"];
const OTHERS: [&str; 8] = ["day", "days", "after", "before", "plus", "minus", "is", "."];

/// Days of a month at most; they come first among the tokens.
const DAYS: u32 = 31;
const NUMBER: u32 = DAYS + MONTHS.len() as u32;
const TEN: u32 = NUMBER + NUMBERS.len() as u32;
const OTHER: u32 = TEN + TENS.len() as u32;
const DAY: u32 = OTHER;
const DAYS_OF: u32 = OTHER + 1;
const AFTER: u32 = OTHER + 2;
const BEFORE: u32 = OTHER + 3;
const PLUS: u32 = OTHER + 4;
const MINUS: u32 = OTHER + 5;
const IS: u32 = OTHER + 6;
const END: u32 = OTHER + 7;

/// Tokens before the answer, which has two.
const PROMPT: usize = 6;

/// A sentence.
struct Sentence {
    tokens: [u32; PROMPT + 2],
    /// What its answer costs whoever knows the language, in nats.
    cost: f64,
}

/// Days of each month of a year.
fn lengths(leap: bool) -> [u32; 12] {
    let mut lengths = LENGTHS;
    lengths[1] += u32::from(leap);
    lengths
}

/// The tokens of a day of the year; 0 is 1 january.
fn date(mut day: u32, leap: bool) -> [u32; 2] {
    for (month, length) in (0..).zip(lengths(leap)) {
        if day < length {
            return [day, DAYS + month];
        }
        day -= length;
    }
    [0, DAYS]
}

/// A number from 1 to 69 in words: one and the end of the sentence, or tens and ones.
fn words(number: u32) -> [u32; 2] {
    let tens = |tens: u32| if tens == 2 { NUMBER + 19 } else { TEN + tens - 3 };
    match (number / 10, number % 10) {
        _ if number <= 20 => [NUMBER + number - 1, END],
        (ten, 0) => [tens(ten), END],
        (ten, one) => [tens(ten), NUMBER + one - 1],
    }
}

impl Calendar {
    /// So many days after or before a date is another one.
    fn about_dates(&self, rng: &mut Rng) -> Sentence {
        const LEAP_DAY: u32 = 31 + 28;
        let of_leap_year = rng.below(365 + usize::from(self.leap_years)) as u32;
        let is_leap_day = self.leap_years && of_leap_year == LEAP_DAY;
        let is_leap_year = self.leap_years && rng.below(4) == 0 || is_leap_day;
        // Days of the year that both kinds of years have are drawn as often as each other.
        let common = if self.leap_years && of_leap_year > LEAP_DAY { of_leap_year - 1 } else { of_leap_year };
        let (count, after) = (1 + rng.below(self.days as usize) as u32, rng.below(2) == 0);
        let answer = |leap: bool| {
            let (day, year) = (common + u32::from(leap && !is_leap_day && common >= LEAP_DAY), 365 + u32::from(leap));
            date((if after { day + count } else { day + year - count }) % year, leap)
        };
        let [day, month] = if is_leap_day { date(LEAP_DAY, true) } else { date(common, false) };
        let [first, last] = answer(is_leap_year);
        let known = !self.leap_years || is_leap_day || answer(false) == answer(true);
        let likely = if known { 1.0 } else if is_leap_year { 0.25 } else { 0.75 };
        let (days, where_to) = (if count == 1 { DAY } else { DAYS_OF }, if after { AFTER } else { BEFORE });
        Sentence { tokens: [NUMBER + count - 1, days, where_to, day, month, IS, first, last], cost: -libm::log(likely) }
    }

    /// A number, and two that are added or taken away, as long as something is left.
    fn about_numbers(&self, rng: &mut Rng) -> Sentence {
        let mut number = || 1 + rng.below(self.largest as usize) as u32;
        let [first, second, third] = [number(), number(), number()];
        let mut step = |value: u32, by: u32| if value > by && rng.below(2) == 0 { (MINUS, value - by) } else { (PLUS, value + by) };
        let (one, value) = step(first, second);
        let (other, value) = step(value, third);
        let [ten, end] = words(value);
        let name = |number: u32| NUMBER + number - 1;
        Sentence { tokens: [name(first), one, name(second), other, name(third), IS, ten, end], cost: 0.0 }
    }
}

impl Generate for Calendar {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let sentence = |i: u32| {
            let mut rng = Rng::new(seed, Stream::Data, i);
            if rng.uniform() < self.dates { self.about_dates(&mut rng) } else { self.about_numbers(&mut rng) }
        };
        let sentences: Vec<Sentence> = (0..self.samples).map(sentence).collect();
        let cost: f64 = sentences.iter().map(|sentence| sentence.cost).sum();
        // Where all can be known there is nothing that a network cannot come below.
        let floor = (cost > 0.0).then(|| cost / (2 * sentences.len()) as f64);
        let tokens = (1..=DAYS).map(|day| day.to_string());
        let words = MONTHS.iter().chain(&NUMBERS).chain(&TENS).chain(&OTHERS).map(ToString::to_string);
        let set = Answers {
            tokens: tokens.chain(words).collect(),
            sequences: sentences.into_iter().map(|sentence| sentence.tokens.to_vec()).collect(),
            prompt: PROMPT,
            padding: None,
            description: "A sample is a sentence about dates or about numbers. To be predicted is what stands behind `is`: a day and its month, or a \
                          number in words, and a full stop where one word is enough.",
            notes: floor.map(|floor| floor_note(floor, "word")).into_iter().collect(),
        };
        Ok(Dataset { floor, ..set.finish(self.validation, seed)? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::Source;
    use crate::{NoAssets, Task};

    fn built(fields: serde_json::Value) -> Dataset {
        Source::from_json("calendar", &fields).unwrap().build(3, &NoAssets).unwrap()
    }

    /// The sentences to learn from, in words.
    fn sentences(set: &Dataset) -> Vec<Vec<String>> {
        let Task::Classification { classes } = &set.task else { panic!("words are classes") };
        let (given, asked) = (set.train.field("tokens").unwrap(), set.train.field("y").unwrap());
        let words = |i: usize| given.row(i).iter().chain(asked.row(i).last()).map(|&token| classes[token as usize].clone()).collect();
        (0..set.train.len()).map(words).collect()
    }

    /// A number from its words.
    fn number(words: &[String]) -> u32 {
        let of = |word: &String| match (NUMBERS.iter().position(|name| name == word), TENS.iter().position(|name| name == word)) {
            (Some(at), _) => at as u32 + 1,
            (_, Some(at)) => 10 * (at as u32 + 3),
            _ => 0,
        };
        words.iter().map(of).sum()
    }

    #[test]
    fn every_sum_is_right() {
        let set = built(json!({ "dates": 0, "largest": 20, "samples": 3000 }));
        let (mut largest, mut short) = (0, 0);
        for words in sentences(&set) {
            let of = |at: usize| i64::from(number(&words[at..=at]));
            let step = |value: i64, at: usize| if words[at] == "plus" { value + of(at + 1) } else { value - of(at + 1) };
            let value = step(step(of(0), 1), 3);
            assert_eq!((i64::from(number(&words[6..])), words[5].as_str()), (value, "is"), "{words:?}");
            largest = largest.max(value);
            short += u32::from(words[7] == ".");
        }
        assert!(largest > 50 && short > 500 && set.floor.is_none());
    }

    /// The day of the year of two words, counted as a calendar on a wall is.
    fn day_of_year(day: &str, month: &str, leap: bool) -> i64 {
        let month = MONTHS.iter().position(|name| *name == month).unwrap();
        let day: i64 = day.parse().unwrap();
        assert!(day <= i64::from(lengths(leap)[month]));
        i64::from(lengths(leap)[..month].iter().sum::<u32>()) + day
    }

    #[test]
    fn every_date_is_so_many_days_from_the_other() {
        let set = built(json!({ "dates": 1, "days": 20 }));
        let mut around = 0;
        for words in sentences(&set) {
            let way = i64::from(number(&words[..1])) * if words[2] == "after" { 1 } else { -1 };
            assert_eq!(words[1] == "day", way.abs() == 1);
            let [from, to] = [[3, 4], [6, 7]].map(|[day, month]| day_of_year(&words[day], &words[month], false));
            assert_eq!((from + way).rem_euclid(365), to.rem_euclid(365), "{words:?}");
            around += u32::from((from + way) != to);
        }
        assert!(around > 50 && set.floor.is_none(), "{around} go from one year to another");
    }

    #[test]
    fn of_leap_years_that_nobody_names_the_floor_is_what_is_left_to_chance() {
        let set = built(json!({ "dates": 1, "leap_years": true, "samples": 20000, "validation": 0 }));
        let all = sentences(&set);
        let mut cost = 0.0;
        for words in &all {
            let way = i64::from(number(&words[..1])) * if words[2] == "after" { 1 } else { -1 };
            let is_right = |leap: bool| {
                let year = 365 + i64::from(leap);
                let fits = |[day, month]: [&str; 2]| leap || [day, month] != ["29", "february"];
                let (from, to) = ([words[3].as_str(), &words[4]], [words[6].as_str(), &words[7]]);
                fits(from) && fits(to) && {
                    let [from, to] = [from, to].map(|[day, month]| day_of_year(day, month, leap));
                    (from + way).rem_euclid(year) == to.rem_euclid(year)
                }
            };
            cost -= match (is_right(false), is_right(true)) {
                (true, true) => 0.0,
                (true, false) => 0.75f64.ln(),
                (false, true) if words[3] == "29" && words[4] == "february" => 0.0,
                (false, true) => 0.25f64.ln(),
                (false, false) => panic!("{words:?}"),
            };
        }
        let floor = set.floor.unwrap();
        assert!((floor - cost / (2 * all.len()) as f64).abs() < 1e-12);
        // Of 366 days at most 7, on average 4, lie so that the way crosses the end of february; a quarter against three costs 0.56 nats.
        assert!((floor - 4.0 / 366.0 * 0.562 / 2.0).abs() < 0.001, "{floor}");
        assert!(set.notes[0].contains("nats per word"));
    }

    #[test]
    fn tokens_are_named_in_their_places() {
        let set = built(json!({ "samples": 10 }));
        let Task::Classification { classes } = &set.task else { panic!("words are classes") };
        let named = [DAY, DAYS_OF, AFTER, BEFORE, PLUS, MINUS, IS, END].map(|token| classes[token as usize].as_str());
        assert_eq!(named, OTHERS);
        assert_eq!([words(1), words(20), words(21), words(60)].map(|pair| pair.map(|t| classes[t as usize].as_str())), [
            ["one", "."],
            ["twenty", "."],
            ["twenty", "one"],
            ["sixty", "."]
        ]);
        assert_eq!(date(59, true).map(|t| classes[t as usize].as_str()), ["29", "february"]);
    }
}
