//! Tokenizers beside those of Hugging Face: what is written here is read there and cuts every text alike, and the other way round. What these say lies in
//! `tokenizers/made.json`; where `DOWNHILL_PYTHON` names a Python that has them they are asked anew, and with `DOWNHILL_MAKE=1` the file is written.
#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use downhill_data::{Tokenizer, Tokens};
use serde_json::{Map, Value, json};

/// Parts that texts are put together of: letters and what only looks like some, numbers, signs, all kinds of white space, emoji of one and of several characters, text from
/// right to left, line ends of every system.
const PARTS: [&str; 28] = [
    "the ",
    "then",
    " sea",
    "it's",
    "'ll",
    "'LL",
    " 12",
    "½Ⅷ",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{a0}",
    "\u{1c}",
    "\u{3000}",
    "—",
    "?!",
    "שלום ",
    "مَرْحَبًا",
    "नमस्ते",
    "🚢",
    "👩‍🚀",
    "größe",
    "<|end|>",
    "<|end|>!",
    "中文",
];

fn texts() -> Vec<String> {
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    (0..150).map(|_| (0..next(14)).map(|_| PARTS[next(PARTS.len())]).collect()).collect()
}

fn learned(texts: &[String]) -> Vec<(&'static str, Tokenizer)> {
    let all = texts.concat();
    let kinds = [("characters", Tokens::Characters), ("bytes", Tokens::Bytes), ("words", Tokens::Words), ("bpe", Tokens::Bpe)];
    kinds.into_iter().map(|(name, kind)| (name, Tokenizer::learn(kind, 320, &all).unwrap())).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers")
}

/// What Hugging Face's tokenizers say now; none where there are none.
fn asked(files: &Map<String, Value>, texts: &[String]) -> Option<Value> {
    let python = std::env::var_os("DOWNHILL_PYTHON")?;
    let mut child = Command::new(python)
        .arg(folder().join("made.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let given = json!({ "files": files, "learn": texts.concat(), "texts": texts });
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("No module named 'tokenizers'") {
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn hugging_faces_tokenizers_cut_every_text_alike() {
    let texts = texts();
    let own = learned(&texts);
    let files: Map<String, Value> =
        own.iter().map(|(name, tokenizer)| (name.to_string(), json!(tokenizer.to_json().unwrap()))).collect();
    let made = folder().join("made.json");
    let now = asked(&files, &texts);
    if let (Some(now), true) = (&now, std::env::var_os("DOWNHILL_MAKE").is_some()) {
        std::fs::write(&made, now.to_string() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(made).unwrap()).unwrap();
    match now {
        Some(now) => assert_eq!(now["tokens"], kept["tokens"], "they say otherwise than they did"),
        None => eprintln!("what they said before is compared: DOWNHILL_PYTHON names no Python with tokenizers"),
    }
    for (name, tokenizer) in &own {
        let saved = Tokenizer::from_json(kept["files"][*name].as_str().unwrap()).unwrap();
        assert_eq!(saved, *tokenizer, "{name}: what they saved again");
    }
    for name in ["characters", "bytes", "words", "bpe", "trained", "trained_blank"] {
        let file = kept["files"][name].as_str().unwrap();
        let tokenizer = Tokenizer::from_json(file).unwrap();
        let again = Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
        assert_eq!(again, tokenizer, "{name}");
        let mut merged = 0;
        for (i, text) in texts.iter().enumerate() {
            let tokens = tokenizer.encode(text).unwrap();
            assert_eq!(json!(tokens), kept["tokens"][name][i], "{name}: {text:?}");
            assert_eq!(json!(tokenizer.decode(&tokens)), kept["decoded"][name][i], "{name}: {text:?}");
            merged += tokens.iter().filter(|token| **token >= 258).count();
        }
        assert_eq!(merged > 500, !matches!(name, "characters" | "bytes"), "{name}: {merged} tokens of several bytes");
    }
}
