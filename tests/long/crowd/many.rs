//! Many Runs of three Jobs at once, whose pods are stopped and evicted now and then: all of them are Complete, each act had one
//! Job, and the writes of a Run are few.

use super::words::{Ends, done, failed, pipeline, planned, published, run, when};
use super::{Yard, condition, name};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Runs, unless `FLEETLOOM_CROWD_RUNS` says how many.
const RUNS: usize = 200;

/// Pipelines that they are of.
const PIPELINES: usize = 10;

/// Indexes of a shard Job: of twenty shards, each worth a batch.
const INDEXES: u64 = 20;

/// A batch is some 240 s of work.
const SECONDS: u64 = INDEXES * 240;

/// Writes of a Run of three Jobs, events aside, beside its progress.
const WRITES_MAX: u64 = 12;

/// Progress is written at most once in so many seconds.
const PROGRESS_SECONDS: u64 = 5;

/// Pods that are stopped or evicted now and then, which costs no try.
fn mostly_well() -> Ends {
    let luck = |end: Value| {
        let evicted = when(failed(137), &json!({"percent": 2, "evicted": true}));
        json!([when(failed(143), &json!({"percent": 3})), evicted, end])
    };
    Ends {
        plan: luck(done(&planned(INDEXES, SECONDS))),
        shards: luck(done(&json!({"act": "computed", "shards": 1, "rows": 9}))),
        commit: luck(done(&published(INDEXES, 0))),
    }
}

#[test]
fn many_runs_at_once_are_complete_with_one_job_for_each_act_and_few_writes() {
    let runs = std::env::var("FLEETLOOM_CROWD_RUNS").map_or(RUNS, |text| text.parse().expect("a number of Runs"));
    let yard = Yard::new("many");
    let names: Vec<String> = (0..PIPELINES).map(|number| format!("p{number}")).collect();
    let workers = json!({"inline": "0s", "retries": 0});
    let pipelines: Vec<Value> = names.iter().map(|name| pipeline(name, &mostly_well(), &workers)).collect();
    yard.pipelines(&pipelines);
    let offered: Vec<Value> =
        (0..runs).map(|number| run(&format!("r{number:04}"), &names[number % PIPELINES])).collect();
    let begun = Instant::now();
    yard.create(&offered);
    let ended = yard.ended(runs);
    let counted = yard.counted();
    println!("{runs} Runs of {INDEXES} indexes in {:.0} s: {counted:?}", begun.elapsed().as_secs_f64());
    for run in &ended {
        let status = &run["status"];
        assert_eq!(
            (&condition(run, "Complete")["reason"], &status["attempt"]),
            (&json!("Published"), &json!(1)),
            "{run}"
        );
        assert_eq!((&status["shards"]["done"], &status["shards"]["failed"]), (&json!(INDEXES), &json!(0)), "{run}");
    }
    one_job_an_act(&yard, runs);
    assert_eq!((counted.jobs, counted.words), (3 * runs as u64, runs as u64));
    let progress: u64 = ended.iter().map(|run| seconds(run) / PROGRESS_SECONDS + 1).sum();
    assert!(counted.told <= WRITES_MAX * runs as u64 + progress, "{counted:?} and {progress} of progress");
    assert!(
        counted.told >= counted.jobs + counted.words + counted.statuses,
        "the operator counts its own: {counted:?}"
    );
    yard.is_sound();
}

/// Each Run has a plan, a shard and a commit Job of its first attempt, and no other.
fn one_job_an_act(yard: &Yard, runs: usize) {
    let jobs = yard.jobs();
    let mut acts: BTreeMap<&str, usize> = BTreeMap::new();
    for job in &jobs {
        let labels = &job["metadata"]["labels"];
        let [run, act] =
            ["run", "act"].map(|label| labels[format!("fleetloom.dev/{label}")].as_str().expect("a label"));
        assert_eq!(name(job), format!("{run}-1-{act}"));
        *acts.entry(act).or_default() += 1;
        if act == "shards" {
            let status = &job["status"];
            let indexes = (&status["completedIndexes"], status["failedIndexes"].as_str().unwrap_or_default());
            assert_eq!(indexes, (&json!(format!("0-{}", INDEXES - 1)), ""), "{job}");
        }
    }
    assert_eq!(acts, BTreeMap::from([("commit", runs), ("plan", runs), ("shards", runs)]));
}

/// How long a Run took: from its start to its end, as it says.
fn seconds(run: &Value) -> u64 {
    let text = run["status"]["duration"].as_str().expect("a Run that has ended says how long it took");
    let mut seconds = 0;
    let mut number = 0;
    for letter in text.chars() {
        match letter.to_digit(10) {
            Some(digit) => number = number * 10 + u64::from(digit),
            None => {
                let unit = match letter {
                    'd' => 86_400,
                    'h' => 3_600,
                    'm' => 60,
                    _ => 1,
                };
                seconds += number * unit;
                number = 0;
            }
        }
    }
    seconds
}
