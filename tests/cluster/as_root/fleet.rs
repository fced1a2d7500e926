//! A fleet of the simulator in a field: its archive lies in the bucket, its words are those of the laptop, and so is the digest
//! that every table of it has to have.

use super::field::Field;
use super::twin::{SMALL, simulate};
use fleetloom_tests::words::change;
use fleetloom_tests::{program, python};
use std::fs;

/// A schedule that never comes, for what it says about Runs at the same time.
pub(super) const NEVER: &str = "cron: [\"0 0 1 1 *\"], suspend: true";

/// The fleet, its Archive applied.
pub(super) struct Fleet {
    /// The digest of its table.
    pub(super) digest: String,
    archive: String,
    pipeline: String,
}

impl Fleet {
    /// So many robots for so many hours, in shards of a mebibyte.
    pub(super) fn new(field: &Field, robots: u32, hours: u32) -> Self {
        let out = field.place.path("fleet");
        simulate(&out, (robots, hours), 5);
        let file = out.join("fleetloom.yaml");
        let words = fs::read_to_string(&file).expect("the words");
        let words = change(&words, "\n  result:", "\n  shards: {bytes: 1Mi}\n  result:");
        fs::write(&file, &words).expect("files can be written");
        program::run(&file).expect(0);
        let words = change(&words, "url: archive/", &field.archive(&out.join("archive")));
        let (archive, pipeline) = words.split_once("---").expect("two documents");
        let fleet =
            Self { digest: python::digest(&out.join("result")), archive: archive.into(), pipeline: pipeline.into() };
        field.kubectl.apply(&fleet.archive).unwrap_or_else(|error| panic!("{error}"));
        fleet
    }

    /// The words of its Archive, with the place of its store between braces for `{store}`.
    pub(super) fn archive(&self, field: &Field, name: &str, store: &str) -> String {
        let words = change(&self.archive, "name: simulated", &format!("name: {name}"));
        change(&words, &field.source(), store)
    }

    /// Applies its Pipeline under a name, with further lines of its spec, and the place of its result.
    pub(super) fn pipeline(&self, field: &Field, name: &str, more: &[&str], result: &str) {
        field.kubectl.apply(&self.words(name, more, result)).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The words of that Pipeline.
    pub(super) fn words(&self, name: &str, more: &[&str], result: &str) -> String {
        let words = change(&self.pipeline, "name: aborts", &format!("name: {name}"));
        let words = change(&words, "url: result/", result);
        let more: String = more.iter().map(|line| format!("\n  {line}")).collect();
        change(&words, "\n  result:", &format!("{more}\n  result:"))
    }
}

/// The line of a spec for small pods, with further words about workers.
pub(super) fn workers(more: &str) -> String {
    format!("workers: {{{more}, {SMALL}}}")
}
