//! What a view is: of a layer in the network map, of the output, or of the run as a whole in the drawer. Which ones there are is the
//! business of the lists in `mod.rs`.

use std::sync::Arc;

use downhill_protocol::DataInfo;
use leptos::prelude::*;

use crate::plot::network::{Column, map_rows, shown};
use crate::reactive::{Memo, RwSignal, memo};
use crate::state::{Answers, Lab};
use crate::watches::{Answer, Ask};

/// A name and a value, as the tip under the pointer shows them.
pub type Fact = (&'static str, String);

/// Whether the network answers with a picture: its input again, or a class for every pixel.
pub fn answers_are_pictures(data: &DataInfo) -> bool {
    data.image.is_some() && (data.of_pixels || data.task == "regression")
}

/// A picture of a layer, or of the input, in its column of the network map.
pub trait LayerView: Sync {
    /// Whether it has something true to show of this column; the first view of the list that has is shown.
    fn fits(&self, info: &ColumnInfo) -> bool;

    /// What it wants to see. Signals that are read here are followed.
    fn wants(&self, info: &ColumnInfo) -> Option<Ask>;

    /// Whether its code is there from the start; that of others is fetched when one of them is first shown.
    fn is_at_once(&self) -> bool {
        false
    }

    /// What stands below the column's head; `answers` holds what was asked for.
    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView;

    /// What is known of a unit under the pointer.
    fn facts(&self, _info: &ColumnInfo, _answer: &Answer, _unit: usize) -> Vec<Fact> {
        Vec::new()
    }
}

/// What stands below the columns, of a column that has more to show than there is room in it.
pub trait Inside: Sync {
    /// Whether it has something true to show of this column; the first of the list that has is shown.
    fn fits(&self, column: &Column) -> bool;

    /// The picture; it watches what it needs by itself.
    fn view(&self, lab: Lab, column: Column) -> AnyView;
}

/// A picture of what the network gives. Those that fit are offered side by side; the first one is on screen.
pub trait OutputView: Sync {
    /// A word or two for its button.
    fn title(&self) -> &'static str;

    /// Whether it has something true to show of this data.
    fn fits(&self, data: &DataInfo) -> bool;

    /// Whether its code is there from the start; that of others is fetched when one of them is first shown.
    fn is_at_once(&self) -> bool {
        false
    }

    /// The picture; it watches what it needs by itself.
    fn view(&self, lab: Lab) -> AnyView;
}

/// A tab of the drawer.
pub trait Panel: Sync {
    /// A word for its tab.
    fn name(&self) -> &'static str;

    /// What it shows while its tab is open.
    fn view(&self, lab: Lab) -> AnyView;

    /// Whether its code is there from the start; that of others is fetched when their tab is first opened.
    fn is_at_once(&self) -> bool {
        false
    }

    /// Makes, once, what outlives the times at which its tab is open.
    fn prepare(&self) {}

    /// A count beside its name.
    fn count(&self, _lab: Lab) -> Option<String> {
        None
    }

    /// Controls beside the tabs while it is open.
    fn controls(&self) -> Option<AnyView> {
        None
    }
}

/// A column of the network map as its view knows it.
pub struct ColumnInfo {
    /// Its place.
    pub at: usize,
    /// Its layers.
    pub column: Column,
    /// The data of the run.
    pub data: Arc<DataInfo>,
    /// How many of its units have room.
    pub shown: Memo<usize>,
    /// Whether there is to be room for all.
    pub opened: RwSignal<bool>,
    /// The page.
    pub lab: Lab,
}

impl ColumnInfo {
    /// A column at a place, where there is room for so many cells.
    pub fn new(lab: Lab, at: usize, column: Column, data: Arc<DataInfo>, room: Memo<usize>) -> Arc<Self> {
        let (units, pictures, opened) = (column.units, column.shape.len() == 3, RwSignal::new(false));
        let fit = move || match (opened.get(), pictures) {
            (true, _) => units,
            // Pictures stand two in a row.
            (_, true) => shown(units, 2 * map_rows(room.get())),
            _ => shown(units, room.get()),
        };
        Arc::new(Self { at, column, data, shown: memo(fit), opened, lab })
    }
}
