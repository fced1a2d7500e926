//! Every error that an API server may answer, and none at all, on every kind of call: the right end, or a condition that says
//! why, and never one call after the other without a pause. Once it is over all goes on as if nothing had been.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

#[allow(dead_code, reason = "each test binary uses a part of the harness")]
mod fake;

use fake::{
    ARCHIVES, Fault, MAPS, NOW, PIPELINES, Plan, RUNS, Server, apply_run, apply_words, message, play, published,
};
use http::Method;
use operator::reason::Error;
use operator::{life, upkeep};
use serde_json::{Value, json};

/// What a call may come to.
const FAULTS: [Fault; 9] = [
    Fault::Before,
    Fault::Answer(403),
    Fault::Answer(404),
    Fault::Answer(409),
    Fault::Answer(410),
    Fault::Answer(422),
    Fault::Answer(429),
    Fault::Answer(500),
    Fault::Answer(504),
];

/// Looks while the call goes wrong.
const LOOKS: usize = 3;

/// Most calls of one look: more is going round in circles.
const CALLS_MAX: usize = 20;

/// What has to come of it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// The look fails, so that pauses grow, and the condition Degraded has the reason of the call.
    Told,
    /// The look fails; what is known of the object does not suffice to say so on it.
    Untold,
    /// The look fails, and an event says so: what fails is the writing of conditions.
    Event,
    /// The object itself is refused: Degraded says so for that reason, and the look has its own pause.
    Said(&'static str),
    /// The Run ends with the server's sentence.
    Ends,
    /// What is told to be missing is waited for, as Accepted says.
    Waits(&'static str),
    /// The answer is as good as any, or whoever wrote in between is read in a moment.
    Quiet,
}

/// A call, and when it is made.
struct Case<Scene> {
    scene: Scene,
    method: Method,
    path: &'static str,
    reason: &'static str,
}

impl<Scene> Case<Scene> {
    fn new(scene: Scene, method: Method, path: &'static str, reason: &'static str) -> Self {
        Self { scene, method, path, reason }
    }

    fn go_wrong(&self, server: &Server, fault: Fault) {
        server.0.lock().unwrap().plan = Plan::Each(self.method.clone(), self.path, fault);
    }
}

fn quiet(server: &Server) {
    server.0.lock().unwrap().plan = Plan::None;
}

fn calls(server: &Server) -> usize {
    server.0.lock().unwrap().calls.len()
}

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == json!(kind)).unwrap_or_default()
}

/// Insists that a look came to what was expected, and that the object says so.
fn judge(looked: &Result<Option<i64>, Error>, object: &Value, expected: Expected, reason: &str, point: &str) {
    let degraded = condition(object, "Degraded");
    let says = |reason: &str| degraded["reason"] == json!(reason) && degraded["status"] == json!("True");
    let failed = looked.as_ref().is_err_and(|error| error.step.reason().word() == reason);
    let rests = looked.as_ref().is_ok_and(|again| again.is_none_or(|again| again >= 1));
    let holds = match expected {
        Expected::Told => failed && says(reason),
        Expected::Untold | Expected::Event => failed && degraded.is_null(),
        Expected::Said(reason) => rests && says(reason),
        Expected::Ends => rests && condition(object, "Failed")["reason"] == json!("ObjectRefused"),
        Expected::Waits(reason) => rests && condition(object, "Accepted")["reason"] == json!(reason),
        Expected::Quiet => rests && degraded.is_null(),
    };
    assert!(holds, "{point}: {expected:?}, not {looked:?} with {object}");
}

/// Whether an event of that reason was told.
fn is_told(server: &Server, reason: &str) -> bool {
    server.0.lock().unwrap().events.iter().any(|event| event["reason"] == json!(reason))
}

/// How a Run stands when the call is made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stands {
    /// Just created.
    New,
    /// The same, but its words were written down by an operator that came no further.
    Written,
    /// Its plan Job works.
    Works,
    /// Its plan Job has ended.
    Ended,
    /// To be suspended while its Job works.
    Suspended,
    /// The same, in a queue.
    Queued,
    /// Complete, and its time is over.
    Expired,
    /// To replace an earlier one.
    Replacing,
}

