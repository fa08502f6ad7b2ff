//! `tokenizer.json` of Hugging Face's tokenizers: byte-level BPE as GPT-2 has it, in which bytes and words are written too, and single characters as a list of
//! words. Another kind is refused, and so is what would cut a text otherwise than it is cut here.

use downhill_tensor::UserError;
use serde_json::{Map as Object, Value, json};

use super::hash::{Map, Set};
use super::merges::Merges;
use super::rule::{ByteLevel, MOST_TOKENS, NONE, Rule, Tokenizer};
use crate::spec::quote;

impl Tokenizer {
    /// Reads a `tokenizer.json` of Hugging Face's tokenizers.
    ///
    /// # Errors
    /// When it is none, or of a kind that is not read here.
    pub fn from_json(text: &str) -> Result<Self, UserError> {
        read(text)
    }

    /// As a `tokenizer.json` of Hugging Face's tokenizers, which cuts every text as this does; `None` for the names of a source, which are no pieces of text.
    pub fn to_json(&self) -> Option<String> {
        write(self)
    }
}

/// Every single character, line ends too, as a regular expression.
const CHARACTER: &str = r"[\s\S]";

/// The characters that stand for bytes: a byte that can be seen is its own character, the others are those from U+0100 on, so that a blank is `Ġ`.
fn alphabet() -> Vec<char> {
    let mut others = '\u{100}'..;
    let is_seen = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    (0..=u8::MAX).map(|byte| if is_seen(&byte) { char::from(byte) } else { others.next().unwrap_or_default() }).collect()
}

/// The file of a tokenizer; none for the names of a source.
fn write(tokenizer: &Tokenizer) -> Option<String> {
    let (file, decoder, pre_tokenizer, model) = match &tokenizer.rule {
        Rule::Names => return None,
        Rule::Characters => {
            let spelled = |token: &Vec<u8>| String::from_utf8_lossy(token).into_owned();
            let split = json!({ "type": "Split", "pattern": { "Regex": CHARACTER }, "behavior": "Isolated", "invert": false });
            // Without the token for what is unknown, what is unknown is an error there as here.
            let model = json!({ "type": "WordLevel", "vocab": vocabulary(tokenizer, spelled), "unk_token": "<unk>" });
            (Vec::new(), json!({ "type": "Fuse" }), split, model)
        }
        Rule::ByteLevel(level) => {
            let alphabet = alphabet();
            let spelled = |token: &Vec<u8>| token.iter().map(|byte| alphabet[usize::from(*byte)]).collect::<String>();
            let name = |token: u32| spelled(&tokenizer.tokens[token as usize]);
            let merges: Vec<[String; 2]> = level.merges.pairs().into_iter().map(|(a, b)| [name(a), name(b)]).collect();
            let byte_level = |blank: bool| json!({ "type": "ByteLevel", "add_prefix_space": blank, "trim_offsets": true, "use_regex": true });
            let model = json!({
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
                "fuse_unk": false, "byte_fallback": false, "ignore_merges": level.words,
                "vocab": vocabulary(tokenizer, spelled), "merges": merges,
            });
            let added = level.added.iter().map(|token| added(tokenizer, *token)).collect();
            (added, byte_level(true), byte_level(level.blank_first), model)
        }
    };
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": file, "normalizer": null,
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model,
    });
    Some(file.to_string())
}

/// All tokens but those that are added, in the order of their numbers.
fn vocabulary(tokenizer: &Tokenizer, spelled: impl Fn(&Vec<u8>) -> String) -> Object<String, Value> {
    let known = tokenizer.tokens.iter().zip(0u32..).filter(|(token, number)| tokenizer.numbers.get(*token) == Some(number));
    known.map(|(token, number)| (spelled(token), json!(number))).collect()
}

