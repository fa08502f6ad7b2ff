//! How a column becomes inputs of the network: fitted on the rows that are learned from, then the same for every row. Means are taken off in
//! double precision before anything is cast: a column at 5,400,000 that varies by 0.5 keeps what it says.

use super::choices::Missing;
use super::columns::{NONE, ReadColumn, Values};
use super::date::{Moment, PARTS};
use crate::spec::quote;

/// `(value - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub mean: f64,
    pub std: f64,
    /// Whether all of it is done in single precision: the bundled tables of version 1 are, and their samples stay the same bits for ever.
    single: bool,
}

impl Scale {
    /// Mean and population standard deviation; what does not vary, up to rounding, is centred and otherwise left alone.
    pub fn fit(values: impl Iterator<Item = f64> + Clone, single: bool) -> Self {
        let values = values.map(|v| if single { f64::from(v as f32) } else { v });
        let rows = values.clone().count().max(1) as f64;
        let mean = values.clone().fold(0.0, |mean, v| mean + v / rows);
        let variance = values.fold(0.0, |sum, v| sum + (v - mean) * (v - mean) / rows);
        let rounding = if single { 1e-6 } else { 1e-13 };
        let std = variance.sqrt();
        let std = if std > rounding * mean.abs() && std > 1e-15 { std } else { 1.0 };
        if single {
            Self { mean: f64::from(mean as f32), std: f64::from(std as f32), single }
        } else {
            Self { mean, std, single }
        }
    }

    pub fn apply(self, value: f64) -> f32 {
        if self.single { (value as f32 - self.mean as f32) / self.std as f32 } else { ((value - self.mean) / self.std) as f32 }
    }
}

/// How one column becomes inputs.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    kind: Kind,
    /// Whether an input more says that the value was missing, and whether it mostly was.
    flag: Option<bool>,
}

#[derive(Clone, Debug)]
enum Kind {
    Number {
        fill: f64,
        scale: Scale,
    },
    Date {
        fill: f64,
        /// The first day that is learned from.
        first: f64,
        timed: bool,
        scales: Vec<Scale>,
    },
    Words {
        /// The words that come in what is learned from, one input each; [`NONE`] is the category of missing values.
        codes: Vec<u32>,
        fill: u32,
        /// The most frequent one.
        usual: u32,
    },
}

/// A value of a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Datum {
    /// A number, or the days of a date; NaN is missing.
    Number(f64),
    /// A word; [`NONE`] is missing.
    Code(u32),
}

impl Values {
    pub fn at(&self, row: usize) -> Datum {
        match self {
            Values::Numbers(values) | Values::Dates { days: values, .. } => Datum::Number(values[row]),
            Values::Words { codes, .. } => Datum::Code(codes[row]),
        }
    }
}

impl Encoder {
    /// Fits a column on the rows that are learned from.
    pub fn fit(column: &ReadColumn, rows: &[u32], single: bool) -> Self {
        let filling = column.about.filling;
        let lacking = rows.iter().filter(|&&row| column.values.is_missing(row as usize)).count();
        let flag = column.about.flag.then_some(2 * lacking > rows.len());
        let kind = match &column.values {
            Values::Numbers(values) => {
                let fill = fill_of(values, rows, filling);
                let filled = rows.iter().map(|&row| or(values[row as usize], fill));
                Kind::Number { fill, scale: Scale::fit(filled, single) }
            }
            Values::Dates { days, timed } => {
                let known = rows.iter().map(|&row| days[row as usize]).filter(|day| !day.is_nan());
                let first = known.fold(f64::INFINITY, f64::min);
                let first = if first.is_finite() { first.floor() } else { 0.0 };
                let fill = fill_of(days, rows, filling);
                let part = |at: usize| rows.iter().map(move |&row| parts(or(days[row as usize], fill), first, *timed)[at]);
                let scales = (0..parts(fill, first, *timed).len()).map(|at| Scale::fit(part(at), false)).collect();
                Kind::Date { fill, first, timed: *timed, scales }
            }
            Values::Words { words, codes } => {
                let mut counts = vec![0u32; words.len()];
                for &row in rows {
                    if let Some(count) = counts.get_mut(codes[row as usize] as usize) {
                        *count += 1;
                    }
                }
                let usual = (0..counts.len()).rev().max_by_key(|&code| counts[code]).map_or(NONE, |code| code as u32);
                let own = filling == Missing::Category;
                let fill = if own || filling == Missing::Drop { NONE } else { usual };
                let mut known: Vec<u32> = (0..).zip(&counts).filter(|(_, count)| **count > 0).map(|(code, _)| code).collect();
                known.extend((own && lacking > 0).then_some(NONE));
                let usual = if own && lacking as u32 > counts.iter().copied().max().unwrap_or(0) { NONE } else { usual };
                Kind::Words { codes: known, fill, usual }
            }
        };
        Self { kind, flag }
    }

