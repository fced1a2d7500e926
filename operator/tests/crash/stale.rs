//! What is told late: lists of an earlier moment, from a cache that stands between, and watches that stand still. Only what is read
//! one by one is true.

use crate::real::{JOBS, PIPELINES, RUNS};
use crate::stage::{Place, context, stage, until};
use crate::stopped::{self, Stop};
use crate::wiring::controllers;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use operator::api::Pipeline;
use operator::context::Context;
use operator::moment::Moment;
use operator::schedule::run_name;
use operator::{life, upkeep};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tower::BoxError;

/// What stands between an operator and the API server.
#[derive(Default)]
struct Between {
    /// Lists are those of the first time that they were asked for.
    is_old: AtomicBool,
    /// Watches are silent.
    is_still: AtomicBool,
    lists: Mutex<HashMap<String, Vec<u8>>>,
}

impl Between {
    fn client(self: &Arc<Self>, inner: Client) -> Client {
        let between = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let (inner, between) = (inner.clone(), Arc::clone(&between));
            async move { between.pass(&inner, request).await }
        });
        Client::new(service, "default")
    }

    async fn pass(&self, inner: &Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let asked = request.uri().to_string();
        if asked.contains("watch=true") && self.is_still.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let is_list = request.method() == Method::GET && ends(request.uri().path()) && !asked.contains("watch=true");
        if !is_list {
            return Ok(inner.send(request).await?);
        }
        let known = self.lists.lock().unwrap_or_else(PoisonError::into_inner).get(&asked).cloned();
        let list = match known.filter(|_| self.is_old.load(Ordering::SeqCst)) {
            Some(list) => list,
            None => inner.send(request).await?.into_body().collect_bytes().await?.to_vec(),
        };
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).entry(asked).or_insert_with(|| list.clone());
        Ok(Response::builder().header("content-type", "application/json").body(Body::from(list))?)
    }

    fn set(&self, is_old: bool) {
        self.is_old.store(is_old, Ordering::SeqCst);
    }
}

/// Whether that is the path of a collection of ours.
fn ends(path: &str) -> bool {
    ["/runs", "/jobs", "/pipelines", "/archives"].iter().any(|collection| path.ends_with(collection))
}

async fn behind(between: &Arc<Between>) -> Context {
    context(between.client(stage().world.client().await))
}

async fn status(place: &Place, run: &str) -> Value {
    place.get(RUNS, run).await["status"].take()
}

fn says(status: &Value, kind: &str) -> Value {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default()
}

async fn no_list_of_yesterday_decides(concurrency: &str) {
    let words = json!({"schedule": {"cron": ["0 0 1 1 *"], "concurrency": concurrency}});
    let place = stage().place(&format!("still-{}", concurrency.to_lowercase()), &words).await;
    let (here, between) = (place.namespace.as_str(), Arc::<Between>::default());
    let (old, new) = (behind(&between).await, context(stage().world.client().await));
    // What the cache keeps: a first Run that waits to be begun, and no other.
    place.run("a").await;
    life::look(&old, here, "a").await.unwrap();
    between.set(true);
    place.publish("a").await;
    life::look(&old, here, "a").await.unwrap();
    assert_eq!(status(&place, "a").await["phase"], json!("Complete"));
    // The one that the cache does not know is at work: nothing begins beside it.
    place.run("b").await;
    life::look(&new, here, "b").await.unwrap();
    place.run("c").await;
    for _ in 0..2 {
        assert_eq!(life::look(&old, here, "c").await.unwrap_err().step.reason().word(), "ReadRunsFailed");
    }
    let degraded = says(&status(&place, "c").await, "Degraded");
    assert!(degraded["message"].as_str().unwrap().contains("older than what was read before"), "{degraded}");
    assert_eq!(place.names(RUNS).await, ["a", "b", "c"], "nothing is deleted that an old list shows at work");
    assert_eq!(place.names(JOBS).await, ["a-1-plan", "b-1-plan"]);
    // With a list of now it is as it should be.
    between.set(false);
    life::look(&old, here, "c").await.unwrap();
    let expected: &[&str] = if concurrency == "Forbid" { &["a", "b", "c"] } else { &["a", "c"] };
    assert_eq!(place.names(RUNS).await, expected);
    if concurrency == "Forbid" {
        assert_eq!(says(&status(&place, "c").await, "Planned")["reason"], json!("OtherRunActive"));
        place.publish("b").await;
        life::look(&old, here, "b").await.unwrap();
        life::look(&old, here, "c").await.unwrap();
    }
    stage().seen.created_once(&place, &["a-1-plan", "b-1-plan", "c-1-plan"]).await;
}

