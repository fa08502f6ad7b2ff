//! A table that was read, and what is made of it: which column is predicted from which others, which rows are samples, and how a row
//! becomes inputs.

use downhill_tensor::UserError;

use super::choices::{Choices, ColumnChoice, ColumnType, Goal, Missing};
use super::columns::{MAX_CATEGORIES, NONE, ReadColumn, Values, suggest_target};
use super::date::{Moment, moment};
use super::encode::{Datum, Encoder, Scale};
use super::number::{Absence, missing, number, with_unit};
use super::profile::{Column, Cost};
use super::sheet::Sheet;
use super::timeline::{Order, Timeline};
use super::trouble::{Trouble, TroubleLog};
use crate::spec::{nearest, quote};
use crate::split::{Split, split};
use crate::windows::Series;

/// Most inputs one sample may have after categories became one input per word.
const MAX_FEATURES: usize = 2000;
/// Most numbers the whole set may have: 80 MB.
const MAX_NUMBERS: usize = 20_000_000;

/// See the module.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) sheet: Sheet,
    pub(super) columns: Vec<ReadColumn>,
    pub(super) target: usize,
    pub(super) goal: Goal,
    pub(super) answers: Answers,
    inputs: Vec<Input>,
    /// The row of the sheet that each sample is.
    pub(super) samples: Vec<u32>,
    /// Which samples are learned from.
    pub(super) parts: Split,
    pub(super) trouble: TroubleLog,
    pub(super) costs: Vec<Cost>,
    /// Which rows follow each other, where the table is read as series.
    pub(super) timeline: Option<Timeline>,
}

/// A column that the network is given.
#[derive(Clone, Debug)]
struct Input {
    column: usize,
    /// The first of its numbers.
    first: usize,
    encoder: Encoder,
}

/// The right answers of all samples.
#[derive(Clone, Debug)]
pub(super) enum Answers {
    Classes { classes: Vec<String>, labels: Vec<u32> },
    Numbers { scale: Scale, values: Vec<f32> },
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct TableCell<'a> {
    /// Name of the column.
    pub column: &'a str,
    /// The value as the table writes it.
    pub text: &'a str,
    /// What stands in for it where it is missing; empty where it is there, or not used.
    pub filled: String,
    /// The place of the column among the inputs; `None` where the network is not given it.
    pub place: Option<usize>,
    /// Whether it is the right answer.
    pub target: bool,
}

