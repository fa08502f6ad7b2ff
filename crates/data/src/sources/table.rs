//! What the bundled tables share: they are CSV files of `static/data` whose last column is the class.

use downhill_tensor::UserError;

use crate::assets::Assets;
use crate::csv::{Choices, load};
use crate::dataset::Dataset;

/// Reads the file and adds what the file itself cannot say.
pub(crate) fn generate(
    file: &str,
    (description, licence): (&str, &str),
    (validation, seed): (f64, u32),
    assets: &dyn Assets,
) -> Result<Dataset, UserError> {
    let choices = Choices { validation, seed, single: true, ..Choices::default() };
    let mut samples = load(fetch(assets, file)?, choices)?;
    samples.description = description.to_string();
    samples.licence = licence.to_string();
    samples.finish(validation, seed)
}

/// The bytes of a file that must be there.
pub(crate) fn fetch(assets: &dyn Assets, file: &str) -> Result<Vec<u8>, UserError> {
    assets.get(file).ok_or_else(|| {
        let message = format!("The file \"{}\" could not be loaded.", crate::spec::quote(file));
        UserError::new(message).hint("Check the connection and the file's name, or choose another source.")
    })
}

/// Declares the spec of a bundled table, which has nothing to set but the split.
macro_rules! table {
    (
        $(#[$meta:meta])*
        $name:ident { file: $file:literal, samples: $samples:literal, columns: $columns:literal, classes: $classes:literal, description: $description:expr, licence: $licence:expr $(,)? }
    ) => {
        $crate::fields! {
            $(#[$meta])*
            $name {
                /// Share of the samples that is never learned from.
                #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
                validation: f64 = 0.3,
            }
        }

        impl $crate::sources::Generate for $name {
            const TABLE: bool = true;

            #[cfg(feature = "bundled")]
            const BUNDLED: Option<(&'static str, &'static [u8])> =
                Some(($file, include_bytes!(concat!("../../../../static/data/", $file))));

            fn outline(&self) -> Option<$crate::sources::Outline> {
                Some($crate::sources::Outline {
                    samples: $samples,
                    inputs: vec![$crate::Field::new($crate::INPUT, [$columns], $crate::Column::F32(Vec::new()))],
                    classes: $classes,
                    positions: Vec::new(),
                    validation: self.validation,
                    streamed: false,
                })
            }

            fn needs(&self) -> Vec<&str> {
                vec![$file]
            }

            fn generate(
                &self,
                seed: u32,
                assets: &dyn $crate::Assets,
            ) -> Result<$crate::Dataset, downhill_tensor::UserError> {
                $crate::sources::table::generate($file, ($description, $licence), (self.validation, seed), assets)
            }
        }
    };
}
pub(crate) use table;
