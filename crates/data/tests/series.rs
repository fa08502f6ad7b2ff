//! Series of a person's own: which rows become windows, and what is said of rows that are no series.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::{Dataset, Labels, NoAssets, Source};
use serde_json::{Value, json};

fn build(text: &str, fields: Value) -> Result<Dataset, downhill_tensor::UserError> {
    let mut all = json!({ "text": text, "target": "load", "window": 3, "horizon": 1, "validation": 0.0 });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Source::from_json("csv", &all)?.build(1, &NoAssets)
}

/// The next value of every window, in the units of the table.
fn answers(data: &Dataset) -> Vec<f32> {
    let Labels::Real(values) = data.labels(&data.train) else { panic!("there are numbers") };
    let targets = data.normalisation.target_mean.len();
    values.chunks(targets).flat_map(|row| data.normalisation.target(row)).map(f32::round).collect()
}

/// Days of May with a load of ten times the day, and the lines of some of them.
fn days(days: impl IntoIterator<Item = u32>) -> String {
    let lines: Vec<String> = days.into_iter().map(|day| format!("2024-05-{day:02},{}\n", 10 * day)).collect();
    format!("day,load\n{}", lines.concat())
}

#[test]
fn a_window_of_rows_is_followed_by_the_next_ones() {
    let data = build(&days(1..=9), json!({ "horizon": 2, "stride": 2 })).unwrap();
    assert_eq!(answers(&data), [40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
    let forecast = data.forecast.unwrap();
    assert_eq!((forecast.names, forecast.predicted, data.table.is_none()), (vec!["load".to_string()], 1, true));
    assert!(data.notes.is_empty(), "{:?}", data.notes);
}

#[test]
fn rows_are_taken_in_the_order_of_time_and_windows_stop_at_gaps() {
    let data = build(&days([2, 1, 4, 3, 5, 6, 7, 8, 20, 21, 22, 23]), json!({})).unwrap();
    assert_eq!(answers(&data), [40.0, 50.0, 60.0, 70.0, 80.0, 230.0]);
    assert_eq!(
        data.notes,
        [
            "Rows are taken in the order of \"day\": 2 stand before an earlier one in the table.",
            "Gaps: 1, the first after 2024-05-08; no window reaches over one.",
        ]
    );
    // Without a column of times a row that cannot be used is a gap.
    let data = build("load\n1\n2\n3\n4\n5\n?\n7\n8\n9\n10\n", json!({})).unwrap();
    assert_eq!(answers(&data), [4.0, 5.0, 10.0]);
    assert!(data.notes.iter().any(|note| note.contains("Gaps: 1, the first after row 5")), "{:?}", data.notes);
}

#[test]
fn weekends_that_come_every_week_are_no_gaps() {
    let weekdays = (1..=31).filter(|day| !matches!(day % 7, 4 | 5));
    let data = build(&days(weekdays), json!({})).unwrap();
    assert!(data.notes.is_empty() && data.train.len() == 20, "{:?} {}", data.notes, data.train.len());
}

#[test]
fn times_that_repeat_are_named_or_ask_for_a_group() {
    let data = build(&days((1..=20).chain([7])), json!({})).unwrap();
    assert!(data.notes.iter().any(|note| note.contains("repeat a time: 1, the first 2024-05-07")), "{:?}", data.notes);
    assert_eq!(data.train.len(), 17);
    let line = |day: u32| format!("2024-05-{day:02},{},a\n2024-05-{day:02},{},b\n", day, 100 + day);
    let two = format!("day,load,site\n{}", (1..=6).map(line).collect::<String>());
    let error = build(&two, json!({})).unwrap_err();
    assert!(error.path.as_deref() == Some("time") && error.to_string().contains("group"), "{error}");
    let data = build(&two, json!({ "group": "site" })).unwrap();
    assert_eq!(answers(&data), [4.0, 5.0, 6.0, 104.0, 105.0, 106.0]);
}

#[test]
fn other_columns_are_told_of_every_step_and_not_predicted() {
    let lines: String = (1..=12).map(|i| format!("{i},{}\n", 100 - i)).collect();
    let data = build(&format!("load,heat\n{lines}"), json!({ "horizon": 2, "validation": 0.3 })).unwrap();
    let forecast = data.forecast.as_ref().unwrap();
    assert_eq!((forecast.names.len(), forecast.predicted), (2, 1));
    let raw = |i: usize| {
        let values = data.train.field("x").unwrap().numbers(i);
        let back =
            values.iter().zip(&data.normalisation.mean).zip(&data.normalisation.std).map(|((v, m), s)| f64::from(*v) * s + m);
        back.map(|v| v.round() as i32).collect::<Vec<_>>()
    };
    assert_eq!(raw(0), [1, 99, 2, 98, 3, 97]);
    // The parts are told apart by time: the last rows are held out.
    let Labels::Real(held_out) = data.labels(&data.validation) else { panic!("there are numbers") };
    assert_eq!(data.normalisation.target(&held_out[held_out.len() - 2..])[1].round(), 12.0);
}

#[test]
fn what_is_no_series_is_refused_with_the_field_that_says_so() {
    let refused = |text: &str, fields: Value| build(text, fields).unwrap_err();
    let error = refused(&days(1..=9), json!({ "window": 20 }));
    assert!(error.path.as_deref() == Some("window") && error.to_string().contains("has 9"), "{error}");
    assert!(refused(&days(1..=9), json!({ "horizon": 0 })).path.as_deref() == Some("horizon"));
    let error = refused(&days(1..=9), json!({ "time": "days" }));
    assert!(error.path.as_deref() == Some("time") && error.to_string().contains("day"), "{error}");
    let words =
        "day,load,what\n2024-05-01,1,a\n2024-05-02,2,b\n2024-05-03,3,a\n2024-05-04,3,b\n2024-05-05,4,b\n2024-05-06,4,b\n";
    assert!(refused(words, json!({ "target": "what" })).path.as_deref() == Some("target"));
    assert!(refused(words, json!({ "time": "what" })).path.as_deref() == Some("time"));
}

#[test]
fn a_row_without_a_number_is_in_no_window() {
    for hole in ["", "nan", "NaN", "?"] {
        let text = days(1..=20).replace("2024-05-10,100\n", &format!("2024-05-10,{hole}\n"));
        let data = build(&text, json!({})).unwrap();
        // Of 17 windows the three with that day go, and the one that it would be the answer to.
        assert_eq!((data.train.len(), answers(&data).contains(&100.0)), (13, false), "{hole}");
        assert!(data.notes.iter().any(|note| note.contains("the first after 2024-05-09")), "{hole}: {:?}", data.notes);
    }
}

#[test]
fn windows_and_horizons_out_of_range_are_refused_by_name() {
    for (field, value) in [("horizon", 0), ("window", 100_000), ("stride", 0), ("horizon", 100_000)] {
        let error = build(&days(1..=20), json!({ field: value })).unwrap_err().to_string();
        assert!(error.starts_with(field) && error.contains(&format!("{value} is out of range")), "{error}");
    }
}
