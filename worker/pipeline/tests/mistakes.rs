//! Every class of mistake, with its path and remedy, as people see it. `words/mistakes.yaml` holds one file after each
//! `####` line, `words/mistakes.txt` what is said about it; `BLESS=1` writes the latter anew, to be read as a diff.

use fleetloom_pipeline::check::check;
use fleetloom_pipeline::read::Words;
use proptest::prelude::*;
use std::fmt::Write;

const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/words/mistakes.txt");

#[test]
fn every_mistake_has_its_place_and_a_remedy() {
    let mut told = String::new();
    for case in include_str!("words/mistakes.yaml").split("#### ").skip(1) {
        let (title, text) = case.split_once('\n').unwrap();
        let mistakes = check(&Words::read(text, None, Some("/home/ada/fleet"))).unwrap_err();
        writeln!(told, "#### {title}").unwrap();
        for mistake in mistakes {
            writeln!(told, "{mistake}").unwrap();
        }
        told.push('\n');
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(EXPECTED, &told).unwrap();
    }
    let expected = std::fs::read_to_string(EXPECTED).unwrap_or_default();
    for (told, expected) in told.lines().zip(expected.lines()) {
        assert_eq!(told, expected);
    }
    assert_eq!(told.lines().count(), expected.lines().count(), "BLESS=1 writes {EXPECTED} anew");
}

/// The whole example with some lines taken out, repeated, moved or with one character replaced.
fn damaged() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = include_str!("words/whole.yaml").lines().collect();
    let damage = (
        0..lines.len(),
        0..lines.len(),
        0u8..4,
        0..80usize,
        prop::sample::select("{}[]:,-#&*!|>'\"%@\t 0~é.".chars().collect::<Vec<_>>()),
    );
    prop::collection::vec(damage, 1..6).prop_map(move |damages| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        for (at, other, how, column, character) in damages {
            match how {
                0 => lines[at].clear(),
                1 => lines[at] = lines[other].clone(),
                2 => lines.swap(at, other),
                _ => {
                    lines[at] = lines[at]
                        .chars()
                        .enumerate()
                        .map(|(index, old)| if index == column { character } else { old })
                        .collect();
                }
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damaged_words_are_told_and_never_stop_the_program(text in damaged()) {
        if let Err(mistakes) = check(&Words::read(&text, None, None)) {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                prop_assert!(!mistake.what.is_empty() && !mistake.remedy.is_empty(), "{mistake}");
            }
        }
    }
}
