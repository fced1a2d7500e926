//! Whole lives of Runs against an API server in memory: how they end, what they write, and that it is the same whichever call
//! goes wrong, and whenever the operator dies.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

#[allow(dead_code, reason = "each test binary uses a part of the harness")]
mod fake;

use fake::{
    Fault, JOBS, MAPS, NOW, Plan, RUNS, Server, apply_run, apply_words, finish, message, play, published, timeless,
};
use http::Method;
use kube::runtime::{reflector, watcher};
use operator::life::look;
use operator::roster::Roster;
use serde_json::{Value, json};

const RUN: &str = "backfill";

fn path() -> String {
    format!("{RUNS}/{RUN}")
}

fn world() -> Server {
    let server = Server::new();
    apply_words(&server, &json!({}));
    apply_run(&server, RUN);
    server
}

fn phase(server: &Server) -> String {
    server.get(&path()).map_or("gone".into(), |run| run["status"]["phase"].as_str().unwrap_or("Pending").to_owned())
}

fn condition(server: &Server, kind: &str) -> Value {
    let run = server.get(&path()).unwrap();
    let conditions = run["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == json!(kind)).unwrap_or(Value::Null)
}

/// Lets operators, one after the other where one dies, and the cluster go on until the Run has ended.
async fn live(server: &Server, tell: impl Fn(&str) -> Value + Copy) {
    let mut operator = server.operator(NOW);
    for round in 0..40 {
        if look(&operator, "fleet", RUN).await.is_err() {
            // The next operator remembers nothing, and nothing more goes wrong.
            let mut store = server.0.lock().unwrap();
            if matches!(store.plan, Plan::From(..)) {
                store.plan = Plan::None;
            }
            drop(store);
            operator = server.operator(NOW + round);
            continue;
        }
        if matches!(phase(server).as_str(), "Complete" | "Failed" | "gone") {
            return;
        }
        play(server, tell);
    }
    panic!("no end: {:?}", server.get(&path()));
}

fn three_jobs(act: &str) -> Value {
    message(act, 30)
}

fn inline(act: &str) -> Value {
    if act == "plan" { published() } else { panic!("an inline Run has no {act} Job") }
}

/// What has to be the same however a Run came to its end.
fn outcome(server: &Server) -> Value {
    let mut status = server.get(&path()).unwrap()["status"].clone();
    timeless(&mut status);
    json!({"status": status, "jobs": server.names("jobs"), "maps": server.names("configmaps")})
}

#[tokio::test]
async fn an_inline_run_is_one_job_and_four_writes() {
    let server = world();
    live(&server, inline).await;
    assert_eq!((phase(&server).as_str(), server.names("jobs")), ("Complete", vec!["backfill-1-plan".to_owned()]));
    assert_eq!(server.writes().len(), 4, "{:?}", server.writes());
    let run = server.get(&path()).unwrap();
    assert_eq!((&run["status"]["result"]["version"], &run["status"]["result"]["rows"]), (&json!(7), &json!(7_409)));
}

#[tokio::test]
async fn a_run_of_three_jobs_is_eight_writes() {
    let server = world();
    live(&server, three_jobs).await;
    assert_eq!(phase(&server), "Complete");
    assert_eq!(server.names("jobs"), ["backfill-1-commit", "backfill-1-plan", "backfill-1-shards"]);
    assert_eq!(server.writes().len(), 8, "{:?}", server.writes());
    assert_eq!(server.get(&path()).unwrap()["status"]["shards"]["progress"], json!("40/40"));
}

#[tokio::test]
async fn a_run_that_reuses_everything_has_no_shard_job() {
    let server = world();
    live(&server, |act| message(act, 0)).await;
    assert_eq!(server.names("jobs"), ["backfill-1-commit", "backfill-1-plan"]);
}

#[tokio::test]
async fn whichever_call_goes_wrong_the_end_is_the_same() {
    for tell in [inline as fn(&str) -> Value, three_jobs] {
        let server = world();
        live(&server, tell).await;
        let (expected, calls) = (outcome(&server), server.0.lock().unwrap().calls.len());
        assert!(calls > 10, "{calls}");
        for k in 0..calls {
            let faults =
                [Fault::Before, Fault::After].into_iter().chain([403, 404, 409, 410, 429, 500, 504].map(Fault::Answer));
            for fault in faults {
                // Words that are told to be missing for a moment are waited for; a Job that is told to be missing is
                // created, and collides.
                let server = world();
                server.0.lock().unwrap().plan = Plan::Once(k, fault);
                live(&server, tell).await;
                let call = server.0.lock().unwrap().calls[k].clone();
                assert_eq!(outcome(&server), expected, "{fault:?} at call {k}, {call:?}");
            }
        }
    }
}

#[tokio::test]
async fn whenever_the_operator_dies_the_next_one_comes_to_the_same_end() {
    for tell in [inline as fn(&str) -> Value, three_jobs] {
        let server = world();
        live(&server, tell).await;
        let (expected, calls) = (outcome(&server), server.0.lock().unwrap().calls.len());
        for k in 0..calls {
            for fault in [Fault::Before, Fault::After] {
                let server = world();
                server.0.lock().unwrap().plan = Plan::From(k, fault);
                live(&server, tell).await;
                assert_eq!(outcome(&server), expected, "{fault:?} at call {k}");
                let creates: Vec<String> =
                    server.writes().into_iter().filter(|call| call.starts_with("POST")).collect();
                let jobs = creates.iter().filter(|call| call.ends_with("/jobs")).count();
                assert!(jobs <= server.names("jobs").len() + 1, "{creates:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_object_that_is_refused_itself_fails_the_run_with_the_servers_sentence() {
    for text in ["/configmaps", "/jobs"] {
        let server = world();
        server.0.lock().unwrap().plan = Plan::Each(Method::POST, text, Fault::Answer(422));
        live(&server, inline).await;
        let failed = condition(&server, "Failed");
        assert_eq!((phase(&server).as_str(), &failed["reason"]), ("Failed", &json!("ObjectRefused")));
        assert_eq!(failed["message"], json!("as the test wants it (422)"));
    }
}

#[tokio::test]
async fn what_lies_under_the_name_of_the_words_counts_only_if_it_says_the_same() {
    for theirs in [false, true] {
        let server = world();
        server.0.lock().unwrap().plan = Plan::Each(Method::PUT, "/status", Fault::Answer(500));
        look(&server.operator(NOW), "fleet", RUN).await.unwrap_err();
        server.0.lock().unwrap().plan = Plan::None;
        if theirs {
            server.change(&format!("{MAPS}/backfill-words"), |map| map["metadata"]["labels"] = json!({}));
        }
        live(&server, inline).await;
        let end = (phase(&server), condition(&server, "Failed")["reason"].clone());
        let expected =
            if theirs { ("Failed".to_owned(), json!("NameTaken")) } else { ("Complete".to_owned(), Value::Null) };
        assert_eq!(end, expected);
    }
}

#[tokio::test]
async fn a_life_reads_no_more_than_it_has_to() {
    for (tell, reads) in [(inline as fn(&str) -> Value, 7), (three_jobs, 14)] {
        let server = world();
        live(&server, tell).await;
        let store = server.0.lock().unwrap();
        let read: Vec<&String> = store.calls.iter().map(|(call, _)| call).filter(|it| it.starts_with("GET")).collect();
        assert_eq!(read.len(), reads, "{read:#?}");
    }
}

#[tokio::test]
async fn a_lost_message_and_a_lost_job_are_made_up_for() {
    let server = world();
    let operator = server.operator(NOW);
    look(&operator, "fleet", RUN).await.unwrap();
    play(&server, inline);
    server.0.lock().unwrap().objects.retain(|path, _| !path.contains("/pods/"));
    look(&operator, "fleet", RUN).await.unwrap();
    assert_eq!(server.names("jobs"), ["backfill-1-plan", "backfill-2-plan"]);
    server.0.lock().unwrap().objects.remove(&format!("{JOBS}/backfill-2-plan"));
    live(&server, inline).await;
    assert_eq!((phase(&server).as_str(), server.names("jobs").len()), ("Complete", 2));
}

#[tokio::test]
async fn an_old_list_of_pods_is_no_lost_message() {
    let server = world();
    let operator = server.operator(NOW);
    look(&operator, "fleet", RUN).await.unwrap();
    play(&server, inline);
    let pod = format!("{}/backfill-1-plan-x", fake::PODS);
    let ended = server.get(&pod).unwrap()["status"].clone();
    server.change(&pod, |pod| pod["status"] = json!({"phase": "Running"}));
    let error = look(&operator, "fleet", RUN).await.unwrap_err();
    assert_eq!((error.step.reason().word(), server.names("jobs").len()), ("ReadPodsFailed", 1));
    server.change(&pod, |pod| pod["status"] = ended);
    live(&server, inline).await;
    assert_eq!((phase(&server).as_str(), server.names("jobs").len()), ("Complete", 1));
}

#[tokio::test]
async fn words_that_vanish_are_written_again_unless_they_have_changed() {
    for changed in [false, true] {
        let server = world();
        look(&server.operator(NOW), "fleet", RUN).await.unwrap();
        server.0.lock().unwrap().objects.retain(|path, _| !path.contains("/configmaps/") && !path.contains("/jobs/"));
        if changed {
            server.change(&format!("{}/stops", fake::PIPELINES), |pipeline| {
                pipeline["spec"]["where"] = json!("status.stop")
            });
        }
        live(&server, inline).await;
        let expected = if changed { "Failed" } else { "Complete" };
        assert_eq!(
            (phase(&server).as_str(), server.get(&format!("{MAPS}/backfill-words")).is_some()),
            (expected, !changed)
        );
    }
}

#[tokio::test]
async fn a_deleted_run_creates_nothing_more() {
    let server = world();
    let operator = server.operator(NOW);
    look(&operator, "fleet", RUN).await.unwrap();
    let path = path();
    let uid = server.get(&path).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    operator::apply::delete_run(&operator, "fleet", RUN, &uid).await.unwrap();
    assert_eq!(look(&operator, "fleet", RUN).await.unwrap(), None);
    assert!(server.names("jobs").is_empty() && server.names("configmaps").is_empty());
}

#[tokio::test]
async fn wrong_words_fail_at_once_with_their_path() {
    let server = Server::new();
    apply_words(&server, &json!({"join": [{"signal": "nothing", "tolerance": "5"}]}));
    apply_run(&server, RUN);
    look(&server.operator(NOW), "fleet", RUN).await.unwrap();
    let message = condition(&server, "Failed")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("spec.join[0].tolerance") && message.contains("spec.join[0].signal"), "{message}");
}

#[tokio::test]
async fn a_pod_that_runs_out_of_memory_gets_twice_as_much() {
    let server = world();
    let operator = server.operator(NOW);
    look(&operator, "fleet", RUN).await.unwrap();
    finish(&server, "backfill-1-plan", 137, "OOMKilled", &json!(null));
    server.change(&format!("{JOBS}/backfill-1-plan"), |job| {
        job["status"] = json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]});
    });
    look(&operator, "fleet", RUN).await.unwrap();
    let job = server.get(&format!("{JOBS}/backfill-2-plan")).unwrap();
    let memory = &job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"];
    assert_eq!(memory, &json!("2147483648"));
}

#[tokio::test]
async fn a_run_that_cannot_be_read_is_counted_and_left_alone() {
    let server = world();
    server.change(&path(), |run| run["spec"]["fromTheFuture"] = json!(true));
    let operator = server.operator(NOW);
    assert_eq!(look(&operator, "fleet", RUN).await.unwrap(), None);
    assert!(operator.metrics.text().contains("fleetloom_undecodable_total{kind=\"Run\"} 1"));
    assert!(server.writes().is_empty());
}

#[tokio::test]
async fn of_two_runs_one_waits_and_goes_on_when_the_other_has_ended() {
    let server = world();
    apply_run(&server, "second");
    let operator = server.operator(NOW);
    look(&operator, "fleet", "second").await.unwrap();
    look(&operator, "fleet", RUN).await.unwrap();
    assert_eq!(server.names("jobs"), ["backfill-1-plan"]);
    let second = server.get(&format!("{RUNS}/second")).unwrap();
    assert_eq!(second["status"]["conditions"][1]["reason"], json!("OtherRunActive"));
    live(&server, inline).await;
    look(&operator, "fleet", "second").await.unwrap();
    assert_eq!(server.names("jobs"), ["backfill-1-plan", "second-1-plan"]);
}

/// A watch that has seen these Runs as they are now, and stands still.
fn frozen(server: &Server, runs: &[&str]) -> Roster {
    let (store, mut writer) = reflector::store();
    let roster = Roster::of(store);
    for run in runs {
        let run = serde_json::from_value(server.get(&format!("{RUNS}/{run}")).unwrap()).unwrap();
        let event = watcher::Event::Apply(run);
        writer.apply_watcher_event(&event);
        roster.see(&event);
    }
    roster
}

#[tokio::test]
async fn a_watch_that_stands_still_lets_no_run_wait_for_one_that_has_ended() {
    let server = world();
    apply_run(&server, "second");
    look(&server.operator(NOW), "fleet", RUN).await.unwrap();
    let seen = frozen(&server, &[RUN, "second"]);
    let operator = server.operator(NOW);
    assert!(operator.runs.set(seen).is_ok());
    look(&operator, "fleet", "second").await.unwrap();
    assert_eq!(server.names("jobs"), ["backfill-1-plan"]);
    live(&server, inline).await;
    look(&operator, "fleet", "second").await.unwrap();
    assert_eq!(server.names("jobs"), ["backfill-1-plan", "second-1-plan"]);
}

#[tokio::test]
async fn a_job_that_somebody_changes_back_is_not_changed_again_and_again() {
    let server = world();
    let operator = server.operator(NOW);
    look(&operator, "fleet", RUN).await.unwrap();
    server.change(&path(), |run| run["spec"]["suspend"] = json!(true));
    server.0.lock().unwrap().deaf = Some("/jobs/");
    let before = server.writes().len();
    for _ in 0..3 {
        assert_eq!(look(&operator, "fleet", RUN).await.unwrap(), Some(30));
    }
    assert_eq!(server.writes().len() - before, 3, "{:?}", server.writes());
    server.0.lock().unwrap().deaf = None;
    look(&operator, "fleet", RUN).await.unwrap();
    assert_eq!(condition(&server, "Suspended")["status"], json!("True"));
}
