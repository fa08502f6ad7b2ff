//! Fields that the text of a document gives more than once: JSON readers keep the last one and say nothing.

use downhill_data::spec::quote;

/// Objects with more keys than this hold no experiment, and comparing all of them takes time.
const MOST_KEYS: usize = 1000;

/// What encloses a place of the text.
enum Around<'a> {
    Object { keys: Vec<&'a str>, key: &'a str },
    Array { index: usize },
}

/// A note for each field that is given more than once. `text` is valid JSON.
pub(crate) fn notes(text: &str) -> Vec<String> {
    let mut around = Vec::new();
    let mut notes = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        at += 1;
        match byte {
            b'{' => around.push(Around::Object { keys: Vec::new(), key: "" }),
            b'[' => around.push(Around::Array { index: 0 }),
            b'}' | b']' => drop(around.pop()),
            b',' => {
                if let Some(Around::Array { index }) = around.last_mut() {
                    *index += 1;
                }
            }
            b'"' => {
                let string = &text[at..at + length(&text.as_bytes()[at..])];
                at += string.len() + 1;
                let is_key = text[at.min(text.len())..].trim_start().starts_with(':');
                let Some(Around::Object { keys, key }) = around.last_mut().filter(|_| is_key) else { continue };
                *key = string;
                if keys.contains(&string) {
                    let note = format!("`{}` is given more than once; the last one counts.", path(&around));
                    if !notes.contains(&note) {
                        notes.push(note);
                    }
                } else if keys.len() < MOST_KEYS {
                    keys.push(string);
                }
            }
            _ => {}
        }
    }
    notes
}

/// Bytes until the quote that ends a string.
fn length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at).filter(|&&byte| byte != b'"') {
        at += if byte == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

fn path(around: &[Around<'_>]) -> String {
    let mut path = String::new();
    for place in around {
        match place {
            Around::Object { key, .. } if path.is_empty() => path += &quote(key),
            Around::Object { key, .. } => path += &format!(".{}", quote(key)),
            Around::Array { index } => path += &format!("[{index}]"),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_the_same_object_are_compared() {
        assert!(notes(r#"{ "a": { "a": "a" }, "b": [{ "a": 1 }, { "a": 2 }, "b", "b"] }"#).is_empty());
        assert!(notes(r#"{ "a\"": 1, "a": "\"a\": {", "b": "," }"#).is_empty());
        let found = notes(r#"{ "a": [1, { "b": 1, "b" : 2, "b": 3 }] }"#);
        assert_eq!(found, ["`a[1].b` is given more than once; the last one counts."]);
    }

    #[test]
    fn no_text_makes_it_panic() {
        for text in ["\"", "{\"", "{\"a\\", "{\"ä\\", "]", ",", "{\"a\":"] {
            notes(text);
        }
    }
}
