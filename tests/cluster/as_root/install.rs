//! The operator replaced, taken away and put back, on a node of its own, while Runs, schedules and a poll go on.
//!
//! ```text
//! install ─ Run slow ─ upgrade ─ Run after ─ Run during ─ uninstall ─ Run meanwhile ─ install ─► all Complete
//! └── a schedule of every minute, one that is suspended, a poll ─────────────────────────────► each Run once
//! ```

use super::field::{Field, INSTALL, OPERATOR, chart, condition, helm};
use super::images;
use super::twin::{SMALL, Twin};
use fleetloom_tests::cluster::{Cluster, Image, has_condition, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Every minute; all of its Runs are kept, so that they can be counted.
const EVERY_MINUTE: &str = "schedule: {cron: [\"* * * * *\"], keepSucceeded: 100}";

/// The same, and none is kept.
const NONE_KEPT: &str = "schedule: {cron: [\"* * * * *\"], keepSucceeded: 0}";

#[test]
fn an_upgrade_and_a_reinstallation_disturb_no_run_and_schedules_and_polls_start_each_run_once() {
    let cluster = Cluster::start().unwrap_or_else(|error| panic!("{error}"));
    let images = images();
    for image in [&images.worker, &images.operator] {
        cluster.import(image).unwrap();
        cluster.tag(image, &next(image)).unwrap();
    }
    chart(&cluster, &INSTALL);
    let field = Field::on(&cluster, "outlives");
    let first = due_every_minute(&field);
    let back = thread::scope(|scope| {
        let suspended = scope.spawn(|| suspended(&field));
        let polled = scope.spawn(|| polled(&field));
        let fleet = Twin::fleet(&field, "fleet", (6, 48), "shards: {bytes: 1Mi}");
        let whole = fleet.here(&[]);
        fleet.apply(&format!("inline: 0s, parallelism: 1, {SMALL}"));
        upgraded(&field, &images.worker, &fleet, &whole);
        let back = reinstalled(&field, &images.worker, &fleet, &whole);
        polled.join().expect("its own assertions hold");
        let (until, last) = suspended.join().expect("its own assertions hold");
        // Once the other schedule has had its next time, this one would have had it too.
        field.kubectl.until("run", &format!("ticks-{}", back.max(until) + 1), |_| true).unwrap();
        assert_eq!(last_time(&field, "stopped"), last, "a suspended schedule starts nothing");
        back
    });
    started_once_a_minute(&field, first, back);
}

/// The other name of an image: that of another version, as far as the cluster can tell.
fn next(image: &Image) -> String {
    let (name, _) = image.name.rsplit_once(':').expect("a name has a tag");
    format!("{name}:next")
}

/// The minute of this machine's clock, which is the node's too.
fn minute() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970").as_secs() / 60
}

/// The newest time of a schedule that was dealt with.
fn last_time(field: &Field<'_>, pipeline: &str) -> Value {
    let pipeline = field.kubectl.get("pipeline", pipeline).expect("an answer").expect("it is there");
    pipeline["status"]["lastScheduleTime"].clone()
}

