//! Prints JSON as a person would write it: what fits on a line stays on it.

use serde_json::Value;

/// Longest line that is not broken.
const WIDTH: usize = 110;

/// The text of `value`, ending in a line break; objects at the top are always broken.
pub(crate) fn print(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, true, &mut out);
    out.push('\n');
    out
}

fn write(value: &Value, indent: usize, broken: bool, out: &mut String) {
    if !broken {
        let line = inline(value);
        if indent + line.chars().count() <= WIDTH {
            out.push_str(&line);
            return;
        }
    }
    match value {
        Value::Array(items) if !items.is_empty() => {
            let write_item = |item: &&Value, out: &mut String| write(item, indent + 2, false, out);
            lines('[', ']', items.iter(), indent, out, write_item);
        }
        Value::Object(map) if !map.is_empty() => {
            // A choice reads best with its name and brace on one line.
            let entry = |(key, item): &(&String, &Value), out: &mut String| {
                out.push_str(&key_text(key));
                write(item, indent + 2 + key.len() + 4, false, out);
            };
            lines('{', '}', map.iter(), indent, out, entry);
        }
        other => out.push_str(&inline(other)),
    }
}

fn lines<T>(
    open: char,
    close: char,
    items: impl Iterator<Item = T>,
    indent: usize,
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    out.push(open);
    for (i, item) in items.enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n(' ', indent + 2));
        write(&item, out);
    }
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
    out.push(close);
}

fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "[]".to_string(),
        Value::Array(items) => {
            let inner: Vec<String> = items.iter().map(inline).collect();
            // Lists of plain words and numbers need no air.
            let plain = items.iter().all(|item| !item.is_array() && !item.is_object());
            if plain { format!("[{}]", inner.join(", ")) } else { format!("[ {} ]", inner.join(", ")) }
        }
        Value::Object(map) if map.is_empty() => "{}".to_string(),
        Value::Object(map) => {
            let inner: Vec<String> = map.iter().map(|(key, item)| format!("{}{}", key_text(key), inline(item))).collect();
            format!("{{ {} }}", inner.join(", "))
        }
        plain => plain.to_string(),
    }
}

fn key_text(key: &str) -> String {
    format!("{}: ", Value::from(key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_on_a_line_stays_on_it() {
        let value = json!({ "name": "x", "model": [{ "linear": { "out": 8 } }, "tanh"], "betas": [0.9, 0.999], "none": [] });
        let text = print(&value);
        assert!(text.contains("  \"model\": [ { \"linear\": { \"out\": 8 } }, \"tanh\" ],\n"), "{text}");
        assert!(text.contains("[0.9, 0.999]"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_long_list_is_broken_and_stays_the_same() {
        let layers: Vec<Value> = (0..40).map(|i| json!({ "linear": { "out": i } })).collect();
        let value = json!({ "model": layers });
        let text = print(&value);
        assert!(text.lines().count() > 40 && text.lines().all(|line| line.chars().count() <= WIDTH + 2), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