impl Table {
    /// Decides what is predicted from what, and fits the inputs on the rows that are learned from.
    ///
    /// # Errors
    /// When a chosen column does not exist, or there is nothing to learn.
    pub(super) fn new(sheet: Sheet, mut columns: Vec<ReadColumn>, choices: &Choices) -> Result<Self, UserError> {
        let target = find_target(&columns, choices)?;
        let goal = find_goal(&columns[target].about, choices)?;
        let mut used = find_inputs(&mut columns, target, choices)?;
        let find = |name: &str| find_column(&columns, name);
        let order = choices.series.as_ref().map(|series| Order::find(&columns, series, find)).transpose()?;
        if let Some(order) = order {
            // When and to which series a row belongs is given only where a person says so.
            let said = |about: &Column| choices.columns.0.get(&about.name).and_then(|choice| choice.used) == Some(true);
            used.retain(|&i| !order.holds(i) || said(&columns[i].about));
            (0..columns.len()).for_each(|i| columns[i].about.used &= used.contains(&i));
        }
        if used.is_empty() && order.is_none() {
            let message = format!("There is no column to predict \"{}\" from.", quote(&columns[target].about.name));
            return Err(UserError::at("text", message).hint("Add a column of numbers, or check the delimiter."));
        }
        let (mut samples, trouble, costs) = sound_rows(&sheet, &columns, &used, target);
        if samples.is_empty() {
            let example = trouble.first.first().map(Trouble::to_string).unwrap_or_default();
            let message = format!("No row can be used. {example}");
            return Err(UserError::at("text", message).hint("Choose another target, or let missing values be filled in."));
        }
        let timeline = match (&choices.series, order) {
            (Some(series), Some(order)) => Some(Timeline::new(&sheet, &columns, &samples, order, series.cut)?),
            _ => None,
        };
        if let Some(timeline) = &timeline {
            samples = timeline.runs.concat();
        }
        let (labels, classes) = classes_of(&columns[target], goal, &samples)?;
        let parts = match &timeline {
            Some(timeline) => timeline.split(choices.validation)?,
            None => split(&labels, choices.validation, choices.seed),
        };
        let train: Vec<u32> = parts.train.iter().map(|&sample| samples[sample as usize]).collect();
        let mut inputs = Vec::new();
        let mut first = 0;
        for &column in &used {
            let encoder = Encoder::fit(&columns[column], &train, choices.single);
            let len = encoder.moments().len();
            let about = &mut columns[column].about;
            about.inputs = len;
            inputs.push(Input { column, first, encoder });
            first += len;
            let input = &inputs[inputs.len() - 1];
            if columns[column].about.missing > 0 && columns[column].about.filling != Missing::Drop {
                columns[column].about.filled = input.encoder.filled(&columns[column]);
            }
        }
        if first > MAX_FEATURES || first.saturating_mul(samples.len()) > MAX_NUMBERS {
            let message = format!("The table becomes {} rows of {first} inputs, which is too much.", samples.len());
            let hint = format!("Leave out some columns: at most {MAX_FEATURES} inputs and {MAX_NUMBERS} numbers fit.");
            return Err(UserError::at("text", message).hint(hint));
        }
        let answers = match classes {
            Some(classes) => Answers::Classes { classes, labels },
            None => real_answers(&columns[target], &samples, &train, choices.single),
        };
        Ok(Self { sheet, columns, target, goal, answers, inputs, samples, parts, trouble, costs, timeline })
    }

    /// Rows below the header, those that are left out included.
    pub fn rows(&self) -> usize {
        self.sheet.rows_in_file
    }

    /// The number of the row that a sample of a part is, from 1 below the header.
    pub fn number_of(&self, train: bool, place: usize) -> Option<u32> {
        let part = if train { &self.parts.train } else { &self.parts.validation };
        let row = *self.samples.get(*part.get(place)? as usize)?;
        self.sheet.numbers.get(row as usize).copied()
    }

    /// The sample that a row is: whether it is learned from, and its place in that part; `None` for a row that is left out.
    pub fn sample_of(&self, number: u32) -> Option<(bool, usize)> {
        let row = self.row_of(number)? as u32;
        let sample = self.samples.binary_search(&row).ok()? as u32;
        let in_train = self.parts.train.binary_search(&sample).map(|place| (true, place));
        in_train.or_else(|_| self.parts.validation.binary_search(&sample).map(|place| (false, place))).ok()
    }

    /// Line of the file on which a row begins, from 1; `None` where there is no such row.
    pub fn line_of(&self, number: u32) -> Option<u64> {
        self.row_of(number).map(|row| self.sheet.line(row))
    }

    fn row_of(&self, number: u32) -> Option<usize> {
        self.sheet.numbers.binary_search(&number).ok()
    }

