//! Counting what passed and what failed, whoever ran it.

use crate::cmd;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::AddAssign;
use std::process::Command;

/// Tests that passed and tests that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, and runners that could not run.
    pub failed: u64,
    /// The names of those that failed, where the runner tells them.
    pub failures: Vec<String>,
    /// What this machine cannot run, and why.
    pub left_out: Vec<String>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.left_out.extend(other.left_out);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    /// So many tests that passed and that failed.
    pub fn of(passed: u64, failed: u64) -> Self {
        Self { passed, failed, ..Self::default() }
    }

    /// One check that has no tests inside.
    pub fn check(name: &str, passed: bool) -> Self {
        let failures = if passed { Vec::new() } else { vec![name.to_owned()] };
        Self { failures, ..Self::of(u64::from(passed), u64::from(!passed)) }
    }

    /// Runs a test runner that reports as libtest does and sums its results; what fails without a failed test (a crash, a
    /// compile error) counts as one failure.
    pub fn of_libtest(command: &mut Command) -> Result<Self> {
        let (tally, _) = Self::of_binaries(command)?;
        Ok(tally)
    }

    /// The same, and the number of test binaries that ran at least one test.
    pub fn of_binaries(command: &mut Command) -> Result<(Self, usize)> {
        let (mut tally, mut binaries) = (Self::default(), 0);
        let success = cmd::run_watched(command, |line| {
            tally.failures.extend(Self::failed_of_libtest(line));
            if let Some(found) = Self::from_libtest_line(line) {
                binaries += usize::from(found != Self::default());
                tally += found;
            }
        })?;
        if !success && tally.failed == 0 {
            tally.failed = 1;
        }
        Ok((tally, binaries))
    }

    /// Reads `test result: ok. 12 passed; 0 failed; …`, which cargo and wasm-bindgen both print.
    fn from_libtest_line(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once("test result: ")?;
        let count = |word: &str| {
            let before = counts.split_once(word)?.0;
            before.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
        };
        Some(Self::of(count(" passed")?, count(" failed")?))
    }

    /// The name in `test session::pauses ... FAILED`; wasm-bindgen says `FAIL`.
    fn failed_of_libtest(line: &str) -> Option<String> {
        let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
        outcome.starts_with("FAIL").then(|| name.to_owned())
    }

    /// Runs Node's own test runner with its `spec` reporter; a run without a test is a failure, for it tests nothing.
    pub fn of_node(command: &mut Command) -> Result<Self> {
        let mut tally = Self::default();
        let mut failures = BTreeSet::new();
        let success = cmd::run_watched(command, |line| {
            failures.extend(line.trim_start().strip_prefix("✖ ").filter(|name| name.ends_with(')')).map(str::to_owned));
            let Some((kind, count)) = Self::from_node_line(line) else { return };
            match kind {
                "pass" => tally.passed += count,
                // A test that a failed hook or the end of the process has cut off.
                "fail" | "cancelled" => tally.failed += count,
                _ => {}
            }
        })?;
        if tally == Self::default() || !success && tally.failed == 0 {
            tally.failed = 1;
        }
        tally.failures.extend(failures);
        Ok(tally)
    }

    /// Reads `ℹ pass 12`.
    fn from_node_line(line: &str) -> Option<(&str, u64)> {
        let (kind, count) = line.strip_prefix("ℹ ")?.split_once(' ')?;
        Some((kind, count.parse().ok()?))
    }

    /// Reads the report of Playwright's JSON reporter.
    pub fn from_playwright(report: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(report).context("Playwright's report is not JSON")?;
        let stat =
            |name: &str| report["stats"][name].as_u64().with_context(|| format!("Playwright's report has no stats.{name}"));
        // Errors outside of tests (a config that does not load) stand in a list of their own.
        let outside = report["errors"].as_array().map_or(0, |errors| errors.len() as u64);
        let mut failures = Vec::new();
        report["suites"].as_array().into_iter().flatten().for_each(|suite| name_failures(suite, &mut failures));
        Ok(Self { failures, ..Self::of(stat("expected")?, stat("unexpected")? + stat("flaky")? + outside) })
    }
}

