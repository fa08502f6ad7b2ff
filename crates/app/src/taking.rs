//! What becomes of a file that comes in: an experiment is opened, weights go into the run, pictures and sounds become a set (`media`), a tokenizer cuts the text, anything
//! else is read as a table. It comes with the later part of the code.

use downhill_model::Experiment;
use downhill_model::data::Tokenizer;
use downhill_model::data::csv::{Column, Goal, Profile, decode};
use downhill_protocol::Command;
use downhill_tensor::UserError;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use leptos::prelude::*;
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use crate::document::{self, End};
use crate::media;
use crate::own_file::{Taken, hand_over, keep};
use crate::state::{Lab, Table};

/// Larger tables are kept beside the experiment and not in it, so that edits and links stay small.
pub const INLINE: usize = 100_000;
/// Larger files are not read at all.
const LARGEST: f64 = 512e6;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Experiment,
    Weights,
    Tokenizer,
    Table,
    Text,
}

/// Takes files as they are dropped or chosen together: tables beside an experiment are its own, and weights go into it.
///
/// # Errors
/// Where one is empty, too large, or cannot be read.
#[inline(never)]
pub async fn take(lab: Lab, files: Vec<File>) -> Result<(), UserError> {
    let (mut taken, brought) = (Vec::new(), Array::new());
    for file in files {
        if media::is_one(&file).await {
            brought.push(&file);
        } else {
            taken.push(read(&file).await?);
        }
    }
    if brought.length() > 0 {
        media::take(lab, brought, Array::new()).await?;
    }
    let kinds: Vec<Kind> = taken.iter().map(|file| kind(lab, file)).collect();
    let with_experiment = kinds.contains(&Kind::Experiment);
    let mut later = Vec::new();
    for (file, kind) in taken.into_iter().zip(kinds) {
        match kind {
            Kind::Table | Kind::Text if with_experiment => hand_over(lab, &file),
            Kind::Text => prose(lab, &file),
            Kind::Table => table(lab, file),
            Kind::Tokenizer if with_experiment => hand_over(lab, &file),
            Kind::Tokenizer => tokenizer(lab, &file)?,
            Kind::Experiment | Kind::Weights => later.push((file, kind)),
        }
    }
    // In the order of their kinds.
    for wanted in [Kind::Experiment, Kind::Weights] {
        for (file, _) in later.iter().filter(|(_, kind)| *kind == wanted) {
            match wanted {
                Kind::Experiment => experiment(lab, file)?,
                _ => weights(lab, file),
            }
        }
    }
    Ok(())
}

async fn read(file: &File) -> Result<Taken, UserError> {
    let name = file.name();
    let refuse = |what: &str, hint: &str| UserError::new(format!("The file \"{name}\" {what}.")).hint(hint);
    if file.size() > LARGEST {
        return Err(refuse("is larger than 512 MB", "Keep a part of it."));
    }
    if file.size() == 0.0 {
        return Err(refuse("is empty", "Choose another one."));
    }
    let bytes = JsFuture::from(file.array_buffer()).await.and_then(JsCast::dyn_into);
    let bytes = bytes.map_err(|_| refuse("could not be read", "Choose it again, or paste its text."))?;
    Ok(Taken { name, blob: file.clone().into(), bytes })
}

fn no_memory() -> UserError {
    UserError::new("There is not enough memory for this table.").hint("Keep a part of it.")
}

/// What a file holds, by its name and its first bytes.
fn kind(lab: Lab, file: &Taken) -> Kind {
    const GLANCE: u32 = 4000;
    let named = |ending: &str| file.name.to_ascii_lowercase().ends_with(ending);
    let all = Uint8Array::new(&file.bytes);
    let head = all.slice(0, GLANCE).to_vec();
    let reads_text = lab.draft.with_untracked(|doc| document::name_at(doc, "data", "") == "text");
    // Eight bytes of length, then a header in JSON.
    let is_header = head.get(8) == Some(&b'{') && head.get(6..8) == Some(&[0, 0]);
    let first = head.iter().find(|b| !matches!(b, 0 | 0xbb | 0xbf | 0xef | 0xfe | 0xff) && !b.is_ascii_whitespace());
    match () {
        () if named(".safetensors") || is_header => Kind::Weights,
        () if first == Some(&b'{') && is_tokenizer(&head) => Kind::Tokenizer,
        () if named(".json") || first == Some(&b'{') => Kind::Experiment,
        () if named(".md") || named(".txt") && (reads_text || document::is_prose(&String::from_utf8_lossy(&head))) => {
            Kind::Text
        }
        () => Kind::Table,
    }
}

/// Whether a JSON file is a tokenizer: every one lists its added tokens, before its vocabulary.
fn is_tokenizer(head: &[u8]) -> bool {
    const MARK: &[u8] = b"\"added_tokens\"";
    head.windows(MARK.len()).any(|part| part == MARK)
}

