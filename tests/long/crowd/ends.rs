//! Each way to fail, under the real Job controller: which act is done again, under which attempt, and what the Run says at its
//! end. The exit codes are those of the README.

use super::words::{Ends, done, failed, pipeline, planned, published, run, sentence, when};
use super::{Yard, condition, name};
use serde_json::{Value, json};

/// Shards, each its own index.
const SHARDS: u64 = 4;

/// A way to fail and what comes of it.
struct Case {
    name: &'static str,
    ends: Ends,
    retries: u32,
    /// Complete or Failed, and why.
    end: (&'static str, &'static str),
    /// All Jobs there were, as ATTEMPT-ACT.
    jobs: &'static [&'static str],
}

const THREE: &[&str] = &["1-commit", "1-plan", "1-shards"];
const AGAIN_FROM_SHARDS: &[&str] = &["1-plan", "1-shards", "2-commit", "2-plan", "2-shards"];
const AGAIN_FROM_PLAN: &[&str] = &["1-plan", "2-commit", "2-plan", "2-shards"];

fn well() -> Ends {
    Ends::well(SHARDS, 240 * SHARDS)
}

fn case(name: &'static str, ends: Ends, end: (&'static str, &'static str), jobs: &'static [&'static str]) -> Case {
    Case { name, ends, retries: 0, end, jobs }
}

/// The plan, the shards or the commit ends so, and well where that does not fit.
fn plan(end: Value) -> Ends {
    let plan = Value::Array(vec![end, well().plan[0].clone()]);
    Ends { plan, ..well() }
}

fn shards(end: Value) -> Ends {
    let shards = Value::Array(vec![end, well().shards[0].clone()]);
    Ends { shards, ..well() }
}

fn commit(end: Value) -> Ends {
    let commit = Value::Array(vec![end, well().commit[0].clone()]);
    Ends { commit, ..well() }
}

fn at_first(exit: u8) -> Value {
    when(failed(exit), &json!({"attempt": "1"}))
}

/// Ends with a code that fails the Job, or its index, at once.
fn at_once() -> Vec<Case> {
    let third = |exit: u8| when(failed(exit), &json!({"index": "2"}));
    let never_enough = Ends { commit: json!([failed(7)]), ..shards(third(6)) };
    let both = &["1-plan", "1-shards", "2-commit", "2-plan", "2-shards"];
    vec![
        case("plan-2", plan(failed(2)), ("Failed", "RequestWrong"), &["1-plan"]),
        case("plan-5-once", plan(at_first(5)), ("Complete", "Published"), AGAIN_FROM_PLAN),
        case("plan-5", plan(failed(5)), ("Failed", "InputChanging"), &["1-plan", "2-plan", "3-plan", "4-plan"]),
        case("shards-2", shards(third(2)), ("Failed", "RequestWrong"), &["1-plan", "1-shards"]),
        case("shards-5-once", shards(at_first(5)), ("Complete", "Published"), AGAIN_FROM_SHARDS),
        case("shards-6-once", shards(when(third(6), &json!({"attempt": "1"}))), ("Complete", "Published"), both),
        case("shards-6", never_enough, ("Failed", "MemoryExceeded"), both),
        case("commit-7", commit(failed(7)), ("Failed", "GateRefused"), THREE),
        case(
            "commit-5-once",
            commit(at_first(5)),
            ("Complete", "Published"),
            &["1-commit", "1-plan", "1-shards", "2-commit", "2-plan", "2-shards"],
        ),
    ]
}

/// Ends that cost tries, or none.
fn by_tries() -> Vec<Case> {
    let first = |end: Value, more: &Value| when(when(end, &json!({"first": true})), more);
    let killed = when(failed(137), &json!({"reason": "OOMKilled", "attempt": "1", "message": ""}));
    let torn = Ends { commit: json!([done(&published(SHARDS, 1))]), ..shards(when(failed(1), &json!({"index": "2"}))) };
    let silent = json!({"exit": 0, "message": "", "attempt": "1"});
    vec![
        case("shards-143", shards(first(failed(143), &json!({}))), ("Complete", "Published"), THREE),
        case("shards-evicted", shards(first(failed(1), &json!({"evicted": true}))), ("Complete", "Published"), THREE),
        Case {
            retries: 1,
            ..case("shards-1-once", shards(first(failed(1), &json!({}))), ("Complete", "Published"), THREE)
        },
        case("shards-1", torn, ("Complete", "Published"), THREE),
        case("plan-killed", plan(killed), ("Complete", "Published"), AGAIN_FROM_PLAN),
        case("plan-silent", plan(silent), ("Complete", "Published"), AGAIN_FROM_PLAN),
        case("plan-4", plan(failed(4)), ("Failed", "StorageUnavailable"), &["1-plan"]),
        case("commit-70", commit(failed(70)), ("Failed", "BrokenPromise"), THREE),
        case("nothing-stale", nothing_stale(), ("Complete", "Published"), &["1-commit", "1-plan"]),
    ]
}

fn nothing_stale() -> Ends {
    let mut message = planned(SHARDS, 0);
    message["stale"] = json!(0);
    Ends { plan: json!([done(&message)]), ..well() }
}

#[test]
fn each_way_to_fail_is_tried_again_or_ends_the_run_as_its_exit_code_says() {
    let cases: Vec<Case> = at_once().into_iter().chain(by_tries()).collect();
    let yard = Yard::new("ends");
    let workers = |retries: u32| json!({"inline": "0s", "retries": retries, "parallelism": SHARDS});
    let pipelines: Vec<Value> =
        cases.iter().map(|case| pipeline(case.name, &case.ends, &workers(case.retries))).collect();
    yard.pipelines(&pipelines);
    yard.create(&cases.iter().map(|case| run(case.name, case.name)).collect::<Vec<_>>());
    let (ended, jobs) = (yard.ended(cases.len()), yard.jobs());
    for case in &cases {
        let run = ended.iter().find(|run| name(run) == case.name).expect("each has a Run");
        let (kind, reason) = case.end;
        assert_eq!(condition(run, kind)["reason"], reason, "{}: {run:#}", case.name);
        let of_run = format!("{}-", case.name);
        let own = |job: &&Value| job["metadata"]["labels"]["fleetloom.dev/run"] == case.name;
        let names: Vec<&str> =
            jobs.iter().filter(own).map(|job| name(job).strip_prefix(&of_run).expect("its Run's name")).collect();
        assert_eq!(names, case.jobs, "{}: {run:#}", case.name);
    }
    let of = |name: &str| ended.iter().find(|run| super::name(run) == name).expect("each has a Run");
    for (name, exit) in [("plan-2", 2), ("plan-5", 5), ("commit-7", 7), ("plan-4", 4)] {
        let message = condition(of(name), "Failed")["message"].as_str().unwrap_or_default();
        assert!(message.contains(&sentence(exit)), "{name}: {message}");
    }
    let status = |name: &str, field: &str| of(name)["status"][field].clone();
    assert_eq!(status("plan-5", "replans"), 4 - 1, "{:#}", of("plan-5"));
    assert_eq!(status("plan-silent", "repeats"), 1);
    assert_eq!(
        (status("shards-6-once", "memoryBytes"), status("plan-killed", "memoryBytes")),
        (json!(2u64 << 30), json!(2u64 << 30))
    );
    assert_eq!(
        (&status("shards-1", "shards")["failed"], &status("shards-143", "shards")["failed"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(status("commit-7", "failures")[0]["reason"], "torn");
    nobody_works(&yard);
    yard.is_sound();
}

/// Runs that have ended leave no pod at work, whatever ended them.
fn nobody_works(yard: &Yard) {
    let over = |pod: &Value| ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    yard.kubectl.until_each(("pods", ""), 0, super::DEADLINE, over).unwrap_or_else(|error| panic!("{error}"));
}
