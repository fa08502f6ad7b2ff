//! How choices are written and read: `{ "name": { fields } }`, or a bare `"name"` for all defaults. One way for all registries.

use std::borrow::Cow;

pub(crate) use downhill_data::fields;
use downhill_data::spec::{self, Spec};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

/// Layers may stand inside layers this deep.
pub(crate) const MAX_DEPTH: usize = 16;
/// Layers of one document, written out or repeated.
pub(crate) const MAX_LAYERS: usize = 1000;

/// What is known while a document is read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// How many lists of layers stand around this place.
    pub depth: usize,
    /// Layers read so far.
    pub layers: usize,
    /// The document says that it is of a newer minor version: fields that this build does not know are left out with a note.
    pub newer: bool,
    /// Things worth telling.
    pub notes: Vec<String>,
}

impl Reader {
    /// The fields that this build knows, where the document may hold others.
    pub fn known_fields<'a>(&mut self, schema: &Value, fields: &'a Value) -> Cow<'a, Value> {
        let (true, Some(given), Some(known)) = (self.newer, fields.as_object(), schema["properties"].as_object()) else {
            return Cow::Borrowed(fields);
        };
        let mut kept = Map::new();
        for (name, value) in given {
            if known.contains_key(name) {
                kept.insert(name.clone(), value.clone());
            } else {
                self.notes.push(format!("The field `{}` belongs to a newer version and was left out.", spec::quote(name)));
            }
        }
        Cow::Owned(Value::Object(kept))
    }
}

/// What stands behind a name: usually an object of fields, for containers a list of layers.
pub(crate) trait Fields {
    /// Takes what is given; `null` is nothing.
    fn read(&mut self, schema: &Value, value: &Value, reader: &mut Reader) -> Result<(), UserError>;
    /// Writes it without defaults; an empty object where all are defaults.
    fn write(&self, schema: &Value) -> Value;
    /// Writes it with defaults.
    fn write_full(&self) -> Value;
}

impl<T: Spec> Fields for T {
    fn read(&mut self, schema: &Value, value: &Value, reader: &mut Reader) -> Result<(), UserError> {
        spec::read(self, schema, &reader.known_fields(schema, value))
    }

    fn write(&self, schema: &Value) -> Value {
        Value::Object(spec::changed_fields(self, schema))
    }

    fn write_full(&self) -> Value {
        Value::Object(spec::all_fields(self))
    }
}

/// What generates the schema of [`Fields`].
pub(crate) trait Described {
    /// Its JSON Schema.
    fn generate_schema() -> Value;
}

impl<T: Spec + JsonSchema> Described for T {
    fn generate_schema() -> Value {
        spec::generate::<T>()
    }
}

/// Takes a choice apart into its name and what stands behind it.
pub(crate) fn choice<'a>(value: &'a Value, kind: &str, names: &[&str]) -> Result<(&'a str, &'a Value), UserError> {
    let (name, fields) = match value {
        Value::String(name) => (name.as_str(), &Value::Null),
        Value::Object(map) if map.len() == 1 => match map.iter().next() {
            Some((name, fields)) => (name.as_str(), fields),
            None => ("", &Value::Null),
        },
        _ => {
            let example = names.first().copied().unwrap_or_default();
            let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            let message = format!("This is not {article} {kind}: it must be a name, or an object with a single name in it.");
            return Err(UserError::new(message).hint(format!("Write \"{example}\" or {{ \"{example}\": {{ … }} }}.")));
        }
    };
    if names.contains(&name) { Ok((name, fields)) } else { Err(unknown(kind, name, names)) }
}

/// The error of a name that is not in a registry.
pub(crate) fn unknown(kind: &str, name: &str, names: &[&str]) -> UserError {
    let near = spec::nearest(name, names.iter().copied()).unwrap_or_default();
    let message = format!("There is no {kind} `{}`.", spec::quote(name));
    UserError::new(message).hint(format!("Did you mean `{near}`? There are {}.", names.join(", ")))
}

/// A name alone where there is nothing behind it, else `{ name: fields }`.
pub(crate) fn written(name: &str, fields: Value) -> Value {
    match &fields {
        Value::Object(map) if map.is_empty() => json!(name),
        _ => json!({ name: fields }),
    }
}

