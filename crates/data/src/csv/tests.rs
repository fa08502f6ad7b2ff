//! Tables of every shape, whole and broken, are read or refused with a sentence.

use downhill_tensor::UserError;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dataset::{Dataset, INPUT, Labels, Part, Task};
use crate::{Assets, NoAssets, Source};

/// One file of a person's own, whatever its name.
struct Own(String);

impl Assets for Own {
    fn get(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }

    fn own(&self, _name: &str) -> Result<Vec<u8>, UserError> {
        Ok(self.0.clone().into_bytes())
    }
}

/// The inputs of a part, `[samples, features]`.
fn x(part: &Part) -> Vec<f32> {
    let field = part.field(INPUT).unwrap();
    (0..part.len()).flat_map(|i| field.numbers(i)).collect()
}

fn build(fields: serde_json::Value) -> Result<Dataset, UserError> {
    Source::from_json("csv", &fields)?.build(1, &NoAssets)
}

fn error(fields: serde_json::Value) -> String {
    build(fields).unwrap_err().to_string()
}

/// Rows of two numbers and a class, with a header.
fn table(rows: usize) -> String {
    let row = |i: usize| format!("{}.5,{},{}\n", i % 7, (i * i) % 11, ["cat", "dog"][i % 2]);
    format!("height,width,kind\n{}", (0..rows).map(row).collect::<String>())
}

#[test]
fn a_plain_table_is_understood() {
    let seen = inspect(&table(20)).unwrap();
    assert_eq!((seen.delimiter, seen.header, seen.rows), (Delimiter::Comma, true, 20));
    assert_eq!(
        seen.columns.iter().map(|c| c.kind).collect::<Vec<_>>(),
        [ColumnType::Number, ColumnType::Number, ColumnType::Category]
    );
    assert_eq!((seen.target.as_str(), seen.task, seen.trouble_count), ("kind", Goal::Classification, 0));

    let set = build(json!({ "text": table(20), "validation": 0.2 })).unwrap();
    assert_eq!((set.train.len(), set.validation.len()), (16, 4));
    assert_eq!(set.features, ["height", "width"]);
    assert_eq!(set.task, Task::Classification { classes: vec!["cat".into(), "dog".into()] });
}

#[test]
fn delimiters_decimal_commas_and_missing_headers_are_guessed() {
    let seen = inspect("a;b\n1,5;2\n2,5;3\n7,5;1\n").unwrap();
    assert_eq!((seen.delimiter, seen.header), (Delimiter::Semicolon, true));
    assert_eq!(seen.columns[0].kind, ColumnType::Number);
    let seen = inspect("1.5\t2\n2.5\t3\n7.5\t1\n").unwrap();
    assert_eq!((seen.delimiter, seen.header, seen.rows), (Delimiter::Tab, false, 3));
    assert_eq!(seen.columns[1].name, "column 2");
    let quoted = inspect("name,size\n\"Smith, A\",1.5\n\"Jones, B\",2\n\"Smith, A\",3\n\"Jones, B\",3\n").unwrap();
    assert_eq!((quoted.columns.len(), quoted.rows), (2, 4));
    let words_only = inspect("colour,taste\nred,sweet\ngreen,sour\nred,sweet\ngreen,sweet\n").unwrap();
    assert!(words_only.header);
    assert!(!inspect("red,sweet\ngreen,sour\nred,sweet\ngreen,sweet\n").unwrap().header);
}

#[test]
fn columns_with_nothing_to_learn_from_are_left_out_and_named() {
    let row = |i: usize| format!("{i},remark {i},same,{}.25,{}\n", i % 5, i % 2);
    let text = format!("id,remark,unit,size,target\n{}", (1..30).map(row).collect::<String>());
    let set = build(json!({ "text": text })).unwrap();
    assert_eq!(set.features, ["size"]);
    assert_eq!(
        set.notes,
        [
            "Column \"id\" is left out: it only numbers the rows.",
            "Column \"remark\" is left out: it holds free text.",
            "Column \"unit\" is left out: it does not vary.",
        ]
    );
    assert_eq!(set.task, Task::Classification { classes: vec!["0".into(), "1".into()] });
}

