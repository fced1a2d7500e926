//! Every call of a life, before it and after it: the operator is stopped there, and another one with a client of its own goes on.

use crate::real::{JOBS, PIPELINES, RUNS};
use crate::stage::{LARGE, Place, SMALL, context, has_ended, now, stage};
use crate::stopped::{self, Call, Stop};
use futures::StreamExt;
use futures::stream::iter;
use operator::api::{Pipeline, Run};
use operator::build::poll_name;
use operator::moment::Moment;
use operator::{life, upkeep};
use serde_json::{Value, json};
use std::sync::Arc;

/// Points that are tried at a time.
const AT_A_TIME: usize = 8;

/// Most looks of a life: it needs fewer.
pub(crate) const LOOKS_MAX: usize = 40;

/// What came of one life, or of several one after the other.
struct Told {
    point: String,
    outcome: Value,
    calls: Vec<Call>,
}

impl Told {
    fn created(&self, collection: &str) -> usize {
        self.calls.iter().filter(|call| call.created(collection)).count()
    }
}

/// Lets operators, one after the other where one is stopped, look at a Run until it has ended: every call that they made.
async fn live(place: &Place, run: &str, stop: Stop) -> Vec<Call> {
    let (client, mut life) = stopped::client(stage().world.client().await, stop);
    let (mut operator, mut calls) = (context(client), Vec::new());
    for _ in 0..LOOKS_MAX {
        if life::look(&operator, &place.namespace, run).await.is_err() {
            calls.extend(life.calls());
            let (client, next) = stopped::client(stage().world.client().await, Stop::Never);
            (operator, life) = (context(client), next);
            continue;
        }
        let stands = place.api::<Run>().get(run).await.unwrap();
        if has_ended(&stands) {
            calls.extend(life.calls());
            return calls;
        }
        place.job_over(&stands).await;
    }
    panic!("{stop:?}: {run} has no end");
}

