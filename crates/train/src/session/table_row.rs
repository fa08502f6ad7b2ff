//! What the table says in one of its rows. What the network makes of it is a watch, see [`downhill_protocol::Input::Row`].

use downhill_data::csv::TableCell;
use downhill_protocol::{Cell, Part, TableRow};
use downhill_tensor::UserError;

use super::Session;

impl Session {
    /// A row of the table that the samples come from, by its number from 1 below the header.
    ///
    /// # Errors
    /// When the data is no table, or has no such row.
    pub(crate) fn table_row(&self, id: u32, row: u32) -> Result<TableRow, UserError> {
        let Some(table) = self.run.data().table.as_deref() else {
            return Err(UserError::new("These samples are no rows of a table."));
        };
        let Some(line) = table.line_of(row) else {
            let message = format!("The table has no row {row} that can be read; it has {} rows.", table.rows());
            return Err(UserError::new(message).hint("Rows are counted from 1 below the names of the columns."));
        };
        let sample = table.sample_of(row);
        let part = sample.map(|(train, _)| if train { Part::Train } else { Part::Validation });
        let place = sample.map_or(0, |(_, place)| place as u32);
        let cell = |cell: TableCell<'_>| Cell {
            column: cell.column.to_string(),
            text: cell.text.to_string(),
            filled: cell.filled,
            place: cell.place.map(|place| place as u32),
            target: cell.target,
        };
        let cells = table.cells(row).into_iter().map(cell).collect();
        Ok(TableRow { id, row, line: line as u32, part, place, cells })
    }
}
