//! Reading and writing the fields of a `{ "name": { fields } }` choice by the JSON Schema of the document, so that a range is
//! written once, in the struct ([`fields!`](crate::fields)), and the form, the check and the sentence a person reads all come
//! from it.
//!
//! The schema is generated from the structs, committed, and read back here: a browser then downloads neither a generator nor a
//! reader and a writer for each struct. `downhill-model` tests that the committed one is current.

use std::sync::OnceLock;

use downhill_tensor::UserError;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A field of a [`Spec`], whatever its type.
pub trait Field {
    /// Its value as JSON; a number that is not finite is `null`.
    fn write(&self) -> Value;

    /// Takes a value.
    ///
    /// # Errors
    /// Of a value that the type cannot hold.
    fn read(&mut self, value: &Value) -> Result<(), serde_json::Error>;
}

impl<T: Serialize + DeserializeOwned> Field for T {
    fn write(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    fn read(&mut self, value: &Value) -> Result<(), serde_json::Error> {
        *self = T::deserialize(value)?;
        Ok(())
    }
}

/// A struct whose fields a document may set; [`fields!`](crate::fields) declares one.
pub trait Spec {
    /// Every field with its name, in order.
    fn fields(&self) -> Vec<(&'static str, &dyn Field)>;

    /// Every field with its name, to be changed.
    fn fields_mut(&mut self) -> Vec<(&'static str, &mut dyn Field)>;
}

/// Declares a [`Spec`]: a struct of fields with default, range, title and help.
#[macro_export]
macro_rules! fields {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr, )* }
    ) => {
        #[derive(Clone, Debug, PartialEq, schemars::JsonSchema)]
        $(#[$meta])*
        #[schemars(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::spec::Spec for $name {
            fn fields(&self) -> Vec<(&'static str, &dyn $crate::spec::Field)> {
                vec![$( (stringify!($field), &self.$field), )*]
            }

            fn fields_mut(&mut self) -> Vec<(&'static str, &mut dyn $crate::spec::Field)> {
                vec![$( (stringify!($field), &mut self.$field), )*]
            }
        }
    };
}

/// The JSON Schema of the whole document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/experiment.json"));
    DOCUMENT.get_or_init(|| serde_json::from_str(TEXT).unwrap_or_default())
}

/// The part of the document's schema at a JSON pointer; `null` where there is none.
pub fn schema_at(pointer: &str) -> &'static Value {
    document().pointer(pointer).unwrap_or(&Value::Null)
}

/// Generates the JSON Schema of `T` in one piece (no `$ref`), fields in the order in which they are declared.
pub fn generate<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Sets the fields of `spec` that are given; `null` is none.
///
/// # Errors
/// Names the field and what it may be, and for an unknown field the nearest known one.
pub fn read(spec: &mut dyn Spec, schema: &Value, fields: &Value) -> Result<(), UserError> {
    if fields.is_null() {
        return Ok(());
    }
    check(schema, fields)?;
    for (name, field) in spec.fields_mut() {
        if let Some(value) = fields.get(name) {
            field.read(value).map_err(|error| UserError::at(name, format!("This cannot be read: {error}.")))?;
        }
    }
    Ok(())
}

/// Checks a struct that was made in code as if it had been read.
///
/// # Errors
/// As [`read`].
pub fn validate(spec: &dyn Spec, schema: &Value) -> Result<(), UserError> {
    check(schema, &Value::Object(all_fields(spec)))
}

/// Every field of `spec`.
pub fn all_fields(spec: &dyn Spec) -> Map<String, Value> {
    spec.fields().into_iter().map(|(name, field)| (name.to_string(), field.write())).collect()
}

/// The fields of `spec` that differ from the default.
pub fn changed_fields(spec: &dyn Spec, schema: &Value) -> Map<String, Value> {
    let mut fields = all_fields(spec);
    fields.retain(|name, value| schema["properties"][name.as_str()].get("default") != Some(value));
    fields
}

/// `", did you mean …"` material: the candidate that is spelled most like `name`; capitals count for nothing, for PyTorch writes `ReLU`.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // An absurdly long name is nobody's typing error, and the comparison takes time in proportion to its length.
    let name: String = name.chars().take(64).map(|c| c.to_ascii_lowercase()).collect();
    candidates.into_iter().map(|c| (c, strsim::jaro_winkler(&name, c))).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(c, _)| c)
}