async fn told(run: &str, stop: Stop) -> Told {
    let point = format!("{run}-{stop:?}").to_lowercase().replace(['(', ')'], "-");
    let place = stage().place(point.trim_end_matches('-'), &json!({})).await;
    place.run(run).await;
    let calls = Box::pin(live(&place, run, stop)).await;
    let told = Told { outcome: place.outcome(run).await, calls, point };
    let jobs = place.names(JOBS).await;
    stage().seen.created_once(&place, &jobs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(told.created("/jobs"), jobs.len(), "{}: {:?}", told.point, told.calls);
    never_back(&place, &told.point);
    told
}

/// Insists that no status was lost: a Run that has come so far stands there or further ever after.
fn never_back(place: &Place, point: &str) {
    let order = ["", "Pending", "Planning", "Running", "Committing", "Complete"];
    let at = |phase: &str| order.iter().position(|known| *known == phase);
    let phases = stage().seen.phases(place);
    assert!(phases.iter().is_sorted_by_key(|(_, phase)| at(phase)), "{point}: {phases:?}");
}

/// Both sides of every call.
fn points(calls: usize) -> impl Iterator<Item = Stop> {
    (0..calls).flat_map(|k| [Stop::Before(k), Stop::After(k)])
}

#[test]
fn wherever_the_operator_is_stopped_the_next_one_comes_to_the_same_end_and_each_job_is_created_once() {
    stage().block_on(Box::pin(async {
        for (run, jobs) in [(SMALL, 1), (LARGE, 3)] {
            let whole = told(run, Stop::Never).await;
            assert_eq!((whole.created("/jobs"), &whole.outcome["status"]["phase"]), (jobs, &json!("Complete")));
            assert!(whole.calls.len() > 8 * jobs, "{:?}", whole.calls);
            let mut tried = iter(points(whole.calls.len())).map(|stop| told(run, stop)).buffer_unordered(AT_A_TIME);
            while let Some(told) = tried.next().await {
                assert_eq!(told.outcome, whole.outcome, "{}", told.point);
            }
            eprintln!("{run}: the same end from both sides of {} calls", whole.calls.len());
        }
    }));
}

/// Lets operators look at the Pipeline until `done`, at the time that `clock` says.
async fn tend(place: &Place, stop: Stop, clock: fn(&Pipeline) -> Moment, done: fn(&Pipeline) -> bool) -> Vec<Call> {
    let begin = async |stop| {
        let (client, life) = stopped::client(stage().world.client().await, stop);
        let at = clock(&place.api::<Pipeline>().get("stops").await.unwrap());
        let mut context = context(client);
        context.clock = Arc::new(move || at);
        (context, life)
    };
    let (mut operator, mut life) = begin(stop).await;
    let mut calls = Vec::new();
    for _ in 0..LOOKS_MAX {
        let looked = upkeep::look(&operator, &place.namespace, "stops").await;
        let stands = place.api::<Pipeline>().get("stops").await.unwrap();
        if looked.is_err() {
            calls.extend(life.calls());
            (operator, life) = begin(Stop::Never).await;
        } else if done(&stands) {
            calls.extend(life.calls());
            return calls;
        } else if let Some(poll) = stands.status.and_then(|status| status.poll).filter(|poll| !poll.ended) {
            place.over(&poll_name("stops", poll.time)).await;
        }
    }
    panic!("{stop:?}: the Pipeline has no end");
}

/// Two seconds after the first minute that begins after the Pipeline was made.
fn due(pipeline: &Pipeline) -> Moment {
    let created = pipeline.metadata.creation_timestamp.as_ref().map(Moment::of).unwrap();
    Moment((created.minute() + 1) * 60 + 2)
}

async fn tended(name: &str, stop: Stop) -> Told {
    let point = format!("{name}-{stop:?}").to_lowercase().replace(['(', ')'], "-");
    let namespace = point.trim_end_matches('-');
    let (place, calls) = if name == "schedule" {
        let place = stage().place(namespace, &json!({"schedule": {"cron": ["* * * * *"]}})).await;
        let is_started =
            |pipeline: &Pipeline| pipeline.status.as_ref().is_some_and(|status| status.last_schedule_time.is_some());
        let calls = Box::pin(tend(&place, stop, due, is_started)).await;
        (place, calls)
    } else {
        let place = stage().place(namespace, &json!({"onChange": {"poll": "1h"}})).await;
        let has_looked = |pipeline: &Pipeline| {
            pipeline.status.as_ref().and_then(|status| status.poll.as_ref()).is_some_and(|poll| poll.ended)
        };
        let calls = Box::pin(tend(&place, stop, |_| now(), has_looked)).await;
        (place, calls)
    };
    let counts = json!({"runs": place.names(RUNS).await.len(), "jobs": place.names(JOBS).await.len()});
    let conditions = place.get(PIPELINES, "stops").await["status"]["conditions"].take();
    let is_degraded =
        conditions.as_array().into_iter().flatten().any(|it| it["type"] == "Degraded" && it["status"] == "True");
    assert!(!is_degraded, "{point}: {conditions}");
    Told { point, outcome: counts, calls }
}

#[test]
fn wherever_the_operator_is_stopped_a_scheduled_time_and_a_change_of_the_archive_are_started_once() {
    stage().block_on(Box::pin(async {
        for (name, expected) in [("schedule", json!({"runs": 1, "jobs": 0})), ("change", json!({"runs": 1, "jobs": 1}))]
        {
            let whole = tended(name, Stop::Never).await;
            assert_eq!(whole.outcome, expected, "{name}");
            let mut tried = iter(points(whole.calls.len())).map(|stop| tended(name, stop)).buffer_unordered(AT_A_TIME);
            while let Some(told) = tried.next().await {
                assert_eq!(told.outcome, expected, "{}", told.point);
                assert_eq!(told.created("/runs"), 1, "{}: {:?}", told.point, told.calls);
            }
            eprintln!("{name}: started once from both sides of {} calls", whole.calls.len());
        }
    }));
}
