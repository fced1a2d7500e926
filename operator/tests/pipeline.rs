//! Pipelines against an API server in memory: schedules, changes of the archive, history and Runs that replace others, with
//! an operator that dies at any call.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

#[allow(dead_code, reason = "each test binary uses a part of the harness")]
mod fake;

use fake::{
    ARCHIVES, Fault, JOBS, NOW, PIPELINES, Plan, RUNS, Server, apply_run, apply_words, message, play, published,
};
use operator::{life, upkeep};
use serde_json::{Value, json};

/// 18:30, half an hour after the Pipeline was made.
const DUE: i64 = NOW + 1_800;

fn scheduled() -> Server {
    let server = Server::new();
    apply_words(&server, &json!({"schedule": {"cron": ["30 * * * *"], "concurrency": "Forbid"}}));
    server
}

fn status(server: &Server) -> Value {
    server.get(&format!("{PIPELINES}/stops")).unwrap()["status"].clone()
}

async fn look(server: &Server, now: i64) -> Option<i64> {
    upkeep::look(&server.operator(now), "fleet", "stops").await.unwrap()
}

/// Ends every Run that is there, as a small one that its plan pod finishes.
async fn finish_runs(server: &Server, now: i64) {
    for _ in 0..4 {
        for name in server.names("runs") {
            life::look(&server.operator(now), "fleet", &name).await.unwrap();
        }
        play(server, |act| if act == "plan" { published() } else { message(act, 0) });
    }
}

#[tokio::test]
async fn a_scheduled_time_makes_one_run_that_belongs_to_its_pipeline() {
    let server = scheduled();
    assert_eq!(look(&server, NOW).await, Some(1_800));
    look(&server, DUE + 2).await;
    look(&server, DUE + 3).await;
    assert_eq!(server.names("runs"), ["stops-29925750"]);
    assert_eq!(status(&server)["lastScheduleTime"], json!("2026-11-24T18:30:00Z"));
    let run = server.get(&format!("{RUNS}/stops-29925750")).unwrap();
    assert_eq!(run["metadata"]["ownerReferences"][0]["blockOwnerDeletion"], json!(false));
    finish_runs(&server, DUE + 5).await;
    look(&server, DUE + 60).await;
    assert_eq!(
        (&status(&server)["lastRun"], &status(&server)["lastSource"]),
        (&json!("stops-29925750"), &json!("source-1"))
    );
}

#[tokio::test]
async fn whenever_the_operator_dies_a_time_is_started_once() {
    let server = scheduled();
    look(&server, DUE + 2).await;
    let calls = server.0.lock().unwrap().calls.len();
    for k in 0..calls {
        for fault in [Fault::Before, Fault::After] {
            let server = scheduled();
            server.0.lock().unwrap().plan = Plan::From(k, fault);
            assert!(upkeep::look(&server.operator(DUE + 2), "fleet", "stops").await.is_err());
            server.0.lock().unwrap().plan = Plan::None;
            // The next one comes a minute later, and the Run may have ended by then.
            finish_runs(&server, DUE + 30).await;
            look(&server, DUE + 60).await;
            look(&server, DUE + 61).await;
            assert_eq!(server.names("runs"), ["stops-29925750"], "{fault:?} at call {k}");
            assert_eq!(status(&server)["lastScheduleTime"], json!("2026-11-24T18:30:00Z"));
        }
    }
}

#[tokio::test]
async fn a_time_waits_for_the_active_run_and_both_names_stand_in_the_status() {
    let server = scheduled();
    apply_run(&server, "by-hand");
    life::look(&server.operator(DUE - 60), "fleet", "by-hand").await.unwrap();
    look(&server, DUE + 1).await;
    assert_eq!((server.names("runs").len(), &status(&server)["active"]), (1, &json!(["by-hand"])));
    finish_runs(&server, DUE + 100).await;
    look(&server, DUE + 120).await;
    assert_eq!(server.names("runs"), ["by-hand", "stops-29925750"]);
}

#[tokio::test]
async fn history_keeps_three_complete_runs_and_what_people_made() {
    let server = scheduled();
    apply_run(&server, "by-hand");
    finish_runs(&server, NOW + 5).await;
    for hour in 0..6 {
        look(&server, DUE + hour * 3_600).await;
        finish_runs(&server, DUE + hour * 3_600 + 5).await;
    }
    look(&server, DUE + 5 * 3_600 + 60).await;
    assert_eq!(server.names("runs"), ["by-hand", "stops-29925930", "stops-29925990", "stops-29926050"]);
    assert_eq!(server.names("jobs").len(), 4, "what belongs to a Run goes with it");
}

