//! The source `csv`: a table of one's own, in the document or in a file. How a table is read stands in the module `csv`.

use downhill_tensor::UserError;

use super::Generate;
use crate::assets::Assets;
use crate::csv::{Choices, ColumnChoices, Delimiter, Goal, Header, SeriesChoices, load};
use crate::dataset::Dataset;
use crate::fields;
use crate::windows::Cut;

fields! {
    /// A table of your own, one sample per row.
    #[schemars(title = "Table")]
    Csv {
        /// The table itself, kept in the experiment.
        #[schemars(title = "Table", length(max = 20_000_000))]
        text: String = String::new(),
        /// Name of a file to read when there is no text.
        #[schemars(title = "File", length(max = 1000))]
        file: String = String::new(),
        /// Column to predict; left empty, the likeliest is chosen.
        #[schemars(title = "Target", length(max = 1000))]
        target: String = String::new(),
        /// Whether the target is a class or a number.
        #[schemars(title = "Task")]
        task: Goal = Goal::Auto,
        /// Columns that are not given to the network.
        #[schemars(title = "Ignored columns", length(max = 1000))]
        ignore: Vec<String> = Vec::new(),
        /// What stands between two values of a row.
        #[schemars(title = "Delimiter")]
        delimiter: Delimiter = Delimiter::Auto,
        /// Whether the first row names the columns.
        #[schemars(title = "First row")]
        header: Header = Header::Auto,
        /// What differs from the guess, by the names of the columns.
        #[schemars(title = "Columns")]
        columns: ColumnChoices = ColumnChoices::default(),
        /// Rows of a series that the network is given; at 0 every row is a sample of its own.
        #[schemars(title = "Window", range(min = 0, max = 2000))]
        window: u32 = 0,
        /// Rows that it is to predict, with a window.
        #[schemars(title = "Horizon", range(min = 1, max = 500))]
        horizon: u32 = 1,
        /// Rows from one window to the next.
        #[schemars(title = "Stride", range(min = 1, max = 2000))]
        stride: u32 = 1,
        /// Column that says when a row was, with a window; left empty, the first one of dates, or else rows follow as they stand.
        #[schemars(title = "Time", length(max = 1000))]
        time: String = String::new(),
        /// Column that tells several series apart, with a window.
        #[schemars(title = "Group", length(max = 1000))]
        group: String = String::new(),
        /// Share of the rows that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

impl Csv {
    /// What a person decided about the table, with the seed that decides its split.
    pub fn choices(&self, seed: u32) -> Choices {
        Choices {
            target: self.target.clone(),
            goal: self.task,
            ignore: self.ignore.clone(),
            delimiter: self.delimiter,
            header: self.header,
            columns: self.columns.clone(),
            validation: self.validation,
            seed,
            single: false,
            series: (self.window > 0).then(|| SeriesChoices {
                cut: Cut { window: self.window as usize, horizon: self.horizon as usize, stride: self.stride as usize },
                time: self.time.clone(),
                group: self.group.clone(),
            }),
        }
    }
}

impl Generate for Csv {
    const OWN: bool = true;
    const TABLE: bool = true;

    fn needs(&self) -> Vec<&str> {
        (self.text.is_empty() && !self.file.is_empty()).then_some(self.file.as_str()).into_iter().collect()
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let bytes = match self.needs().first() {
            Some(file) => assets.own(file).map_err(|e| e.under("file"))?,
            None => self.text.clone().into_bytes(),
        };
        let mut samples = load(bytes, self.choices(seed))?;
        samples.description = if self.window > 0 {
            "Series of your own; a sample is a window of rows, and to be predicted is what follows it."
        } else {
            "A table of your own; a sample is one row."
        }
        .to_string();
        samples.licence = "Your own; it stays on this machine unless you share the experiment.".to_string();
        samples.finish(self.validation, seed)
    }
}
