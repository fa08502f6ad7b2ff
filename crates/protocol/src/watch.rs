//! The whole vocabulary between a picture and the engine: what the network is run on, which tensors are sent, and the answer. How they
//! are computed is the worker's affair, how they are painted the page's: a new picture asks with these words and adds none.

use serde::{Deserialize, Serialize};

use crate::{ArrayRef, Generate};

/// What is asked for, and how often. Answered with [`crate::Event::Answer`] whenever the run has moved on, or once with
/// [`crate::Event::Unanswered`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Chosen by the page; answers carry it. A watch takes the place of an earlier one of the same key.
    pub key: u32,
    /// What the network runs on.
    pub input: Input,
    /// The tensors to send.
    pub tensors: Vec<Query>,
    /// At most one answer in this many milliseconds.
    pub every_ms: f64,
}

/// What a watched network runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// Nothing: parameters can be asked for, and no program runs.
    State,
    /// The next training batch, forward and backward, as the next step will see it (with dropout); nothing is updated.
    Batch,
    /// A square of the input plane, `resolution` points a side, from `low` to `high` on both axes. Rows of points, the first one at the
    /// largest y.
    Grid {
        /// Points per side.
        resolution: u32,
        /// Smallest coordinate.
        low: f32,
        /// Largest coordinate.
        high: f32,
    },
    /// Points of a one-dimensional input, ascending.
    Line {
        /// Number of points.
        points: u32,
        /// Smallest input.
        low: f32,
        /// Largest input.
        high: f32,
    },
    /// Samples of a part of the data.
    Samples {
        /// The part.
        part: Part,
        /// Which ones, in this order; all of them where it is `None`.
        rows: Option<Vec<u32>>,
    },
    /// The held-out samples that are predicted worst, the worst first; samples learned from where none are held out.
    Worst {
        /// At most this many.
        limit: u32,
    },
    /// One row of a table, by its number from 1 below the header, and what each column of it is worth: the network runs on the row, on
    /// the row without each column, and on a row that is filled column by column. Its tensors are named below.
    Row {
        /// The row's number.
        row: u32,
    },
    /// One row as a person types it: a text for each of [`crate::DataInfo::columns`], in that order.
    Typed(Vec<String>),
    /// One sample that was drawn or typed: the raw values of each input of [`crate::DataInfo::inputs`], in that order. A point of a plane
    /// is `[x, y]`, whatever features are made of it.
    Given(Vec<Vec<f32>>),
    /// A query as a person types it, tokens of the first input, beside the other inputs of every sample held out, the first 1000 of them: a row for each, in
    /// their order. The `output` is how alike the query and each document are.
    Search(Vec<f32>),
    /// A text that the network continues. Its tensors are named below.
    Generated(Generate),
    /// One image, as it is in the first row, and once more for every place of a square that hides a part of it, row by row. There is a place for
    /// every `stride` pixels across and down, with the square around its middle. What is hidden has the median value of its channel.
    Occluded {
        /// The image: `Samples` of one row, or `Given`.
        image: Box<Input>,
        /// Pixels along a side of the square.
        side: u32,
        /// Pixels from one place to the next.
        stride: u32,
    },
}

impl Input {
    /// Whether a worker can answer with the code that it has from the start.
    pub fn is_at_once(&self) -> bool {
        matches!(self, Input::State | Input::Batch | Input::Grid { .. } | Input::Line { .. } | Input::Samples { .. })
    }
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// What is learned from.
    Train,
    /// What is held out; what is learned from where nothing is held out.
    Validation,
}

