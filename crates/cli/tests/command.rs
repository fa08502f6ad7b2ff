//! The command as a person calls it.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const EXPERIMENT: &str = r#"{ "version": 1, "seed": 5, "data": { "moons": { "samples": 200 } },
    "model": [{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": "classes" } }],
    "training": { "steps": 60, "batch_size": 16 } }"#;

fn downhill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_downhill")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = downhill(arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// A folder of its own for a test, with the experiment in it.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("experiment.json"), EXPERIMENT).unwrap();
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn training_prints_the_last_metrics_and_writes_every_loss() {
    let folder = folder("train");
    let (experiment, metrics) = (path(&folder, "experiment.json"), path(&folder, "metrics.jsonl"));
    let last: Value = serde_json::from_str(&said(&downhill(&["train", &experiment, "--metrics", &metrics]))).unwrap();
    assert_eq!(last["step"], 60);
    assert!(last["validation_accuracy"].as_f64().unwrap() > 0.7, "{last}");
    let text = std::fs::read_to_string(metrics).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), lines[0]["step"].as_u64(), lines[59]["step"].as_u64()), (60, Some(0), Some(59)));
    assert!(lines[59]["loss"].as_f64().unwrap() < lines[0]["loss"].as_f64().unwrap());
}

#[test]
fn training_ends_with_a_verdict_and_the_sentence_behind_it() {
    let folder = folder("verdict");
    let run = |name: &str, optimizer: &str, steps: u32| {
        let file = path(&folder, name);
        let text = EXPERIMENT.replace("\"steps\": 60", &format!("\"steps\": {steps}"));
        std::fs::write(&file, text.replacen('{', &format!("{{ \"optimizer\": {optimizer},"), 1)).unwrap();
        let output = downhill(&["train", &file]);
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        (line["verdict"].as_str().unwrap().to_string(), String::from_utf8(output.stderr).unwrap(), output.status.code())
    };
    let (verdict, sentence, code) = run("slow.json", r#"{ "sgd": { "lr": 0.0001 } }"#, 2000);
    assert_eq!((verdict.as_str(), code), ("creeping", Some(0)));
    assert!(sentence.contains("the learning rate of 0.0001 is too low"), "{sentence}");
    assert!(sentence.contains("Worth a try: set the learning rate to 0.0003."), "{sentence}");
    let (verdict, sentence, _) = run("short.json", r#"{ "adam": {} }"#, 60);
    assert_eq!(verdict, "finished", "{sentence}");
    let (verdict, sentence, code) = run("wild.json", r#"{ "sgd": { "lr": 1000, "momentum": 0.99 } }"#, 2000);
    assert!(["diverged", "oscillating"].contains(&verdict.as_str()), "{verdict}: {sentence}");
    assert_eq!(code, Some(i32::from(verdict == "diverged")));
}

#[test]
fn a_text_is_continued_with_weights_or_after_training() {
    let folder = folder("generate");
    let (experiment, saved) = (path(&folder, "text.json"), path(&folder, "run.safetensors"));
    let text = "abcd".repeat(50);
    let document = serde_json::json!({
        "data": { "text": { "text": text, "context": 4 } },
        "model": [{ "embedding": { "dim": 8 } }, { "linear": { "out": "classes" } }],
        "optimizer": { "adam": { "lr": 0.1 } }, "training": { "steps": 60 },
    });
    std::fs::write(&experiment, document.to_string()).unwrap();
    let ask = ["--prompt", "ab", "--tokens", "6", "--temperature", "0"];
    assert_eq!(said(&downhill(&[&["generate", &experiment][..], &ask].concat())), "abcdabcd\n");
    said(&downhill(&["train", &experiment, "--save", &saved]));
    assert_eq!(said(&downhill(&[&["generate", &experiment, "--weights", &saved][..], &ask].concat())), "abcdabcd\n");
    let more = |more: &[&str]| said(&downhill(&[&["generate", &experiment, "--weights", &saved][..], &ask, more].concat()));
    assert_eq!(more(&["--stop", "x", "--stop", "dab"]), "abc\n");
    let likeliest = ["--prompt", "ab", "--tokens", "6", "--min-p", "1"];
    assert_eq!(said(&downhill(&[&["generate", &experiment, "--weights", &saved][..], &likeliest].concat())), "abcdabcd\n");
    let output = downhill(&[&["generate", &experiment, "--weights", &saved][..], &ask].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("The first token took") && told.contains("tokens/s"), "{told}");
    let object: Value = serde_json::from_str(&more(&["--json"])).unwrap();
    assert_eq!((object["text"].as_str(), object["given"].as_u64()), (Some("abcdabcd"), Some(2)));
    assert!(object["probabilities"][0].is_null() && object["probabilities"][7].as_f64().unwrap() > 0.5, "{object}");
    assert!(
        object["first_token_ms"].as_f64().unwrap() > 0.0 && object["tokens_per_second"].as_f64().unwrap() > 0.0,
        "{object}"
    );
    assert_eq!(object["cache_bytes"].as_u64(), Some(0), "an embedding and a linear layer keep nothing");
    let absurd = |flag: &str, value: &str| refused(&["generate", &experiment, "--weights", &saved, flag, value]);
    assert!(absurd("--min-p", "2").contains("min_p") && absurd("--repetition-penalty", "0").contains("above 0"));
    assert!(absurd("--tokens", "20000").contains("not by 20000") && absurd("--stop", "").contains("begins with nothing"));
    assert!(refused(&["generate", &experiment, "--prompt", "xyz"]).contains("no character \"x\""));
    assert!(refused(&["generate", &path(&folder, "experiment.json")]).contains("no text"));
}

#[test]
fn a_saved_run_gives_weights_to_begin_with() {
    let folder = folder("save");
    let (experiment, saved) = (path(&folder, "experiment.json"), path(&folder, "run.safetensors"));
    said(&downhill(&["train", &experiment, "--save", &saved]));
    let first_loss = |more: &[&str]| {
        let metrics = path(&folder, "metrics.jsonl");
        said(&downhill(&[&["train", &experiment, "--steps", "1", "--metrics", &metrics], more].concat()));
        let line: Value = serde_json::from_str(std::fs::read_to_string(metrics).unwrap().trim()).unwrap();
        line["loss"].as_f64().unwrap()
    };
    assert!(first_loss(&["--init", &saved]) < first_loss(&[]));
    let weights = path(&folder, "weights.safetensors");
    said(&downhill(&["export", &experiment, "--format", "safetensors", "--weights", &saved, "-o", &weights]));
    assert_eq!(first_loss(&["--init", &saved]), first_loss(&["--init", &weights]));
    let wider = path(&folder, "wider.json");
    std::fs::write(&wider, EXPERIMENT.replace("\"out\": 8", "\"out\": 9")).unwrap();
    assert!(refused(&["train", &wider, "--init", &saved]).starts_with("error: 0.weight"));
}

#[test]
fn an_export_holds_program_weights_and_data() {
    let folder = folder("export");
    let out = path(&folder, "out");
    said(&downhill(&["export", &path(&folder, "experiment.json"), "--format", "pytorch", "--steps", "7", "-o", &out]));
    let size = |name: &str| std::fs::metadata(Path::new(&out).join(name)).unwrap().len();
    assert!(size("train.py") > 1000 && size("init.safetensors") > 4 * 42);
    let data = std::fs::read(Path::new(&out).join("data.safetensors")).unwrap();
    let header = String::from_utf8_lossy(&data[8..400]).to_string();
    assert!(header.contains("\"indices\":{\"dtype\":\"I32\",\"shape\":[7,16]"), "{header}");
}

#[test]
fn the_tokenizer_of_a_text_is_exported_and_one_beside_the_experiment_is_read() {
    let folder = folder("tokenizer");
    let experiment = path(&folder, "text.json");
    let write = |fields: &str| {
        let model = r#"[{ "embedding": { "dim": 4 } }, { "linear": { "out": "classes" } }]"#;
        let text = format!(r#"{{ "data": {{ "text": {{ {fields} }} }}, "model": {model}, "training": {{ "steps": 3 }} }}"#);
        std::fs::write(&experiment, text).unwrap();
    };
    write(r#""tokenizer": "bpe", "vocabulary": 300"#);
    let file = path(&folder, "tokenizer.json");
    said(&downhill(&["export", &experiment, "--format", "tokenizer", "-o", &file]));
    let beside = path(&folder, "out");
    said(&downhill(&["export", &experiment, "--format", "pytorch", "-o", &beside]));
    let written = std::fs::read(&file).unwrap();
    assert_eq!(std::fs::read(Path::new(&beside).join("tokenizer.json")).unwrap(), written);
    let learned = said(&downhill(&["check", &experiment]));
    assert!(learned.contains("300 tokens"), "{learned}");
    write(r#""tokenizer_file": "tokenizer.json""#);
    assert_eq!(said(&downhill(&["check", &experiment])), learned);
    let again = path(&folder, "again.json");
    said(&downhill(&["export", &experiment, "--format", "tokenizer", "-o", &again]));
    assert_eq!(std::fs::read(&again).unwrap(), written);
    std::fs::write(&file, r#"{ "model": { "type": "WordPiece" } }"#).unwrap();
    let error = refused(&["check", &experiment]);
    assert!(error.starts_with("error: data.text.tokenizer_file: This tokenizer.json holds a WordPiece model."), "{error}");
}

#[test]
fn an_own_table_is_one_beside_the_experiment_whatever_its_name() {
    let folder = folder("own");
    let check = |file: &str| {
        let experiment = path(&folder, "own.json");
        let text = format!(
            r#"{{ "data": {{ "csv": {{ "file": "{file}", "target": "kind" }} }}, "model": [{{ "linear": {{ "out": "classes" }} }}] }}"#
        );
        std::fs::write(&experiment, text).unwrap();
        ["check".to_string(), experiment]
    };
    let run = |arguments: [String; 2]| said(&downhill(&[&arguments[0], &arguments[1]]));
    let rows = (0..40).map(|i| format!("{},{}\n", i % 7, ["cat", "dog"][i % 2])).collect::<String>();
    // A bundled set has the first of these names.
    let names: &[&str] = if cfg!(windows) { &["iris.csv"] } else { &["iris.csv", "export 12:30.csv"] };
    for name in names {
        std::fs::write(folder.join(name), format!("a,kind\n{rows}")).unwrap();
        assert!(run(check(name)).contains("28 to learn from, 12 held out"), "{name}");
    }
    for name in ["../experiment.json", "/etc/passwd"] {
        let [command, file] = check(name);
        assert!(refused(&[&command, &file]).contains("is not a file beside the experiment"), "{name}");
    }
}

#[test]
fn own_pictures_are_a_folder_of_them_or_files_of_arrays() {
    let folder = folder("pictures");
    let experiment = path(&folder, "own.json");
    let write = |fields: &str| {
        let model =
            r#"[{ "conv2d": { "out_channels": 2, "kernel_size": 3 } }, "relu", "flatten", { "linear": { "out": "classes" } }]"#;
        let text = format!(
            r#"{{ "data": {{ "images": {{ {fields} }} }}, "model": {model}, "augment": {{ "flip": true }}, "training": {{ "steps": 5 }} }}"#
        );
        std::fs::write(&experiment, text).unwrap();
    };
    for (class, colour) in [("night", 20u8), ("day", 240)] {
        std::fs::create_dir_all(folder.join("sky").join(class)).unwrap();
        for i in 0..10u8 {
            let picture = image::RgbImage::from_pixel(20 + u32::from(i), 24, image::Rgb([colour, colour / 2, i]));
            picture.save(folder.join("sky").join(class).join(format!("{i}.png"))).unwrap();
        }
    }
    std::fs::write(folder.join("sky/day/notes.jpg"), "no picture").unwrap();
    write(r#""file": "sky", "size": 12, "colour": true"#);
    let output = downhill(&["check", &experiment]);
    assert!(said(&output).contains("14 to learn from, 6 held out"), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(said(&output).contains("3×12×12"), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"day/notes.jpg\" is no picture that can be read"));
    said(&downhill(&["train", &experiment]));
    // IDX as MNIST is given away: two parts of images and labels.
    std::fs::create_dir_all(folder.join("idx")).unwrap();
    for (part, count) in [("train", 20u8), ("t10k", 8)] {
        let images = [&[0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 5, 0, 0, 0, 5][..], &vec![7; usize::from(count) * 25]].concat();
        let labels = [&[0, 0, 8, 1, 0, 0, 0, count][..], &(0..count).map(|i| i % 2).collect::<Vec<u8>>()].concat();
        std::fs::write(folder.join(format!("idx/{part}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("idx/{part}-labels-idx1-ubyte")), labels).unwrap();
    }
    write(r#""file": "idx", "size": 8"#);
    assert!(said(&downhill(&["check", &experiment])).contains("20 to learn from, 8 held out"));
    std::fs::create_dir_all(folder.join("none")).unwrap();
    write(r#""file": "none""#);
    assert!(refused(&["check", &experiment]).contains("There is no picture in it that can be read"));
}

/// A WAV file of 16 bits: a tone of this pitch, 8000 samples a second; a pitch of 0 is silence.
fn tone(hertz: f64, seconds: f64) -> Vec<u8> {
    let wave = |i: u32| (9000.0 * (f64::from(i) * hertz * std::f64::consts::TAU / 8000.0).sin()) as i16;
    let data: Vec<u8> = (0..(8000.0 * seconds) as u32).flat_map(|i| wave(i).to_le_bytes()).collect();
    let size = data.len() as u32;
    let head = [&b"RIFF"[..], &(36 + size).to_le_bytes(), b"WAVEfmt ", &16u32.to_le_bytes(), &[1, 0, 1, 0]].concat();
    let rates = [8000u32.to_le_bytes(), 16_000u32.to_le_bytes()].concat();
    [&head[..], &rates, &[2, 0, 16, 0], b"data", &size.to_le_bytes(), &data].concat()
}

#[test]
fn own_sounds_are_a_folder_of_wav_files_with_a_folder_for_each_class() {
    let folder = folder("sounds");
    let experiment = path(&folder, "own.json");
    let write = |file: &str| {
        let model = r#"["mean_over_time", { "linear": { "out": "classes" } }]"#;
        let text = format!(
            r#"{{ "seed": 2, "data": {{ "sounds": {{ "file": "{file}", "seconds": 0.5 }} }}, "model": {model}, "optimizer": {{ "adam": {{ "lr": 0.02 }} }}, "training": {{ "steps": 150, "batch_size": 8 }} }}"#
        );
        std::fs::write(&experiment, text).unwrap();
    };
    let put = |name: &str, bytes: Vec<u8>| {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    for i in 0..10u8 {
        put(&format!("tones/low/{i}.wav"), tone(300.0 + f64::from(i), 0.4));
        put(&format!("tones/high/{i}.wav"), tone(1500.0 + f64::from(i), 1.0));
    }
    put("tones/high/notes.txt", b"no sound".to_vec());
    put("tones/low/nothing.wav", tone(0.0, 0.5));
    write("tones");
    let output = downhill(&["check", &experiment]);
    assert!(said(&output).contains("21 to learn from, 9 held out"), "{}", String::from_utf8_lossy(&output.stdout));
    let told = format!("{}{}", said(&output), String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("\"high/notes.txt\" is no WAV that can be read"), "{told}");
    assert!(told.contains("1 is silent and left out, the first of them in \"low/nothing.wav\""), "{told}");
    let trained = said(&downhill(&["train", &experiment]));
    assert!(trained.contains(r#""validation_accuracy":1.0"#), "{trained}");
    put("one/clap/1.wav", tone(400.0, 0.5));
    write("one");
    assert!(refused(&["check", &experiment]).contains("of the class \"clap\""));
    put("quiet/a/1.wav", tone(400.0, 0.5));
    put("quiet/b/1.wav", tone(0.0, 0.5));
    write("quiet");
    assert!(refused(&["check", &experiment]).contains("All sounds of the class \"b\" are silent"));
    put("none/a/1.wav", b"no sound".to_vec());
    write("none");
    assert!(refused(&["check", &experiment]).contains("holds no sound that can be read"));
    put("long/a/1.wav", tone(400.0, 3.0 * 3600.0));
    put("long/b/1.wav", tone(500.0, 0.5));
    write("long");
    let error = refused(&["check", &experiment]);
    assert!(error.contains("data.sounds.file") && error.contains("last 181 minutes, of which \"a/1.wav\" is 180"), "{error}");
}

#[test]
fn a_check_reads_what_other_programs_write() {
    let folder = folder("written");
    let file = path(&folder, "bom.json");
    let text = "\u{feff}{ \"seed\": 1.0, \"seed\": 2.0, \"data\": \"xor\", \"model\": [{ \"linear\": { \"out\": 8.0 } }, \"relu\", { \"linear\": { \"out\": \"classes\" } }] }";
    std::fs::write(&file, text).unwrap();
    let output = downhill(&["check", &file]);
    assert!(said(&output).contains("linear 8"), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stderr).contains("note: `seed` is given more than once"));
    std::fs::write(&file, text.replace("8.0", "\"8\"")).unwrap();
    assert!(refused(&["check", &file]).contains("Write it without quotes: 8."));
    std::fs::write(&file, text.replace("relu", "ReLU")).unwrap();
    assert!(refused(&["check", &file]).contains("Did you mean `relu`?"));
}

#[test]
fn a_check_shows_shapes_and_costs_and_fails_with_the_field() {
    let folder = folder("check");
    let text = said(&downhill(&["check", &path(&folder, "experiment.json")]));
    assert!(text.contains("0.weight 8×2") && text.contains("parameters  42"), "{text}");
    let broken = path(&folder, "broken.json");
    std::fs::write(&broken, EXPERIMENT.replace("\"steps\": 60", "\"stepz\": 60")).unwrap();
    let error = refused(&["check", &broken]);
    assert!(error.contains("training.stepz") && error.contains("steps"), "{error}");
    assert!(refused(&["check", "nowhere.json"]).contains("nowhere.json"));
}

#[test]
fn every_preset_that_is_listed_can_be_printed_and_checked() {
    let list = said(&downhill(&["presets"]));
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 8, "{names:?}");
    let folder = folder("presets");
    for name in names {
        let file = path(&folder, name);
        std::fs::write(&file, said(&downhill(&["presets", name]))).unwrap();
        said(&downhill(&["check", &file]));
    }
    assert!(refused(&["presets", "nothing"]).contains("spirals"));
}

#[test]
fn a_benchmark_is_one_json_line() {
    let line: Value = serde_json::from_str(&said(&downhill(&["bench", "mlp-s-10", "--seconds", "0.2"]))).unwrap();
    assert!(line["stepsPerSec"].as_f64().unwrap() > 0.0);
    assert!(line["lossLast"].as_f64().unwrap() < line["lossFirst"].as_f64().unwrap());
    assert!(refused(&["bench", "marathon"]).contains("mlp-l"));
}

#[test]
fn a_link_holds_the_experiment_and_gives_it_back() {
    let folder = folder("link");
    let experiment = path(&folder, "experiment.json");
    let link = said(&downhill(&["link", &experiment, "--lab", "https://example.org/lab/"]));
    assert!(link.starts_with("https://example.org/lab/#c=1."), "{link}");
    let read: Value = serde_json::from_str(&said(&downhill(&["link", link.trim()]))).unwrap();
    let mut meant: Value = serde_json::from_str(EXPERIMENT).unwrap();
    // Eight outputs are what `linear` has anyway.
    meant["model"][0] = Value::from("linear");
    assert_eq!(read, meant);
    let file = path(&folder, "link.txt");
    std::fs::write(&file, format!("Look: <{}>.", link.trim())).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&said(&downhill(&["link", &file]))).unwrap(), read);
    assert!(said(&downhill(&["link", &experiment])).starts_with("#c=1."));
    assert!(refused(&["link", "#p=spirls"]).contains("spirals"));
    assert!(refused(&["link", "nothing.json"]).contains("nothing.json"));
}

#[test]
fn a_link_carries_weights_and_gives_them_back() {
    let folder = folder("link-weights");
    let [experiment, run, weights] =
        ["experiment.json", "run.safetensors", "weights.safetensors"].map(|name| path(&folder, name));
    let trained: Value = serde_json::from_str(&said(&downhill(&["train", &experiment, "--save", &run]))).unwrap();
    let link = said(&downhill(&["link", &experiment, "--weights", &run]));
    assert!(link.contains(".w1.") && link.len() < 2000, "{link}");
    downhill(&["link", link.trim(), "--weights", &weights]);
    let on = said(&downhill(&["train", &experiment, "--init", &weights, "--steps", "1"]));
    let on: Value = serde_json::from_str(&on).unwrap();
    let [before, now] = [&trained, &on].map(|line| line["validation_accuracy"].as_f64().unwrap());
    assert!((before - now).abs() < 0.05, "{before} {now}");
    assert!(refused(&["link", "#p=spirals", "--weights", &weights]).contains("no weights"));
}
