//! Makes samples of a table.

use std::sync::Arc;

use downhill_tensor::UserError;

use super::choices::Choices;
use super::reader::Reader;
use super::table::{Answers, Table};
use crate::dataset::{Normalisation, Plane, Samples, Scaling, Task};
use crate::field;
use crate::series::samples as samples_of_series;

/// Makes samples of a table: categories one input per word, numbers standardised, what is missing filled in, rows that cannot be
/// used left out and named.
///
/// # Errors
/// When the table cannot be read, a chosen column does not exist, or there is nothing to learn.
pub(crate) fn load(bytes: Vec<u8>, choices: Choices) -> Result<Samples, UserError> {
    let validation = choices.validation;
    let table = Reader::new(bytes, choices).finish()?;
    match &table.timeline {
        Some(timeline) => {
            let series = samples_of_series(table.series(timeline), timeline.cut, validation, ("", ""))?;
            Ok(Samples { notes: table.notes(), ..series })
        }
        None => Ok(samples(table)),
    }
}

fn samples(table: Table) -> Samples {
    let (mean, std) = table.moments();
    let name = table.columns[table.target].about.name.clone();
    let (task, y, target_mean, target_std) = match &table.answers {
        Answers::Classes { classes, labels } => {
            let task = Task::Classification { classes: classes.clone() };
            (task, field::Column::U32(labels.clone()), Vec::new(), Vec::new())
        }
        Answers::Numbers { scale, values } => {
            let task = Task::Regression { targets: vec![name] };
            (task, field::Column::F32(values.clone()), vec![scale.mean], vec![scale.std])
        }
    };
    let picture = table.is_plane() && matches!(task, Task::Classification { .. });
    let x = field::Column::F32(table.encode_all());
    Samples {
        plane: picture.then_some(Plane::Columns),
        notes: table.notes(),
        scaling: Scaling::Done(Normalisation { mean, std, target_mean, target_std }),
        parts: Some(table.parts.clone()),
        ..Samples::of_rows(task, table.features(), x, y, ("", ""))
    }
    .of_table(Arc::new(table))
}