#[tokio::test]
async fn replace_deletes_the_earlier_run_before_the_new_one_starts() {
    let server = Server::new();
    apply_words(&server, &json!({"schedule": {"cron": ["30 * * * *"], "concurrency": "Replace"}}));
    apply_run(&server, "a-first");
    life::look(&server.operator(NOW + 1), "fleet", "a-first").await.unwrap();
    look(&server, DUE).await;
    assert_eq!(server.names("runs"), ["a-first", "stops-29925750"]);
    server.change(&format!("{RUNS}/stops-29925750"), |run| {
        run["metadata"]["creationTimestamp"] = json!("2026-11-24T18:30:00Z");
    });
    life::look(&server.operator(DUE), "fleet", "stops-29925750").await.unwrap();
    assert_eq!(server.names("runs"), ["stops-29925750"]);
    assert_eq!(server.names("jobs"), ["stops-29925750-1-plan"]);
}

fn watching() -> Server {
    let server = Server::new();
    apply_words(&server, &json!({"onChange": {"poll": "5m"}}));
    server
}

#[tokio::test]
async fn a_change_of_the_archive_makes_one_run_and_no_change_none() {
    let server = watching();
    look(&server, NOW).await;
    let poll = format!("{JOBS}/stops-poll-29925720");
    let args = server.get(&poll).unwrap()["spec"]["template"]["spec"]["containers"][0]["args"].clone();
    assert_eq!(args, json!(["source", "-f", "/etc/fleetloom/words.yaml"]));
    play(&server, |act| message(act, 0));
    look(&server, NOW + 20).await;
    look(&server, NOW + 21).await;
    assert_eq!(server.names("runs"), ["stops-29925720"]);
    finish_runs(&server, NOW + 30).await;
    // The same version again: no Run.
    look(&server, NOW + 301).await;
    look(&server, NOW + 302).await;
    play(&server, |act| message(act, 0));
    look(&server, NOW + 320).await;
    assert_eq!(
        (server.names("runs"), &status(&server)["poll"]["ended"]),
        (vec!["stops-29925720".to_owned()], &json!(true))
    );
}

#[tokio::test]
async fn whenever_the_operator_dies_a_change_is_started_once() {
    for k in 0..40 {
        for fault in [Fault::Before, Fault::After] {
            let server = watching();
            server.0.lock().unwrap().plan = Plan::From(k, fault);
            for round in 0..6 {
                if upkeep::look(&server.operator(NOW + round), "fleet", "stops").await.is_err() {
                    server.0.lock().unwrap().plan = Plan::None;
                }
                play(&server, |act| message(act, 0));
            }
            assert_eq!(server.names("runs").len(), 1, "{fault:?} at call {k}: {:?}", server.names("runs"));
            assert_eq!(server.names("jobs").len(), 1, "{fault:?} at call {k}: {:?}", server.names("jobs"));
        }
    }
}

#[tokio::test]
async fn words_are_judged_on_the_pipeline_and_on_the_archive() {
    let server = Server::new();
    apply_words(&server, &json!({"join": [{"signal": "nothing", "tolerance": "1s"}]}));
    look(&server, NOW).await;
    let condition = &status(&server)["conditions"][0];
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("WordsRefused")));
    assert!(condition["message"].as_str().unwrap().contains("spec.join[0].signal: is nothing"));
    server.change(&format!("{ARCHIVES}/ur3"), |archive| archive["spec"]["store"]["url"] = json!("file:///srv/"));
    let operator = server.operator(NOW);
    upkeep::look_at_archive(&operator, "fleet", "ur3").await.unwrap();
    let archive = server.get(&format!("{ARCHIVES}/ur3")).unwrap();
    assert!(archive["status"]["conditions"][0]["message"].as_str().unwrap().contains("a folder"));
    let writes = server.writes().len();
    upkeep::look_at_archive(&operator, "fleet", "ur3").await.unwrap();
    look(&server, NOW + 1).await;
    assert_eq!(server.writes().len(), writes + 1, "nothing is written that is written already, but what changed");
}