    /// Every value of a row; nothing where there is no such row, or it has too few or too many values.
    pub fn cells(&self, number: u32) -> Vec<TableCell<'_>> {
        let Some(row) = self.row_of(number) else { return Vec::new() };
        let cell = |(i, column): (usize, &'_ ReadColumn)| {
            let place = self.inputs.iter().position(|input| input.column == i);
            let lacking = place.is_some() && column.values.is_missing(row);
            let filled = if lacking { column.about.filled.clone() } else { String::new() };
            TableCell {
                column: &self.columns[i].about.name,
                text: self.sheet.value(row, i),
                filled,
                place,
                target: i == self.target,
            }
        };
        self.columns.iter().enumerate().map(cell).collect()
    }

    /// The columns that the network is given: name, first input, number of inputs.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.inputs.iter().map(|input| {
            let about = &self.columns[input.column].about;
            (about.name.as_str(), input.first, about.inputs)
        })
    }

    /// The inputs of a row; `None` where there is no such row.
    pub fn encode(&self, number: u32) -> Option<Vec<f32>> {
        self.row_of(number).map(|row| self.encode_row(row))
    }

    fn encode_row(&self, row: usize) -> Vec<f32> {
        let mut inputs = Vec::new();
        self.inputs.iter().for_each(|input| input.encoder.write(self.columns[input.column].values.at(row), &mut inputs));
        inputs
    }

    /// The inputs of a row of which nothing is known: means of numbers and most frequent words of what is learned from.
    pub fn neutral(&self) -> Vec<f32> {
        self.inputs.iter().flat_map(|input| input.encoder.neutral(&self.columns[input.column])).collect()
    }

    /// The inputs of a row that a person types, a text for each of [`Table::inputs`].
    ///
    /// # Errors
    /// When there are more or fewer, or one cannot be read as its column is.
    pub fn encode_typed(&self, texts: &[String]) -> Result<Vec<f32>, UserError> {
        if texts.len() != self.inputs.len() {
            let message = format!("{} values were given; the network takes {}.", texts.len(), self.inputs.len());
            return Err(UserError::new(message));
        }
        let mut out = Vec::new();
        for (input, text) in self.inputs.iter().zip(texts) {
            let column = &self.columns[input.column];
            input.encoder.write(datum(column, text.trim())?, &mut out);
        }
        Ok(out)
    }

    /// What follows each other, as series: the target, then the inputs of every row, with what was taken off them and what they were divided by.
    pub(super) fn series(&self, timeline: &Timeline) -> Series {
        let Answers::Numbers { scale, values } = &self.answers else { unreachable!("a series is one of numbers") };
        let names = std::iter::once(self.columns[self.target].about.name.clone()).chain(self.features()).collect();
        let scales = std::iter::once((scale.mean, scale.std)).chain(self.inputs.iter().flat_map(|i| i.encoder.moments()));
        let mut values = values.iter();
        let mut run = |rows: &Vec<u32>| {
            let row = |&row: &u32| {
                let inputs = self.encode_row(row as usize);
                values.next().copied().into_iter().chain(inputs).collect::<Vec<f32>>()
            };
            rows.iter().flat_map(row).collect()
        };
        let runs = timeline.runs.iter().map(&mut run).collect();
        Series { names, predicted: 1, runs, scales: scales.collect() }
    }

    /// The inputs of all samples, in their order.
    pub(super) fn encode_all(&self) -> Vec<f32> {
        let width: usize = self.inputs.iter().map(|input| self.columns[input.column].about.inputs).sum();
        let mut x = Vec::with_capacity(width * self.samples.len());
        for &row in &self.samples {
            for input in &self.inputs {
                input.encoder.write(self.columns[input.column].values.at(row as usize), &mut x);
            }
        }
        x
    }

    /// Names of all inputs.
    pub(super) fn features(&self) -> Vec<String> {
        self.inputs.iter().flat_map(|input| input.encoder.names(&self.columns[input.column])).collect()
    }

    /// What was taken off every input.
    pub(super) fn moments(&self) -> (Vec<f64>, Vec<f64>) {
        self.inputs.iter().flat_map(|input| input.encoder.moments()).unzip()
    }

    /// Whether the inputs are two numbers, which can be drawn.
    pub(super) fn is_plane(&self) -> bool {
        self.inputs.len() == 2 && self.inputs.iter().all(|input| input.encoder.is_plain_number())
    }

    /// What a person should know: columns left out, values filled in, rows in trouble.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (i, column) in self.columns.iter().enumerate().filter(|(i, _)| *i != self.target) {
            let (about, name) = (&column.about, quote(&column.about.name));
            let used = self.inputs.iter().any(|input| input.column == i);
            if !used && !about.usable {
                notes.push(format!("Column \"{name}\" is left out: {}.", about.reason));
            } else if used && !about.filled.is_empty() {
                let filled = quote(&about.filled);
                notes.push(format!("Column \"{name}\": {} missing values are read as {filled}.", about.missing));
            }
        }
        notes.extend(self.timeline.iter().flat_map(|timeline| timeline.notes.iter().cloned()));
        let quotes = self.sheet.loose_quotes();
        notes.extend(quotes.iter().map(|line| format!("Line {line}: {LOOSE_QUOTE}.")));
        notes.extend(self.trouble.first.iter().map(Trouble::to_string));
        if self.trouble.count > self.trouble.first.len() {
            notes.push(format!("{} more rows or values are in such trouble.", self.trouble.count - self.trouble.first.len()));
        }
        notes
    }
}

