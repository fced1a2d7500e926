//! One Run of as many indexes as a Job may have, of which every second fails: whatever the Job's status grows to, the Run's
//! stays small, at every write.

use super::words::{Ends, done, failed, pipeline, published, run, when};
use super::{STATUS_BYTES_MAX, Yard, condition, name};
use fleetloom_tests::program::Running;
use rustix::process::Signal;
use serde_json::{Deserializer, Value, json};

/// The most that a Job has.
const INDEXES: u64 = 5_000;

/// Shards: twenty in each batch.
const SHARDS: u64 = 20 * INDEXES;

#[test]
fn a_run_of_five_thousand_indexes_half_of_which_fail_says_so_in_a_small_status() {
    let yard = Yard::new("wide");
    let every_second = when(failed(1), &json!({"every": 2}));
    let well = Ends::well(SHARDS, 240 * INDEXES);
    let shards = json!([every_second, well.shards[0]]);
    let ends = Ends { shards, commit: json!([done(&published(SHARDS, SHARDS / 2))]), ..well };
    yard.pipelines(&[pipeline("wide", &ends, &json!({"inline": "0s", "retries": 0, "parallelism": 400}))]);
    let watch = yard.kubectl.command(&["get", "runs", "--watch", "-o", "json"]);
    let watch = Running::start(watch);
    yard.create(&[run("wide", "wide")]);
    let run = yard.ended(1).remove(0);
    watch.signal(Signal::TERM);
    let seen = watch.finish().stdout;
    let written: Vec<Value> = Deserializer::from_str(&seen).into_iter().map_while(Result::ok).collect();
    let sizes = written.iter().map(|run| run["status"].to_string().len());
    let largest = sizes.max().expect("the watch saw it");
    println!("{} writes were seen, the largest status has {largest} bytes", written.len());
    assert!(written.iter().any(|run| run["status"]["shards"]["failed"].as_u64() > Some(0)), "progress is told");
    assert!(largest <= STATUS_BYTES_MAX, "{largest} bytes");
    let status = &run["status"];
    assert_eq!(condition(&run, "Complete")["reason"], "Published", "{run}");
    assert_eq!((&status["shards"]["failed"], &status["plan"]["batches"]), (&json!(SHARDS / 2), &json!(INDEXES)));
    let jobs = yard.jobs();
    let names: Vec<&str> = jobs.iter().map(name).collect();
    assert_eq!(names, ["wide-1-commit", "wide-1-plan", "wide-1-shards"]);
    let completed = jobs[2]["status"]["completedIndexes"].as_str().expect("a text");
    assert_eq!(completed.split(',').count() as u64, INDEXES / 2, "the Job itself has them all");
    yard.is_sound();
}
