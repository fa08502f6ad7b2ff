//! The source `breast_cancer`: a bundled table of tumours, two classes.

use super::table::table;

table! {
    /// 569 tumours, malignant or benign, described by thirty measures of their cell nuclei.
    #[schemars(title = "Breast cancer", extend("x-short" = "cancer"))]
    BreastCancer {
        file: "breast_cancer.csv",
        samples: 569,
        columns: 30,
        classes: 2,
        description: "A sample is one tumour: mean, standard error and worst value of ten measures of the cell nuclei in an image of a fine \
                      needle aspirate. The class is the diagnosis.",
        licence: "W. Wolberg, O. Mangasarian, N. Street, W. Street, 1993; UCI Machine Learning Repository, CC BY 4.0.",
    }
}