/// What is said of a quote that is a character like others.
pub(super) const LOOSE_QUOTE: &str = "the quote that opens here never closes, so it is read as a character like others";

/// A text as a value of a column.
fn datum(column: &ReadColumn, text: &str) -> Result<Datum, UserError> {
    let about = &column.about;
    let wrong = |what: &str| UserError::at(quote(&about.name), format!("\"{}\" is not {what}.", quote(text)));
    let nothing = missing(text) != Absence::No;
    match &column.values {
        Values::Numbers(_) if nothing => Ok(Datum::Number(f64::NAN)),
        Values::Numbers(_) => {
            let read = number(text, about.decimal).or_else(|| with_unit(text, about.decimal).map(|(number, _)| number));
            read.map(Datum::Number).ok_or_else(|| wrong("a number"))
        }
        Values::Dates { .. } if nothing => Ok(Datum::Number(f64::NAN)),
        Values::Dates { .. } => {
            moment(text, about.date).map(|m: Moment| Datum::Number(m.days())).ok_or_else(|| wrong("a date like the others"))
        }
        Values::Words { words, .. } => {
            let same =
                |word: &&String| **word == text || (number(text, about.decimal).is_some_and(|n| n.to_string() == **word));
            match words.iter().position(|word| same(&word)) {
                Some(code) => Ok(Datum::Code(code as u32)),
                None if nothing => Ok(Datum::Code(NONE)),
                None => {
                    let near = nearest(text, words.iter().map(String::as_str)).unwrap_or_default();
                    Err(wrong("among the words of this column").hint(format!("Did you mean \"{}\"?", quote(near))))
                }
            }
        }
    }
}

fn find_column(columns: &[ReadColumn], name: &str) -> Result<usize, UserError> {
    columns.iter().position(|column| column.about.name == name).ok_or_else(|| {
        let near = nearest(name, columns.iter().map(|c| c.about.name.as_str())).unwrap_or_default();
        let message = format!("The table has no column \"{}\".", quote(name));
        UserError::new(message).hint(format!("Did you mean \"{}\"?", quote(near)))
    })
}

fn find_target(columns: &[ReadColumn], choices: &Choices) -> Result<usize, UserError> {
    if choices.target.is_empty() {
        return suggest_target(columns.iter().map(|column| &column.about)).ok_or_else(|| {
            let message = "No column can be predicted: each is empty, always the same, or free text.";
            UserError::at("text", message).hint("Add a column with a number or a few different words in every row.")
        });
    }
    find_column(columns, &choices.target).map_err(|e| e.under("target"))
}