fn added(tokenizer: &Tokenizer, token: u32) -> Value {
    json!({
        "id": token, "content": String::from_utf8_lossy(&tokenizer.tokens[token as usize]), "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    })
}

/// Reads a file.
fn read(text: &str) -> Result<Tokenizer, UserError> {
    let file: Value = serde_json::from_str(text)
        .map_err(|error| UserError::new(format!("This is no JSON: {error}.")).hint("Choose a whole tokenizer.json."))?;
    let model = &file["model"];
    let kind = match model["type"].as_str() {
        Some(kind) => kind,
        None if model["merges"].is_array() => "BPE",
        None => return Err(UserError::new("This is no tokenizer.json: it has no model with a type.").hint(READ)),
    };
    for part in ["normalizer", "truncation", "padding"] {
        if !file[part].is_null() {
            return Err(other(&format!("has a {part}, which changes a text before or after it is cut")));
        }
    }
    match kind {
        "BPE" => byte_level(&file),
        "WordLevel" => characters(&file),
        _ => Err(other(&format!("holds a {} model", quote(kind)))),
    }
}

/// What is read.
const READ: &str =
    "Read here are byte-level BPE cut as GPT-2 does it, and bytes, words and characters as this program writes them.";

fn other(what: &str) -> UserError {
    UserError::new(format!("This tokenizer.json {what}.")).hint(READ)
}

/// The words of a vocabulary by their numbers, which are all from 0 on; those that are added come beside.
fn numbered(file: &Value) -> Result<(Vec<String>, Vec<u32>), UserError> {
    let vocab = file["model"]["vocab"].as_object().ok_or_else(|| other("has no vocabulary"))?;
    let added = file["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let extra = added.iter().map(|token| (token["content"].as_str().unwrap_or_default(), &token["id"]));
    let all = vocab.iter().map(|(word, number)| (word.as_str(), number)).chain(extra);
    let mut words: Vec<Option<&str>> = Vec::new();
    for (word, number) in all {
        let number =
            number.as_u64().filter(|number| *number < 1 << 24).ok_or_else(|| other("numbers its tokens in no order"))? as usize;
        words.resize(words.len().max(number + 1), None);
        if words[number].is_some_and(|other| other != word) {
            return Err(other(&format!("gives the number {number} to two tokens")));
        }
        words[number] = Some(word);
    }
    if words.len() > MOST_TOKENS {
        let message = format!("This tokenizer.json has {} tokens; a network here can tell {MOST_TOKENS} apart.", words.len());
        return Err(UserError::new(message).hint("Choose one with fewer, or have one learned from the text."));
    }
    let missing = words.iter().position(Option::is_none);
    if let Some(missing) = missing {
        return Err(other(&format!("has no token with the number {missing}")));
    }
    let number = |token: &Value| token["id"].as_u64().unwrap_or_default() as u32;
    Ok((words.into_iter().flatten().map(str::to_string).collect(), added.iter().map(number).collect()))
}

fn characters(file: &Value) -> Result<Tokenizer, UserError> {
    let split = &file["pre_tokenizer"];
    let each = split["type"] == "Split"
        && split["pattern"]["Regex"] == CHARACTER
        && split["behavior"] == "Isolated"
        && split["invert"] != true;
    if !each {
        return Err(other("is a list of words"));
    }
    let (words, added) = numbered(file)?;
    if !added.is_empty() || words.iter().any(|word| word.chars().count() != 1) {
        return Err(other("is a list of words"));
    }
    check_decoder(file, "Fuse")?;
    Ok(Tokenizer::new(words.into_iter().map(String::into_bytes).collect(), Rule::Characters))
}

/// Tokens are put together by what they spell, which a decoder may agree with or leave unsaid.
fn check_decoder(file: &Value, known: &str) -> Result<(), UserError> {
    for (part, known) in [("decoder", known), ("post_processor", "ByteLevel")] {
        let kind = file[part]["type"].as_str();
        if !file[part].is_null() && kind != Some(known) {
            return Err(other(&format!("has the {part} {}", quote(kind.unwrap_or("of no type")))));
        }
    }
    Ok(())
}

fn byte_level(file: &Value) -> Result<Tokenizer, UserError> {
    let (model, cut) = (&file["model"], &file["pre_tokenizer"]);
    if cut["type"] != "ByteLevel" {
        let how = cut["type"].as_str().map_or("nothing".to_string(), quote);
        return Err(other(&format!("is BPE that cuts a text by {how} first, and not by ByteLevel")));
    }
    if cut["use_regex"] == false {
        return Err(other("cuts no words before it merges bytes"));
    }
    check_decoder(file, "ByteLevel")?;
    for part in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if model[part].as_str().is_some_and(|text| !text.is_empty()) {
            return Err(other(&format!("marks its tokens with a {part}, which byte-level BPE does not")));
        }
    }
    if model["dropout"].as_f64().is_some_and(|share| share > 0.0) {
        return Err(other("drops merges at random"));
    }
    let (words, added) = numbered(file)?;
    check_added(file)?;
    let of_character: Map<char, u8> = alphabet().into_iter().zip(0..=u8::MAX).collect();
    let is_added: Set<u32> = added.iter().copied().collect();
    let spelled = |(word, number): (&String, u32)| {
        if is_added.contains(&number) {
            return Ok(word.clone().into_bytes());
        }
        let bytes: Option<Vec<u8>> = word.chars().map(|c| of_character.get(&c).copied()).collect();
        bytes
            .filter(|bytes| !bytes.is_empty())
            .ok_or_else(|| other(&format!("has the token \"{}\", which spells no bytes", quote(word))))
    };
    let tokens: Vec<Vec<u8>> = words.iter().zip(0..).map(spelled).collect::<Result<_, _>>()?;
    let numbers: Map<&str, u32> = words.iter().map(String::as_str).zip(0..).filter(|(_, n)| !is_added.contains(n)).collect();
    let merge = |merge: &Value| {
        let pair = match merge {
            Value::String(pair) => pair.split_once(' '),
            pair => pair[0].as_str().zip(pair[1].as_str()),
        };
        let known =
            pair.and_then(|(a, b)| Some(((*numbers.get(a)?, *numbers.get(b)?), *numbers.get(format!("{a}{b}").as_str())?)));
        known.ok_or_else(|| other(&format!("merges {}, which are not all tokens of it", quote(&merge.to_string()))))
    };
    let merges = model["merges"].as_array().map_or(&[][..], Vec::as_slice).iter().map(merge);
    let level = ByteLevel {
        bytes: alphabet().into_iter().map(|c| numbers.get(c.to_string().as_str()).copied().unwrap_or(NONE)).collect(),
        merges: Merges::of(merges.collect::<Result<Vec<_>, _>>()?),
        words: model["ignore_merges"] == true,
        blank_first: cut["add_prefix_space"] != false,
        added,
    };
    Ok(Tokenizer::new(tokens, Rule::ByteLevel(Box::new(level))))
}

/// Added tokens are looked for as they are written, wherever they stand.
fn check_added(file: &Value) -> Result<(), UserError> {
    for token in file["added_tokens"].as_array().map_or(&[][..], Vec::as_slice) {
        let content = token["content"].as_str().unwrap_or_default();
        if content.is_empty() || ["single_word", "lstrip", "rstrip"].iter().any(|flag| token[*flag] == true) {
            return Err(other(&format!("looks for its token \"{}\" by a rule of its own", quote(content))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokens;

    const KINDS: [Tokens; 4] = [Tokens::Characters, Tokens::Bytes, Tokens::Words, Tokens::Bpe];
    const TEXT: &str = "The sea, the sea! It's 12 o'clock — שלום 🚢\t\"quoted\\\" ends\n\nthe the the sea sea";

    #[test]
    fn what_is_written_is_read_as_the_same_tokenizer_and_written_to_the_same_letter() {
        for kind in KINDS {
            let tokenizer = Tokenizer::learn(kind, 290, TEXT).unwrap();
            let file = tokenizer.to_json().unwrap();
            let again = Tokenizer::from_json(&file).unwrap();
            assert_eq!(again, tokenizer, "{kind:?}");
            assert_eq!(again.to_json().unwrap(), file, "{kind:?}");
            assert_eq!(again.decode(&again.encode(TEXT).unwrap()), TEXT, "{kind:?}");
        }
        assert!(Tokenizer::of_names(&["a".to_string()]).to_json().is_none());
    }

    #[test]
    fn bytes_stand_for_characters_as_gpt_2_has_them() {
        let alphabet = alphabet();
        assert_eq!([b'a', b' ', b'\n', 0xad, 0xff].map(|byte| alphabet[usize::from(byte)]), ['a', 'Ġ', 'Ċ', 'Ń', 'ÿ']);
        assert_eq!(alphabet.iter().collect::<Set<_>>().len(), 256);
    }

    /// A file whose bytes are numbered by no order of ours, with two added tokens and the pairs as older files write them.
    fn elsewhere() -> Value {
        let mut vocab: Object<String, Value> =
            alphabet().into_iter().rev().zip(1..).map(|(c, number)| (c.to_string(), json!(number))).collect();
        let more = ["th", "the", "Ġthe"];
        vocab.extend(more.into_iter().zip(257..).map(|(word, number)| (word.to_string(), json!(number))));
        let added = |id: u32, content: &str| json!({ "id": id, "content": content, "special": true, "single_word": false, "lstrip": false, "rstrip": false });
        json!({
            "version": "1.0", "added_tokens": [added(0, "<|end|>"), added(260, "<|end|>!")], "normalizer": null,
            "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true },
            "post_processor": { "type": "ByteLevel", "trim_offsets": false }, "decoder": { "type": "ByteLevel" },
            "model": { "type": "BPE", "dropout": null, "unk_token": null, "vocab": vocab, "merges": ["t h", "th e", "Ġ the"] },
        })
    }

    #[test]
    fn a_file_from_elsewhere_keeps_its_numbers_and_its_added_tokens() {
        let tokenizer = Tokenizer::from_json(&elsewhere().to_string()).unwrap();
        let byte = |byte: u8| 256 - u32::from(byte);
        assert_eq!(tokenizer.len(), 261);
        assert_eq!(tokenizer.encode("the the<|end|>?<|end|>!").unwrap(), [258, 259, 0, byte(b'?'), 260]);
        assert_eq!(tokenizer.decode(&[258, 259, 0]), "the the<|end|>");
        assert_eq!(Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap(), tokenizer);
        let mut blank = elsewhere();
        blank["pre_tokenizer"]["add_prefix_space"] = json!(true);
        let blank = Tokenizer::from_json(&blank.to_string()).unwrap();
        assert_eq!(blank.encode("the<|end|>the the").unwrap(), [259, 0, 259, 259]);
        assert_eq!(Tokenizer::from_json(&blank.to_json().unwrap()).unwrap(), blank);
    }

    #[test]
    fn a_byte_that_has_no_token_is_an_error_and_no_gap() {
        let mut file = elsewhere();
        file["model"]["vocab"].as_object_mut().unwrap().remove("z");
        // Its number is given to a token that is never met.
        let number = 256 - u32::from(b'z');
        file["model"]["vocab"]["zz"] = json!(number);
        let tokenizer = Tokenizer::from_json(&file.to_string()).unwrap();
        assert!(tokenizer.encode("a b").is_ok());
        assert!(tokenizer.encode("a zoo").unwrap_err().message.contains("\"zoo\""));
    }

    #[test]
    fn files_of_another_kind_are_refused_with_the_kinds_that_are_read() {
        type Change = fn(&mut Value);
        let changes: [(Change, &str); 15] = [
            (|file| file["model"] = json!({ "type": "Unigram", "vocab": [["a", 0.1]] }), "holds a Unigram model"),
            (|file| file["model"]["type"] = json!("WordPiece"), "holds a WordPiece model"),
            (|file| file["model"] = json!({ "type": "WordLevel", "vocab": { "sea": 0 } }), "is a list of words"),
            (|file| file["model"] = json!(7), "no model with a type"),
            (|file| file["normalizer"] = json!({ "type": "NFC" }), "has a normalizer"),
            (|file| file["truncation"] = json!({ "max_length": 5 }), "has a truncation"),
            (|file| file["pre_tokenizer"] = json!({ "type": "Metaspace" }), "by Metaspace first"),
            (|file| file["pre_tokenizer"] = Value::Null, "by nothing first"),
            (|file| file["pre_tokenizer"]["use_regex"] = json!(false), "cuts no words"),
            (|file| file["post_processor"] = json!({ "type": "TemplateProcessing" }), "post_processor TemplateProcessing"),
            (|file| file["decoder"] = json!({ "type": "BPEDecoder" }), "decoder BPEDecoder"),
            (|file| file["model"]["end_of_word_suffix"] = json!("</w>"), "with a end_of_word_suffix"),
            (|file| file["model"]["vocab"]["th"] = json!(9999), "no token with the number 257"),
            (|file| file["model"]["vocab"]["th"] = json!(19), "the number 19 to two tokens"),
            (|file| file["model"]["merges"] = json!([["q", "q"]]), "not all tokens of it"),
        ];
        for (change, said) in changes {
            let mut file = elsewhere();
            change(&mut file);
            let error = Tokenizer::from_json(&file.to_string()).unwrap_err();
            assert!(error.message.contains(said), "{said}: {error}");
            assert!(error.hint.is_some_and(|hint| hint.contains("byte-level BPE")), "{said}");
        }
        assert!(Tokenizer::from_json("{ \"model\"").unwrap_err().message.contains("no JSON"));
        let mut large = elsewhere();
        let words = (261..=MOST_TOKENS as u32).map(|number| (format!("w{number}"), json!(number)));
        large["model"]["vocab"].as_object_mut().unwrap().extend(words);
        assert!(Tokenizer::from_json(&large.to_string()).unwrap_err().message.contains("has 20001 tokens"));
    }
}