const RUN: &str = "backfill";

async fn look(server: &Server, name: &str) {
    life::look(&server.operator(NOW), "fleet", name).await.unwrap();
}

fn inline(act: &str) -> Value {
    if act == "plan" { published() } else { message(act, 0) }
}

async fn stands(scene: Stands) -> Server {
    let server = Server::new();
    let run = format!("{RUNS}/{RUN}");
    let words = if scene == Stands::Replacing {
        json!({"schedule": {"cron": ["0 0 1 1 *"], "concurrency": "Replace"}})
    } else {
        json!({})
    };
    apply_words(&server, &words);
    if scene == Stands::Replacing {
        apply_run(&server, "a-first");
        look(&server, "a-first").await;
    }
    apply_run(&server, RUN);
    if scene == Stands::Queued {
        server.change(&run, |run| run["metadata"]["labels"] = json!({"kueue.x-k8s.io/queue-name": "robots"}));
    }
    if scene == Stands::Written {
        server.0.lock().unwrap().plan = Plan::Each(Method::PUT, "/status ", Fault::Answer(500));
        life::look(&server.operator(NOW), "fleet", RUN).await.unwrap_err();
        quiet(&server);
    } else if !matches!(scene, Stands::New | Stands::Replacing) {
        look(&server, RUN).await;
    }
    match scene {
        Stands::New | Stands::Written | Stands::Works | Stands::Replacing => {}
        Stands::Ended => play(&server, inline),
        Stands::Suspended | Stands::Queued => server.change(&run, |run| run["spec"]["suspend"] = json!(true)),
        Stands::Expired => {
            play(&server, inline);
            look(&server, RUN).await;
            server.change(&run, |run| run["spec"]["ttlSecondsAfterFinished"] = json!(0));
        }
    }
    server
}

fn of_run(reason: &str, fault: Fault) -> Expected {
    match (reason, fault) {
        ("WriteStatusFailed", Fault::Answer(409)) | ("Event", _) => Expected::Quiet,
        ("WriteStatusFailed", _) => Expected::Event,
        ("ReadPipelineFailed", Fault::Answer(404)) => Expected::Waits("PipelineMissing"),
        ("ReadArchiveFailed", Fault::Answer(404)) => Expected::Waits("ArchiveMissing"),
        ("CreateWordsFailed" | "CreateJobFailed", Fault::Answer(422)) => Expected::Ends,
        // Told that what is there is not: a create collides, a change or a delete has nothing to do.
        (
            "ReadRunFailed" | "ReadWordsFailed" | "ReadJobFailed" | "PatchJobFailed" | "DeleteJobFailed"
            | "DeleteRunFailed",
            Fault::Answer(404),
        ) => Expected::Quiet,
        ("ReadRunFailed", _) => Expected::Untold,
        _ => Expected::Told,
    }
}

/// Lets the Run go on to its end: its phase.
async fn end_of_run(server: &Server, scene: Stands) -> String {
    let run = format!("{RUNS}/{RUN}");
    if matches!(scene, Stands::Suspended | Stands::Queued) {
        server.change(&run, |run| run["spec"]["suspend"] = json!(false));
    }
    for _ in 0..10 {
        look(server, RUN).await;
        for job in server.names("jobs") {
            // The queue lets everything in.
            server.change(&format!("{}/{job}", fake::JOBS), |job| job["spec"]["suspend"] = json!(false));
        }
        play(server, inline);
    }
    server.get(&run).map_or("gone".into(), |run| run["status"]["phase"].as_str().unwrap_or("Pending").to_owned())
}