/// The failed specs of a suite of Playwright's report, each with the line of its error that says most.
fn name_failures(suite: &Value, failures: &mut Vec<String>) {
    let items = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    for spec in items(suite, "specs").iter().filter(|spec| spec["ok"] == false) {
        let results = items(spec, "tests").iter().flat_map(|test| items(test, "results")).collect::<Vec<_>>();
        let why = results.iter().find_map(|result| result["error"]["message"].as_str()).unwrap_or_default();
        let text = |name: &str| spec[name].as_str().unwrap_or_default().to_owned();
        failures.push(format!("{}: {}: {}", text("file"), text("title"), why.lines().take(8).collect::<Vec<_>>().join(" ⏎ ")));
    }
    items(suite, "suites").iter().for_each(|suite| name_failures(suite, failures));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_of_cargo_and_of_wasm_bindgen_are_counted() {
        let cargo = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s";
        assert_eq!(Tally::from_libtest_line(cargo), Some(Tally::of(12, 3)));
        let wasm = "test result: ok. 240 passed; 0 failed; 0 ignored; 0 filtered out; finished in 1.20s";
        assert_eq!(Tally::from_libtest_line(wasm), Some(Tally::of(240, 0)));
        assert_eq!(Tally::from_libtest_line("test session::pauses ... ok"), None);
    }

    #[test]
    fn a_test_that_failed_is_named_whoever_ran_it() {
        let named = |line: &str| Tally::failed_of_libtest(line);
        assert_eq!(named("test session::pauses ... FAILED").as_deref(), Some("session::pauses"));
        assert_eq!(named("test wasm::pauses ... FAIL").as_deref(), Some("wasm::pauses"));
        assert_eq!((named("test session::pauses ... ok"), named("test result: FAILED. 1 passed")), (None, None));
        let report = r#"{"stats": {"expected": 0, "unexpected": 1, "flaky": 0}, "suites": [{"suites": [{"specs": [
            {"file": "a.spec.ts", "title": "opens", "ok": false, "tests": [{"results": [{"error": {"message": "no\nbutton"}}]}]},
            {"file": "a.spec.ts", "title": "closes", "ok": true}]}]}]}"#;
        assert_eq!(Tally::from_playwright(report).unwrap_or_default().failures, ["a.spec.ts: opens: no ⏎ button"]);
    }

    #[test]
    fn the_sums_of_nodes_runner_are_told_from_what_tests_print() {
        assert_eq!(Tally::from_node_line("ℹ pass 9"), Some(("pass", 9)));
        assert_eq!(Tally::from_node_line("ℹ duration_ms 57186.8"), None);
        assert_eq!(Tally::from_node_line("✔ pass 9 (3.1ms)"), None);
    }

    #[test]
    fn a_sum_keeps_what_its_parts_have_left_out_and_what_failed_in_them() {
        let mut sum = Tally { left_out: vec!["WebKit".to_owned()], ..Tally::default() };
        sum += Tally::of(3, 0);
        sum += Tally::check("types", false);
        assert_eq!(
            sum,
            Tally { passed: 3, failed: 1, failures: vec!["types".to_owned()], left_out: vec!["WebKit".to_owned()] }
        );
    }

    #[test]
    fn a_playwright_report_counts_flaky_tests_and_broken_files_as_failed() {
        let report = r#"{"errors": [{}], "stats": {"expected": 5, "unexpected": 1, "flaky": 1, "skipped": 0}}"#;
        assert_eq!(Tally::from_playwright(report).ok(), Some(Tally::of(5, 3)));
        assert!(Tally::from_playwright("{}").is_err());
    }
}
