//! An archive that changes while it is read, its Pipeline in the cluster, and what the laptop makes of the archive as it is now.

use crate::chance::Chance;
use crate::field::Field;
use crate::shared;
use fleetloom_tests::words::change;
use fleetloom_tests::{program, python, shown};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Seeds of the simulator: the same robots and days, with other numbers in them. The last one's telemetry is damaged.
const VARIANTS: [(&str, bool); 3] = [("1", false), ("2", false), ("3", true)];

/// A fleet's archive and Pipeline.
pub(super) struct Fleet {
    /// Of the Archive, the Pipeline and the table.
    pub(super) name: &'static str,
    /// What may lie under each key.
    objects: BTreeMap<String, Vec<Vec<u8>>>,
    /// What lies there.
    now: BTreeMap<String, usize>,
    /// Runs that the test started.
    pub(super) runs: usize,
    /// The words for the laptop, whose archive and result lie beside them.
    words: String,
    /// The folder of the laptop.
    here: PathBuf,
}

impl Fleet {
    /// Simulates it, stores its archive as the first variant has it, and applies its words. `more` is the Pipeline's.
    pub(super) fn new(field: &Field, name: &'static str, (robots, hours): (u32, u32), more: &str) -> Self {
        let mut objects: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (seed, dirty) in VARIANTS {
            let folder = field.place.path(&format!("{name}-{seed}"));
            let (out, robots, hours) = (folder.display().to_string(), robots.to_string(), hours.to_string());
            let mut arguments = vec!["simulate", "--robots", &robots, "--hours", &hours, "--seed", seed, "--out", &out];
            arguments.extend(dirty.then_some("--dirty"));
            program::fleetloom(&arguments).expect(0);
            for entry in fs::read_dir(folder.join("archive")).expect("the simulated archive").flatten() {
                let key = entry.file_name().to_string_lossy().into_owned();
                objects.entry(key).or_default().push(fs::read(entry.path()).expect("an object"));
            }
        }
        // A damaged archive may have a day more, which is not there at first.
        let all = objects.iter().filter(|(_, variants)| variants.len() == VARIANTS.len());
        let now = all.map(|(key, _)| (key.clone(), 0)).collect();
        let words = fs::read_to_string(field.place.path(&format!("{name}-1/fleetloom.yaml"))).expect("the words");
        let words = change(&words, "{name: simulated}", &format!("{{name: {name}}}"));
        let words = change(&words, "archive: simulated", &format!("archive: {name}"));
        let words = change(&words, "{name: aborts}", &format!("{{name: {name}}}"));
        let words = change(&words, "\n  result:", "\n  shards: {bytes: 1Mi}\n  result:");
        let here = field.place.path(name);
        let fleet = Self { name, objects, now, runs: 0, words, here };
        for key in fleet.now.keys() {
            fleet.store(field, key);
        }
        let words = change(&fleet.words, "\n  result:", &format!("\n  {more}\n  result:"));
        let (there, result) = (field.result(name), "url: result/");
        // The archives lie beside each other in the other bucket, as the tables do in theirs.
        let source = change(&change(&there, "s3://features/", "s3://telemetry/"), "features-write", "telemetry-read");
        let words = change(&change(&words, "url: archive/", &source), result, &there);
        field.kubectl.apply(&words).unwrap_or_else(|error| panic!("{error}"));
        fleet
    }

    fn store(&self, field: &Field, key: &str) {
        let bytes = &self.objects[key][self.now[key]];
        shared().store().put("telemetry", &format!("{}/{}/{key}", field.name, self.name), bytes);
    }

    /// Puts another object under a key, or removes it; what was done.
    pub(super) fn replace(&mut self, field: &Field, chance: &mut Chance) -> String {
        let keys: Vec<String> = self.objects.keys().cloned().collect();
        let key = chance.one(&keys).expect("an archive has objects").clone();
        let variants = self.objects[&key].len();
        // One more than there are: none. The last object stays, whatever chance says.
        let variant = chance.below(variants + 1);
        if variant == variants && self.now.len() > 1 {
            if self.now.remove(&key).is_some() {
                shared().store().delete("telemetry", &format!("{}/{}/{key}", field.name, self.name));
            }
            return format!("{}: {key} is gone", self.name);
        }
        self.now.insert(key.clone(), variant.min(variants - 1));
        self.store(field, &key);
        format!("{}: {key} is variant {}", self.name, self.now[&key])
    }

    /// What the laptop makes of the archive as it is now: a digest of the rows, and the account.
    pub(super) fn of_the_laptop(&self) -> (String, String) {
        let _none = fs::remove_dir_all(&self.here);
        fs::create_dir_all(self.here.join("archive")).expect("folders can be made");
        for (key, variant) in &self.now {
            fs::write(self.here.join("archive").join(key), &self.objects[key][*variant]).expect("files can be written");
        }
        let file = self.here.join("words.yaml");
        fs::write(&file, &self.words).expect("files can be written");
        program::run(&file).expect(0);
        (python::digest(&self.here.join("result")), shown::account(&shown::shown(&file)))
    }

    /// Words by which the laptop reads the table of the cluster.
    pub(super) fn words_there(&self, field: &Field) -> PathBuf {
        let there = format!("url: \"file://{}/\"", field.published(self.name).display());
        let file = field.place.path(&format!("{}-there.yaml", self.name));
        fs::write(&file, change(&self.words, "url: result/", &there)).expect("files can be written");
        file
    }
}
