//! One pipeline twice, on this machine and in a field: the same words over the same objects, so that its tables can be compared.

use super::field::Field;
use fleetloom_tests::words::change;
use fleetloom_tests::{program, python};
use std::fs;
use std::path::{Path, PathBuf};

/// Resources of small pods: several fit on a node of two cores.
pub(super) const SMALL: &str = "resources: {requests: {cpu: 100m, memory: 256Mi}, limits: {memory: 256Mi}}";

/// The bucket of archives whose replaced objects can still be read.
pub(super) const VERSIONED: &str = "telemetry";

/// The bucket of archives, and of tables, in which a replaced object is gone.
pub(super) const UNVERSIONED: &str = "features";

/// One signal of lines, an object a day, a row a line.
const LINES: &str = r#"
apiVersion: fleetloom.dev/v1alpha1
kind: Archive
metadata: {name: NAME}
spec:
  store: {url: archive/}
  objects: "{date}-{robot}.json"
  format: NdJson
  robot: {capture: robot}
  signals: [{name: speed, times: [{name: ts, unit: ms}], columns: [{name: v}]}]
---
apiVersion: fleetloom.dev/v1alpha1
kind: Pipeline
metadata: {name: NAME}
spec:
  archive: NAME
  rows: {signal: speed}
  result: {store: {url: result/}}
"#;

/// A pipeline here and there.
pub(super) struct Twin<'f> {
    field: &'f Field<'f>,
    /// The name of Archive, Pipeline and table.
    pub(super) name: &'static str,
    /// Where its objects lie there.
    bucket: &'static str,
}

impl<'f> Twin<'f> {
    /// A fleet of the simulator, of so many robots for so many hours, with further lines in the Pipeline's spec.
    pub(super) fn fleet(field: &'f Field<'f>, name: &'static str, (robots, hours): (u32, u32), more: &str) -> Self {
        let twin = Self { field, name, bucket: VERSIONED };
        simulate(&field.place.path(name), (robots, hours), 5);
        let words = change(&twin.words(), "{name: simulated}", &format!("{{name: {name}}}"));
        let words = change(&words, "archive: simulated", &format!("archive: {name}"));
        twin.write_words(&change(&words, "{name: aborts}", &format!("{{name: {name}}}")), more);
        twin
    }

    /// An archive of lines, without any yet, with further lines in the Pipeline's spec.
    pub(super) fn lines(field: &'f Field<'f>, name: &'static str, more: &str) -> Self {
        let twin = Self { field, name, bucket: VERSIONED };
        twin.write_words(&change(LINES, "NAME", name), more);
        twin
    }

    /// The same with its objects in another bucket.
    pub(super) fn within(self, bucket: &'static str) -> Self {
        Self { bucket, ..self }
    }

    /// Writes days of May 2024 of an archive of lines, on this machine only.
    pub(super) fn write_days(&self, days: impl IntoIterator<Item = u32>) {
        for day in days {
            let (key, text) = day_of_lines(day);
            self.field.place.write(&format!("{}/archive/{key}", self.name), text);
        }
    }

    /// Stores such a day here and there.
    pub(super) fn put_day(&self, day: u32) {
        let (key, text) = day_of_lines(day);
        self.put(&key, text.as_bytes());
    }

    /// Stores an object here and there.
    pub(super) fn put(&self, key: &str, bytes: &[u8]) {
        self.field.place.write(&format!("{}/archive/{key}", self.name), bytes);
        self.field.cluster().store().put(self.bucket, &format!("{}/{key}", self.prefix()), bytes);
    }

    /// The object of that name that a fleet of the same robots would have that lived another life.
    pub(super) fn of_another_life(&self, key: &str, size: (u32, u32)) -> Vec<u8> {
        let other = self.field.place.path(&format!("{}-another", self.name));
        if !other.exists() {
            simulate(&other, size, 6);
        }
        fs::read(other.join("archive").join(key)).expect("it has that day too")
    }

    /// Gives what is here to the field, with words for its pods.
    pub(super) fn apply(&self, workers: &str) {
        let Self { field, bucket, .. } = self;
        let archive = self.prefix();
        field.cluster().store().put_folder(bucket, &format!("{archive}/"), &self.path("archive"));
        let secret = if *bucket == UNVERSIONED { "features-write" } else { "telemetry-read" };
        let words = change(&self.words(), "url: archive/", &field.store(&format!("{bucket}/{archive}"), secret));
        let words = change(&words, "url: result/", &field.result(self.name));
        let words = change(&words, "\n  result:", &format!("\n  workers: {{{workers}}}\n  result:"));
        field.kubectl.apply(&words).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs it on this machine, with further flags; a digest of the table.
    pub(super) fn here(&self, flags: &[&str]) -> String {
        let file = self.path("fleetloom.yaml").display().to_string();
        program::fleetloom(&[&["run", "-f", &file], flags].concat()).expect(0);
        python::digest(&self.path("result"))
    }

    /// A digest of the table in the field.
    pub(super) fn there(&self) -> String {
        self.field.digest(self.name)
    }

    /// Below which the archive's keys lie in its bucket.
    fn prefix(&self) -> String {
        format!("{}/{}-archive", self.field.name, self.name)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.field.place.path(self.name).join(below)
    }

    fn words(&self) -> String {
        fs::read_to_string(self.path("fleetloom.yaml")).expect("the words")
    }

    fn write_words(&self, words: &str, more: &str) {
        let words = if more.is_empty() {
            words.to_owned()
        } else {
            change(words, "\n  result:", &format!("\n  {more}\n  result:"))
        };
        self.field.place.write(&format!("{}/fleetloom.yaml", self.name), words);
    }
}

/// A fleet of the simulator, of so many robots for so many hours.
pub(super) fn simulate(out: &Path, (robots, hours): (u32, u32), seed: u32) {
    let [robots, hours, seed] = [robots, hours, seed].map(|number| number.to_string());
    let out = out.display().to_string();
    program::fleetloom(&["simulate", "--robots", &robots, "--hours", &hours, "--seed", &seed, "--out", &out]).expect(0);
}

/// A day of May 2024: its object's key, and its lines.
fn day_of_lines(day: u32) -> (String, String) {
    let noon_ms = 1_714_564_800_000 + u64::from(day - 1) * 86_400_000;
    let line = |n: u64| format!("{{\"ts\": {}, \"v\": {day}.{n}}}\n", noon_ms + n * 1_000);
    (format!("2024-05-{day:02}-r1.json"), (0..5).map(line).collect())
}