fn find_goal(target: &Column, choices: &Choices) -> Result<Goal, UserError> {
    let name = quote(&target.name);
    if target.distinct < 2 {
        let message = match target.examples.first() {
            Some(value) => format!("Column \"{name}\" only ever holds \"{value}\", so there is nothing to tell apart."),
            None => format!("Column \"{name}\" is empty."),
        };
        return Err(UserError::at("target", message).hint("Choose another column, or add rows with another value."));
    }
    let numeric = target.kind == ColumnType::Number;
    if choices.series.is_some() {
        if numeric {
            return Ok(Goal::Regression);
        }
        let message = format!("Column \"{name}\" does not hold numbers, so what follows in it cannot be forecast.");
        return Err(UserError::at("target", message)
            .hint("Choose a column of numbers, or a `window` of 0: then every row is a sample."));
    }
    match choices.goal {
        Goal::Auto => Ok(target.goal()),
        Goal::Regression if !numeric => {
            let message = format!("Column \"{name}\" does not hold numbers, so it cannot be predicted as one.");
            Err(UserError::at("task", message).hint("Choose `classification`, or another target."))
        }
        chosen => Ok(chosen),
    }
}

/// The columns that the network is given: those that are guessed to be of use, but for what a person says.
fn find_inputs(columns: &mut [ReadColumn], target: usize, choices: &Choices) -> Result<Vec<usize>, UserError> {
    let mut left_out = vec![false; columns.len()];
    for (i, name) in choices.ignore.iter().enumerate() {
        left_out[find_column(columns, name).map_err(|e| e.under(&format!("ignore[{i}]")))?] = true;
    }
    for (name, choice) in choices.columns.0.iter() {
        let path = format!("columns.{}", quote(name));
        let column = find_column(columns, name).map_err(|e| e.under(&path))?;
        left_out[column] |= choice.used == Some(false);
        check_choice(&columns[column].about, choice).map_err(|e| e.under(&path))?;
    }
    let used = |column: usize| choices.columns.0.get(&columns[column].about.name).and_then(|choice| choice.used) == Some(true);
    let can_be_given = |about: &Column| about.kind != ColumnType::Text;
    let wanted = |i: &usize| {
        let about = &columns[*i].about;
        // A constant of which nobody says anything teaches nothing; a type that a person chose says that the column is wanted.
        let chosen = choices.columns.0.get(&about.name).is_some_and(|choice| choice.kind != ColumnType::Auto);
        let by_guess = about.usable || (chosen && about.distinct > 1);
        *i != target && !left_out[*i] && can_be_given(about) && (by_guess || used(*i))
    };
    let mut inputs: Vec<usize> = (0..columns.len()).filter(wanted).collect();
    if inputs.is_empty() {
        // Numbers of rows are better than nothing: what is asked may be how something goes on.
        let counts = |i: &usize| {
            *i != target && !left_out[*i] && columns[*i].about.kind == ColumnType::Number && columns[*i].about.distinct > 1
        };
        inputs = (0..columns.len()).filter(counts).collect();
        for &i in &inputs {
            (columns[i].about.usable, columns[i].about.reason) = (true, String::new());
        }
    }
    for &i in &inputs {
        columns[i].about.used = true;
    }
    Ok(inputs)
}

/// What a person says of a column has to go with what it holds.
fn check_choice(about: &Column, choice: &ColumnChoice) -> Result<(), UserError> {
    let words = matches!(about.kind, ColumnType::Category | ColumnType::Text);
    match choice.missing {
        Missing::Mean | Missing::Median if words => {
            let message = "Words have no mean and no median.";
            Err(UserError::at("missing", message).hint("Choose `most_frequent`, `category` or `drop`."))
        }
        Missing::Category if !words => {
            let message = "Numbers and dates have no category for what is missing.";
            Err(UserError::at("missing", message).hint("Choose `median`, and `\"flag\": true` for an input that says so."))
        }
        _ if choice.used == Some(true) && about.kind == ColumnType::Text => {
            let message = "Free text cannot be given to the network.";
            Err(UserError::at("use", message).hint("Choose the type `category` for words that come again."))
        }
        _ if about.kind == ColumnType::Category && about.guess == ColumnType::Text && about.distinct >= 1000 => {
            Err(UserError::at("type", "There are too many different words for categories.").hint("Choose `text`."))
        }
        _ => Ok(()),
    }
}