/// A tensor, and how much of it.
///
/// Names: a parameter's (`2.weight`); a layer's path (`model[2]`) for what it gives, `[rows, …shape]`; `grad:` before either of them, and
/// `loss`, for [`Input::Batch`] and for a single sample of [`Input::Samples`]; what a layer has on its way ([`crate::LayerStats::inner`]) behind
/// its path and a dot: `model[2].attention`, the weights it looks with `[rows, heads, queries, keys]`, `model[0].hidden_l0`, the states of a
/// recurrent layer `[rows, steps, units]`, whose `grad:` holds all ways from a state to the loss, and `model[0].gates_l0` `[rows, steps, n,
/// units]`, which are i, f, g, o and the cell state of an lstm, r, z, n and `W_hn·h + b_hn` of a gru; `model[4].lens:model[2]`, of the
/// last layer, what the network would say if the layer at the second path were the last before its end, as `output`; `output` for the predictions `[rows, labels]` as a person reads them, `[rows, positions, labels]` where there are several: a probability per class, or values
/// in the units of the data, or how alike query and document are `[rows, 1]`; `output:without:model[2].attention:1` for the same without the second head of the attention at that path, and
/// `output:without:model[2].attention:1:5:3` without what the sixth query of that head takes from the fourth key; `input` for what the network sees `[rows, …shape]` and `raw` for the same in the units of the data (points of
/// the plane, tokens), followed by `:1`, `:2`, … for the second and further inputs; `target` for the right answers `[rows, 1]`, the
/// index of a class, `[rows, positions]` where there are several, NaN where none is asked for, or, `[rows, targets]`, values; `saliency` for the gradient of the likeliest class's score, or of the sum of the values, by
/// `input`; `augmented` for the
/// first input of samples to learn from as a step could be given it, empty where steps are given them as they are; `row` for the places of the samples in their part `[rows]`; `table_row` for the numbers of
/// their rows in the table, from 1 below the header, `[rows]`. `output:offset` and `target:offset` are values counted from
/// [`crate::DataInfo::target_mean`]: where values are large and their differences small, only these tell them apart.
///
/// Where samples are windows of series, `ahead` is what follows the window, `[rows, steps, predicted]`, NaN behind the end of the series, and of
/// a single row `continuation` the answer and what the network says when it is given its own answers in turn, for as many steps.
/// Where samples are sounds, `sound` is the wave of each, within −1…1, `[rows, samples]`.
///
/// For [`Input::Row`], of which `rows` is 1 and `columns` as many as [`crate::DataInfo::columns`]: `output`, `target`, `row` and `table_row` as
/// above; `start` the answer for a row of which nothing is known, every column at its training mean or most frequent word, `[1, labels]`;
/// `alone` by how much the answer moves when a column of the row is replaced by those, `[columns, labels]`; `parts` by how much it moves
/// when the columns are told one after the other, the mean of both directions, `[columns, labels]`: `start` and all parts
/// make up the answer exactly. Of regression, `start` counts from [`crate::DataInfo::target_mean`].
///
/// For [`Input::Generated`]: `tokens` of the whole text `[tokens]`, of which the first `given` `[1]` are the prompt; `probability` of each, NaN
/// where it is not known, as of the first; `likeliest` `[tokens, 10]`, the tokens that were likeliest at its place, and their
/// `likeliest_probability`; `speed` as [`crate::Speed`] has it, in its order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// Name.
    pub name: String,
    /// How much of it.
    pub view: View,
}

impl Query {
    /// A whole tensor.
    pub fn all(name: impl Into<String>) -> Self {
        Self { name: name.into(), view: View::All }
    }

    /// The statistics of a tensor.
    pub fn stats(name: impl Into<String>) -> Self {
        Self { name: name.into(), view: View::Stats }
    }
}

/// How much of a tensor is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum View {
    /// Every element.
    All,
    /// The numbers of [`STATS`], in that order.
    Stats,
    /// How many elements fall into each of some bins of equal width between the smallest and the largest finite one: `[bins, 2]`, the
    /// lower edge and the count. The bins of `[0, 1, 2, 2]` in two are `[[0, 1], [1, 3]]`.
    Histogram {
        /// Number of bins.
        bins: u32,
    },
    /// A box: from `start` on, `len` elements along each axis; what reaches beyond the tensor is cut off, further axes are whole. Of
    /// `[rows, 64]`, `start: [0, 8], len: [rows, 2]` is columns 8 and 9.
    Slice {
        /// First index along each axis.
        start: Vec<u32>,
        /// Elements along each axis.
        len: Vec<u32>,
    },
    /// Of a matrix: where its rows lie along its first principal components, `[rows + 1, count]`, each with the sign by which the largest coordinate is
    /// positive. The last row is the share of the variance that each component has.
    Components {
        /// How many.
        count: u32,
    },
    /// Of a matrix: the rows that point most nearly to where the sum of some rows less that of others does, all of them of length 1, `[found, 2]`: the
    /// place of each and the cosine, the nearest first. The rows that are named are none of them. `plus: [king, woman], minus: [man]` is near `queen`.
    Nearest {
        /// Rows that are added.
        plus: Vec<u32>,
        /// Rows that are taken off.
        minus: Vec<u32>,
        /// How many at most.
        count: u32,
    },
}