/// Shortens what a person typed, so that a sentence which quotes it stays a sentence.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut quoted: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Checks `value` against the part of JSON Schema that schemars writes for our specs.
fn check(schema: &Value, value: &Value) -> Result<(), UserError> {
    if let Some(choices) = choices(schema) {
        return check_choice(&choices, value);
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        let mut written = branches.iter().filter(|branch| branch["type"] != "null");
        let fitting = written.clone().find(|branch| check_type(branch, value).is_ok());
        if let (Some(text), Some(plain)) = (value.as_str(), branches.iter().find(|branch| unquoted(branch, value).is_some()))
            && !fitting.and_then(choices).is_some_and(|words| words.contains(&text))
        {
            return check_type(plain, value);
        }
        return match fitting.or_else(|| written.next()) {
            Some(branch) if !value.is_null() => check(branch, value),
            _ => Ok(()),
        };
    }
    check_type(schema, value)?;
    match value {
        Value::Number(number) => check_range(schema, number.as_f64().unwrap_or(f64::INFINITY)),
        Value::String(text) => check_length(schema, "maxLength", text.chars().count(), "characters"),
        Value::Array(items) => check_items(schema, items),
        Value::Object(fields) => check_fields(schema, fields),
        _ => Ok(()),
    }
}

/// The words of an enum, which schemars writes as `enum`, or as `oneOf` of constants when they are documented.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    schema["oneOf"].as_array()?.iter().map(|branch| branch["const"].as_str()).collect()
}

fn check_choice(choices: &[&str], value: &Value) -> Result<(), UserError> {
    let Some(word) = value.as_str() else {
        return Err(UserError::new(format!("This must be a word, not {}.", kind_of(value))).hint(one_of(choices)));
    };
    if choices.contains(&word) {
        return Ok(());
    }
    let message = format!("There is no choice `{}` here.", quote(word));
    let near = nearest(word, choices.iter().copied()).unwrap_or_default();
    Err(UserError::new(message).hint(format!("Did you mean `{near}`? {}", one_of(choices))))
}

fn one_of(choices: &[&str]) -> String {
    format!("It is one of {}.", choices.join(", "))
}

fn check_type(schema: &Value, value: &Value) -> Result<(), UserError> {
    let wanted: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let fits = wanted.iter().any(|&kind| match kind {
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_null(),
    });
    if fits {
        return Ok(());
    }
    let name = match wanted.first().copied().unwrap_or_default() {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "an object of fields",
    };
    let error = UserError::new(format!("This must be {name}, not {}.", kind_of(value)));
    Err(match unquoted(schema, value) {
        Some(plain) => error.hint(format!("Write it without quotes: {plain}.")),
        None => error,
    })
}

/// What stands in quotes that do not belong there: a number or a truth value as text, where that is what is wanted.
fn unquoted(schema: &Value, value: &Value) -> Option<Value> {
    let plain: Value = serde_json::from_str(value.as_str()?.trim()).ok()?;
    let wanted = !schema["type"].is_null() && !plain.is_string() && !plain.is_null();
    (wanted && check_type(schema, &plain).is_ok()).then_some(plain)
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => format!("the text \"{}\"", quote(s)),
        Value::Array(_) => "a list".to_string(),
        Value::Object(_) => "an object".to_string(),
    }
}

fn check_range(schema: &Value, number: f64) -> Result<(), UserError> {
    let (low, high) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    if low.is_none_or(|low| number >= low) && high.is_none_or(|high| number <= high) {
        return Ok(());
    }
    let allowed = match (low, high) {
        (Some(low), Some(high)) => format!("between {low} and {high}"),
        (Some(low), None) => format!("at least {low}"),
        (_, high) => format!("at most {}", high.unwrap_or(f64::MAX)),
    };
    Err(UserError::new(format!("{number} is out of range; it must be {allowed}.")))
}

fn check_length(schema: &Value, key: &str, length: usize, unit: &str) -> Result<(), UserError> {
    match schema[key].as_u64() {
        Some(most) if length as u64 > most => Err(UserError::new(format!("{length} {unit} are too many; at most {most} fit."))),
        _ => Ok(()),
    }
}

fn check_items(schema: &Value, items: &[Value]) -> Result<(), UserError> {
    check_length(schema, "maxItems", items.len(), "items")?;
    if let Some(least) = schema["minItems"].as_u64().filter(|&least| (items.len() as u64) < least) {
        return Err(UserError::new(format!("This list has {} items but needs at least {least}.", items.len())));
    }
    let prefix = schema["prefixItems"].as_array().map_or(&[][..], Vec::as_slice);
    for (i, item) in items.iter().enumerate() {
        check(prefix.get(i).unwrap_or(&schema["items"]), item).map_err(|e| e.under(&format!("[{i}]")))?;
    }
    Ok(())
}