/// The Runs of a Pipeline, by name.
fn runs_of(field: &Field<'_>, pipeline: &str) -> Vec<String> {
    let runs = field.kubectl.list("run", "").expect("Runs can be listed");
    let ours = runs.iter().filter(|run| run["spec"]["pipeline"] == pipeline);
    ours.map(|run| run["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A pipeline of one day that is due every minute; the first minute in which it is.
fn due_every_minute(field: &Field<'_>) -> u64 {
    let twin = Twin::lines(field, "ticks", EVERY_MINUTE);
    twin.write_days([1]);
    twin.apply(SMALL);
    let pipeline = field.kubectl.until("pipeline", twin.name, |pipeline| has_condition(pipeline, "Accepted"));
    let created =
        pipeline.unwrap_or_else(|error| panic!("{error}\n{}", field.told()))["metadata"]["creationTimestamp"].clone();
    // As Kubernetes writes it, `2026-11-25T23:02:41Z`: this hour and minute were at most a few seconds ago.
    let written: u64 = created.as_str().and_then(|time| time.get(14..16)?.parse().ok()).expect("a time");
    let now = minute();
    now - (now + 60 - written) % 60 + 1
}

/// Insists that every minute from `first` on had its Run once, or was made up for by a later one while no operator was there.
fn started_once_a_minute(field: &Field<'_>, first: u64, back: u64) {
    let pipeline = field.kubectl.get("pipeline", "ticks").expect("an answer").expect("it is there");
    let missed = pipeline["status"]["missed"].as_u64().unwrap_or(0);
    let mut minutes: Vec<u64> = runs_of(field, "ticks")
        .iter()
        .map(|run| run.strip_prefix("ticks-").and_then(|minute| minute.parse().ok()).expect("it has the minute's name"))
        .collect();
    minutes.sort_unstable();
    let last = *minutes.last().expect("there is one");
    assert!(minutes[0] >= first && last > back && last <= minute(), "{minutes:?} from {first}, back in {back}");
    assert_eq!(minutes.len() as u64 + missed, last - first + 1, "{minutes:?} from {first}, {missed} missed");
}

/// A schedule of every minute that is suspended after its first Run, of which nothing is kept; the minute from which on it is,
/// and the newest time that it had.
fn suspended(field: &Field<'_>) -> (u64, Value) {
    let twin = Twin::lines(field, "stopped", NONE_KEPT);
    twin.write_days([1]);
    let whole = twin.here(&[]);
    twin.apply(SMALL);
    let started = |pipeline: &Value| !pipeline["status"]["lastScheduleTime"].is_null();
    field.kubectl.until("pipeline", twin.name, started).unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
    field.patch("pipeline", twin.name, &json!({"spec": {"schedule": {"suspend": true}}}));
    let heard =
        |pipeline: &Value| condition(pipeline, "Accepted")["observedGeneration"] == pipeline["metadata"]["generation"];
    field.kubectl.until("pipeline", twin.name, heard).unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
    let last = last_time(field, twin.name);
    let forgotten = field.kubectl.until("pipeline", twin.name, |_| runs_of(field, twin.name).is_empty());
    forgotten.unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
    assert_eq!(twin.there(), whole, "it ran, and its table outlives it");
    (minute(), last)
}

/// A poll that finds nothing new, and then a new object.
fn polled(field: &Field<'_>) {
    let twin = Twin::lines(field, "polled", "");
    twin.write_days([1]);
    twin.apply(SMALL);
    field.start("known", twin.name, &json!({}));
    field.complete("known");
    field.patch("pipeline", twin.name, &json!({"spec": {"onChange": {"poll": "1m"}}}));
    let looked = field.kubectl.until("pipeline", twin.name, |pipeline| pipeline["status"]["poll"]["ended"] == true);
    let status = looked.unwrap_or_else(|error| panic!("{error}\n{}", field.told()))["status"].clone();
    let known = &status["lastSource"];
    assert_eq!(&status["poll"]["source"], known, "{status:#}");
    assert_eq!(runs_of(field, twin.name), ["known"], "nothing is new");
    twin.put_day(2);
    let followed = |pipeline: &Value| pipeline["status"]["lastSource"] != *known;
    field.kubectl.until("pipeline", twin.name, followed).unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
    let runs = runs_of(field, twin.name);
    assert_eq!(runs.len(), 2, "one Run for what is new: {runs:?}");
    assert_eq!(twin.there(), twin.here(&[]));
}

/// An upgrade to other images while a Run is in flight, which goes on with its own; the next one takes the new one.
fn upgraded(field: &Field<'_>, worker: &Image, fleet: &Twin<'_>, whole: &str) {
    field.start("slow", fleet.name, &json!({}));
    let held = hold(field, "slow");
    let tags = ["--set", "image.tag=next", "--set", "worker.image.tag=next"];
    chart(field.cluster(), &[&["upgrade", "fleetloom", "--wait", "--timeout", "120s"][..], &tags].concat());
    let operators = field.kubectl.within(OPERATOR).list("pod", "").expect("pods can be listed");
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned();
    assert!(operators.iter().any(|pod| image(pod).ends_with("fleetloom-operator:next")), "{operators:#?}");
    signal(&held, Signal::CONT).unwrap_or_else(|error| panic!("{error}"));
    let slow = field.complete("slow");
    assert_eq!((&slow["status"]["attempt"], &slow["status"]["image"]), (&json!(1), &json!(worker.name)), "{slow:#}");
    let pods = field.pods("slow", "shards");
    assert_eq!(pods.len(), 1, "nothing restarts: {pods:#?}");
    assert_eq!(pods[0]["metadata"]["uid"], held["metadata"]["uid"]);
    for act in ["plan", "shards", "commit"] {
        assert!(field.pods("slow", act).iter().all(|pod| image(pod) == worker.name), "{act}");
    }
    assert_eq!(fleet.there(), whole);
    field.start("after", fleet.name, &json!({}));
    let after = field.complete("after");
    assert_eq!(after["status"]["image"], next(worker), "{after:#}");
    assert!(field.pods("after", "plan").iter().all(|pod| image(pod) == next(worker)));
}

/// The operator taken away while a Run is in flight, and put back when another one has come; the minute in which it was back.
fn reinstalled(field: &Field<'_>, worker: &Image, fleet: &Twin<'_>, whole: &str) -> u64 {
    let everything = json!({"recompute": "All"});
    field.start("during", fleet.name, &everything);
    let held = hold(field, "during");
    helm(field.cluster(), &["uninstall", "fleetloom", "--wait", "--timeout", "120s"]);
    let operator = field.kubectl.within(OPERATOR).get("deployment", "fleetloom-operator").expect("an answer");
    assert!(operator.is_none(), "{operator:?}");
    for kind in ["archives", "pipelines", "runs"] {
        let kept = field.kubectl.get("crd", &format!("{kind}.fleetloom.dev")).expect("an answer");
        assert!(kept.is_some(), "{kind}");
    }
    assert_eq!(runs_of(field, fleet.name), ["after", "during", "slow"]);
    assert_eq!(fleet.there(), whole);
    field.start("meanwhile", fleet.name, &json!({}));
    signal(&held, Signal::CONT).unwrap_or_else(|error| panic!("{error}"));
    let done = field.kubectl.until("job", "during-1-shards", |job| has_condition(job, "Complete"));
    done.unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
    let during = field.kubectl.get("run", "during").expect("an answer").expect("it is there");
    assert_eq!(during["status"]["phase"], "Running", "nobody looked: {during:#}");
    chart(field.cluster(), &INSTALL);
    let back = minute();
    let during = field.complete("during");
    assert_eq!(
        (&during["status"]["attempt"], &during["status"]["image"]),
        (&json!(1), &json!(next(worker))),
        "{during:#}"
    );
    let meanwhile = field.complete("meanwhile");
    assert_eq!(meanwhile["status"]["image"], worker.name, "{meanwhile:#}");
    assert_eq!(fleet.there(), whole);
    back
}

/// Waits until a Run's one shard pod is at work, and holds it there.
fn hold(field: &Field<'_>, run: &str) -> Value {
    let mut pods = field.at_work(run, "shards", 1);
    let pod = pods.remove(0);
    signal(&pod, Signal::STOP).unwrap_or_else(|error| panic!("{error}\n{}", field.told()));
    pod
}
