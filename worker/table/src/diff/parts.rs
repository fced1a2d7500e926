//! Which files are compared together: those of one day whose robots may be the same. Pure.
//!
//! A shard holds the robots whose hash begins with its bits, so two files can hold rows of one robot only when the bits of
//! one begin with the bits of the other. Files that both versions hold in the same place are equal rows.
//!
//! ```text
//! day        bits   before    after
//! 10-26      0      a         a         the same: not read
//! 10-26      1      b         c, d      compared
//! 10-27      ""     e         e         the same: not read
//! ```

use crate::ledger::Ledger;
use crate::state::TableState;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A file of one of the versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) rows: u64,
}

/// What is compared at a time: the files of one day and some robots, of both versions. A robot's day lies in one part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) date: String,
    pub(crate) before: Vec<File>,
    pub(crate) after: Vec<File>,
}

/// The parts that differ, by day, and how many days there are with and without a difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) differing: Vec<Part>,
    pub(crate) days_compared: u64,
    pub(crate) days_same: u64,
}

/// A version's files with their day and their robots' bits.
pub(crate) fn placed(state: &TableState, ledger: Option<&Ledger>) -> Vec<(String, String, File)> {
    let lines = ledger.iter().flat_map(|ledger| &ledger.lines);
    let bits: HashMap<&str, &str> =
        lines.flat_map(|line| line.files.iter().map(|file| (file.path.as_str(), line.robots.as_str()))).collect();
    let place = |file: &crate::state::LiveFile| {
        // A file whose robots are not known may hold any.
        let robots = bits.get(file.path.as_str()).copied().unwrap_or_default().to_owned();
        (file.date.clone(), robots, File { path: file.path.clone(), rows: file.rows.unwrap_or(0) })
    };
    state.files.iter().map(place).collect()
}

/// Cuts two versions into parts.
pub(crate) fn parts(before: Vec<(String, String, File)>, after: Vec<(String, String, File)>) -> Parts {
    let mut days: BTreeMap<String, [Vec<(String, File)>; 2]> = BTreeMap::new();
    for (side, files) in [before, after].into_iter().enumerate() {
        for (date, robots, file) in files {
            days.entry(date).or_default()[side].push((robots, file));
        }
    }
    let mut parts = Parts::default();
    for (date, files) in days {
        let differing = parts_of_day(&date, files);
        if differing.is_empty() {
            parts.days_same += 1
        } else {
            parts.days_compared += 1
        }
        parts.differing.extend(differing);
    }
    parts
}

fn parts_of_day(date: &str, files: [Vec<(String, File)>; 2]) -> Vec<Part> {
    let bits: BTreeSet<String> = files.iter().flatten().map(|(robots, _)| robots.clone()).collect();
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for (side, files) in files.into_iter().enumerate() {
        for (robots, file) in files {
            let part = parts.entry(root(&bits, &robots).to_owned()).or_default();
            let side = if side == 0 { &mut part.before } else { &mut part.after };
            side.push(file);
        }
    }
    let sorted = |mut part: Part| {
        part.before.sort_unstable();
        part.after.sort_unstable();
        Part { date: date.to_owned(), ..part }
    };
    parts.into_values().map(sorted).filter(|part| part.before != part.after).collect()
}

/// The shortest of the bits that `robots` begins with: it is among them itself.
fn root<'a>(bits: &BTreeSet<String>, robots: &'a str) -> &'a str {
    let lengths = 0..=robots.len();
    lengths.map(|length| &robots[..length]).find(|start| bits.contains(*start)).unwrap_or(robots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(files: &[(&str, &str, &str)]) -> Vec<(String, String, File)> {
        let file = |path: &str| File { path: path.to_owned(), rows: 1 };
        files.iter().map(|(date, robots, path)| ((*date).to_owned(), (*robots).to_owned(), file(path))).collect()
    }

    fn cut(before: &[(&str, &str, &str)], after: &[(&str, &str, &str)]) -> (Vec<String>, u64, u64) {
        let Parts { differing, days_compared, days_same } = parts(side(before), side(after));
        let names = |files: &[File]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>().join("+");
        let text = |part: &Part| format!("{} {}>{}", part.date, names(&part.before), names(&part.after));
        (differing.iter().map(text).collect(), days_compared, days_same)
    }

    #[test]
    fn the_same_files_are_not_compared() {
        let before = [("d1", "0", "a"), ("d1", "1", "b"), ("d2", "", "e")];
        let after = [("d1", "0", "a"), ("d1", "1", "d"), ("d1", "1", "c"), ("d2", "", "e")];
        assert_eq!(cut(&before, &after), (vec!["d1 b>c+d".to_owned()], 1, 1));
        assert_eq!(cut(&before, &before), (Vec::new(), 0, 2));
    }

    #[test]
    fn another_cut_brings_robots_that_may_be_the_same_together() {
        let before = [("d1", "0", "a"), ("d1", "1", "b")];
        let after = [("d1", "00", "c"), ("d1", "010", "d"), ("d1", "011", "e"), ("d1", "1", "b")];
        assert_eq!(cut(&before, &after).0, ["d1 a>c+d+e"]);
        assert_eq!(cut(&before, &[("d1", "", "f")]).0, ["d1 a+b>f"]);
    }

    #[test]
    fn a_day_that_only_one_version_has_is_a_part_of_its_own() {
        let (days, compared, same) = cut(&[("d1", "", "a")], &[("d2", "", "b")]);
        assert_eq!((days, compared, same), (vec!["d1 a>".to_owned(), "d2 >b".to_owned()], 2, 0));
    }
}
