//! Each folder of `tests/golden` is a case: words, a readable input, and the rows, account and quarantine to expect.
//!
//! Two programs compute each case: Fleetloom and the oracle in Python. Both must give the text in the repository.
//! `BLESS=1` writes Fleetloom's text there; the oracle still has to agree with it.

use fleetloom_tests::place::Place;
use fleetloom_tests::{program, python, shown};
use std::fs;
use std::path::Path;

/// One test per case, by the folder's name with `_` for `-`.
macro_rules! cases {
    ($($name:ident)+) => {
        /// The cases that are tests.
        const CASES: &[&str] = &[$(stringify!($name)),+];
        $(#[test] fn $name() { agrees(stringify!($name)) })+
    };
}

cases! {
    bom concatenated day_border deflated_zip duplicate_keys duplicates empty_archive event_controls every_statistic expressions
    grid infinities inorbit known_lags late ndjson_zstd nested_arrays odd_values robot_without_events tall_signals tar two_clocks
    validity vda5050 without_stamps
}

#[test]
fn every_folder_is_a_test() {
    let folder = python::repository().join("tests/golden");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().replace('-', "_"))
        .collect();
    found.sort();
    assert_eq!(found, CASES);
}

/// Runs one case with both programs.
fn agrees(name: &str) {
    let case = python::repository().join("tests/golden").join(name.replace('_', "-"));
    let place = Place::new();
    python::script("golden.py", &[case.as_path(), place.folder()]);
    let file = place.path("case.yaml");
    program::run(&file).expect(0);
    let quarantine = python::script("published.py", &["quarantine".as_ref(), place.result().as_os_str()]);
    let texts = [
        ("rows.txt", python::rows(&place.result())),
        ("account.txt", shown::account(&shown::shown(&file))),
        ("quarantine.txt", quarantine),
    ];
    for (text, computed) in &texts {
        expect(&case.join(text), computed, "fleetloom");
        expect(
            &case.join(text),
            &fs::read_to_string(place.path("oracle").join(text)).expect("the oracle wrote it"),
            "the oracle",
        );
    }
}

/// Insists on the golden text, or writes it when blessing Fleetloom's.
fn expect(golden: &Path, computed: &str, who: &str) {
    if who == "fleetloom" && std::env::var_os("BLESS").is_some_and(|v| v == "1") {
        fs::write(golden, computed).expect("the repository can be written");
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    let first = expected.lines().zip(computed.lines()).find(|(e, c)| e != c);
    assert!(expected == computed, "{}: {who} differs, first in\n{first:#?}\nwhole:\n{computed}", golden.display());
}
