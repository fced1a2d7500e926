//! An API server whose kinds are not those of this operator: one is missing, or is of another version.

use crate::processes::start;
use crate::real::program::fetch;
use crate::real::{ARCHIVES, JOBS, PIPELINES, RUNS, World, apply_words, archive, call, pipeline, run};
use crate::stage::{DEADLINE, context, stage, until};
use fleetloom_tests::cluster::has_condition;
use kube::Client;
use operator::controller::{self, Scope};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::future::pending;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a process is asked.
const POLL: Duration = Duration::from_millis(100);

static BROKEN: OnceLock<World> = OnceLock::new();

/// One at a time: the kinds are everybody's.
static TURN: Mutex<()> = Mutex::new(());

fn world() -> &'static World {
    BROKEN.get_or_init(World::start)
}

/// Waits until that is answered.
fn answers(port: u16, path: &str, words: &[&str]) {
    let (began, mut last) = (Instant::now(), None);
    loop {
        let answer = fetch(port, path);
        if answer.as_ref().is_some_and(|answer| words.iter().all(|word| answer.contains(word))) {
            return;
        }
        last = answer.or(last);
        assert!(began.elapsed() < DEADLINE, "{path} should say {words:?}, not {last:?}");
        thread::park_timeout(POLL);
    }
}

#[test]
fn an_operator_is_ready_when_all_kinds_are_there_and_names_the_one_that_is_missing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (world, runs) = (world(), "runs.fleetloom.dev");
    let kubectl = world.kubectl();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let operator = start(world.kubeconfig(), "fleet", "operator", &["--health-port", &port.to_string()]);
    answers(port, "/readyz", &["200 OK"]);
    kubectl.delete("crd", runs).unwrap();
    answers(
        port,
        "/readyz",
        &["503", "the CustomResourceDefinition runs.fleetloom.dev is missing", "fleetloom-operator crd"],
    );
    answers(port, "/healthz", &["200 OK"]);
    kubectl.fed(&["apply", "--server-side", "-f", "-"], &operator::crd::yaml()).unwrap();
    kubectl.until("crd", runs, |kind| has_condition(kind, "Established")).unwrap();
    answers(port, "/readyz", &["200 OK"]);
    operator.signal(Signal::TERM);
    operator.finish().expect(0);
}

/// A kind that takes any words, as one of another version would.
fn loosened(name: &str) -> Value {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut spec = anything.clone();
    spec["properties"] = json!({"archive": {"type": "string"}});
    let kinds = operator::crd::crds();
    let kind = kinds.iter().find(|kind| kind.metadata.name.as_deref() == Some(name)).unwrap();
    let mut kind = serde_json::to_value(kind).unwrap();
    kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "properties": {"spec": spec, "status": anything}});
    kind
}

/// Makes an Archive and a Pipeline whose words do not fit this version.
async fn apply_strange(client: &Client) {
    let mut strange = [archive(), pipeline("strange", &json!({}))];
    strange[0]["metadata"]["name"] = json!("strange");
    for (path, object) in [ARCHIVES, PIPELINES].into_iter().zip(&strange) {
        let made = || async { call::post::<Value>(client, path, object).await.ok() };
        until("an object is taken", made).await;
        // A kind takes a moment to be another one: until then it leaves out what it does not know.
        let path = format!("{path}/strange");
        let kept = || async {
            call::patch(client, &path, &json!({"spec": {"fromTheFuture": 1}})).await.ok()?;
            let object: Value = call::get(client, &path).await.ok()?;
            (!object["spec"]["fromTheFuture"].is_null()).then_some(())
        };
        until("strange words are kept", kept).await;
    }
}

#[test]
fn objects_of_another_version_are_counted_left_alone_and_in_nobodys_way() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let world = world();
    for kind in ["archives.fleetloom.dev", "pipelines.fleetloom.dev"] {
        let words = loosened(kind).to_string();
        world.kubectl().fed(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &words).unwrap();
    }
    stage().block_on(Box::pin(async {
        let client = world.client().await;
        apply_strange(&client).await;
        apply_words(&client, &json!({})).await;
        // After another test the kind may be a moment old.
        until("a Run is taken", || async { call::post::<Value>(&client, RUNS, &run("good", "stops")).await.ok() })
            .await;
        let (context, scope) = (Arc::new(context(world.client().await)), Scope { namespace: Some("fleet".into()) });
        let running = tokio::spawn(controller::run(Arc::clone(&context), &scope, Box::pin(pending())));
        let counted = |kind: &str| context.metrics.text().contains(&format!("undecodable_total{{kind=\"{kind}\"}}"));
        let is_told = || async { (counted("Archive") && counted("Pipeline")).then_some(()) };
        until("strange objects are counted", is_told).await;
        let job = format!("{JOBS}/good-1-plan");
        until("the good Run has its Job", || async { call::get::<Value>(&client, &job).await.ok() }).await;
        for path in [ARCHIVES, PIPELINES] {
            let strange: Value = call::get(&client, &format!("{path}/strange")).await.unwrap();
            assert_eq!(strange["status"], Value::Null, "{strange}");
        }
        running.abort();
    }));
}
