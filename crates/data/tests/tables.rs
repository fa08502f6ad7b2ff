//! Tables as people have them, one fixture each: what is read of them is what their writers meant.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::csv::{ColumnType, Delimiter, FindingKind, Goal, Profile, Progress, Reader, Spread};
use downhill_data::{Dataset, Labels, NoAssets, Source, Task};
use serde_json::{Value, json};

fn bytes(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tables").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).unwrap()
}

fn profile(name: &str) -> Profile {
    downhill_data::csv::inspect(&text(name)).unwrap()
}

fn build(fields: &Value) -> Dataset {
    Source::from_json("csv", fields).unwrap().build(7, &NoAssets).unwrap()
}

fn built(name: &str) -> Dataset {
    build(&json!({ "text": text(name) }))
}

fn names(profile: &Profile) -> Vec<&str> {
    profile.columns.iter().map(|column| column.name.as_str()).collect()
}

fn kinds(profile: &Profile) -> Vec<ColumnType> {
    profile.columns.iter().map(|column| column.kind).collect()
}

fn classes(set: &Dataset) -> Vec<&str> {
    match &set.task {
        Task::Classification { classes } => classes.iter().map(String::as_str).collect(),
        _ => panic!("this set has classes"),
    }
}

use ColumnType::{Category, Number, Text};

/// The values of a column of numbers, in the units of the table.
fn column(set: &Dataset, name: &str) -> Vec<f64> {
    let table = set.table.as_ref().unwrap();
    (1..=table.rows() as u32)
        .filter_map(|row| {
            let (_, at, _) = table.inputs().find(|(column, ..)| *column == name).unwrap();
            let value = f64::from(table.encode(row)?[at]);
            Some(value * set.normalisation.std[at] + set.normalisation.mean[at])
        })
        .collect()
}

fn near(found: &[f64], wanted: &[f64]) {
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-4 * wanted.abs().max(1.0), "{found} is not {wanted}");
    }
}

#[test]
fn a_counting_column_is_used_where_it_is_the_only_one() {
    let set = built("xy-running-x.csv");
    assert_eq!(set.features, ["x"]);
    // The same counting column by a name that says so is left out, where there is another, and can be had back.
    let row = |i: u32| format!("{},{},{}\n", i + 1, (i * 7) % 10, if (i * 7) % 10 > 4 { "a" } else { "b" });
    let table = |name: &str| format!("{name},v,kind\n{}", (0..30).map(row).collect::<String>());
    for (name, used) in [("id", 1), ("index", 1), ("no.", 1), ("", 1), ("row", 1), ("day", 2), ("x", 2)] {
        assert_eq!(build(&json!({ "text": table(name) })).features.len(), used, "{name}");
    }
    let set = build(&json!({ "text": table("id"), "columns": { "id": { "use": true } } }));
    assert_eq!(set.features, ["id", "v"]);
    let set = build(&json!({ "text": table("day"), "columns": { "day": { "use": false } } }));
    assert_eq!(set.features, ["v"]);
}

#[test]
fn a_day_that_decides_the_class_is_used() {
    assert_eq!(built("day-and-class.csv").features, ["day", "temp"]);
}

#[test]
fn words_for_nothing_are_classes_where_they_come_often() {
    let set = built("dash-marks.csv");
    assert_eq!((classes(&set), set.features.len()), (vec!["+", "-"], 2));
    let set = built("class-none.csv");
    assert_eq!(classes(&set).len(), 3);
    assert!(classes(&set).contains(&"none"));
    assert_eq!(profile("class-none.csv").used, 60);
}

