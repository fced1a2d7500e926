//! The acts of a run as pods call them: what each says at its end in `FLEETLOOM_MESSAGE`, batches of shards, small runs that
//! their plan pod finishes, and acts that are done twice.

use crate::words::{OBJECT, SMALL, change, fleet, good, small};
use fleetloom_tests::pack;
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Outcome, fleetloom_with};
use fleetloom_tests::python;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Where pods of one run are started.
struct Pods {
    place: Place,
    file: PathBuf,
}

impl Pods {
    /// Carries out an act; what it says, and how it ends.
    fn act(&self, words: &str, environment: &[(&str, &str)]) -> (Value, Outcome) {
        let message = self.place.write("message", "").display().to_string();
        let environment = [&[("FLEETLOOM_MESSAGE", message.as_str())], environment].concat();
        let file = self.file.display().to_string();
        let arguments: Vec<&str> = words.split(' ').chain(["-f", &file]).collect();
        let outcome = fleetloom_with(&environment, &arguments);
        let said = fs::read_to_string(&message).expect("there is a message");
        assert!(said.len() <= 4096, "{said}");
        (serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said:?}\n{outcome}")), outcome)
    }

    /// The same of an act that does what it is asked.
    fn done(&self, words: &str) -> Value {
        let (said, outcome) = self.act(words, &[]);
        outcome.expect(0);
        said
    }
}

/// A fleet of several shards.
fn large() -> Pods {
    let (place, file) = fleet(3, 26, 17, false);
    let words =
        change(&fs::read_to_string(file).expect("the words"), "\n  result:", "\n  shards: {bytes: 1Mi}\n  result:");
    let file = place.words(&words);
    Pods { place, file }
}

#[test]
fn batches_compute_every_stale_shard_and_the_commit_says_what_came_of_them() {
    let pods = large();
    program::run(&pods.file).expect(0);
    let whole = python::digest(&pods.place.result());
    fs::remove_dir_all(pods.place.result()).expect("the table can be removed");
    let planned = pods.done("plan --run-id r1");
    assert_eq!((&planned["act"], planned["base"].as_u64()), (&"planned".into(), None), "{planned}");
    let (hash, stale) = (planned["plan"].as_str().expect("a hash"), planned["stale"].as_u64().expect("a number"));
    assert!(stale >= 5 && planned["shards"] == stale, "{planned}");
    assert!(planned["uri"].as_str().expect("a place").ends_with(&format!("_fleetloom/plans/{hash}.json")), "{planned}");
    assert_eq!((&planned["source"]["objects"], &planned["source"]["members"]), (&2.into(), &56_160.into()));
    let shards = format!("shard --plan {hash} --batches 3");
    let computed: u64 = ["2", "0", "1"]
        .map(|index| {
            let (said, outcome) = pods.act(&shards, &[("JOB_COMPLETION_INDEX", index)]);
            outcome.expect(0);
            assert_eq!(said["act"], "computed");
            said["shards"].as_u64().expect("a number")
        })
        .iter()
        .sum();
    assert_eq!(computed, stale);
    let published = pods.done(&format!("commit --plan {hash} --run-id r1"));
    assert_eq!((&published["act"], &published["version"]), (&"published".into(), &0.into()), "{published}");
    assert_eq!((&published["source"], &published["failed"]), (&planned["source"], &0.into()));
    assert_eq!(python::digest(&pods.place.result()), whole);
    let again = pods.done(&format!("commit --plan {hash} --run-id r1"));
    assert_eq!(again, published, "an act that is done twice says the same twice");
    let nothing = pods.done("plan --run-id r2 --inline 1m");
    assert_eq!((&nothing["act"], &nothing["version"]), (&"nothingToDo".into(), &0.into()));
    assert_eq!((&nothing["rows"], &nothing["source"]), (&published["rows"], &published["source"]));
}

#[test]
fn a_small_run_is_finished_by_its_plan_pod_unless_one_did_not_come_to_its_end() {
    let (place, file) = small(&[good("r1", 0), good("r2", 1)]);
    let pods = Pods { place, file };
    let hash = pods.done("plan --run-id r1")["plan"].as_str().expect("a hash").to_owned();
    let mark = pods.place.write(&format!("result/_fleetloom/inline/{hash}"), "{}");
    let plan = "plan --run-id r1 --inline 1m";
    assert_eq!(pods.done(plan)["act"], "planned", "somebody tried before");
    assert!(pods.place.versions().is_empty());
    fs::remove_file(mark).expect("the mark is there");
    assert_eq!(pods.done("plan --run-id r1 --inline 0s")["act"], "planned", "nothing takes less than no time");
    let published = pods.done(plan);
    assert_eq!((&published["act"], &published["rows"]), (&"published".into(), &2.into()), "{published}");
    assert!(pods.place.path(&format!("result/_fleetloom/inline/{hash}")).is_file());
    // The pod's message was lost, and then another run published.
    assert_eq!(pods.done(&format!("{plan} --since none")), published);
    pods.place.write(OBJECT, pack::zip(&[good("r1", 0), good("r2", 1), good("r2", 2)]));
    let next = pods.done("plan --run-id r2 --inline 1m --since 0");
    assert_eq!((&next["act"], &next["version"], &next["rows"]), (&"published".into(), &1.into(), &3.into()));
    assert_eq!(pods.done(&format!("{plan} --since none"))["version"], 0, "what r1 published is not r2's");
    assert_eq!(pods.place.versions().len(), 2);
}

#[test]
fn an_act_that_fails_says_why_in_its_message_and_in_its_exit_code() {
    let (place, file) = small(&[good("r1", 0)]);
    let pods = Pods { place, file };
    let failed = |words: &str, environment: &[(&str, &str)], code: i32, why: &str| {
        let (said, outcome) = pods.act(words, environment);
        outcome.expect(code);
        assert_eq!((&said["act"], &said["code"]), (&"failed".into(), &code.into()), "{said}");
        assert!(said["sentence"].as_str().expect("a sentence").contains(why), "{said}");
    };
    failed("shard --plan 00 --index 0", &[], 2, "no such plan");
    let plan = pods.done("plan")["plan"].as_str().expect("a hash").to_owned();
    let batches = format!("shard --plan {plan} --batches 2");
    failed(&batches, &[], 2, "JOB_COMPLETION_INDEX is not set");
    failed(&batches, &[("JOB_COMPLETION_INDEX", "2")], 2, "no number from 0 to 1");
    failed(&format!("shard --plan {plan} --index 1"), &[], 2, "has 1 shards");
    failed(&format!("commit --plan {plan}"), &[], 7, "1 of 1 shards were not computed");
    pods.place.words(&change(SMALL, "signal: speed", "signal: sped"));
    failed("plan", &[], 2, "speed");
}

#[test]
fn a_poll_says_the_version_of_the_archive_that_a_plan_would_have() {
    let (place, file) = small(&[good("r1", 0)]);
    let pods = Pods { place, file };
    let (listed, outcome) = pods.act("source --json", &[]);
    let shown: Value = serde_json::from_str(&outcome.expect(0).stdout).expect("JSON");
    assert_eq!((&listed["act"], &listed["version"]), (&"listed".into(), &shown["version"]));
    assert_eq!(pods.done("plan")["source"]["version"], shown["version"]);
    pods.place.write(OBJECT, pack::zip(&[good("r1", 0), good("r1", 1)]));
    assert_ne!(pods.done("source")["version"], shown["version"]);
    let (_, logged) = pods.act("plan --log info", &[("FLEETLOOM_LOG_FORMAT", "json")]);
    for line in logged.expect(0).stderr.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}
