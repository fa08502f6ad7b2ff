//! Sums a [`Table`] up for a person: how every column is spread, and what is odd.

use std::collections::{HashMap, HashSet};

use super::columns::{NONE, ReadColumn, Values};
use super::date::Moment;
use super::encode::{Datum, short};
use super::profile::{Column, Finding, FindingKind, Profile, Spread};
use super::table::{Answers, LOOSE_QUOTE, Table};
use crate::spec::quote;

/// Bins of a histogram, and words that are named in bars.
const BINS: usize = 24;
const NAMED: usize = 8;
/// Findings of one kind, at most.
const MOST: usize = 5;

impl Table {
    /// What the table looks like.
    pub fn profile(&self) -> Profile {
        let mut columns: Vec<Column> = self.columns.iter().map(|column| column.about.clone()).collect();
        for (about, column) in columns.iter_mut().zip(&self.columns) {
            about.spread = spread(column);
        }
        Profile {
            delimiter: self.sheet.delimiter,
            header: self.sheet.header,
            rows: self.rows(),
            used: self.samples.len(),
            costs: self.costs.clone(),
            inputs: columns.iter().map(|column| column.inputs).sum(),
            target: columns[self.target].name.clone(),
            columns,
            task: self.goal,
            trouble: self.trouble.first.clone(),
            trouble_count: self.trouble.count,
            findings: self.findings(),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let quote_of = |line: &u64| {
            let sentence = format!("Line {line}: {LOOSE_QUOTE}.");
            Finding { kind: FindingKind::Quote, column: String::new(), rows: 1, sentence }
        };
        let mut findings: Vec<Finding> = self.sheet.loose_quotes().iter().map(quote_of).collect();
        findings.extend(self.constants());
        findings.extend(self.sparse());
        findings.extend(self.duplicates());
        findings.extend(self.leaks());
        findings.extend(self.imbalance());
        findings.extend(self.outliers());
        findings.extend(self.shared_rows());
        findings
    }

    fn others(&self) -> impl Iterator<Item = (usize, &ReadColumn)> {
        self.columns.iter().enumerate().filter(|(i, _)| *i != self.target)
    }

    fn constants(&self) -> Vec<Finding> {
        let constant = |(_, column): (usize, &ReadColumn)| {
            let about = &column.about;
            let what = match about.examples.first() {
                _ if about.distinct >= 2 => return None,
                Some(value) => format!("holds \"{value}\" in every row that has a value"),
                None => "is empty".to_string(),
            };
            let sentence = format!("\"{}\" {what}, so nothing can be learned from it.", quote(&about.name));
            Some(Finding { kind: FindingKind::Constant, column: about.name.clone(), rows: 0, sentence })
        };
        self.others().filter_map(constant).take(MOST).collect()
    }

    fn sparse(&self) -> Vec<Finding> {
        let rows = self.sheet.rows.len();
        let sparse = |(_, column): (usize, &ReadColumn)| {
            let about = &column.about;
            let sentence = format!(
                "{:.0} % of \"{}\" is missing: leave it out, or let an input say that it is missing.",
                (100.0 * about.missing as f64 / rows as f64).floor(),
                quote(&about.name)
            );
            let finding = Finding { kind: FindingKind::Sparse, column: about.name.clone(), rows: about.missing, sentence };
            (about.used && !about.flag && 2 * about.missing > rows).then_some(finding)
        };
        self.others().filter_map(sparse).take(MOST).collect()
    }

    /// Columns that say in every row what an earlier one says.
    fn duplicates(&self) -> Vec<Finding> {
        let mut seen: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut findings = Vec::new();
        for (i, column) in self.columns.iter().enumerate() {
            if column.about.distinct < 2 || findings.len() == MOST {
                continue;
            }
            let alike = seen.entry(fingerprint(column)).or_default();
            let same = |&&other: &&usize| same_values(column, &self.columns[other]);
            if let Some(&other) = alike.iter().find(same) {
                let (name, first) = (quote(&column.about.name), quote(&self.columns[other].about.name));
                let sentence = format!("\"{name}\" says the same as \"{first}\" in every row.");
                findings.push(Finding { kind: FindingKind::Duplicate, column: column.about.name.clone(), rows: 0, sentence });
            } else {
                alike.push(i);
            }
        }
        findings
    }

    /// Columns that alone give the target: of classes, each of a few values goes with one class; of numbers, they lie on a line.
    fn leaks(&self) -> Vec<Finding> {
        let leak = |(_, column): (usize, &ReadColumn)| {
            let gives = match &self.answers {
                Answers::Classes { labels, .. } => self.gives_classes(column, labels),
                Answers::Numbers { values, .. } => self.gives_numbers(column, values),
            };
            let (name, target) = (quote(&column.about.name), quote(&self.columns[self.target].about.name));
            let sentence =
                format!("\"{name}\" alone gives \"{target}\". If it is known only once \"{target}\" is known, leave it out.");
            gives.then(|| Finding { kind: FindingKind::Leak, column: column.about.name.clone(), rows: 0, sentence })
        };
        self.others().filter(|(_, column)| column.about.used).filter_map(leak).take(MOST).collect()
    }

    fn gives_classes(&self, column: &ReadColumn, labels: &[u32]) -> bool {
        const FEW: usize = 50;
        if column.about.distinct > FEW || 4 * column.about.distinct > self.samples.len() {
            return false;
        }
        let mut class_of: HashMap<u64, u32> = HashMap::new();
        self.samples
            .iter()
            .zip(labels)
            .all(|(&row, &label)| *class_of.entry(bits(column.values.at(row as usize))).or_insert(label) == label)
    }

    fn gives_numbers(&self, column: &ReadColumn, values: &[f32]) -> bool {
        let pairs: Vec<(f64, f64)> = self
            .samples
            .iter()
            .zip(values)
            .filter_map(|(&row, &y)| match column.values.at(row as usize) {
                Datum::Number(x) if !x.is_nan() => Some((x, f64::from(y))),
                _ => None,
            })
            .collect();
        let n = pairs.len() as f64;
        if pairs.len() < 10 {
            return false;
        }
        let (mx, my) = (pairs.iter().map(|p| p.0 / n).sum::<f64>(), pairs.iter().map(|p| p.1 / n).sum::<f64>());
        let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(x, y)| f(x - mx, y - my)).sum::<f64>();
        let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
        xx > 0.0 && yy > 0.0 && (xy * xy / (xx * yy)) > 0.99999
    }

