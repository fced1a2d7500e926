//! The published tables, judged by what people open them with.

use crate::words::example;
use fleetloom_tests::place::Place;
use fleetloom_tests::{program, python};
use std::path::Path;

/// Runs an example and returns its place.
fn ran(name: &str) -> Place {
    let place = Place::new();
    let file = place.words(&example(&place, name));
    program::run(&file).expect(0);
    place
}

/// Compares an example's table with what pandas computes from the zip.
fn agrees_with_pandas(name: &str, table: &str, zip: &str) {
    let place = ran(name);
    let zip = python::repository().join("manifests/examples").join(name).join(zip);
    let outcome = python::attempt("pandas_check.py", &[name.as_ref(), zip.as_os_str(), place.path(table).as_os_str()]);
    outcome.expect(0).says("rows agree to 1e-9");
}

#[test]
fn pandas_computes_the_same_for_ur3() {
    agrees_with_pandas("ur3", "ur3-stops", "2022-10-26.zip");
}

#[test]
fn pandas_computes_the_same_for_comma() {
    agrees_with_pandas("comma", "comma-drive", "2018-08-02.zip");
}

#[test]
fn deltalake_polars_and_duckdb_see_the_same_table() {
    let place = ran("ur3");
    for (table, rows) in [("ur3-stops", "7409"), ("ur3-before-stops", "186")] {
        let seen = python::script("published.py", &["engines".as_ref(), place.path(table).as_os_str()]);
        let mut lines = seen.lines().map(|line| line.split_once(' ').unwrap());
        let (first, what) = lines.next().unwrap();
        assert_eq!(first, "deltalake");
        assert_eq!(what.split(' ').nth(1), Some(rows), "{seen}");
        assert_eq!(lines.clone().count(), 2, "{seen}");
        assert!(lines.all(|(_, other)| other == what), "{seen}");
    }
}

/// Insists that a filter on any column finds the rows that are there; `column` shows that the question was asked.
fn filters_find_all_rows(table: &Path, column: &str) {
    let found = python::script("published.py", &["filters".as_ref(), table.as_os_str()]);
    assert!(!found.contains(" wrong "), "{found}");
    let asked = found.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == column);
    assert!(asked.is_some_and(|(_, rows)| rows.parse::<u64>().is_ok_and(|rows| rows > 0)), "{found}");
}

#[test]
fn a_filter_on_any_column_finds_its_rows() {
    let place = ran("ur3");
    filters_find_all_rows(&place.path("ur3-stops"), "label");
    filters_find_all_rows(&place.path("ur3-before-stops"), "valid");
}

#[test]
fn a_filter_on_a_column_with_an_infinity_finds_its_rows() {
    let place = Place::new();
    let case = python::repository().join("tests/golden/infinities");
    python::script("golden.py", &[case.as_path(), place.folder()]);
    program::run(&place.path("case.yaml")).expect(0);
    filters_find_all_rows(&place.result(), "speed_v");
}

#[test]
fn the_oracle_computes_the_same_for_ur3_before_stops() {
    let place = ran("ur3");
    let (file, table) = (place.path("pipeline.yaml"), place.path("ur3-before-stops"));
    let arguments = [file.as_os_str(), "ur3-before-stops".as_ref(), table.as_os_str()];
    python::attempt("oracle_of.py", &arguments).expect(0).says("0 cells differ");
}
