//! Which rows of a table follow each other where it is read as series: in the order of time, each group by itself, and never over a gap.

use downhill_tensor::UserError;

use super::choices::{ColumnType, SeriesChoices};
use super::columns::{NONE, ReadColumn, Values};
use super::date::Moment;
use super::sheet::Sheet;
use crate::spec::quote;
use crate::split::Split;
use crate::windows::{Cut, learned};

/// The columns that order the rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    pub time: Option<usize>,
    pub group: Option<usize>,
}

/// Rows one after the other.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// How they are cut.
    pub cut: Cut,
    /// Rows of each stretch without a gap.
    pub runs: Vec<Vec<u32>>,
    /// What was odd about the order.
    pub notes: Vec<String>,
}

/// A step is a gap that is longer than this many of the longest among 19 of 20 steps: weekends are none where they come every week.
const GAP: f64 = 1.5;
/// Times that come twice are one series' own troubles up to this share of them; more are several series.
const TWICE: f64 = 0.1;

impl Order {
    /// Finds the columns; `find` looks one up by its name.
    pub fn find(
        columns: &[ReadColumn],
        choices: &SeriesChoices,
        find: impl Fn(&str) -> Result<usize, UserError>,
    ) -> Result<Self, UserError> {
        let named = |name: &str, field: &str| (!name.is_empty()).then(|| find(name).map_err(|e| e.under(field))).transpose();
        let (time, group) = (named(&choices.time, "time")?, named(&choices.group, "group")?);
        if let Some(column) = time.filter(|&column| matches!(columns[column].values, Values::Words { .. })) {
            let message = format!("Column \"{}\" holds words, which say no time.", quote(&columns[column].about.name));
            let hint = "Choose a column of dates or numbers, or leave `time` empty: then rows follow as they stand.";
            return Err(UserError::at("time", message).hint(hint));
        }
        let dates = || columns.iter().position(|column| column.about.kind == ColumnType::Date && column.about.distinct > 1);
        Ok(Self { time: time.or_else(dates), group })
    }
}

impl Order {
    /// Whether a column is one of them.
    pub fn holds(self, column: usize) -> bool {
        self.time == Some(column) || self.group == Some(column)
    }
}

/// A row with its time.
type At = (f64, u32);

impl Timeline {
    /// Puts the rows that can be used in order.
    pub fn new(sheet: &Sheet, columns: &[ReadColumn], sound: &[u32], order: Order, cut: Cut) -> Result<Self, UserError> {
        let groups = order.group.map(|column| columns[column].as_words().1);
        let group_of = |row: usize| groups.as_ref().map_or(0, |groups| groups[row]);
        let times = order.time.and_then(|column| match &columns[column].values {
            Values::Numbers(values) | Values::Dates { days: values, .. } => Some((column, values)),
            Values::Words { .. } => None,
        });
        let mut members: Vec<(u32, Vec<At>)> = Vec::new();
        let mut counts: Vec<(u32, f64)> = Vec::new();
        let (mut next_sound, mut lost) = (sound.iter().peekable(), 0);
        for row in 0..sheet.rows.len() {
            let group = group_of(row);
            // Where no column says it, the time is how many rows of the group there were before, those that cannot be used included.
            let place = place_of(&mut counts, group, 0.0);
            let time = times.map_or(*place, |(_, values)| values[row]);
            *place += 1.0;
            if next_sound.next_if(|sound| **sound as usize == row).is_none() {
                continue;
            }
            if time.is_nan() || group == NONE {
                lost += 1;
                continue;
            }
            place_of(&mut members, group, Vec::new()).push((time, row as u32));
        }
        let mut timeline = Self { cut, runs: Vec::new(), notes: Vec::new() };
        if lost > 0 {
            timeline.notes.push(format!("Rows left out because they have no time or no group: {lost}."));
        }
        let (mut disorder, mut twice, mut gaps, mut all) = (0usize, Vec::new(), Vec::new(), 0usize);
        for (_, mut rows) in members {
            all += rows.len();
            disorder += rows.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            twice.extend(rows.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].0));
            rows.dedup_by(|next, kept| next.0 == kept.0);
            timeline.cut_at_gaps(&rows, &mut gaps);
        }
        let text = |time: f64| match times.map(|(column, _)| &columns[column].values) {
            Some(Values::Dates { timed, .. }) => Moment::from_days(time, *timed).text(),
            _ => time.to_string(),
        };
        if let (Some(first), true) = (twice.first(), twice.len() as f64 > TWICE * all as f64) {
            let message = format!("The time {} comes more than once, and so do {} others.", text(*first), twice.len() - 1);
            return Err(UserError::at("time", message)
                .hint("Say in `group` which column tells several series apart, or choose another column of times."));
        }
        let name = times.map_or(String::new(), |(column, _)| quote(&columns[column].about.name));
        if disorder > 0 {
            timeline.notes.push(format!(
                "Rows are taken in the order of \"{name}\": {disorder} stand before an earlier one in the table."
            ));
        }
        if let Some(first) = twice.first() {
            let count = twice.len();
            timeline.notes.push(format!(
                "Rows that repeat a time: {count}, the first {}; of each time the first row is used.",
                text(*first)
            ));
        }
        if let Some(first) = gaps.first() {
            let where_ = if name.is_empty() { format!("row {}", *first as u64 + 1) } else { text(*first) };
            timeline.notes.push(format!("Gaps: {}, the first after {where_}; no window reaches over one.", gaps.len()));
        }
        Ok(timeline)
    }

    /// Which of the rows, one stretch after the other, are learned from.
    ///
    /// # Errors
    /// When no stretch is long enough.
    pub fn split(&self, fraction: f64) -> Result<Split, UserError> {
        let lengths: Vec<usize> = self.runs.iter().map(Vec::len).collect();
        let mut parts = Split { train: Vec::new(), validation: Vec::new() };
        let mut first = 0;
        for (&len, end) in lengths.iter().zip(learned(&lengths, self.cut, fraction)?) {
            let rows = |from: usize, to: usize| (first + from) as u32..(first + to) as u32;
            parts.train.extend(rows(0, end));
            parts.validation.extend(rows(end, len));
            first += len;
        }
        Ok(parts)
    }

    /// Adds the stretches of rows that are in order; `gaps` gets the time before each gap.
    fn cut_at_gaps(&mut self, rows: &[At], gaps: &mut Vec<f64>) {
        let mut steps: Vec<f64> = rows.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        steps.sort_unstable_by(f64::total_cmp);
        let usual = steps.get(steps.len().saturating_sub(1) * 19 / 20).copied().unwrap_or(0.0);
        let mut run: Vec<u32> = Vec::new();
        let mut before = None::<f64>;
        for &(time, row) in rows {
            if let Some(before) = before.filter(|before| time - before > GAP * usual) {
                gaps.push(before);
                self.runs.push(std::mem::take(&mut run));
            }
            run.push(row);
            before = Some(time);
        }
        self.runs.push(run);
    }
}

/// The entry of a group, made if need be.
fn place_of<T: Clone>(entries: &mut Vec<(u32, T)>, group: u32, new: T) -> &mut T {
    let at = entries.iter().position(|(other, _)| *other == group).unwrap_or_else(|| {
        entries.push((group, new));
        entries.len() - 1
    });
    &mut entries[at].1
}