#[tokio::test]
async fn whatever_is_answered_to_a_call_for_a_run_it_ends_rightly_or_says_why() {
    let cases = [
        Case::new(Stands::New, Method::GET, "/runs/backfill ", "ReadRunFailed"),
        Case::new(Stands::New, Method::GET, "/pipelines/", "ReadPipelineFailed"),
        Case::new(Stands::New, Method::GET, "/archives/", "ReadArchiveFailed"),
        Case::new(Stands::Written, Method::GET, "/configmaps/", "ReadWordsFailed"),
        Case::new(Stands::New, Method::GET, "/runs ", "ReadRunsFailed"),
        Case::new(Stands::New, Method::POST, "/configmaps ", "CreateWordsFailed"),
        Case::new(Stands::New, Method::POST, "/jobs ", "CreateJobFailed"),
        Case::new(Stands::Works, Method::GET, "/jobs/", "ReadJobFailed"),
        Case::new(Stands::New, Method::PUT, "/status ", "WriteStatusFailed"),
        Case::new(Stands::New, Method::POST, "/events ", "Event"),
        Case::new(Stands::Ended, Method::GET, "/pods ", "ReadPodsFailed"),
        Case::new(Stands::Ended, Method::PUT, "/status ", "WriteStatusFailed"),
        Case::new(Stands::Suspended, Method::PATCH, "/jobs/", "PatchJobFailed"),
        Case::new(Stands::Queued, Method::DELETE, "/jobs/", "DeleteJobFailed"),
        Case::new(Stands::Expired, Method::DELETE, "/runs/", "DeleteRunFailed"),
        Case::new(Stands::Replacing, Method::DELETE, "/runs/", "DeleteRunFailed"),
    ];
    for case in &cases {
        for fault in FAULTS {
            let (server, expected) = (stands(case.scene).await, of_run(case.reason, fault));
            let point = format!("{fault:?} on {} of a Run that is {:?}", case.reason, case.scene);
            let before = calls(&server);
            case.go_wrong(&server, fault);
            let operator = server.operator(NOW);
            for _ in 0..LOOKS {
                let looked = life::look(&operator, "fleet", RUN).await;
                if let Some(run) = server.get(&format!("{RUNS}/{RUN}")) {
                    judge(&looked, &run, expected, case.reason, &point);
                }
            }
            assert!(calls(&server) - before <= LOOKS * CALLS_MAX, "{point}: {:?}", server.0.lock().unwrap().calls);
            assert_eq!(is_told(&server, case.reason), matches!(expected, Expected::Told | Expected::Event), "{point}");
            quiet(&server);
            let end = match (expected, case.scene) {
                (Expected::Ends, _) => "Failed",
                (_, Stands::Expired) => "gone",
                _ => "Complete",
            };
            assert_eq!(end_of_run(&server, case.scene).await, end, "{point}");
            let run = server.get(&format!("{RUNS}/{RUN}")).unwrap_or_default();
            assert_ne!(condition(&run, "Degraded")["status"], json!("True"), "{point}");
            assert!(server.names("jobs").len() <= 2, "{point}: {:?}", server.names("jobs"));
        }
    }
}

/// What a Pipeline is about to do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    /// To start a Run for a scheduled time.
    Start,
    /// To remove a Run that is one too many.
    Forget,
    /// To poll for the first time.
    Poll,
    /// To poll with other words than the last time.
    PollAnew,
    /// To read what a poll found, and start a Run.
    Listed,
}

/// 18:30, half an hour after the Pipeline was made.
const DUE: i64 = NOW + 1_800;

impl Does {
    /// When it does.
    const fn at(self) -> i64 {
        if matches!(self, Self::Forget) { DUE + 3_602 } else { DUE + 2 }
    }
}

async fn look_at_pipeline(server: &Server, now: i64) {
    upkeep::look(&server.operator(now), "fleet", "stops").await.unwrap();
}

