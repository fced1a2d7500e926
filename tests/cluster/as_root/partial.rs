//! Runs in which a shard cannot be computed: refused, tolerated, mended, or computed after all by a shard that is cut.

use super::field::{Field, condition};
use super::twin::{SMALL, Twin};
use serde_json::{Value, json};
use std::thread;

/// Pods with the least memory that a worker starts with.
const TINY: &str = "resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 128Mi}}";

/// How many shards a plan found, had to compute, and took from before.
fn planned(run: &Value) -> [u64; 3] {
    ["shards", "stale", "reused"].map(|count| run["status"]["plan"][count].as_u64().expect("a number"))
}

#[test]
fn failed_shards_are_refused_tolerated_or_mended_and_one_that_lacks_memory_is_cut() {
    // Side by side, for much of it is waiting.
    thread::scope(|scope| {
        scope.spawn(refused_tolerated_and_mended);
        scope.spawn(cut_and_given_twice_as_much);
    });
}

/// Shards that fail in every try; the Run after that computes them alone.
fn refused_tolerated_and_mended() {
    let field = Field::new("partial");
    let twin = Twin::lines(&field, "days", "");
    // What the second Run will have of the month, and then all of it. With the days before and after, into which observations
    // could stray, 26 days are 28 shards.
    twin.write_days((1..=26).filter(|day| !(2..=7).contains(day)));
    let part = twin.here(&[]);
    twin.write_days(2..=7);
    let whole = twin.here(&[]);
    assert_ne!(part, whole);
    twin.apply(&format!("inline: 0s, parallelism: 2, retries: 0, {SMALL}"));
    // Where the folder of a day should be there is an object: that day's shard can never be written. Its worker gives up there,
    // as it would before a store that is away, and leaves the rest of its half of the days.
    let store = field.cluster().store();
    let obstacle = format!("{}/days/date=2024-05-02", field.name);
    store.put("features", &obstacle, b"in the way");
    field.start("refused", twin.name, &json!({}));
    let run = field.ended("refused");
    let failed = condition(&run, "Failed");
    assert_eq!(failed["reason"], "GateRefused", "{run:#}");
    let sentence = failed["message"].as_str().expect("a sentence");
    assert!(sentence.contains("12 of 28 shards were not computed, tolerate.failedShards is 0"), "{sentence}");
    assert_eq!(run["status"]["failures"].as_array().map(Vec::len), Some(10), "up to ten of them are told: {run:#}");
    let why = condition(&run, "Running")["message"].as_str().expect("a sentence");
    assert!(why.contains("date=2024-05-02"), "{why}");
    assert!(!field.published(twin.name).join("_delta_log").exists(), "nothing is published");
    field.patch("pipeline", twin.name, &json!({"spec": {"tolerate": {"failedShards": 6}}}));
    field.start("tolerated", twin.name, &json!({}));
    let run = field.complete("tolerated");
    assert_eq!(planned(&run), [28, 12, 16], "{run:#}");
    assert_eq!(
        (&run["status"]["shards"]["failed"], &run["status"]["shards"]["done"]),
        (&json!(6), &json!(22)),
        "{run:#}"
    );
    assert_eq!(run["status"]["failures"].as_array().map(Vec::len), Some(6), "{run:#}");
    assert_eq!(run["status"]["failures"][0]["shard"], 2, "that of the day: {run:#}");
    assert_eq!(twin.there(), part);
    store.delete("features", &obstacle);
    field.start("mended", twin.name, &json!({}));
    let run = field.complete("mended");
    assert_eq!(planned(&run), [28, 6, 22], "{run:#}");
    assert_eq!(run["status"]["shards"]["failed"], 0, "{run:#}");
    assert!(run["status"]["failures"].is_null(), "{run:#}");
    assert_eq!(twin.there(), whole);
}

/// Days that take more memory than a worker has.
fn cut_and_given_twice_as_much() {
    let field = Field::new("halves");
    // A day of a robot is a shard, and no worker of 128Mi can hold it.
    let twin = Twin::fleet(&field, "fleet", (1, 48), "");
    let whole = twin.here(&[]);
    twin.apply(&format!("inline: 0s, parallelism: 2, retries: 1, {TINY}"));
    field.start("cut", twin.name, &json!({}));
    let run = field.complete("cut");
    let status = &run["status"];
    assert_eq!((&status["attempt"], &status["memoryBytes"]), (&json!(2), &json!(256 << 20)), "{run:#}");
    assert_eq!(
        (&status["shards"]["done"], &status["shards"]["failed"]),
        (&status["plan"]["shards"], &json!(0)),
        "{run:#}"
    );
    let splits = field.published(twin.name).join("_fleetloom/splits");
    assert!(splits.read_dir().is_ok_and(|mut parts| parts.next().is_some()), "no shard was cut");
    let events = field.kubectl.run(&["get", "events", "--field-selector=reason=MoreMemory", "-o", "name"]);
    let events = events.expect("events can be listed");
    assert!(!events.is_empty(), "{}", field.told());
    assert_eq!(twin.there(), whole);
}
