//! The TypeScript types of what scripts give and get, from the JSON Schemas of the Rust types; `cargo xtask schema` writes them to
//! `web/src/embed/types.ts`. No message needs this, so it is in no wasm.

use downhill_model::{data::spec, generate_schema, presets};
use serde_json::{Map, Value};

use crate::Readings;

const HEAD: &str = "// What scripts give and get, generated from the Rust types by `cargo xtask schema`; not to be edited.\n";
/// Widest line of a list of alternatives.
const WIDEST: usize = 140;

/// The whole file.
pub fn generate() -> String {
    let mut document = generate_schema();
    let mut text = HEAD.to_string();
    // Each field of the document that has fields of its own, or that is chosen from a list, is a type with a name.
    for (field, schema) in document["properties"].as_object_mut().into_iter().flatten() {
        let has_parts = schema["properties"].is_object() || schema["anyOf"].is_array();
        if has_parts {
            let mut named = schema.take();
            let name = capitalised(field);
            *schema = serde_json::json!({ "$ref": format!("#/$defs/{name}") });
            for key in ["title", "description", "default"] {
                schema[key] = named[key].take();
            }
            named["description"] = schema["description"].clone();
            text += &declared(&name, &named);
        }
    }
    for (name, schema) in document["$defs"].as_object().into_iter().flatten() {
        text += &declared(&capitalised(name), schema);
    }
    text += &declared("ExperimentDocument", &document);
    text += &declared("Readings", &spec::generate::<Readings>());
    let ids: Vec<String> = presets::all().iter().map(|preset| format!("\"{}\"", preset.id)).collect();
    text += &format!("\n/** Name of a preset. */\nexport type Preset ={};\n", alternatives(&ids, 0));
    text
}

fn declared(name: &str, schema: &Value) -> String {
    let help = schema["description"].as_str().unwrap_or_default();
    let body = written(schema, 0);
    // A list of alternatives begins on a line of its own.
    let space = if body.starts_with('\n') { "" } else { " " };
    format!("\n/** {help} */\nexport type {name} ={space}{body};\n")
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// The type that a schema describes; `depth` is how far its lines are indented.
fn written(schema: &Value, depth: usize) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        return capitalised(target.rsplit('/').next().unwrap_or_default());
    }
    if !schema["const"].is_null() {
        return schema["const"].to_string();
    }
    if schema["enum"].is_array() || schema["anyOf"].is_array() || schema["oneOf"].is_array() {
        return alternatives(&choices(schema, depth), depth);
    }
    match &schema["type"] {
        Value::Array(types) => {
            let of = |one: &Value| {
                let mut schema = schema.clone();
                schema["type"] = one.clone();
                written(&schema, depth)
            };
            let mut all: Vec<String> = types.iter().map(of).collect();
            // Whole numbers are numbers.
            all.dedup();
            alternatives(&all, depth)
        }
        Value::String(name) => match name.as_str() {
            "integer" | "number" => "number".to_string(),
            "object" => object(schema, depth),
            "array" => match schema["prefixItems"].as_array() {
                Some(items) => {
                    format!("[{}]", items.iter().map(|item| written(item, depth)).collect::<Vec<_>>().join(", "))
                }
                None => format!("Array<{}>", written(&schema["items"], depth)),
            },
            plain => plain.to_string(),
        },
        _ => "unknown".to_string(),
    }
}

/// The alternatives that a schema stands for: an object of which exactly one field is given is one for each field.
fn choices(schema: &Value, depth: usize) -> Vec<String> {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect();
    }
    if let Some(branches) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return branches.iter().flat_map(|branch| choices(branch, depth)).collect();
    }
    match schema["properties"].as_object() {
        Some(fields) if schema["maxProperties"] == 1 => fields
            .iter()
            .map(|(name, schema)| {
                let help = documented(schema, depth + 1);
                format!("{help}{{ {name}: {} }}", written(schema, depth + 1))
            })
            .collect(),
        _ => vec![written(schema, depth)],
    }
}

fn object(schema: &Value, depth: usize) -> String {
    let empty = Map::new();
    let fields = schema["properties"].as_object().unwrap_or(&empty);
    if fields.is_empty() {
        let values = &schema["additionalProperties"];
        let values = if values.is_object() { written(values, depth) } else { "never".to_string() };
        return format!("Record<string, {values}>");
    }
    let needed = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let line = |(name, schema): (&String, &Value)| {
        let mark = if needed(name) { "" } else { "?" };
        format!("{}{name}{mark}: {};\n", documented(schema, depth + 1), written(schema, depth + 1))
    };
    let indent = "  ".repeat(depth);
    let lines: String = fields.iter().map(|field| format!("{indent}  {}", line(field))).collect();
    format!("{{\n{lines}{indent}}}")
}

/// Help, range and default of a field as a comment, with the line end behind it; nothing where nothing is said.
fn documented(schema: &Value, depth: usize) -> String {
    let mut said = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    if let (Some(least), Some(most)) = (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        said += &format!(" {least} to {most}.");
    }
    if !schema["default"].is_null() {
        said += &format!(" Default: `{}`.", schema["default"]);
    }
    let said = said.trim();
    if said.is_empty() { String::new() } else { format!("/** {said} */\n{}", "  ".repeat(depth)) }
}

/// One of several types, in a line as long as that is short.
fn alternatives(all: &[String], depth: usize) -> String {
    let line = all.join(" | ");
    if line.len() <= WIDEST && !line.contains('\n') {
        return line;
    }
    let indent = "  ".repeat(depth + 1);
    all.iter().map(|one| format!("\n{indent}| {one}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_types_are_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/src/embed/types.ts");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == generate(), "web/src/embed/types.ts is old; `cargo xtask schema` writes it anew");
    }
}
