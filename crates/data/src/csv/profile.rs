//! What a table looks like, for a person to confirm or correct: how it was read, what each column holds, and what is odd about it.

use serde::{Deserialize, Serialize};

use super::choices::{ColumnType, DateOrder, Decimal, Delimiter, Goal, Missing};
use super::trouble::Trouble;

/// What a table looks like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// What stands between two values; never [`Delimiter::Auto`].
    pub delimiter: Delimiter,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Rows in the file, below the header.
    pub rows: usize,
    /// Rows that samples are made of.
    pub used: usize,
    /// What costs rows, most first.
    pub costs: Vec<Cost>,
    /// Every column, in order.
    pub columns: Vec<Column>,
    /// The column that is predicted.
    pub target: String,
    /// What predicting it is; never [`Goal::Auto`].
    pub task: Goal,
    /// Numbers that the network is given of a row.
    pub inputs: usize,
    /// The first values and rows in trouble.
    pub trouble: Vec<Trouble>,
    /// How many there are altogether.
    pub trouble_count: usize,
    /// What is odd about the table, a sentence each.
    pub findings: Vec<Finding>,
}

/// What costs rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// The column whose values are missing; empty where a row has too few or too many values.
    pub column: String,
    /// Rows that are left out because of it alone or among others.
    pub rows: usize,
}

/// What is known of one column, and what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, or "column 3".
    pub name: String,
    /// What it was guessed to hold; never [`ColumnType::Auto`].
    pub guess: ColumnType,
    /// What it is read as: the guess, or what a person says; never [`ColumnType::Auto`].
    pub kind: ColumnType,
    /// Whether the network is given it; the target is not.
    pub used: bool,
    /// Whether the guess is to use it.
    pub usable: bool,
    /// Why it is left out by the guess: "it only numbers the rows"; empty where it is not.
    pub reason: String,
    /// How its values are written: "with a decimal comma", "day.month.year"; empty where there is nothing to say.
    pub format: String,
    /// The decimal sign its numbers were read with.
    pub decimal: Decimal,
    /// The order its dates were read with; [`DateOrder::Auto`] where it holds none.
    pub date: DateOrder,
    /// Rows without a value.
    pub missing: usize,
    /// Values that are not what the column holds, and count as missing.
    pub strays: usize,
    /// What stands in for a value that is missing; never [`Missing::Auto`].
    pub filling: Missing,
    /// That value as a person reads it, of all rows: "3", "red"; empty where nothing is filled in.
    pub filled: String,
    /// Whether an input more says that the value was missing.
    pub flag: bool,
    /// Different values, counted up to 1000.
    pub distinct: usize,
    /// Whether every number in it is whole.
    pub whole: bool,
    /// The first few different values.
    pub examples: Vec<String>,
    /// A unit that stands behind every number, with which it would be a column of numbers: "kg"; empty where there is none.
    pub unit: String,
    /// Numbers that the network is given of it.
    pub inputs: usize,
    /// How its values are spread.
    pub spread: Spread,
    /// Rows with a value.
    pub present: usize,
}

/// How the values of a column are spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Spread {
    /// There is nothing to show.
    #[default]
    None,
    /// Numbers or dates, in bins of equal width.
    Histogram {
        /// Smallest value; of dates, days since 1970.
        low: f64,
        /// Largest value.
        high: f64,
        /// Both as a person reads them.
        ends: [String; 2],
        /// Mean.
        mean: f64,
        /// Values in each bin.
        counts: Vec<u32>,
    },
    /// Words, the most frequent first.
    Bars {
        /// The first few, and how often each comes.
        top: Vec<(String, u32)>,
        /// How many more different words there are.
        others: u32,
        /// How often those come together.
        rest: u32,
    },
}

/// Something odd about the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// The column that it is about; empty where it is about rows.
    pub column: String,
    /// How many rows it concerns; 0 where it is about the whole column.
    pub rows: usize,
    /// All of it as a sentence.
    pub sentence: String,
}

/// A kind of [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FindingKind {
    /// A column with one value only.
    Constant,
    /// A column most of whose values are missing.
    Sparse,
    /// A column that says the same as another.
    Duplicate,
    /// A column that alone gives the target.
    Leak,
    /// Rows that are in both parts of the split.
    SharedRows,
    /// A quote that opens and never closes.
    Quote,
    /// One class is much more frequent than the others.
    Imbalance,
    /// A target that lies far from the others.
    Outlier,
}

impl Column {
    /// Whether the network can be given it, or asked for it.
    pub fn is_usable(&self) -> bool {
        self.usable
    }

    /// What predicting this column is: a few whole numbers are classes.
    pub fn goal(&self) -> Goal {
        let few = self.whole && self.distinct <= 10 && 2 * self.distinct <= self.present;
        if self.kind == ColumnType::Number && !few { Goal::Regression } else { Goal::Classification }
    }
}