/// Cuts the text by a tokenizer of one's own.
fn tokenizer(lab: Lab, file: &Taken) -> Result<(), UserError> {
    let refused = |error: UserError| UserError::new(format!("\"{}\" cannot cut a text here. {error}", file.name));
    let json = text(file).map_err(refused)?;
    let tokens = Tokenizer::from_json(&json).map_err(refused)?.len();
    if json.len() <= INLINE {
        learn(lab, &TOKENIZER, "tokenizer_json", json);
    } else {
        hand_over(lab, file);
        learn(lab, &TOKENIZER, "tokenizer_file", file.name.clone());
    }
    lab.tell(false, format!("The text is cut by \"{}\": {tokens} tokens.", file.name));
    Ok(())
}

/// Has a tokenizer learned from the text, and none of one's own.
pub fn learn_tokenizer(lab: Lab) {
    lab.edit(|doc| TOKENIZER.iter().for_each(|field| document::unset(doc, &format!("data.text.{field}"))));
}

fn text(file: &Taken) -> Result<String, UserError> {
    decode(&Uint8Array::new(&file.bytes).to_vec())
}

/// Opens an experiment. A large table in it is taken out, so that edits and links stay small.
fn experiment(lab: Lab, file: &Taken) -> Result<(), UserError> {
    let refused = |error: UserError| UserError::new(format!("\"{}\" could not be opened. {error}", file.name));
    let parsed = text(file).and_then(|text| Experiment::parse(&text)).map_err(refused)?;
    parsed.notes.iter().for_each(|note| lab.tell(false, note.clone()));
    let mut doc = parsed.experiment.to_value();
    let large = document::get(&doc, "data.csv.text").and_then(Value::as_str).filter(|text| text.len() > INLINE);
    if let Some(text) = large {
        let stem = file.name.rsplit_once('.').map_or(file.name.as_str(), |(stem, _)| stem);
        let own = Taken::of_text(format!("{stem}.csv"), text).ok_or_else(no_memory)?;
        hand_over(lab, &own);
        document::unset(&mut doc, "data.csv.text");
        document::set(&mut doc, "data.csv.file", json!(own.name));
    }
    lab.want(true);
    lab.open(doc);
    lab.tell(false, format!("\"{}\" is open.", file.name));
    Ok(())
}

fn weights(lab: Lab, file: &Taken) {
    let command = |bytes| Command::Weights { bytes };
    let id = lab.link.with_value(|link| link.as_ref().map(|link| link.send_file(file.bytes.clone(), command)));
    if let Some(id) = id {
        lab.inbox.update_value(|inbox| {
            inbox.weights.insert(id, file.name.clone());
        });
    }
}

/// Learns a text.
fn prose(lab: Lab, file: &Taken) {
    if file.bytes.byte_length() as usize <= INLINE {
        // The worker knows how to read what is no UTF-8; a document holds nothing else.
        if let Ok(text) = String::from_utf8(Uint8Array::new(&file.bytes).to_vec()) {
            return learn(lab, &TEXT, "text", text);
        }
    }
    hand_over(lab, file);
    learn(lab, &TEXT, "file", file.name.clone());
}

/// Learns a text that was pasted or typed.
pub fn text_of_own(lab: Lab, text: String) {
    if text.len() <= INLINE {
        return learn(lab, &TEXT, "text", text);
    }
    match Taken::of_text("pasted.txt".to_string(), &text) {
        Some(file) => prose(lab, &file),
        None => lab.tell(true, no_memory().to_string()),
    }
}

/// The fields that hold a text, and those that hold a tokenizer of one's own: one of either.
const TEXT: [&str; 2] = ["text", "file"];
const TOKENIZER: [&str; 2] = ["tokenizer_json", "tokenizer_file"];

/// Takes up a text or its tokenizer, in the place of the one before.
fn learn(lab: Lab, fields: &[&str], field: &str, value: String) {
    lab.edit(|doc| {
        if document::name_at(doc, "data", "") != "text" {
            document::fit_text(doc);
            doc["data"] = json!({ "text": {} });
        }
        fields.iter().for_each(|field| document::unset(doc, &format!("data.text.{field}")));
        document::set(doc, &format!("data.text.{field}"), json!(value));
    });
}

/// Reads a table in the worker and trains on it.
fn table(lab: Lab, file: Taken) {
    if file.bytes.byte_length() as usize <= INLINE {
        return match text(&file) {
            Ok(text) => inline(lab, text),
            Err(error) => fail(lab, file.name, &error),
        };
    }
    keep(lab, &file);
    let Taken { name, bytes, .. } = file;
    ask(lab, Table { file: name, new: true, ..Table::default() }, Some(bytes), &json!({}));
}