fn check_fields(schema: &Value, fields: &Map<String, Value>) -> Result<(), UserError> {
    let Some(known) = schema["properties"].as_object() else {
        // A map: names are a person's own, and all values of one kind.
        let of_each = &schema["additionalProperties"];
        return fields.iter().try_for_each(|(name, value)| check(of_each, value).map_err(|e| e.under(&quote(name))));
    };
    for (name, value) in fields {
        let Some(field) = known.get(name) else {
            let error = UserError::at(quote(name), "There is no such field here.");
            return Err(match nearest(name, known.keys().map(String::as_str)) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error,
            });
        };
        check(field, value).map_err(|e| e.under(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Clone, Serialize, Deserialize, JsonSchema, Debug, PartialEq)]
    #[serde(rename_all = "snake_case")]
    pub enum Word {
        /// The first
        First,
        /// The second
        Second,
    }

    crate::fields! {
        /// All kinds of fields.
        Kinds {
            /// Help
            #[schemars(title = "Noise", range(min = 0.0, max = 0.5))]
            noise: f64 = 0.25,
            /// Help
            #[schemars(range(min = 1, max = 9))]
            count: u32 = 2,
            /// Help
            words: Vec<Word> = vec![Word::First],
            /// Help
            limit: Option<u32> = None,
            /// Help
            #[schemars(length(max = 2))]
            points: Vec<(f64, u32)> = Vec::new(),
        }
    }

    fn read_kinds(fields: &Value) -> Result<Kinds, UserError> {
        let mut kinds = Kinds::default();
        read(&mut kinds, &generate::<Kinds>(), fields)?;
        Ok(kinds)
    }

    fn error(fields: Value) -> String {
        read_kinds(&fields).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_is_the_default_and_defaults_are_left_out() {
        assert_eq!(read_kinds(&Value::Null).unwrap(), Kinds::default());
        let spec = read_kinds(&json!({ "noise": 0, "limit": 3, "points": [[0.5, 1]] })).unwrap();
        assert_eq!((spec.noise, spec.limit, spec.count), (0.0, Some(3), 2));
        assert_eq!(
            Value::Object(changed_fields(&spec, &generate::<Kinds>())),
            json!({ "noise": 0.0, "limit": 3, "points": [[0.5, 1]] })
        );
        assert!(changed_fields(&Kinds::default(), &generate::<Kinds>()).is_empty());
    }

    #[test]
    fn an_error_names_the_field_and_what_it_may_be() {
        assert_eq!(error(json!({ "noise": 0.9 })), "noise: 0.9 is out of range; it must be between 0 and 0.5.");
        assert_eq!(error(json!({ "noise": "a" })), "noise: This must be a number, not the text \"a\".");
        assert_eq!(error(json!({ "count": 1.5 })), "count: This must be a whole number, not 1.5.");
        assert_eq!(error(json!({ "count": 1_000_000_000 })), "count: 1000000000 is out of range; it must be between 1 and 9.");
        assert_eq!(error(json!({ "nois": 0.1 })), "nois: There is no such field here. Did you mean `noise`?");
        assert_eq!(error(json!([])), "This must be an object of fields, not a list.");
        assert!(
            error(json!({ "words": ["frist"] }))
                .starts_with("words[0]: There is no choice `frist` here. Did you mean `first`?")
        );
        assert_eq!(
            error(json!({ "points": [[0, 1], [0, "b"]] })),
            "points[1][1]: This must be a whole number, not the text \"b\"."
        );
        assert_eq!(error(json!({ "points": [[0, 1], [0]] })), "points[1]: This list has 1 items but needs at least 2.");
        assert_eq!(error(json!({ "points": [[], [], []] })), "points: 3 items are too many; at most 2 fit.");
    }

    #[test]
    fn a_spec_made_in_code_is_held_to_the_same_ranges() {
        assert!(validate(&Kinds::default(), &generate::<Kinds>()).is_ok());
        let not_a_number = Kinds { noise: f64::NAN, ..Kinds::default() };
        assert_eq!(validate(&not_a_number, &generate::<Kinds>()).unwrap_err().path.as_deref(), Some("noise"));
    }
}