async fn does(scene: Does) -> Server {
    let server = Server::new();
    let words = match scene {
        Does::Start | Does::Forget => json!({"schedule": {"cron": ["30 * * * *"], "keepSucceeded": 1}}),
        Does::Poll | Does::PollAnew | Does::Listed => json!({"onChange": {"poll": "5m"}}),
    };
    apply_words(&server, &words);
    match scene {
        Does::Start | Does::Poll => {}
        Does::Forget => {
            for at in [DUE, DUE + 3_600] {
                look_at_pipeline(&server, at).await;
                end_runs(&server).await;
            }
        }
        Does::PollAnew => {
            look_at_pipeline(&server, DUE - 600).await;
            play(&server, |act| message(act, 0));
            // Found, and not to be started once more.
            look_at_pipeline(&server, DUE - 500).await;
            end_runs(&server).await;
            look_at_pipeline(&server, DUE - 400).await;
            server.change(&format!("{PIPELINES}/stops"), |pipeline| {
                pipeline["spec"]["where"] = json!("status.stop");
                pipeline["metadata"]["generation"] = json!(2);
            });
        }
        Does::Listed => {
            look_at_pipeline(&server, DUE).await;
            play(&server, |act| message(act, 0));
        }
    }
    server
}

/// Ends every Run that is there.
async fn end_runs(server: &Server) {
    for _ in 0..3 {
        for name in server.names("runs") {
            look(server, &name).await;
        }
        play(server, inline);
    }
}

fn of_pipeline(case: &Case<Does>, fault: Fault) -> Expected {
    match (case.reason, fault) {
        ("WriteStatusFailed", Fault::Answer(409)) | ("Event", _) => Expected::Quiet,
        ("WriteStatusFailed", _) => Expected::Event,
        ("ReadPipelineFailed", Fault::Answer(404)) => Expected::Quiet,
        ("ReadPipelineFailed", _) => Expected::Untold,
        ("ReadArchiveFailed", Fault::Answer(404)) => Expected::Waits("ArchiveMissing"),
        ("CreateRunFailed", Fault::Answer(422)) => Expected::Said("CreateRunFailed"),
        ("CreateWordsFailed" | "CreateJobFailed", Fault::Answer(422)) => Expected::Said("PollFailed"),
        // Somebody else was quicker.
        ("CreateWordsFailed", Fault::Answer(409)) if case.method == Method::PATCH => Expected::Quiet,
        ("ReadJobFailed" | "ReadWordsFailed" | "DeleteRunFailed", Fault::Answer(404)) => Expected::Quiet,
        _ => Expected::Told,
    }
}

#[tokio::test]
async fn whatever_is_answered_to_a_call_for_a_pipeline_it_does_its_work_or_says_why() {
    let cases = [
        Case::new(Does::Start, Method::GET, "/pipelines/", "ReadPipelineFailed"),
        Case::new(Does::Start, Method::GET, "/archives/", "ReadArchiveFailed"),
        Case::new(Does::Start, Method::GET, "/runs ", "ReadRunsFailed"),
        Case::new(Does::Start, Method::POST, "/runs ", "CreateRunFailed"),
        Case::new(Does::Start, Method::PUT, "/status ", "WriteStatusFailed"),
        Case::new(Does::Start, Method::POST, "/events ", "Event"),
        Case::new(Does::Forget, Method::DELETE, "/runs/", "DeleteRunFailed"),
        Case::new(Does::Poll, Method::GET, "/configmaps/", "ReadWordsFailed"),
        Case::new(Does::Poll, Method::POST, "/configmaps ", "CreateWordsFailed"),
        Case::new(Does::Poll, Method::POST, "/jobs ", "CreateJobFailed"),
        Case::new(Does::PollAnew, Method::GET, "/configmaps/", "ReadWordsFailed"),
        Case::new(Does::PollAnew, Method::PATCH, "/configmaps/", "CreateWordsFailed"),
        Case::new(Does::Listed, Method::GET, "/jobs/", "ReadJobFailed"),
        Case::new(Does::Listed, Method::GET, "/pods ", "ReadPodsFailed"),
        Case::new(Does::Listed, Method::POST, "/runs ", "CreateRunFailed"),
        Case::new(Does::Listed, Method::PUT, "/status ", "WriteStatusFailed"),
    ];
    for case in &cases {
        for fault in FAULTS {
            let (server, expected) = (does(case.scene).await, of_pipeline(case, fault));
            let point = format!("{fault:?} on {} of a Pipeline that is to {:?}", case.reason, case.scene);
            let before = calls(&server);
            case.go_wrong(&server, fault);
            let operator = server.operator(case.scene.at());
            for _ in 0..LOOKS {
                let looked = upkeep::look(&operator, "fleet", "stops").await;
                let pipeline = server.get(&format!("{PIPELINES}/stops")).unwrap();
                judge(&looked, &pipeline, expected, case.reason, &point);
            }
            assert!(calls(&server) - before <= LOOKS * CALLS_MAX, "{point}: {:?}", server.0.lock().unwrap().calls);
            quiet(&server);
            for minute in 0..12 {
                look_at_pipeline(&server, case.scene.at() + 60 + minute * 60).await;
                play(&server, |act| message(act, 0));
            }
            let pipeline = server.get(&format!("{PIPELINES}/stops")).unwrap();
            assert_eq!(server.names("runs").len(), 1, "{point}: {:?}", server.names("runs"));
            assert_ne!(condition(&pipeline, "Degraded")["status"], json!("True"), "{point}: {pipeline}");
        }
    }
}

