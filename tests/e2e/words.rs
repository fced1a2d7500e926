//! Words for tests: the examples with their result elsewhere, and a small pipeline to damage.

use fleetloom_tests::pack::{self, Entry};
use fleetloom_tests::place::Place;
pub(crate) use fleetloom_tests::words::change;
use fleetloom_tests::{program, python, words};
use std::path::PathBuf;

/// The words of an example of `manifests/examples`, reading the example's archive and writing below the place.
pub(crate) fn example(place: &Place, name: &str) -> String {
    let folder = python::repository().join("manifests/examples");
    let words = change(
        &words::example(name),
        &format!("url: {name}/"),
        &format!("url: \"file://{}/{name}/\"", folder.display()),
    );
    change(&words, "url: ../../out/", &format!("url: file://{}/", place.folder().display()))
}

/// A zip of JSON members, one signal, a row per observation: what damage is done to.
pub(crate) const SMALL: &str = include_str!("../small.yaml");

/// First stamp of [`document`]: 2024-05-01T12:00:00Z, far from midnight, where a late observation would be another day's.
pub(crate) const START_MS: i64 = 1_714_564_800_000;

/// Name of the small archive's one object.
pub(crate) const OBJECT: &str = "archive/2024-05-01.zip";

/// A document with one observation of `v`, written as it is, at second `n`.
pub(crate) fn document(n: i64, v: &str) -> String {
    format!(r#"{{"speed": [{{"ts": {}, "v": {v}}}]}}"#, START_MS + n * 1000)
}

/// The member name of a robot's document at second `n`.
pub(crate) fn member(robot: &str, n: i64) -> String {
    format!("{robot}/{}.json", START_MS + n * 1000)
}

/// A good stored member at second `n` whose value is `n`.
pub(crate) fn good(robot: &str, n: i64) -> Entry {
    Entry::stored(member(robot, n), document(n, &n.to_string()).as_bytes())
}

/// A place with the small words and one zip of these members.
pub(crate) fn small(entries: &[Entry]) -> (Place, PathBuf) {
    let place = Place::new();
    place.write(OBJECT, pack::zip(entries));
    let file = place.words(SMALL);
    (place, file)
}

/// A fleet from the simulator: its archive in `archive/`, ready words beside it, the result in `result/`.
pub(crate) fn fleet(robots: u32, hours: u32, seed: u32, dirty: bool) -> (Place, PathBuf) {
    let place = Place::new();
    let out = place.folder().display().to_string();
    let mut arguments = vec!["simulate".to_owned(), "--out".into(), out];
    for (flag, value) in [("--robots", robots), ("--hours", hours), ("--seed", seed)] {
        arguments.extend([flag.to_owned(), value.to_string()]);
    }
    arguments.extend(dirty.then(|| "--dirty".to_owned()));
    program::fleetloom(&arguments).expect(0);
    let file = place.path("fleetloom.yaml");
    (place, file)
}