#[test]
fn an_offset_takes_nothing_from_what_a_column_says() {
    let (with, without) = (built("utm-offset.csv"), built("utm-no-offset.csv"));
    let x = |set: &Dataset| set.train.field("x").unwrap().numbers(0);
    for i in 0..with.train.len() {
        let [a, b] = [&with, &without].map(|set| set.train.field("x").unwrap().numbers(i));
        near(&a.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), &b.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
    }
    assert_eq!(x(&with).len(), 2);
    let set = built("regression-target-offset.csv");
    let Labels::Real(values) = set.labels(&set.train) else { panic!("its target is a number") };
    // Hundred different values stay a hundred.
    let mut different: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), values.len());
    assert!(set.normalisation.target_mean[0] > 2e7 && set.normalisation.target_std[0] < 1.0);
}

#[test]
fn the_delimiter_with_the_purest_columns_wins() {
    let seen = profile("eu-semicolon-noheader.csv");
    assert_eq!((seen.delimiter, seen.header, seen.rows), (Delimiter::Semicolon, false, 60));
    assert_eq!((kinds(&seen), seen.target.as_str()), (vec![Number, Number, Category], "column 3"));
    near(&column(&built("eu-semicolon-noheader.csv"), "column 1"), &[0.07, 4.66, 4.25]);
    let seen = profile("eu-semicolon-header-with-comma.csv");
    assert_eq!(names(&seen), ["Laenge, cm", "Breite, cm", "Klasse"]);
    assert_eq!(kinds(&seen), [Number, Number, Category]);
    let seen = profile("pipe.csv");
    assert_eq!((seen.delimiter, names(&seen)), (Delimiter::Pipe, vec!["a", "b", "kind"]));
    let of = |change: &dyn Fn(&str) -> String| downhill_data::csv::inspect(&change(&text("pipe.csv"))).unwrap();
    let spaced = of(&|text| text.replace('|', "   "));
    assert_eq!((spaced.delimiter, names(&spaced), spaced.used), (Delimiter::Spaces, vec!["a", "b", "kind"], 60));
    let markdown = of(&|text| {
        let framed = |line: &str| format!("| {} |\n", line.replace('|', " | "));
        let mut lines: Vec<String> = text.lines().map(framed).collect();
        lines.insert(1, "|---|---:|:--|\n".to_string());
        lines.concat()
    });
    assert_eq!((markdown.delimiter, names(&markdown), markdown.used), (Delimiter::Pipe, vec!["a", "b", "kind"], 60));
    assert_eq!(kinds(&markdown), [Number, Number, Category]);
}

#[test]
fn numbers_are_read_as_the_table_writes_them() {
    let set = built("eu-thousands-dot-integers.csv");
    assert!(column(&set, "preis").iter().all(|price| *price >= 500.0));
    let seen = profile("eu-thousands-dot-integers.csv");
    let said = &seen.columns[0].format;
    assert!(said.starts_with("1.0") && said.contains("is read as 10"), "{said}");
    // A person can say otherwise.
    let points = json!({ "text": text("eu-thousands-dot-integers.csv"), "columns": { "preis": { "decimal": "point" } } });
    assert!(column(&build(&points), "preis").iter().any(|price| *price < 2.0));

    near(&column(&built("thousands-us-quoted.csv"), "price"), &[1117.0, 9388.0, 8659.0]);
    let set = built("percent-currency.csv");
    near(&column(&set, "rate"), &[1.3, 93.2, 85.1]);
    near(&column(&set, "cost"), &[0.65, 38.5, 26.35]);
    near(&column(&built("unicode-minus.csv"), "t"), &[0.2, -9.4, 8.6, -7.8]);
}

#[test]
fn a_column_with_units_is_offered_as_numbers() {
    let row = |i: usize| format!("{} kg,{},{}\n", i * 3 % 31, i % 7, ["a", "b"][i % 2]);
    let table = format!("weight,size,kind\n{}", (0..31).map(row).collect::<String>());
    let seen = downhill_data::csv::inspect(&table).unwrap();
    assert_eq!((seen.columns[0].guess, seen.columns[0].used, seen.columns[0].unit.as_str()), (Text, false, "kg"));
    let set = build(&json!({ "text": table, "columns": { "weight": { "type": "number" } } }));
    assert_eq!(set.features, ["weight", "size"]);
    near(&column(&set, "weight"), &[0.0, 3.0, 6.0]);
}