/// What [`View::Stats`] holds. `zeros` is the share of elements that are 0; `dead` the share of units that give nothing for any row;
/// `saturated` the share of elements at the flat ends of a bounded activation; `update_ratio` how far a parameter moved per step since
/// the answer before, relative to its norm. NaN where a number has no meaning for the tensor.
pub const STATS: [&str; 9] = ["mean", "std", "norm", "min", "max", "zeros", "dead", "saturated", "update_ratio"];

/// The number of that name among [`STATS`].
pub fn stat(numbers: &[f32], name: &str) -> Option<f64> {
    let at = STATS.iter().position(|n| *n == name)?;
    numbers.get(at).map(|v| f64::from(*v)).filter(|v| !v.is_nan())
}

/// A tensor of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// What was asked for.
    pub query: Query,
    /// Shape of what is sent.
    pub shape: Vec<u32>,
    /// Elements, row-major.
    pub data: ArrayRef,
}

/// The elements of a tensor with their shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elements<'a> {
    /// Shape.
    pub shape: &'a [u32],
    /// Elements, row-major.
    pub data: &'a [f32],
}

impl<'a> Elements<'a> {
    /// The element at an index of one number per axis; `None` outside of the tensor.
    pub fn at(&self, index: &[u32]) -> Option<f32> {
        self.data.get(flat_index(self.shape, index)?).copied()
    }

    /// Number of elements of one entry along the first axis.
    pub fn width(&self) -> usize {
        self.shape.iter().skip(1).map(|&n| n as usize).product()
    }

    /// The elements of entry `i` along the first axis; nothing outside of the tensor.
    pub fn row(&self, i: usize) -> &'a [f32] {
        self.data.get(i * self.width()..).and_then(|rest| rest.get(..self.width())).unwrap_or(&[])
    }

    /// One number of every entry along the first axis: element `unit` of each row.
    pub fn column(&self, unit: usize) -> impl Iterator<Item = f32> + use<'a> {
        let width = self.width();
        self.data.iter().skip(unit).step_by(width.max(1)).copied().filter(move |_| unit < width)
    }
}

/// Where an element stands among all, row-major: of a `[3, 4]`, `[1, 2]` is the sixth after the first. `None` outside of the shape, or
/// where there are more or fewer numbers than axes.
pub fn flat_index(shape: &[u32], index: &[u32]) -> Option<usize> {
    let fits = shape.len() == index.len() && index.iter().zip(shape).all(|(i, n)| i < n);
    fits.then(|| index.iter().zip(shape).fold(0, |at, (&i, &n)| at * n as usize + i as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_by_one_number_per_axis_and_nothing_outside() {
        let data: Vec<f32> = (0..12u8).map(f32::from).collect();
        let tensor = Elements { shape: &[3, 4], data: &data };
        assert_eq!(tensor.at(&[1, 2]), Some(6.0));
        assert_eq!([&[1, 4][..], &[3, 0], &[1], &[0, 0, 0]].map(|i| tensor.at(i)), [None; 4]);
        assert_eq!((tensor.row(2), tensor.row(3)), (&data[8..], &[][..]));
        assert_eq!(tensor.column(1).collect::<Vec<_>>(), [1.0, 5.0, 9.0]);
        assert_eq!(tensor.column(4).count(), 0);
    }

    #[test]
    fn a_statistic_without_meaning_is_none() {
        let mut numbers = [f32::NAN; STATS.len()];
        numbers[2] = 3.0;
        assert_eq!((stat(&numbers, "norm"), stat(&numbers, "dead"), stat(&[], "mean")), (Some(3.0), None, None));
    }
}