    fn imbalance(&self) -> Option<Finding> {
        const MUCH: f64 = 0.9;
        let Answers::Classes { classes, labels } = &self.answers else { return None };
        let mut counts = vec![0usize; classes.len()];
        labels.iter().for_each(|&label| counts[label as usize] += 1);
        let (most, count) = counts.iter().copied().enumerate().max_by_key(|(_, count)| *count)?;
        let share = count as f64 / labels.len().max(1) as f64;
        let sentence = format!(
            "{:.0} % of the rows are \"{}\": guessing that is right as often. Compare with balanced accuracy, and try the loss's class weights.",
            (100.0 * share).floor(),
            quote(&classes[most])
        );
        let column = self.columns[self.target].about.name.clone();
        (share > MUCH).then_some(Finding { kind: FindingKind::Imbalance, column, rows: count, sentence })
    }

    /// Columns of numbers nearly all of whose spread one value makes.
    fn outliers(&self) -> Vec<Finding> {
        const LEAST: usize = 20;
        let outlier = |(i, column): (usize, &ReadColumn)| {
            let Values::Numbers(values) = &column.values else { return None };
            if !column.about.used && i != self.target {
                return None;
            }
            let known = || self.samples.iter().map(|&row| (row, values[row as usize])).filter(|(_, value)| !value.is_nan());
            let n = known().count();
            let mean = known().map(|(_, value)| value / n.max(1) as f64).sum::<f64>();
            let square = |value: f64| (value - mean) * (value - mean);
            let (row, far) = known().max_by(|a, b| square(a.1).total_cmp(&square(b.1)))?;
            // The value itself moves the mean towards it, so the others share what is left of n-1 parts.
            let rest = known().filter(|(other, _)| *other != row).map(|(_, value)| value);
            let others = (n.max(2) - 1) as f64;
            let middle = rest.clone().map(|value| value / others).sum::<f64>();
            let spread = (rest.map(|value| (value - middle) * (value - middle) / others).sum::<f64>()).sqrt();
            let is_far = n >= LEAST && spread > 0.0 && (far - middle).abs() > 50.0 * spread;
            let line = self.sheet.line(row as usize);
            let sentence = format!(
                "{} in line {line} lies far from all other values of \"{}\"; a slip of the keyboard?",
                short(far),
                quote(&column.about.name)
            );
            is_far.then(|| Finding { kind: FindingKind::Outlier, column: column.about.name.clone(), rows: 1, sentence })
        };
        self.columns.iter().enumerate().filter_map(outlier).take(MOST).collect()
    }

