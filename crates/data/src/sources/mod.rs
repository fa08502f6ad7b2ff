//! The registry of data sources: one file each (spec and generator side by side), one line in the list below.

mod answer;
mod curve;
mod forecast;
mod hand;
mod pictures;
mod planar;
mod sequences;
mod strokes;
mod table;

use downhill_tensor::{UserError, apart};
use serde_json::{Map, Value};

use crate::assets::{Assets, NoAssets};
use crate::corpus::CorpusReader;
use crate::dataset::{Dataset, Labels};
use crate::field::Field;
use crate::spec::{self, Spec};

/// What every source can do, whatever its fields.
trait Generate {
    /// Whether its samples are labelled points of the plane.
    const PLANAR: bool = false;

    /// Whether numbers are to be predicted, whatever its fields say.
    const REGRESSION: bool = false;

    /// Whether its samples are pictures, `[channels, height, width]`.
    const IMAGES: bool = false;

    /// Whether it reads a table, its own or one of `static/data`.
    const TABLE: bool = false;

    /// Whether there is nothing to learn before a person draws or brings something.
    const OWN: bool = false;

    /// Whether the page can make it from the start. The code of others is fetched when one of them is wanted: see [`apart`].
    const AT_ONCE: bool = false;

    /// Its file of `static/data`, compiled in.
    #[cfg(feature = "bundled")]
    const BUNDLED: Option<(&'static str, &'static [u8])> = None;

    /// The files it reads, if any.
    fn needs(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Begins to read what takes a while; `None` where nothing does, or where it has been read.
    fn reading(&self, _assets: &dyn Assets) -> Result<Option<CorpusReader>, UserError> {
        Ok(None)
    }

    /// What its data will be, for a source whose file of `static/data` need not be there yet, or whose samples take a while to make.
    fn outline(&self) -> Option<Outline> {
        None
    }

    /// Makes the data set; the fields are within their ranges.
    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError>;
}

/// What a set of classes will be, before its samples are there.
pub struct Outline {
    /// Samples in all.
    pub samples: usize,
    /// What the network is given, without a sample; what is written of the others comes last.
    pub inputs: Vec<Field>,
    /// How many classes there are.
    pub classes: usize,
    /// How many answers a sample asks for, one for each position; empty where it asks for one.
    pub positions: Vec<usize>,
    /// Share of the samples that is never learned from.
    pub validation: f64,
    /// Whether every training step is given new samples.
    pub streamed: bool,
}

macro_rules! sources {
    ($($kind:literal: $($module:ident::$variant:ident),*;)*) => {
        sources! { @all $($($module::$variant,)*)* }

        impl Source {
            /// The kinds of sources with their names, in the order of the list on the page.
            pub const KINDS: &[(&str, &[&str])] = &[$(($kind, &[$(stringify!($module)),*])),*];
        }
    };
    (@all $($module:ident::$variant:ident,)*) => {
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

            /// Whether the source called `name` has numbers to predict, whatever its fields say.
            pub fn is_regression(name: &str) -> bool {
                match name {
                    $(stringify!($module) => $variant::REGRESSION,)*
                    _ => false,
                }
            }

            /// Whether the samples of the source called `name` are pictures, `[channels, height, width]`.
            pub fn is_images(name: &str) -> bool {
                match name {
                    $(stringify!($module) => $variant::IMAGES,)*
                    _ => false,
                }
            }

            /// Whether the source called `name` has nothing to learn before a person draws or brings something.
            pub fn is_own(name: &str) -> bool {
                match name {
                    $(stringify!($module) => $variant::OWN,)*
                    _ => false,
                }
            }

            /// Whether it reads a table, a person's own or a bundled one.
            pub fn is_table(&self) -> bool {
                match self {
                    $(Source::$variant(_) => $variant::TABLE,)*
                }
            }

            /// Whether the page can make it from the start, without the later part of its code.
            pub fn is_at_once(&self) -> bool {
                match self {
                    $(Source::$variant(_) => $variant::AT_ONCE,)*
                }
            }

            /// What the data will be, `None` where it can be had without a file or depends on a person's own.
            pub fn outline(&self) -> Option<Outline> {
                match self {
                    $(Source::$variant(source) => source.outline(),)*
                }
            }

            /// The files that must be had before [`Source::build`]: one of `static/data`, or the user's own.
            pub fn needs(&self) -> Vec<&str> {
                match self {
                    $(Source::$variant(source) => source.needs(),)*
                }
            }

            /// Begins to read what takes a while, so that [`Source::build`] finds it as [`Assets::corpus`]; `None` where nothing does, or where it is there.
            ///
            /// # Errors
            /// Of a file that is missing.
            pub fn reading(&self, assets: &dyn Assets) -> Result<Option<CorpusReader>, UserError> {
                match self {
                    $(Source::$variant(source) if $variant::AT_ONCE => source.reading(assets),
                    Source::$variant(source) => apart(|| source.reading(assets)),)*
                }
            }

            /// Makes the data set of `seed`: the same bits every time and everywhere.
            ///
            /// # Errors
            /// Of a field out of range, a file that is missing or cannot be read, or data with nothing to learn.
            pub fn build(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
                spec::validate(self.spec(), Self::schema(self.name()))?;
                match self {
                    $(Source::$variant(source) if $variant::AT_ONCE => source.generate(seed, assets),
                    Source::$variant(source) => apart(|| source.generate(seed, assets)),)*
                }
            }
        }

        #[cfg(feature = "bundled")]
        impl Assets for Bundled {
            fn get(&self, name: &str) -> Option<Vec<u8>> {
                let files = [$($variant::BUNDLED),*];
                files.into_iter().flatten().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.to_vec())
            }
        }
    };
}

