//! What can be decided about a table, and how large one may be. What is not decided is guessed by the other files.

use std::borrow::Cow;
use std::collections::BTreeMap;

use downhill_tensor::NameMap;
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::windows::Cut;

/// Largest table that is read, in bytes.
pub const MAX_BYTES: usize = 20_000_000;
/// Most rows that are read.
pub const MAX_ROWS: usize = 200_000;
/// Most columns that are read.
pub const MAX_COLUMNS: usize = 1000;

/// What stands between two values of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delimiter {
    /// Guessed
    #[default]
    Auto,
    /// ,
    Comma,
    /// ;
    Semicolon,
    /// Tabulator
    Tab,
    /// |
    Pipe,
    /// Any number of blanks
    Spaces,
}

/// Which sign stands between whole and fraction; the other one may group the digits by three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decimal {
    /// Guessed
    #[default]
    Auto,
    /// 1,234.5
    Point,
    /// 1.234,5
    Comma,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Guessed
    #[default]
    Auto,
    /// Numbers; standardised
    Number,
    /// A few different words; one input per word
    Category,
    /// Days or moments; year, month, day, weekday, hour and days since the first
    Date,
    /// Free text; left out
    Text,
}

/// What stands in for a value that is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The median of numbers and dates; words get a category of their own
    #[default]
    Auto,
    /// Nothing: the row is left out
    Drop,
    /// The mean of the training part
    Mean,
    /// The median of the training part
    Median,
    /// What is most frequent in the training part
    MostFrequent,
    /// A category of its own
    Category,
}

/// In which order a date is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// Guessed
    #[default]
    Auto,
    /// 2024-05-14
    YearFirst,
    /// 14.5.2024
    DayFirst,
    /// 5/14/2024
    MonthFirst,
}

/// What a person decided about one column; the default leaves everything to be guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnChoice {
    /// Whether the network is given it; empty is guessed.
    #[serde(rename = "use", skip_serializing_if = "is_default")]
    #[schemars(title = "Use")]
    pub used: Option<bool>,
    /// What its values are.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    #[schemars(title = "Type")]
    pub kind: ColumnType,
    /// What stands in for a value that is missing.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(title = "Missing values")]
    pub missing: Missing,
    /// Whether an input more says that the value was missing.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(title = "Missing flag")]
    pub flag: bool,
    /// Which sign stands before the fraction of its numbers.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(title = "Decimal sign")]
    pub decimal: Decimal,
    /// In which order its dates are written.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(title = "Date order")]
    pub date: DateOrder,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a person decided about the columns, by their names; a column of which nothing is said is guessed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnChoices(pub NameMap<ColumnChoice>);

impl Serialize for ColumnChoices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(_, choice)| !is_default(choice)).map(|(name, choice)| (name, choice)))
    }
}

impl<'de> Deserialize<'de> for ColumnChoices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |(name, value): (String, Value)| Ok((name, ColumnChoice::deserialize(&value).map_err(D::Error::custom)?));
        Map::deserialize(deserializer)?.into_iter().map(read).collect::<Result<_, _>>().map(ColumnChoices)
    }
}

impl JsonSchema for ColumnChoices {
    fn schema_name() -> Cow<'static, str> {
        "ColumnChoices".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, ColumnChoice>::json_schema(generator)
    }
}

/// Whether the first row names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// Guessed
    #[default]
    Auto,
    /// Column names
    Names,
    /// A sample like the others
    Data,
}

/// Whether the target is a class or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Guessed from the target column
    #[default]
    Auto,
    /// Which class?
    Classification,
    /// How much?
    Regression,
}

/// How a table is read as series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesChoices {
    /// How they are cut.
    pub cut: Cut,
    /// Column that says when a row was; left empty, the first one of dates, or else the order of the rows.
    pub time: String,
    /// Column that tells several series apart; left empty, there is one.
    pub group: String,
}

/// What a person decided about a table; the default leaves everything to be guessed.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Column to predict; empty is guessed.
    pub target: String,
    /// Whether it is a class or a number.
    pub goal: Goal,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// What stands between two values.
    pub delimiter: Delimiter,
    /// Whether the first row names the columns.
    pub header: Header,
    /// What differs from the guess.
    pub columns: ColumnChoices,
    /// Share of the rows that is never learned from.
    pub validation: f64,
    /// Decides which those are.
    pub seed: u32,
    /// Whether means are taken off in single precision, as of the bundled tables of version 1, whose samples stay the same bits for ever.
    pub single: bool,
    /// How it is read as series; none where every row is a sample of its own.
    pub series: Option<SeriesChoices>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            target: String::new(),
            goal: Goal::Auto,
            ignore: Vec::new(),
            delimiter: Delimiter::Auto,
            header: Header::Auto,
            columns: ColumnChoices::default(),
            validation: 0.3,
            seed: 1,
            single: false,
            series: None,
        }
    }
}