    /// Rows held out that are also learned from, the same in all that is used.
    fn shared_rows(&self) -> Option<Finding> {
        let used: Vec<&ReadColumn> =
            self.columns.iter().enumerate().filter(|(i, c)| c.about.used || *i == self.target).map(|(_, c)| c).collect();
        let print = |&sample: &u32| {
            let row = self.samples[sample as usize] as usize;
            used.iter().fold(SEED, |state, column| mix(state, bits(column.values.at(row))))
        };
        let train: HashSet<u64> = self.parts.train.iter().map(print).collect();
        let shared = self.parts.validation.iter().filter(|sample| train.contains(&print(sample))).count();
        let (subject, verb) = if shared == 1 { ("row", "is") } else { ("rows", "are") };
        let sentence = format!(
            "{shared} held-out {subject} {verb} also learned from, word for word: the result on them says nothing about new ones."
        );
        (shared > 0).then_some(Finding { kind: FindingKind::SharedRows, column: String::new(), rows: shared, sentence })
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// One step of FNV-1a, a word at a time, with the high half folded in.
fn mix(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(0x0100_0000_01b3);
    mixed ^ (mixed >> 29)
}

fn bits(value: Datum) -> u64 {
    match value {
        Datum::Number(number) if number.is_nan() => u64::MAX,
        Datum::Number(number) => (number + 0.0).to_bits(),
        Datum::Code(NONE) => u64::MAX,
        Datum::Code(code) => u64::from(code),
    }
}

fn fingerprint(column: &ReadColumn) -> u64 {
    let (words, rows) = match &column.values {
        Values::Numbers(values) | Values::Dates { days: values, .. } => (0, values.len()),
        Values::Words { words, codes } => (words.len() as u64, codes.len()),
    };
    (0..rows).fold(mix(SEED, words), |state, row| mix(state, bits(column.values.at(row))))
}

fn same_values(a: &ReadColumn, b: &ReadColumn) -> bool {
    match (&a.values, &b.values) {
        (Values::Numbers(a), Values::Numbers(b)) => a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())),
        (Values::Dates { days: a, .. }, Values::Dates { days: b, .. }) => {
            a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
        }
        // Words without a list are too many to have been told apart.
        (Values::Words { words: wa, codes: a }, Values::Words { words: wb, codes: b }) => !wa.is_empty() && wa == wb && a == b,
        _ => false,
    }
}

fn spread(column: &ReadColumn) -> Spread {
    match &column.values {
        Values::Numbers(values) => histogram(values, short),
        Values::Dates { days, timed } => histogram(days, |days| Moment::from_days(days, *timed).text()),
        Values::Words { words, .. } if words.is_empty() => Spread::None,
        Values::Words { words, codes } => bars(words, codes),
    }
}

fn histogram(values: &[f64], text: impl Fn(f64) -> String) -> Spread {
    let known = || values.iter().copied().filter(|value| !value.is_nan());
    let (low, high) = known().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return Spread::None;
    }
    let mut counts = vec![0u32; BINS];
    let (mut sum, mut n) = (0.0, 0.0f64);
    for value in known() {
        let bin = ((value - low) / (high - low).max(f64::MIN_POSITIVE) * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
        (sum, n) = (sum + (value - low), n + 1.0);
    }
    Spread::Histogram { low, high, ends: [text(low), text(high)], mean: low + sum / n, counts }
}

fn bars(words: &[String], codes: &[u32]) -> Spread {
    let mut counts = vec![0u32; words.len()];
    for &code in codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    let mut order: Vec<usize> = (0..words.len()).collect();
    order.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
    let (named, rest) = order.split_at(order.len().min(NAMED));
    let top = named.iter().map(|&code| (quote(&words[code]), counts[code])).collect();
    Spread::Bars { top, others: rest.len() as u32, rest: rest.iter().map(|&code| counts[code]).sum() }
}
