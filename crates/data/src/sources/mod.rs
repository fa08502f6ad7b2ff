//! The registry of data sources: one file each (spec and generator side by side), one line in the list below.

mod curve;
mod planar;
mod table;

use downhill_tensor::UserError;
use serde_json::{Map, Value};

use crate::assets::{Assets, NoAssets};
use crate::dataset::Dataset;
use crate::spec::{self, Spec};

/// What every source can do, whatever its fields.
trait Generate {
    /// Whether its samples are labelled points of the plane.
    const PLANAR: bool = false;

    /// The file it reads, if any.
    fn needs(&self) -> Option<&str> {
        None
    }

    /// Makes the data set; the fields are within their ranges.
    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError>;
}

macro_rules! sources {
    ($($module:ident::$variant:ident,)*) => {
        $(
            mod $module;
            pub use $module::$variant;
        )*

        /// Where samples come from: one variant per kind of source.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Source {
            $(
                #[doc = concat!("`", stringify!($module), "`: see [`", stringify!($variant), "`].")]
                $variant($variant),
            )*
        }

        impl Source {
            /// The name of every source, as an experiment writes it, in the order of the list on the page.
            pub const NAMES: &[&str] = &[$(stringify!($module)),*];

            /// The name under which an experiment writes it.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Source::$variant(_) => stringify!($module),)*
                }
            }

            /// The source called `name` with its default fields.
            fn named(name: &str) -> Option<Source> {
                match name {
                    $(stringify!($module) => Some(Source::$variant($variant::default())),)*
                    _ => None,
                }
            }

            fn spec(&self) -> &dyn Spec {
                match self {
                    $(Source::$variant(source) => source,)*
                }
            }

            fn spec_mut(&mut self) -> &mut dyn Spec {
                match self {
                    $(Source::$variant(source) => source,)*
                }
            }

            /// Generates the schema of every source's fields, in the order of [`Source::NAMES`].
            pub fn generate_schemas() -> Vec<(&'static str, Value)> {
                vec![$((stringify!($module), spec::generate::<$variant>())),*]
            }

            /// Whether the samples of the source called `name` are labelled points of the plane.
            pub fn is_planar(name: &str) -> bool {
                match name {
                    $(stringify!($module) => $variant::PLANAR,)*
                    _ => false,
                }
            }

            /// The file that must be had before [`Source::build`]: one of `static/data`, or the user's own.
            pub fn needs(&self) -> Option<&str> {
                match self {
                    $(Source::$variant(source) => source.needs(),)*
                }
            }

            /// Makes the data set of `seed`: the same bits every time and everywhere.
            ///
            /// # Errors
            /// Of a field out of range, a file that is missing or cannot be read, or data with nothing to learn.
            pub fn build(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
                spec::validate(self.spec(), Self::schema(self.name()))?;
                match self {
                    $(Source::$variant(source) => source.generate(seed, assets),)*
                }
            }
        }
    };
}

sources! {
    spirals::Spirals,
    circles::Circles,
    moons::Moons,
    xor::Xor,
    gaussians::Gaussians,
    checkerboard::Checkerboard,
    rings::Rings,
    points::Points,
    sine::Sine,
    steps::Steps,
    digits::Digits,
    iris::Iris,
    wine::Wine,
    breast_cancer::BreastCancer,
    csv::Csv,
    majority::Majority,
    pairs::Pairs,
}

impl Default for Source {
    fn default() -> Self {
        Source::Spirals(Spirals::default())
    }
}

impl Source {
    /// Reads `{ "name": fields }`; fields left out take their defaults, `null` leaves all out.
    ///
    /// # Errors
    /// Of an unknown name, an unknown field or a value that does not fit; the path starts at the fields.
    pub fn from_json(name: &str, fields: &Value) -> Result<Source, UserError> {
        let mut source = Self::named(name).ok_or_else(|| unknown(name))?;
        spec::read(source.spec_mut(), Self::schema(name), fields)?;
        Ok(source)
    }

    /// The fields that differ from their defaults.
    pub fn to_json(&self) -> Map<String, Value> {
        spec::changed_fields(self.spec(), Self::schema(self.name()))
    }

    /// All fields, defaults included.
    pub fn to_full_json(&self) -> Map<String, Value> {
        spec::all_fields(self.spec())
    }

    /// The JSON Schema of the fields of the source called `name`; `null` for a name that is none.
    pub fn schema(name: &str) -> &'static Value {
        spec::schema_at("/properties/data/anyOf/1/properties").get(name).unwrap_or(&Value::Null)
    }

    /// About `samples` points `(x, y, class)` of the planar source called `name` with its default fields, for a thumbnail; none
    /// for any other source.
    pub fn preview(name: &str, samples: u32) -> Vec<(f32, f32, u32)> {
        if !Self::is_planar(name) {
            return Vec::new();
        }
        let fields = serde_json::json!({ "samples": samples.clamp(10, 2000), "validation": 0.0 });
        let Ok(set) = Self::from_json(name, &fields).and_then(|source| source.build(1, &NoAssets)) else {
            return Vec::new();
        };
        let crate::Labels::Class(classes) = set.labels(&set.train) else { return Vec::new() };
        set.train.raw.chunks_exact(2).zip(classes).map(|(p, &class)| (p[0], p[1], class)).collect()
    }
}

fn unknown(name: &str) -> UserError {
    let near = spec::nearest(name, Source::NAMES.iter().copied()).unwrap_or_default();
    UserError::new(format!("There is no data source `{}`.", spec::quote(name))).hint(format!("Did you mean `{near}`?"))
}

#[cfg(test)]
mod tests;