#[tokio::test]
async fn whatever_is_answered_to_a_call_for_an_archive_its_words_are_judged_in_the_end() {
    for (method, path, reason) in
        [(Method::GET, "/archives/", "ReadArchiveFailed"), (Method::PUT, "/status ", "WriteStatusFailed")]
    {
        for fault in FAULTS {
            let server = Server::new();
            apply_words(&server, &json!({}));
            let case = Case::new((), method.clone(), path, reason);
            let (expected, point) = (of_archive(reason, fault), format!("{fault:?} on {reason}"));
            case.go_wrong(&server, fault);
            let operator = server.operator(NOW);
            let looked = upkeep::look_at_archive(&operator, "fleet", "ur3").await;
            judge(&looked, &server.get(&format!("{ARCHIVES}/ur3")).unwrap(), expected, reason, &point);
            assert_eq!(is_told(&server, reason), expected == Expected::Event, "{point}");
            quiet(&server);
            upkeep::look_at_archive(&operator, "fleet", "ur3").await.unwrap();
            let archive = server.get(&format!("{ARCHIVES}/ur3")).unwrap();
            assert_eq!(condition(&archive, "Accepted")["status"], json!("True"), "{point}");
        }
    }
}

fn of_archive(reason: &str, fault: Fault) -> Expected {
    match (reason, fault) {
        ("ReadArchiveFailed", Fault::Answer(404)) | ("WriteStatusFailed", Fault::Answer(409)) => Expected::Quiet,
        ("WriteStatusFailed", _) => Expected::Event,
        _ => Expected::Untold,
    }
}

#[tokio::test]
async fn a_configmap_of_somebody_else_is_left_alone_and_the_pipeline_says_so() {
    let server = does(Does::Poll).await;
    let map = format!("{MAPS}/stops-poll");
    server.put(&map, json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"words.yaml": "mine"}}));
    look_at_pipeline(&server, NOW).await;
    look_at_pipeline(&server, NOW + 60).await;
    let pipeline = server.get(&format!("{PIPELINES}/stops")).unwrap();
    let degraded = condition(&pipeline, "Degraded");
    assert_eq!((&degraded["status"], &degraded["reason"]), (&json!("True"), &json!("PollFailed")));
    assert!(degraded["message"].as_str().unwrap().contains("the ConfigMap stops-poll exists"), "{degraded}");
    assert_eq!((&server.get(&map).unwrap()["data"]["words.yaml"], server.names("jobs").len()), (&json!("mine"), 0));
    server.0.lock().unwrap().objects.remove(&map);
    look_at_pipeline(&server, NOW + 301).await;
    play(&server, |act| message(act, 0));
    look_at_pipeline(&server, NOW + 302).await;
    let pipeline = server.get(&format!("{PIPELINES}/stops")).unwrap();
    assert_eq!((&condition(&pipeline, "Degraded")["status"], server.names("runs").len()), (&json!("False"), 1));
}