#[test]
fn an_old_list_starts_no_run_beside_another_one_and_deletes_none() {
    stage().block_on(Box::pin(async {
        no_list_of_yesterday_decides("Forbid").await;
        no_list_of_yesterday_decides("Replace").await;
    }));
}

#[test]
fn an_old_list_starts_no_scheduled_time_twice() {
    stage().block_on(Box::pin(async {
        let place = stage().place("still-schedule", &json!({"schedule": {"cron": ["* * * * *"]}})).await;
        let (here, between) = (place.namespace.as_str(), Arc::<Between>::default());
        let pipeline = place.api::<Pipeline>().get("stops").await.unwrap();
        let created = pipeline.metadata.creation_timestamp.as_ref().map(Moment::of).unwrap();
        let first = Moment((created.minute() + 1) * 60);
        let at = |mut context: Context, seconds: i64| {
            context.clock = Arc::new(move || first.plus(seconds));
            context
        };
        // The cache keeps that there was no Run.
        upkeep::look(&at(behind(&between).await, -1), here, "stops").await.unwrap();
        between.set(true);
        // Stopped after the Run was created and before its time was written down.
        let (client, life) = stopped::client(stage().world.client().await, Stop::After(3));
        assert!(upkeep::look(&at(context(client), 2), here, "stops").await.is_err());
        assert!(life.calls()[3].created("/runs"), "{:?}", life.calls());
        let names = [0, 60].map(|seconds| run_name("stops", first.plus(seconds)));
        let uid = place.get(RUNS, &names[0]).await["metadata"]["uid"].take();
        // Those behind the cache see no Run, in the same minute and in the next.
        for seconds in [3, 50, 62, 63] {
            upkeep::look(&at(behind(&between).await, seconds), here, "stops").await.unwrap();
        }
        assert_eq!(place.names(RUNS).await, names);
        assert_eq!(place.get(RUNS, &names[0]).await["metadata"]["uid"], uid);
        assert_eq!(place.get(PIPELINES, "stops").await["status"]["missed"], Value::Null);
        // And the second one waits for the first, whoever looks.
        let operator = context(stage().world.client().await);
        for run in &names {
            life::look(&operator, here, run).await.unwrap();
        }
        assert_eq!(place.names(JOBS).await, [format!("{}-1-plan", names[0])]);
    }));
}

#[test]
fn an_operator_whose_watches_stand_still_and_one_whose_do_not_make_each_job_once() {
    stage().block_on(Box::pin(async {
        let place = stage().place("small-still-watches", &json!({})).await;
        let runs: Vec<String> = (0..5).map(|number| format!("small-{number}")).collect();
        for run in &runs {
            place.run(run).await;
        }
        let between = Arc::<Between>::default();
        between.is_still.store(true, Ordering::SeqCst);
        let late = controllers(behind(&between).await, &place);
        let known = || async { late.context.runs.get().filter(|runs| runs.phases().len() == 5).map(|_| ()) };
        until("the first list is read", known).await;
        let prompt = controllers(context(stage().world.client().await), &place);
        for run in &runs {
            place.ended(run).await;
        }
        let jobs: Vec<String> = runs.iter().map(|run| format!("{run}-1-plan")).collect();
        stage().seen.created_once(&place, &jobs.iter().map(String::as_str).collect::<Vec<_>>()).await;
        one_at_a_time(&place);
        late.end().await;
        prompt.end().await;
    }));
}

/// Insists that no Run was begun before the one before it had ended.
fn one_at_a_time(place: &Place) {
    let (mut at_work, mut ended) = (None, BTreeSet::new());
    let phases = stage().seen.phases(place);
    for (run, phase) in &phases {
        match phase.as_str() {
            "" | "Pending" => {}
            "Complete" if ended.insert(run) => assert_eq!(at_work.take_if(|it| *it == run), Some(run), "{phases:?}"),
            "Complete" => {}
            _ => assert_eq!(at_work.get_or_insert(run), &run, "{phases:?}"),
        }
    }
}