/// Reads a table that was pasted or typed.
pub fn table_text(lab: Lab, text: String) {
    let name = "pasted.csv".to_string();
    if text.len() > INLINE {
        return match Taken::of_text(name.clone(), &text) {
            Some(file) => table(lab, file),
            None => fail(lab, name, &no_memory()),
        };
    }
    inline(lab, text);
}

fn inline(lab: Lab, text: String) {
    let bytes = Uint8Array::from(text.as_bytes()).buffer();
    ask(lab, Table { text, new: true, ..Table::default() }, Some(bytes), &json!({}));
}

/// Reads the table of the experiment on screen once more: the page shows what it looks like, as it did where it came from.
pub fn table_again(lab: Lab) {
    let fields = lab.draft.with_untracked(|doc| document::get(doc, "data.csv").cloned()).unwrap_or_default();
    let word = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let table = Table { file: word("file"), text: word("text"), ..Table::default() };
    if table.text.is_empty() {
        return ask(lab, table, None, &fields);
    }
    let bytes = Uint8Array::from(table.text.as_bytes()).buffer();
    ask(lab, Table { file: String::new(), ..table }, Some(bytes), &fields);
}

/// What the experiment on screen says about how its table is read and split; the table itself is left out.
pub fn decided(lab: Lab) -> String {
    lab.draft.with(|doc| {
        let mut fields = document::get(doc, "data.csv").cloned().unwrap_or_default();
        ["text", "file"].iter().for_each(|field| document::unset(&mut fields, field));
        format!("{fields} {}", document::get(doc, "seed").unwrap_or(&Value::Null))
    })
}

/// Looks at the table once more where something else has been decided about it; what it looked like stays on screen meanwhile.
pub fn look_again(lab: Lab) {
    let Some(table) = lab.table.get_untracked() else { return };
    if !table.new && matches!(table.found, Some(Ok(_))) && table.decided != decided(lab) {
        let fields = lab.draft.with_untracked(|doc| document::get(doc, "data.csv").cloned()).unwrap_or_default();
        let bytes = (!table.text.is_empty()).then(|| Uint8Array::from(table.text.as_bytes()).buffer());
        ask(lab, table, bytes, &fields);
    }
}

fn ask(lab: Lab, table: Table, bytes: Option<ArrayBuffer>, fields: &Value) {
    let mut fields = fields.clone();
    document::unset(&mut fields, "text");
    let seed = lab.draft.with_untracked(|doc| document::get(doc, "seed").and_then(Value::as_u64)).unwrap_or(0) as u32;
    let (file, fields) = (table.file.clone(), fields.to_string());
    let request = lab.link.with_value(|link| {
        let link = link.as_ref()?;
        Some(match bytes {
            Some(bytes) => link.send_file(bytes, |bytes| Command::ReadTable { file, bytes: Some(bytes), fields, seed }),
            None => link.send(Command::ReadTable { file, bytes: None, fields, seed }),
        })
    });
    lab.table.set(Some(Table { request: request.unwrap_or(0), decided: untrack(|| decided(lab)), ..table }));
}

fn fail(lab: Lab, file: String, error: &UserError) {
    lab.table.set(Some(Table { file, found: Some(Err(error.to_string())), ..Table::default() }));
}

/// Stops reading.
pub fn cancel(lab: Lab) {
    lab.send(Command::CancelTable);
    lab.table.set(None);
}

/// Reads the table once more from its first byte, in another way: what was decided about its columns may be about others then.
pub fn read_as(lab: Lab, field: &str, word: &str) {
    let Some(table) = lab.table.get_untracked() else { return };
    let mut reading = json!({});
    for kept in ["delimiter", "header", "validation"] {
        let said = lab.draft.with_untracked(|doc| document::get(doc, &format!("data.csv.{kept}")).cloned());
        if let Some(value) = said {
            reading[kept] = value;
        }
    }
    reading[field] = json!(word);
    let bytes = (!table.text.is_empty()).then(|| Uint8Array::from(table.text.as_bytes()).buffer());
    ask(lab, Table { new: true, reading: reading.clone(), ..table }, bytes, &reading);
}

/// Trains on a table.
pub fn train_on(lab: Lab, table: &Table, profile: &Profile) {
    let target = &profile.target;
    let column = profile.columns.iter().find(|column| column.name == *target);
    let end = column.map_or(End::Many, |column| end_of(profile.task, column));
    lab.edit(|doc| {
        let mut fields = if table.reading.is_object() { table.reading.clone() } else { json!({}) };
        fields["target"] = json!(target);
        if table.file.is_empty() {
            fields["text"] = json!(table.text);
        } else {
            fields["file"] = json!(table.file);
        }
        doc["data"] = json!({ "csv": fields });
        doc["name"] = json!(format!("Predict {target}"));
        document::fit_end(doc, end);
    });
}

/// What is to be told where a column is predicted.
pub fn end_of(task: Goal, column: &Column) -> End {
    if task == Goal::Regression { End::Numbers } else { End::of_classes(Some(column.distinct)) }
}