/// The real sets of `static/data`, compiled in.
#[cfg(feature = "bundled")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Bundled;

sources! {
    "Plane": spirals::Spirals, circles::Circles, moons::Moons, xor::Xor, gaussians::Gaussians, checkerboard::Checkerboard, rings::Rings,
        points::Points, pairs::Pairs, sine::Sine, steps::Steps;
    "Images": digits::Digits, drawn_digits::DrawnDigits, shapes::Shapes, gratings::Gratings, textures::Textures, captions::Captions, images::Images;
    "Tables": iris::Iris, wine::Wine, breast_cancer::BreastCancer, csv::Csv;
    "Series": sine_wave::SineWave, mackey_glass::MackeyGlass, lorenz::Lorenz, adding::Adding, temporal_order::TemporalOrder,
        pen_strokes::PenStrokes, chirps::Chirps, sounds::Sounds;
    "Tokens": majority::Majority, parity::Parity, copy::Copy, reverse::Reverse, sort::Sort, addition::Addition,
        modular_addition::ModularAddition, induction::Induction, recall::Recall, copy_memory::CopyMemory, dyck::Dyck, calendar::Calendar;
    "Text": text::Text, tinytales::Tinytales, elman::Elman, masked::Masked, skip_gram::SkipGram, search::Search;
}

impl Default for Source {
    fn default() -> Self {
        Source::Spirals(Spirals::default())
    }
}

impl Source {
    /// Whether the file that it [needs](Source::needs) is a person's own and none of `static/data`.
    pub fn reads_own_file(&self) -> bool {
        matches!(self, Source::Csv(_) | Source::Text(_) | Source::Images(_) | Source::Sounds(_))
    }

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

    /// Whether `other` asks the same of a network: it differs at most in which samples there are and what is told of each, so that what was
    /// learned from one is worth something for the other.
    pub fn is_same_task(&self, other: &Source) -> bool {
        const OF_SAMPLES: [&str; 16] = [
            "samples",
            "steps",
            "stride",
            "noise",
            "imbalance",
            "validation",
            "features",
            "endless",
            "points",
            "labels",
            "ignore",
            "label_noise",
            "variation",
            "place",
            "stray",
            "carry",
        ];
        let told = |source: &Source| {
            let mut fields = source.to_full_json();
            fields.retain(|name, _| !OF_SAMPLES.contains(&name.as_str()));
            (source.name(), fields)
        };
        told(self) == told(other)
    }

    /// The JSON Schema of the fields of the source called `name`; `null` for a name that is none.
    pub fn schema(name: &str) -> &'static Value {
        spec::schema_at("/properties/data/anyOf/1/properties").get(name).unwrap_or(&Value::Null)
    }

    /// About `samples` points `(x, y, class)` of the source called `name` with its default fields, for a thumbnail; those of a curve are all of
    /// class 0. None for a source that has no points, or has them from a person.
    pub fn preview(name: &str, samples: u32) -> Vec<(f32, f32, u32)> {
        let fields = serde_json::json!({ "samples": samples.clamp(10, 2000), "validation": 0.0 });
        let source = Self::from_json(name, &fields).ok().filter(Self::is_at_once);
        let Some(set) = source.and_then(|source| source.build(1, &NoAssets).ok()).filter(|set| set.plane.is_some()) else {
            return Vec::new();
        };
        let class = |i: usize| match set.labels(&set.train) {
            Labels::Class(classes) => classes[i],
            Labels::Real(_) => 0,
        };
        set.train.raw.chunks_exact(2).enumerate().map(|(i, p)| (p[0], p[1], class(i))).collect()
    }
}

fn unknown(name: &str) -> UserError {
    let near = spec::nearest(name, Source::NAMES.iter().copied()).unwrap_or_default();
    UserError::new(format!("There is no data source `{}`.", spec::quote(name))).hint(format!("Did you mean `{near}`?"))
}

#[cfg(test)]
mod tests;
