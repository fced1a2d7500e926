//! Runs that are suspended, resumed and scaled all at once, again and again, by the hand of the real Job controller: no try is
//! lost by that, no Job is made anew, and all of them end.

use super::words::{Ends, pipeline, run};
use super::{DEADLINE, Yard, condition, has_ended, name};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs.
const RUNS: usize = 40;

/// Indexes of each.
const INDEXES: u64 = 10;

/// How often they are stopped.
const ROUNDS: usize = 3;

/// Whether a Run stands still, or has ended.
fn stands(run: &Value) -> bool {
    let quiet = run["status"]["shards"]["active"].as_u64().unwrap_or(0) == 0;
    has_ended(run) || (condition(run, "Suspended")["status"] == "True" && quiet)
}

fn goes_on(run: &Value) -> bool {
    has_ended(run) || condition(run, "Suspended")["status"] != "True"
}

#[test]
fn runs_that_are_suspended_resumed_and_scaled_all_at_once_lose_no_try_and_no_job() {
    let yard = Yard::new("storm");
    let ends = Ends::well(INDEXES, 240 * INDEXES);
    // Without retries a try that is lost is an index that is lost.
    yard.pipelines(&[pipeline("p", &ends, &json!({"inline": "0s", "retries": 0, "parallelism": 3, "takes": "4s"}))]);
    let names: Vec<String> = (0..RUNS).map(|number| format!("r{number:02}")).collect();
    let runs: Vec<Value> = names.iter().map(|name| run(name, "p")).collect();
    yard.create(&runs);
    let all = |spec: Value| {
        let (words, names) = (json!({"spec": spec}).to_string(), names.iter().map(String::as_str));
        let arguments: Vec<&str> = ["patch", "run", "--type=merge", "-p", &words].into_iter().chain(names).collect();
        yard.kubectl.run(&arguments).unwrap();
    };
    let until = |what: fn(&Value) -> bool| yard.kubectl.until_each(("runs", ""), RUNS, DEADLINE, what).unwrap();
    let mut stopped = 0;
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..ROUNDS {
        all(json!({"suspend": true}));
        stopped += until(stands).iter().filter(|run| !has_ended(run)).count();
        no_pod_works(&yard);
        for job in yard.jobs() {
            let uid = known.entry(name(&job).to_owned()).or_insert_with(|| job["metadata"]["uid"].clone());
            assert_eq!(*uid, job["metadata"]["uid"], "a Job was made anew: {job}");
        }
        all(json!({"suspend": false, "parallelism": 1 + round}));
        until(goes_on);
    }
    println!("{stopped} Runs were stopped in {ROUNDS} rounds");
    assert!(stopped > RUNS, "they were stopped more than once: {stopped}");
    for run in yard.ended(RUNS) {
        let status = &run["status"];
        assert_eq!(
            (&condition(&run, "Complete")["reason"], &status["attempt"]),
            (&json!("Published"), &json!(1)),
            "{run}"
        );
        assert_eq!(status["shards"]["failed"], 0, "{run}");
    }
    assert_eq!(yard.jobs().len(), 3 * RUNS);
    assert_eq!(yard.counted().jobs, 3 * RUNS as u64);
    yard.is_sound();
}

/// Suspended Jobs have no pod that is not over, as soon as their controller has come round.
fn no_pod_works(yard: &Yard) {
    let over = |pod: &Value| ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    yard.kubectl.until_each(("pods", ""), 0, DEADLINE, over).unwrap_or_else(|error| panic!("{error}"));
}
