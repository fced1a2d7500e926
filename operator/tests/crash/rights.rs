//! The operator with the rights that its own manifest gives it, and no others: every kind of call that it makes is allowed.

use crate::points::LOOKS_MAX;
use crate::processes::start;
use crate::real::{ARCHIVES, JOBS, MAPS, PIPELINES, RUNS, SYSTEM, call, client, run};
use crate::stage::{Place, SMALL, context, has_ended, now, stage};
use kube::Client;
use operator::api::{Pipeline, Run};
use operator::build::poll_name;
use operator::context::Context;
use operator::{life, upkeep};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// The operator's own kubeconfig.
static KUBECONFIG: LazyLock<PathBuf> = LazyLock::new(|| stage().world.install());

async fn operator() -> Context {
    context(client(&KUBECONFIG).await)
}

/// Insists that nothing was refused: no condition says so.
async fn nothing_is_refused(place: &Place) {
    for collection in [ARCHIVES, PIPELINES, RUNS] {
        for name in place.names(collection).await {
            let object = place.get(collection, &name).await;
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            assert!(conditions.iter().all(|it| it["type"] != json!("Degraded")), "{object}");
        }
    }
}

#[test]
fn jobs_may_be_created_changed_and_deleted_and_runs_deleted() {
    let _kubeconfig: &Path = &KUBECONFIG;
    stage().block_on(Box::pin(async {
        let words = json!({"schedule": {"cron": ["0 0 1 1 *"], "concurrency": "Allow"}});
        let place = stage().place("still-rights", &words).await;
        let (here, operator) = (place.namespace.as_str(), operator().await);
        upkeep::look_at_archive(&operator, here, "ur3").await.unwrap();
        place.run("changed").await;
        life::look(&operator, here, "changed").await.unwrap();
        place.change(RUNS, "changed", &json!({"spec": {"suspend": true}})).await;
        life::look(&operator, here, "changed").await.unwrap();
        assert_eq!(place.get(JOBS, "changed-1-plan").await["spec"]["suspend"], json!(true));
        let mut queued = run("queued", "stops");
        queued["metadata"]["labels"] = json!({"kueue.x-k8s.io/queue-name": "robots"});
        place.create(RUNS, &queued).await;
        life::look(&operator, here, "queued").await.unwrap();
        place.change(RUNS, "queued", &json!({"spec": {"suspend": true}})).await;
        life::look(&operator, here, "queued").await.unwrap();
        assert_eq!(place.names(JOBS).await, ["changed-1-plan"]);
        place.run("over").await;
        place.change(RUNS, "over", &json!({"spec": {"ttlSecondsAfterFinished": 0}})).await;
        life::look(&operator, here, "over").await.unwrap();
        place.publish("over").await;
        life::look(&operator, here, "over").await.unwrap();
        assert_eq!(place.names(RUNS).await, ["changed", "queued"]);
        nothing_is_refused(&place).await;
        let events = format!("/apis/events.k8s.io/v1/namespaces/{here}/events");
        let events: Value = call::get(&place.client, &events).await.unwrap();
        let told = |reason: &str| events["items"].as_array().unwrap().iter().any(|event| event["reason"] == reason);
        assert!(told("Planning") && told("Published") && told("Suspended"), "{events}");
    }));
}

/// Looks at a Pipeline and its Runs, so many seconds from now, until nothing is left to be done then.
async fn tend(place: &Place, seconds: i64) {
    let mut operator = operator().await;
    let at = now().plus(seconds);
    operator.clock = Arc::new(move || at);
    for _ in 0..LOOKS_MAX {
        upkeep::look(&operator, &place.namespace, "stops").await.unwrap();
        let pipeline = place.api::<Pipeline>().get("stops").await.unwrap();
        if let Some(poll) = pipeline.status.and_then(|status| status.poll).filter(|poll| !poll.ended) {
            place.over(&poll_name("stops", poll.time)).await;
            continue;
        }
        let runs = place.names(RUNS).await;
        let Some(run) = runs.first() else { return };
        life::look(&operator, &place.namespace, run).await.unwrap();
        let run = place.api::<Run>().get(run).await.unwrap();
        if !has_ended(&run) {
            place.job_over(&run).await;
        }
    }
    panic!("{seconds}: it has no end");
}

#[test]
fn archives_may_be_polled_with_words_that_change_and_old_runs_be_forgotten() {
    let _kubeconfig: &Path = &KUBECONFIG;
    stage().block_on(Box::pin(async {
        let words = json!({"onChange": {"poll": "1h"}, "schedule": {"cron": ["0 0 1 1 *"], "keepSucceeded": 0}});
        let place = stage().place("rights-polls", &words).await;
        Box::pin(tend(&place, 0)).await;
        place.change(PIPELINES, "stops", &json!({"spec": {"where": "status.stop"}})).await;
        Box::pin(tend(&place, 7_200)).await;
        let status = place.get(PIPELINES, "stops").await["status"].take();
        assert_eq!((&status["poll"]["ended"], &status["lastSource"]), (&json!(true), &json!("source-1")));
        let words = place.get(MAPS, "stops-poll").await["data"]["words.yaml"].take();
        assert!(words.as_str().unwrap().contains("status.stop"), "{words}");
        nothing_is_refused(&place).await;
    }));
}

/// Gives the operator the right that the chart adds with `lease.enabled`: our own manifest has no Lease.
async fn allow_leases(client: &Client) {
    let metadata = json!({"name": "leases", "namespace": SYSTEM});
    let group = "rbac.authorization.k8s.io";
    let rule =
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]});
    let role = json!({"metadata": metadata, "rules": [rule]});
    let account = json!({"kind": "ServiceAccount", "name": "fleetloom-operator", "namespace": SYSTEM});
    let reference = json!({"apiGroup": group, "kind": "Role", "name": "leases"});
    let binding = json!({"metadata": metadata, "roleRef": reference, "subjects": [account]});
    for (kind, object) in [("roles", role), ("rolebindings", binding)] {
        let _made: Value =
            call::post(client, &format!("/apis/{group}/v1/namespaces/{SYSTEM}/{kind}"), &object).await.unwrap();
    }
}

#[test]
fn all_that_the_program_watches_and_its_lease_are_allowed() {
    let kubeconfig: &Path = &KUBECONFIG;
    let place = stage().block_on(stage().place("rights-program", &json!({})));
    stage().block_on(allow_leases(&place.client));
    let operator =
        start(kubeconfig, "rights-program", "operator", &["--health-port", "0", "--lease", "fleetloom-system"]);
    stage().block_on(Box::pin(async {
        place.run(SMALL).await;
        place.ended(SMALL).await;
        nothing_is_refused(&place).await;
    }));
    operator.signal(Signal::TERM);
    let ended = operator.finish().expect(0);
    assert!(!ended.stderr.to_lowercase().contains("forbidden"), "{ended}");
}