    /// Names of the inputs.
    pub fn names(&self, column: &ReadColumn) -> Vec<String> {
        let name = &column.about.name;
        let mut names = match &self.kind {
            Kind::Number { .. } => vec![name.clone()],
            Kind::Date { timed, .. } => {
                let hour = timed.then_some("hour");
                PARTS.into_iter().chain(hour).chain(["days"]).map(|part| format!("{name}: {part}")).collect()
            }
            Kind::Words { codes, .. } => codes.iter().map(|&code| format!("{name} = {}", quote(word(column, code)))).collect(),
        };
        names.extend(self.flag.map(|_| format!("{name} is missing")));
        names
    }

    /// Appends the inputs of a value.
    pub fn write(&self, value: Datum, out: &mut Vec<f32>) {
        let missing = match (&self.kind, value) {
            (Kind::Number { fill, scale }, Datum::Number(number)) => {
                out.push(scale.apply(or(number, *fill)));
                number.is_nan()
            }
            (Kind::Date { fill, first, timed, scales }, Datum::Number(day)) => {
                out.extend(parts(or(day, *fill), *first, *timed).iter().zip(scales).map(|(part, scale)| scale.apply(*part)));
                day.is_nan()
            }
            (Kind::Words { codes, fill, .. }, Datum::Code(code)) => {
                let shown = if code == NONE { *fill } else { code };
                out.extend(codes.iter().map(|known| if *known == shown { 1.0 } else { 0.0 }));
                code == NONE
            }
            // A column holds one kind of values.
            _ => false,
        };
        out.extend(self.flag.map(|_| if missing { 1.0 } else { 0.0 }));
    }

    /// The inputs of a row of which nothing is known: the mean of numbers, the most frequent word.
    pub fn neutral(&self, column: &ReadColumn) -> Vec<f32> {
        let mut inputs = match &self.kind {
            Kind::Number { .. } => vec![0.0],
            Kind::Date { scales, .. } => vec![0.0; scales.len()],
            Kind::Words { codes, usual, .. } => codes.iter().map(|code| if code == usual { 1.0 } else { 0.0 }).collect(),
        };
        debug_assert_eq!(inputs.len() + usize::from(self.flag.is_some()), self.names(column).len());
        inputs.extend(self.flag.map(|mostly| if mostly { 1.0 } else { 0.0 }));
        inputs
    }

    /// Mean and standard deviation that were taken off each input; 0 and 1 where it is an indicator.
    pub fn moments(&self) -> Vec<(f64, f64)> {
        let of = |scale: &Scale| (scale.mean, scale.std);
        let mut moments = match &self.kind {
            Kind::Number { scale, .. } => vec![of(scale)],
            Kind::Date { scales, .. } => scales.iter().map(of).collect(),
            Kind::Words { codes, .. } => vec![(0.0, 1.0); codes.len()],
        };
        moments.extend(self.flag.map(|_| (0.0, 1.0)));
        moments
    }

    /// Whether it is a number and nothing else.
    pub fn is_plain_number(&self) -> bool {
        matches!(self.kind, Kind::Number { .. }) && self.flag.is_none()
    }

    /// What stands in for a missing value, as a person reads it.
    pub fn filled(&self, column: &ReadColumn) -> String {
        match &self.kind {
            Kind::Number { fill, .. } => short(*fill),
            Kind::Date { fill, timed, .. } => Moment::from_days(*fill, *timed).text(),
            Kind::Words { fill, .. } => word(column, *fill).to_string(),
        }
    }
}

/// A number with as many digits as it needs, six at most behind the point.
pub(super) fn short(number: f64) -> String {
    ((number * 1e6).round() / 1e6).to_string()
}

fn word(column: &ReadColumn, code: u32) -> &str {
    match &column.values {
        Values::Words { words, .. } => words.get(code as usize).map_or("(missing)", String::as_str),
        _ => "",
    }
}

fn or(value: f64, fill: f64) -> f64 {
    if value.is_nan() { fill } else { value }
}

fn parts(days: f64, first: f64, timed: bool) -> Vec<f64> {
    let moment = Moment::from_days(days, timed);
    moment.parts().into_iter().chain(moment.hour).chain([days - first]).collect()
}

/// Mean, median or most frequent of the values that are there; 0 where there is none.
fn fill_of(values: &[f64], rows: &[u32], filling: Missing) -> f64 {
    let mut known: Vec<f64> = rows.iter().map(|&row| values[row as usize]).filter(|value| !value.is_nan()).collect();
    if known.is_empty() {
        return 0.0;
    }
    if filling == Missing::Mean {
        let rows = known.len() as f64;
        return known.iter().map(|value| value / rows).sum();
    }
    known.sort_unstable_by(f64::total_cmp);
    if filling == Missing::MostFrequent {
        let runs = known.chunk_by(|a, b| a == b);
        // Of equals the smallest, which comes first.
        return runs.rev().max_by_key(|run| run.len()).and_then(|run| run.first()).copied().unwrap_or(0.0);
    }
    let middle = known.len() / 2;
    if known.len() % 2 == 1 { known[middle] } else { f64::midpoint(known[middle - 1], known[middle]) }
}
