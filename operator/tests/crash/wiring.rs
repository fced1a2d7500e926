//! Which change is looked at by which controller, in the operator as it runs.

use crate::real::{ARCHIVES, JOBS, PIPELINES, RUNS, call, pipeline, run};
use crate::stage::{DEADLINE, LARGE, Place, SMALL, context, stage, until};
use futures::channel::oneshot;
use operator::api::Pipeline;
use operator::context::Context;
use operator::controller::{self, Scope};
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The controllers of an operator, at work.
pub(crate) struct Controllers {
    pub(crate) context: Arc<Context>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Starts them for one namespace.
pub(crate) fn controllers(context: Context, place: &Place) -> Controllers {
    let (context, scope) = (Arc::new(context), Scope { namespace: Some(place.namespace.clone()) });
    let (stop, stopping) = oneshot::channel();
    // A sender that is gone is a stop too.
    let stopping = Box::pin(async move { stopping.await.unwrap_or_default() });
    let task = tokio::spawn(controller::run(Arc::clone(&context), &scope, stopping));
    Controllers { context, stop, task }
}

impl Controllers {
    /// Lets what is under way come to its end, and insists that it does.
    pub(crate) async fn end(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(DEADLINE, self.task).await.expect("controllers end").expect("without a panic");
    }
}

async fn operator(place: &Place) -> Controllers {
    controllers(context(stage().world.client().await), place)
}

#[test]
fn a_run_that_comes_and_each_of_its_jobs_that_ends_are_looked_at() {
    stage().block_on(Box::pin(async {
        let place = stage().place("wiring-run", &json!({})).await;
        let operator = operator(&place).await;
        place.run(LARGE).await;
        // Without a watch on Jobs each act would be looked at after 30 s, which takes longer than the deadline.
        place.ended(LARGE).await;
        stage().seen.created_once(&place, &["large-1-commit", "large-1-plan", "large-1-shards"]).await;
        let has_shown = |pipeline: Option<&Pipeline>| {
            let status = pipeline.and_then(|pipeline| pipeline.status.as_ref());
            status.is_some_and(|status| status.last_run.as_deref() == Some(LARGE))
        };
        place.until("stops", has_shown).await;
        operator.end().await;
    }));
}

#[test]
fn runs_that_wait_for_each_other_are_woken_one_after_the_other() {
    stage().block_on(Box::pin(async {
        let place = stage().place("wiring-waiting", &json!({})).await;
        let operator = operator(&place).await;
        // Without being woken each would be looked at after 30 s, which for all of them takes longer than the deadline.
        let runs: Vec<String> = (0..6).map(|number| format!("{SMALL}-{number}")).collect();
        for run in &runs {
            place.run(run).await;
        }
        place.ended(&runs[5]).await;
        for run in &runs {
            place.ended(run).await;
        }
        operator.end().await;
    }));
}

#[test]
fn a_job_that_is_taken_away_is_made_again() {
    stage().block_on(Box::pin(async {
        let place = stage().place("still-wiring", &json!({})).await;
        let operator = operator(&place).await;
        place.run("taken").await;
        let uid = || async {
            let there = place.names(JOBS).await.contains(&"taken-1-plan".to_owned());
            if there {
                place.get(JOBS, "taken-1-plan").await["metadata"]["uid"].as_str().map(str::to_owned)
            } else {
                None
            }
        };
        let first = until("the Job is created", uid).await;
        let path = format!("{}/taken-1-plan", place.path(JOBS));
        call::delete(&place.client, &path, &first).await.unwrap();
        until("another Job is created", || async { uid().await.filter(|now| *now != first) }).await;
        operator.end().await;
    }));
}

/// Waits until a condition of an object has that reason.
async fn says(place: &Place, collection: &str, name: &str, reason: &str) {
    let told = || async {
        let object = place.get(collection, name).await;
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["reason"] == reason).then_some(())
    };
    until(&format!("{collection}/{name}: {reason}"), told).await;
}

#[test]
fn an_archive_that_changes_is_judged_and_so_are_the_pipelines_that_read_it() {
    stage().block_on(Box::pin(async {
        let place = stage().place("wiring-words", &json!({})).await;
        let operator = operator(&place).await;
        for (url, reason) in
            [("s3://elsewhere/", "Accepted"), ("file:///srv/", "WordsRefused"), ("s3://telemetry/ur3/", "Accepted")]
        {
            place.change(ARCHIVES, "ur3", &json!({"spec": {"store": {"url": url}}})).await;
            says(&place, ARCHIVES, "ur3", reason).await;
            says(&place, PIPELINES, "stops", reason).await;
        }
        operator.end().await;
    }));
}

#[test]
fn words_that_come_after_their_run_are_waited_for() {
    stage().block_on(Box::pin(async {
        let place = stage().place("wiring-late", &json!({})).await;
        let operator = operator(&place).await;
        place.create(RUNS, &run("small", "late")).await;
        says(&place, RUNS, "small", "PipelineMissing").await;
        place.create(PIPELINES, &pipeline("late", &json!({}))).await;
        place.ended("small").await;
        operator.end().await;
    }));
}