#[test]
fn rows_without_an_answer_are_left_out_values_that_are_none_are_missing_and_all_are_named() {
    let text = table(20) + "1,2\nabc,2,cat\n3,,dog\n4,5,?\n1,2,cat,9\n1e20,2,cat\n";
    let set = build(json!({ "text": text })).unwrap();
    assert_eq!(set.train.len() + set.validation.len(), 23);
    assert_eq!(
        set.notes,
        [
            "Column \"height\": 2 missing values are read as 3.",
            "Column \"width\": 1 missing values are read as 3.",
            "Line 22: it has 2 values where other rows have 3; the row is left out.",
            "Line 26: it has 4 values where other rows have 3; the row is left out.",
            "Line 25, column \"kind\": there is no value; the row is left out.",
            "Line 23, column \"height\": \"abc\" is not a number; it counts as missing.",
            "Line 27, column \"height\": 1e20 is beyond the largest number, 1e15; it counts as missing.",
        ]
    );
    let seen = inspect(&text).unwrap();
    assert_eq!((seen.trouble_count, seen.trouble[2].line), (5, 25));
    assert_eq!((seen.rows, seen.used), (26, 23));
    let cost = |column: &str, rows| Cost { column: column.to_string(), rows };
    assert_eq!(seen.costs, [cost("", 2), cost("kind", 1)]);
}

#[test]
fn categories_become_one_input_per_word_and_stay_zero_or_one() {
    let row = |i: usize| format!("{},{}.5\n", ["red", "green", "blue"][i % 3], i % 7);
    let text = format!("colour,size\n{}", (0..30).map(row).collect::<String>());
    let set = build(json!({ "text": text })).unwrap();
    assert_eq!(set.features, ["colour = blue", "colour = green", "colour = red"]);
    assert!(x(&set.train).chunks_exact(3).all(|row| row.iter().sum::<f32>() == 1.0 && row.contains(&1.0)));
    assert_eq!(set.task, Task::Regression { targets: vec!["size".into()] });
}

#[test]
fn numbers_are_standardised_by_the_training_part_alone() {
    let set = build(json!({ "text": table(50), "target": "width", "task": "regression" })).unwrap();
    let column: Vec<f32> = x(&set.train).chunks_exact(3).map(|row| row[0]).collect();
    let of_train = downhill_tensor::stats::summarize(&column);
    assert!(of_train.mean.abs() < 1e-6 && (of_train.std - 1.0).abs() < 1e-6);
    let Labels::Real(targets) = set.labels(&set.train) else { panic!("a regression has real targets") };
    let of_targets = downhill_tensor::stats::summarize(targets);
    assert!(of_targets.mean.abs() < 1e-6 && (of_targets.std - 1.0).abs() < 1e-6);
}

#[test]
fn a_prediction_goes_through_the_same_normalisation_as_the_samples() {
    let set = build(json!({ "text": "a,b\n1,10\n3,30\n", "validation": 0 })).unwrap();
    assert_eq!(set.normalisation.input(&[1.0]), [-1.0]);
    assert_eq!(set.normalisation.target(&[-1.0]), [10.0]);
}

#[test]
fn two_numbers_and_a_class_make_a_picture() {
    let set = build(json!({ "text": table(30) })).unwrap();
    let plane = set.plane.as_ref().unwrap();
    for (input, at) in x(&set.train).chunks_exact(2).zip(set.train.raw.chunks_exact(2)) {
        let encoded = plane.encode_point(at[0], at[1]);
        assert!(input.iter().zip(&encoded).all(|(a, b)| (a - b).abs() < 1e-5));
    }
    assert_eq!(set.train.raw.len(), 2 * set.train.len());
    assert!(build(json!({ "text": table(30), "ignore": ["width"] })).unwrap().plane.is_none());
}

#[test]
fn what_the_validation_part_holds_does_not_change_the_normalisation() {
    // With one row per class and part known, every validation row can be found by its value and made extreme.
    let text = |extreme: &[f32]| {
        let row = |i: usize| {
            let value = i as f32 + 0.5;
            let value = if extreme.contains(&value) { value * 1e6 } else { value };
            format!("{value},{}\n", ["a", "b"][i % 2])
        };
        format!("v,kind\n{}", (0..40).map(row).collect::<String>())
    };
    let set = build(json!({ "text": text(&[]) })).unwrap();
    let back = |v: &f32| ((f64::from(*v) * set.normalisation.std[0] + set.normalisation.mean[0] - 0.5).round() + 0.5) as f32;
    let held_out: Vec<f32> = x(&set.validation).iter().map(back).collect();
    let changed = build(json!({ "text": text(&held_out) })).unwrap();
    assert_ne!(x(&set.validation), x(&changed.validation));
    assert_eq!(set.normalisation, changed.normalisation);
    assert_eq!(set.train, changed.train);
}

