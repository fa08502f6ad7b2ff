//! The source `iris`: a bundled table of flowers, three classes.

use super::table::table;

table! {
    /// 150 iris flowers of three species, measured in four ways.
    #[schemars(title = "Iris")]
    Iris {
        file: "iris.csv",
        samples: 150,
        columns: 4,
        classes: 3,
        description: "A sample is one flower: length and width of sepal and petal in cm. The class is the species, 50 flowers each.",
        licence: "R. A. Fisher, 1936; UCI Machine Learning Repository, CC BY 4.0.",
    }
}