/// The rows in which the target can be read, and what may not be missing is there; what is wrong with the others, and which columns cost
/// most of them.
fn sound_rows(sheet: &Sheet, columns: &[ReadColumn], inputs: &[usize], target: usize) -> (Vec<u32>, TroubleLog, Vec<Cost>) {
    let mut log = sheet.ragged.clone();
    let needed: Vec<usize> = std::iter::once(target)
        .chain(inputs.iter().copied().filter(|&i| columns[i].about.filling == Missing::Drop))
        .filter(|&i| columns[i].about.missing > 0)
        .collect();
    let mut lost = vec![0; needed.len()];
    let mut sound = Vec::with_capacity(sheet.rows.len());
    for row in 0..sheet.rows.len() {
        let mut flaw = None;
        for (&column, lost) in needed.iter().zip(&mut lost) {
            if columns[column].values.is_missing(row) {
                *lost += 1;
                flaw = flaw.or(Some(column));
            }
        }
        match flaw {
            None => sound.push(row as u32),
            Some(column) => log.add(|| {
                let value = sheet.value(row, column);
                let nothing = missing(value) != Absence::No;
                let problem = if nothing { "there is no value".to_string() } else { super::number::not_a_number(value) };
                Trouble { line: sheet.line(row), column: Some(columns[column].about.name.clone()), problem, dropped: true }
            }),
        }
    }
    for &column in inputs.iter().filter(|&&i| columns[i].about.filling != Missing::Drop) {
        let (strays, count) = (&columns[column].strays, columns[column].about.strays);
        strays.iter().for_each(|stray| log.add(|| stray.clone()));
        log.count += count - strays.len();
    }
    let cost = |(&column, &rows): (&usize, &usize)| Cost { column: columns[column].about.name.clone(), rows };
    let mut costs: Vec<Cost> = needed.iter().zip(&lost).map(cost).collect();
    costs.push(Cost { column: String::new(), rows: sheet.ragged.count });
    costs.retain(|cost| cost.rows > 0);
    downhill_tensor::sort_short_by_key(&mut costs, |cost| std::cmp::Reverse(cost.rows));
    (sound, log, costs)
}

/// The class of every sample, or 0 throughout for numbers; and the names of the classes.
fn classes_of(column: &ReadColumn, goal: Goal, samples: &[u32]) -> Result<(Vec<u32>, Option<Vec<String>>), UserError> {
    if goal == Goal::Regression {
        return Ok((vec![0; samples.len()], None));
    }
    let (words, codes) = column.as_words();
    let mut places = vec![NONE; words.len()];
    samples.iter().for_each(|&row| {
        if let Some(place) = places.get_mut(codes[row as usize] as usize) {
            *place = 0;
        }
    });
    let mut classes = Vec::new();
    for (place, word) in places.iter_mut().zip(words) {
        if *place != NONE {
            *place = classes.len() as u32;
            classes.push(word);
        }
    }
    let name = quote(&column.about.name);
    let too_many = column.about.distinct > MAX_CATEGORIES;
    if classes.len() < 2 && !too_many {
        let message =
            format!("The rows that can be read have only one value in \"{name}\", so there is nothing to tell apart.");
        return Err(UserError::at("target", message).hint("Choose another column, or add rows with another value."));
    }
    if too_many || classes.len() > MAX_CATEGORIES {
        let message = format!(
            "Column \"{name}\" has {} different values; at most {MAX_CATEGORIES} can be classes.",
            column.about.distinct
        );
        return Err(UserError::at("target", message).hint("Choose another column, or `regression` if they are numbers."));
    }
    Ok((samples.iter().map(|&row| places[codes[row as usize] as usize]).collect(), Some(classes)))
}

fn real_answers(column: &ReadColumn, samples: &[u32], train: &[u32], single: bool) -> Answers {
    let number = |row: &u32| match column.values.at(*row as usize) {
        Datum::Number(number) => number,
        Datum::Code(_) => f64::NAN,
    };
    let scale = Scale::fit(train.iter().map(number), single);
    Answers::Numbers { scale, values: samples.iter().map(|row| scale.apply(number(row))).collect() }
}