#[test]
fn errors_of_a_spreadsheet_are_missing_values_whatever_their_share() {
    let seen = profile("excel-errors-many.csv");
    assert_eq!((seen.columns[0].kind, seen.used), (Number, 60));
    assert!(seen.columns[0].missing > 6 && seen.columns[0].strays == 0);
    assert_eq!(seen.columns[0].filled.parse::<f64>().map(|n| n > 0.0 && n < 1.0), Ok(true));
}

#[test]
fn years_can_be_names() {
    let seen = profile("years-in-header.csv");
    assert_eq!((seen.header, seen.rows, seen.target.as_str()), (true, 60, "income"));
    assert_eq!(names(&seen), ["country", "2019", "2020", "income"]);
    assert_eq!(classes(&built("years-in-header.csv")), ["high", "low"]);
    assert!(!downhill_data::csv::inspect("2019,1\n2020,2\n2021,4\n2022,3\n").unwrap().header);
}

#[test]
fn a_quote_that_never_closes_is_named_and_read_as_a_character() {
    let seen = profile("unbalanced-quote.csv");
    assert_eq!((seen.rows, seen.used), (60, 60));
    let found: Vec<&str> = seen.findings.iter().filter(|f| f.kind == FindingKind::Quote).map(|f| f.sentence.as_str()).collect();
    assert_eq!(found, ["Line 12: the quote that opens here never closes, so it is read as a character like others."]);
}

#[test]
fn blanks_before_quotes_and_commas_at_the_end_are_read_over() {
    let seen = profile("space-after-comma-quote.csv");
    assert_eq!((names(&seen), seen.rows), (vec!["city", "note", "v", "kind"], 60));
    assert_eq!(seen.columns[1].examples, ["x, y"]);
    let seen = profile("trailing-comma-rows.csv");
    assert_eq!((names(&seen), seen.used), (vec!["a", "b", "kind"], 40));
}

#[test]
fn a_name_that_says_so_is_the_target_wherever_it_stands() {
    let target = |header: &str| {
        let row = |i: u32| format!("{}.5,{}.25,{}\n", i * 7 % 30, i * 11 % 23, ["a", "b"][(i % 2) as usize]);
        downhill_data::csv::inspect(&format!("{header}\n{}", (0..60).map(row).collect::<String>())).unwrap().target
    };
    for (header, wanted) in [
        ("y,x1,shop", "y"),
        ("x1,y,shop", "y"),
        ("target,y,shop", "target"),
        ("Label,b,shop", "Label"),
        ("a,class,shop", "class"),
        ("target_price,b,shop", "target_price"),
        ("class size,label,shop", "label"),
        // Two coordinates and what is there.
        ("x,y,shop", "shop"),
        ("x,y,class", "class"),
        ("yearly,classic,shop", "shop"),
    ] {
        assert_eq!(target(header), wanted, "{header}");
    }
    assert_eq!(profile("xy-running-x.csv").target, "y");
}

#[test]
fn a_target_may_have_many_classes() {
    assert_eq!(classes(&built("60-classes.csv")).len(), 60);
}

#[test]
fn a_sparse_column_costs_no_rows() {
    let seen = profile("sparse-column.csv");
    assert_eq!((seen.rows, seen.used, seen.costs.len()), (60, 60, 0));
    let cabin = &seen.columns[2];
    assert!(cabin.used && cabin.missing == 54, "{cabin:?}");
    let found = seen.findings.iter().find(|f| f.kind == FindingKind::Sparse).unwrap();
    assert!(found.sentence.starts_with("90 % of \"cabin\" is missing: leave it out, or let"), "{}", found.sentence);
    let flagged = json!({ "text": text("sparse-column.csv"), "columns": { "cabin": { "use": true, "flag": true } } });
    assert_eq!(build(&flagged).features, ["a", "b", "cabin", "cabin is missing"]);
    let dropped = json!({ "text": text("sparse-column.csv"), "columns": { "cabin": { "use": true, "missing": "drop" } } });
    let set = build(&dropped);
    assert_eq!(set.train.len() + set.validation.len(), 6);
}

