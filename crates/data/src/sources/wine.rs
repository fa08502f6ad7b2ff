//! The source `wine`: a bundled table of wines, three classes.

use super::table::table;

table! {
    /// 178 wines of three growers, analysed in thirteen ways.
    #[schemars(title = "Wine")]
    Wine {
        file: "wine.csv",
        samples: 178,
        columns: 13,
        classes: 3,
        description: "A sample is one wine: thirteen results of a chemical analysis. The class is the grower, all of one region in Italy.",
        licence: "S. Aeberhard, M. Forina, 1992; UCI Machine Learning Repository, CC BY 4.0.",
    }
}