/// The schema of a choice from the schemas of its members.
pub(crate) fn schema(title: &str, help: &str, members: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = members.iter().map(|m| m.0).collect();
    let properties: Map<String, Value> = members.iter().map(|(name, s)| ((*name).to_string(), s.clone())).collect();
    json!({
        "title": title,
        "description": help,
        "anyOf": [
            { "type": "string", "enum": names },
            { "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": properties },
        ],
    })
}

/// The schema of the member called `name` among those at this place of the document's schema; `null` where there is none.
pub(crate) fn member(place: &str, name: &str) -> &'static Value {
    spec::schema_at(place).get(name).unwrap_or(&Value::Null)
}

/// Declares a registry, the place of whose members in the document's schema is a JSON pointer: an enum with one variant per member, each read and written by its [`Fields`].
macro_rules! registry {
    (
        $(#[$meta:meta])*
        $kind:literal at $place:literal
        $enum:ident: $def:ident { $($name:literal => $module:ident::$variant:ident,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $enum {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant($module::$variant),
            )*
        }

        $(impl From<$module::$variant> for $enum {
            fn from(member: $module::$variant) -> Self {
                $enum::$variant(member)
            }
        })*

        impl $enum {
            /// The names of all members, as an experiment writes them.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name under which an experiment writes it.
            pub fn name(&self) -> &'static str {
                match self {
                    $($enum::$variant(_) => $name,)*
                }
            }

            /// As an experiment writes it, without defaults.
            pub fn to_value(&self) -> serde_json::Value {
                $crate::registry::written(self.name(), self.fields().write(Self::schema(self.name())))
            }

            /// As an experiment writes it, every default written out.
            pub fn to_full_value(&self) -> serde_json::Value {
                serde_json::json!({ self.name(): self.fields().write_full() })
            }

            /// Generates the JSON Schema of every member's fields.
            pub fn generate_schemas() -> Vec<(&'static str, serde_json::Value)> {
                vec![$(($name, <$module::$variant as $crate::registry::Described>::generate_schema())),*]
            }

            /// The JSON Schema of the fields of the member called `name`; `null` for a name that is none.
            pub fn schema(name: &str) -> &'static serde_json::Value {
                $crate::registry::member($place, name)
            }

            /// The member called `name` with its default fields.
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some($enum::$variant($module::$variant::default())),)*
                    _ => None,
                }
            }

            /// Reads one; the error's path starts at its name.
            pub(crate) fn read(
                value: &serde_json::Value,
                reader: &mut $crate::registry::Reader,
            ) -> Result<Self, downhill_tensor::UserError> {
                let (name, fields) = $crate::registry::choice(value, $kind, Self::NAMES)?;
                let member = Self::named(name).ok_or_else(|| $crate::registry::unknown($kind, name, Self::NAMES));
                let mut member = member?;
                let read = member.fields_mut().read(Self::schema(name), fields, reader);
                read.and_then(|()| member.def().validate()).map_err(|e| e.under(name))?;
                Ok(member)
            }

            fn fields(&self) -> &dyn $crate::registry::Fields {
                match self {
                    $($enum::$variant(member) => member,)*
                }
            }

            fn fields_mut(&mut self) -> &mut dyn $crate::registry::Fields {
                match self {
                    $($enum::$variant(member) => member,)*
                }
            }

            pub(crate) fn def(&self) -> &dyn $def {
                match self {
                    $($enum::$variant(member) => member,)*
                }
            }
        }
    };
}
pub(crate) use registry;

/// Gives a choice that stands inside another choice's fields the traits which those fields need.
macro_rules! nested_choice {
    ($enum:ident, $title:literal, $help:literal) => {
        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_value().serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = serde_json::Value::deserialize(deserializer)?;
                $enum::read(&value, &mut $crate::registry::Reader::default()).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $enum {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($enum).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let value = $crate::registry::schema($title, $help, &$enum::generate_schemas());
                schemars::Schema::try_from(value).unwrap_or_default()
            }
        }
    };
}
pub(crate) use nested_choice;