#[test]
fn an_imbalance_is_named() {
    let seen = profile("imbalance-99-1.csv");
    let found = seen.findings.iter().find(|f| f.kind == FindingKind::Imbalance).unwrap();
    assert!(found.sentence.starts_with("99 % of the rows are \"0\""), "{}", found.sentence);
}

/// A table with gaps of every kind in its last rows, and a date.
fn gaps() -> String {
    let row = |i: u32| {
        let day = i % 28 + 1;
        let colour = if i.is_multiple_of(5) { "" } else { ["red", "green", "blue"][i as usize % 3] };
        let size = if i.is_multiple_of(6) { "NA".to_string() } else { format!("{}.5", i % 9) };
        format!("{colour},{size},{day:02}.{:02}.2023 {:02}:30,{}\n", i % 12 + 1, i % 24, ["no", "yes"][usize::from(i % 9 > 4)])
    };
    format!("colour,size,seen,kind\n{}", (0..120).map(row).collect::<String>())
}

#[test]
fn missing_values_are_filled_as_the_person_says_and_no_row_is_lost() {
    let with = |choice: Value| build(&json!({ "text": gaps(), "columns": choice }));
    let set = with(json!({}));
    let dates = ["year", "month", "day", "weekday", "hour", "days"].map(|part| format!("seen: {part}"));
    let words = ["blue", "green", "red", "(missing)"].map(|word| format!("colour = {word}"));
    let all: Vec<&str> = words.iter().map(String::as_str).chain(["size"]).chain(dates.iter().map(String::as_str)).collect();
    assert_eq!(
        (set.features.iter().map(String::as_str).collect::<Vec<_>>(), set.train.len() + set.validation.len()),
        (all, 120)
    );

    let table = set.table.as_ref().unwrap();
    let input = |set: &Dataset, row: u32, name: &str| {
        let at = set.features.iter().position(|feature| feature == name).unwrap();
        f64::from(set.table.as_ref().unwrap().encode(row).unwrap()[at]) * set.normalisation.std[at] + set.normalisation.mean[at]
    };
    // Row 1 lacks both; what stands in comes from the training part.
    let known = |of: &Dataset| -> Vec<f64> {
        let table = of.table.as_ref().unwrap();
        let rows = (0..of.train.len()).map(|place| table.number_of(true, place).unwrap());
        let mut values: Vec<f64> = rows.filter(|row| (row - 1) % 6 != 0).map(|row| f64::from((row - 1) % 9) + 0.5).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let values = known(&set);
    let median = (values[values.len() / 2] + values[(values.len() - 1) / 2]) / 2.0;
    near(&[input(&set, 1, "size")], &[median]);
    assert_eq!(input(&set, 1, "colour = (missing)"), 1.0);
    assert_eq!(table.cells(1)[0].filled, "(missing)");
    near(&[input(&set, 2, "seen: month"), input(&set, 2, "seen: day"), input(&set, 2, "seen: hour")], &[2.0, 2.0, 1.5]);

    let mean = with(json!({ "size": { "missing": "mean", "flag": true }, "colour": { "missing": "most_frequent" } }));
    let values = known(&mean);
    near(&[input(&mean, 1, "size")], &[values.iter().sum::<f64>() / values.len() as f64]);
    assert_eq!([1, 2].map(|row| input(&mean, row, "size is missing")), [1.0, 0.0]);
    assert!(!mean.features.iter().any(|feature| feature == "colour = (missing)"));
    let words: f64 = ["blue", "green", "red"].iter().map(|word| input(&mean, 1, &format!("colour = {word}"))).sum();
    assert_eq!(words, 1.0);

    let dropped = with(json!({ "size": { "missing": "drop" } }));
    assert_eq!(dropped.train.len() + dropped.validation.len(), 100);
    let wrong = json!({ "text": gaps(), "columns": { "colour": { "missing": "median" } } });
    let error = Source::from_json("csv", &wrong).unwrap().build(7, &NoAssets).unwrap_err();
    assert_eq!(error.path.as_deref(), Some("columns.colour.missing"));
}

#[test]
fn what_is_fitted_does_not_look_at_the_rows_held_out() {
    let before = build(&json!({ "text": gaps() }));
    let table = before.table.as_ref().unwrap();
    // Rows held out get values and words that come nowhere else.
    let mut lines: Vec<String> = gaps().lines().map(str::to_string).collect();
    for place in 0..before.validation.len() {
        let line = &mut lines[table.number_of(false, place).unwrap() as usize];
        let kind = line.rsplit(',').next().unwrap().to_string();
        *line = format!("violet,1000,01.01.1999 00:00,{kind}");
    }
    let after = build(&json!({ "text": lines.join("\n") }));
    assert_eq!((&before.normalisation, &before.features, &before.train), (&after.normalisation, &after.features, &after.train));
    assert_ne!(before.validation, after.validation);
}

#[test]
fn dates_are_read_in_every_usual_order() {
    for (write, first) in [
        ((|d, m| format!("2024-{m:02}-{d:02}")) as fn(u32, u32) -> String, "year, month, day"),
        (|d, m| format!("{d}.{m}.2024"), "day, month, year"),
        (|d, m| format!("{m}/{d}/2024"), "month, day, year"),
        (|d, m| format!("{d}/{m}/2024"), "day, month, year"),
        (|d, m| format!("2024-{m:02}-{d:02}T08:15:00Z"), "year, month, day, hour"),
        (|d, m| format!("{d}.{m}.2024 9:30 PM"), "day, month, year, hour"),
    ] {
        let row = |i: u32| format!("{},{}\n", write(i % 28 + 1, i % 12 + 1), ["a", "b"][(i % 2) as usize]);
        let table = format!("seen,kind\n{}", (0..60).map(row).collect::<String>());
        let seen = downhill_data::csv::inspect(&table).unwrap();
        assert_eq!((seen.columns[0].kind, seen.columns[0].format.as_str()), (ColumnType::Date, first));
        let set = build(&json!({ "text": table }));
        // It gives an hour where it says one, and only there.
        assert_eq!(set.features.iter().any(|feature| feature == "seen: hour"), first.ends_with("hour"), "{first}");
        let at = set.features.iter().position(|feature| feature == "seen: day").unwrap();
        let day = f64::from(set.table.as_ref().unwrap().encode(28).unwrap()[at]) * set.normalisation.std[at]
            + set.normalisation.mean[at];
        near(&[day], &[28.0]);
    }
}

#[test]
fn a_profile_names_what_is_odd() {
    let row = |i: u32| {
        let class = ["low", "high"][usize::from(i.is_multiple_of(3))];
        let grade = ["A", "B", "C"][(i % 3) as usize];
        format!("{}.5,same,{}.5,{grade},{class}\n", i % 10, i % 10)
    };
    let table = format!("v,unit,again,grade,kind\n{}", (0..90).map(row).collect::<String>());
    let seen = downhill_data::csv::inspect(&table).unwrap();
    let named = |kind: FindingKind| -> Vec<&str> {
        seen.findings.iter().filter(|f| f.kind == kind).map(|f| f.column.as_str()).collect()
    };
    assert_eq!(named(FindingKind::Constant), ["unit"]);
    assert_eq!(named(FindingKind::Duplicate), ["again"]);
    assert_eq!(named(FindingKind::Leak), ["grade"]);
    // Thirty different rows, three times each: those held out are nearly all learned from too.
    let shared = seen.findings.iter().find(|f| f.kind == FindingKind::SharedRows).unwrap();
    assert!(shared.rows > 20 && shared.rows <= 27, "{}", shared.rows);
    let Spread::Histogram { low, high, ref counts, .. } = seen.columns[0].spread else { panic!("numbers have a histogram") };
    assert_eq!((low, high, counts.iter().sum::<u32>()), (0.5, 9.5, 90));
    let bars = Spread::Bars { top: vec![("low".to_string(), 60), ("high".to_string(), 30)], others: 0, rest: 0 };
    assert_eq!((&seen.columns[4].spread, seen.task), (&bars, Goal::Classification));
}

#[test]
fn one_value_far_from_all_others_is_named() {
    let row = |i: u32| format!("{},{}\n", if i == 30 { 1e9 } else { f64::from(i * 7 % 50) }, ["a", "b"][(i % 2) as usize]);
    let table = format!("v,kind\n{}", (0..60).map(row).collect::<String>());
    let seen = downhill_data::csv::inspect(&table).unwrap();
    let found = seen.findings.iter().find(|f| f.kind == FindingKind::Outlier).unwrap();
    assert!(found.sentence.starts_with("1000000000 in line 32 lies far"), "{}", found.sentence);
    assert!(profile("pipe.csv").findings.iter().all(|f| f.kind != FindingKind::Outlier));
}

#[test]
fn a_row_is_known_by_its_own_number() {
    let mut lines: Vec<String> = gaps().lines().map(str::to_string).collect();
    // A row that does not fit keeps its number, and so do those behind it.
    lines[5] = "only,two".to_string();
    let set = build(&json!({ "text": lines.join("\n") }));
    let table = set.table.as_ref().unwrap();
    assert_eq!((table.rows(), table.sample_of(5), table.cells(5).len()), (120, None, 0));
    for (train, part) in [(true, &set.train), (false, &set.validation)] {
        for place in 0..part.len() {
            let row = table.number_of(train, place).unwrap();
            assert_eq!(table.sample_of(row), Some((train, place)));
            assert_eq!(table.line_of(row), Some(u64::from(row) + 1));
            assert_eq!(table.encode(row).unwrap(), part.field("x").unwrap().numbers(place));
            let cells: Vec<&str> = table.cells(row).iter().map(|cell| cell.text).collect();
            assert_eq!(cells, lines[row as usize].split(',').collect::<Vec<_>>());
            let typed: Vec<String> =
                table.cells(row).iter().filter(|c| c.place.is_some()).map(|c| c.text.to_string()).collect();
            assert_eq!(table.encode_typed(&typed).unwrap(), table.encode(row).unwrap());
        }
    }
    let typed = |values: [&str; 3]| table.encode_typed(&values.map(str::to_string)).map_err(|e| e.to_string());
    assert!(typed(["ret", "1", "01.02.2023 10:30"]).unwrap_err().contains("Did you mean \"red\"?"));
    assert!(typed(["red", "one", "01.02.2023 10:30"]).unwrap_err().starts_with("size: \"one\" is not a number."));
}

#[test]
fn a_large_table_is_read_in_slices_that_say_how_far_they_are() {
    let row = |i: u64| format!("{},{},{}.25,{}\n", i * 7919 % 1000, i % 13, i % 97, ["a", "b"][(i % 2) as usize]);
    let table = format!("x,y,z,kind\n{}", (0..20_000).map(row).collect::<String>());
    let Source::Csv(source) = Source::from_json("csv", &json!({})).unwrap() else { panic!("it is a table") };
    let mut reader = Reader::new(table.into_bytes(), source.choices(7));
    let (mut last, mut slices) = (-1.0, 0);
    let table = loop {
        match reader.advance(50_000).unwrap() {
            Progress::Reading(done) => {
                assert!(done >= last && done < 1.0, "{done} after {last}");
                (last, slices) = (done, slices + 1);
            }
            Progress::Done(table) => break table,
        }
    };
    assert!(slices > 10 && last > 0.8, "{slices} slices, {last}");
    assert_eq!((table.rows(), table.profile().used), (20_000, 20_000));
    assert!(reader.advance(1).is_err());
}