#[test]
fn a_table_that_teaches_nothing_is_refused_with_a_sentence() {
    assert_eq!(error(json!({})), "text: The table is empty. Paste one, or drop a file.");
    assert!(error(json!({ "text": "a,b\n" })).starts_with("text: The table has no rows below its column names."));
    assert!(
        error(json!({ "text": "a,b\n1,x\n2,x\n3.5,x\n", "target": "b" }))
            .starts_with("target: Column \"b\" only ever holds \"x\"")
    );
    assert!(error(json!({ "text": "1\n2\n4\n" })).starts_with("text: There is no column to predict \"column 1\" from."));
    assert!(error(json!({ "text": "a,b\n1,x\n\0,y\n" })).contains("zero bytes"));
    let no_answer = "a,b\n1.5,\n2.5,x\n,y\n";
    let all_dropped = json!({ "text": no_answer, "target": "b", "columns": { "a": { "missing": "drop" } } });
    assert!(error(all_dropped).starts_with("target: The rows that can be read have only one value in \"b\""));
}

#[test]
fn a_wrong_choice_is_refused_with_its_field() {
    let with = |field: &str, value: serde_json::Value| {
        let mut fields = json!({ "text": table(20) });
        fields[field] = value;
        error(fields)
    };
    assert_eq!(with("target", json!("knid")), "target: The table has no column \"knid\". Did you mean \"kind\"?");
    assert!(with("ignore", json!(["height", "with"])).starts_with("ignore[1]: The table has no column \"with\"."));
    assert!(with("task", json!("regression")).starts_with("task: Column \"kind\" does not hold numbers"));
    assert!(with("task", json!("regresion")).contains("Did you mean `regression`?"));
    assert!(error(json!({ "file": "a.csv" })).starts_with("file: The file \"a.csv\" is not here."));
}

#[test]
fn a_files_name_is_any_name() {
    for file in ["export 12:30.csv", "a\\b.csv", "iris.csv", &format!("{}.csv", "ä".repeat(200))] {
        let source = Source::from_json("csv", &json!({ "file": file })).unwrap();
        assert!(source.reads_own_file() && source.build(1, &Own(table(20))).is_ok(), "{file}");
    }
}

#[test]
fn a_table_beyond_the_limits_is_refused_at_once() {
    let large = "1,2,3\n".repeat(50_000_000 / 6);
    assert!(inspect(&large).unwrap_err().message.starts_with("The table has 50 MB"));
    let long = "1,2\n".repeat(MAX_ROWS + 5);
    assert!(inspect(&long).unwrap_err().message.contains("more than 200000 rows"));
    let wide = "1,".repeat(MAX_COLUMNS + 1) + "2\n";
    assert!(inspect(&wide).unwrap_err().message.contains("at most 1000 are read"));
}

#[test]
fn a_file_is_known_by_its_name_and_no_bundled_one_takes_its_place() {
    let named = Source::from_json("csv", &json!({ "file": "own.csv" })).unwrap();
    assert_eq!(named.needs(), ["own.csv"]);
    assert_eq!(named.build(1, &NoAssets).unwrap_err().path.as_deref(), Some("file"));
    assert!(named.build(1, &Own(table(20))).is_ok());
    // Bundled files are none of a person's own.
    assert!(named.build(1, &|_: &str| Some(table(20).into_bytes())).is_err());
}

/// Whatever comes in, what comes out is usable or a sentence.
fn must_hold(text: &str) -> Result<(), TestCaseError> {
    if let Ok(seen) = inspect(text) {
        prop_assert!(seen.columns.iter().any(|c| c.name == seen.target));
        prop_assert!(seen.trouble.len() <= seen.trouble_count);
    }
    if let Ok(set) = build(json!({ "text": text })) {
        prop_assert!(!set.train.is_empty());
        prop_assert_eq!(x(&set.train).len(), set.train.len() * set.features.len());
        prop_assert!(x(&set.train).iter().chain(&x(&set.validation)).all(|v| v.is_finite()));
        prop_assert!(set.normalisation.std.iter().all(|&s| s > 0.0 && s.is_finite()));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_gives_a_set_or_a_sentence(text in "\\PC*") {
        must_hold(&text)?;
    }

    #[test]
    fn any_mixture_of_cells_gives_a_set_or_a_sentence(
        cells in prop::collection::vec(
            prop::sample::select(vec!["1", "2.5", "-3", "1e38", "-1e38", "1e999", "NaN", "inf", "", "a", "b", "\"", "\"x,\ny\"", ",", "1,5", "é", "?"]),
            1..120,
        ),
        ends in prop::collection::vec(prop::sample::select(vec![",", ",", ",", ";", "\t", "\n", "\n", "\r\n"]), 120),
    ) {
        let text: String = cells.iter().zip(&ends).flat_map(|(cell, end)| [*cell, *end]).collect();
        must_hold(&text)?;
    }

    #[test]
    fn any_rectangular_table_of_numbers_can_be_learned_from_or_says_why(
        rows in prop::collection::vec(prop::array::uniform3(prop::num::f32::ANY), 2..40),
    ) {
        let text: String = rows.iter().map(|[a, b, c]| format!("{a},{b},{c}\n")).collect();
        must_hold(&text)?;
    }
}
