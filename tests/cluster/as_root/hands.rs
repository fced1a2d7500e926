//! What people and the cluster take away from a Run: its Jobs, the pods that know how an act ended, the Run itself. A gate holds
//! the worker at the very moment.

use super::field::{Field, hands_on};
use super::fleet::{Fleet, workers};
use super::gate::{Gate, Way};
use fleetloom_tests::cluster::{has_condition, signal};
use fleetloom_tests::proxy::{Choice, Moment};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::thread;

/// A field with a small fleet and a way with gates to its results.
struct Scene {
    field: Field<'static>,
    fleet: Fleet,
    way: Way,
}

impl Scene {
    fn new(name: &'static str) -> Self {
        let field = Field::new(name);
        let fleet = Fleet::new(&field, 1, 2);
        Self { field, fleet, way: Way::new() }
    }

    /// A Run with a Pipeline and a table of its own name, held where it puts what has `part` in its path.
    fn held(&self, name: &str, inline: &str, part: &str, at: Moment) -> Gate {
        let workers = workers(&format!("inline: {inline}"));
        self.fleet.pipeline(&self.field, name, &[&workers], &self.field.result_at(&self.way.endpoint(), name));
        let gate = self.way.gate(at, &format!("/{}/{name}/{part}", self.field.name), 0);
        self.field.start(name, name, &json!({}));
        gate
    }

    /// Insists that a table is the laptop's, published once.
    fn is_right(&self, table: &str) {
        assert_eq!((self.field.versions(table), self.field.digest(table)), (1, self.fleet.digest.clone()), "{table}");
    }
}

/// The UID of a Job; null where there is none.
fn uid(field: &Field, job: &str) -> Value {
    field.kubectl.get("job", job).expect("a Job can be read").map_or(Value::Null, |job| job["metadata"]["uid"].clone())
}

#[test]
fn jobs_that_are_deleted_by_hand_are_made_again_and_publish_once() {
    let scene = Scene::new("by-hand");
    // While the act is under way; the commit's version is there already, and its pod does not know.
    let moments = [
        ("plan", "_fleetloom/plans/", Moment::Request),
        ("shards", "_fleetloom/reports/", Moment::Request),
        ("commit", "_delta_log/0", Moment::Answer),
    ];
    let deleted = |act: &str, part: &str, at: Moment| {
        let (field, run, job) = (&scene.field, act, format!("{act}-1-{act}"));
        let gate = scene.held(run, "0s", part, at);
        gate.reached();
        let before = uid(field, &job);
        field.kubectl.delete("job", &job).expect("it can be deleted");
        field.kubectl.until("job", &job, |job| job["metadata"]["uid"] != before).expect("it is made again");
        gate.open(Choice::Pass);
        let run = field.complete(run);
        assert_eq!((&run["status"]["attempt"], &run["status"]["result"]["version"]), (&json!(1), &json!(0)), "{run:#}");
        scene.is_right(act);
    };
    thread::scope(|scope| {
        for (act, part, at) in moments {
            scope.spawn(move || deleted(act, part, at));
        }
    });
    scene.field.keeps_secrets(&[]);
}

#[test]
fn a_message_that_is_lost_with_its_pod_is_asked_for_again_and_no_second_version_is_published() {
    let (scene, hands) = (Scene::new("lost"), hands_on());
    // A Run that has a commit, and a small one that its plan pod finishes: the version is there, and the pod does not know.
    let held = [("commit", "0s"), ("plan", "1m")].map(|(act, inline)| {
        let gate = scene.held(act, inline, "_delta_log/0", Moment::Answer);
        gate.reached();
        (act, gate)
    });
    let field = &scene.field;
    hands.without_operator(|| {
        for (act, gate) in &held {
            gate.open(Choice::Pass);
            let job = format!("{act}-1-{act}");
            field.kubectl.until("job", &job, |job| has_condition(job, "Complete")).unwrap();
            field.kubectl.run(&["delete", "pod", "-l", &format!("batch.kubernetes.io/job-name={job}")]).unwrap();
        }
    });
    for (act, _) in &held {
        let run = field.complete(act);
        let told = ["attempt", "repeats"].map(|name| run["status"][name].clone());
        assert_eq!(told, [json!(2), json!(1)], "{run:#}");
        assert!(field.kubectl.get("job", &format!("{act}-2-{act}")).unwrap().is_some(), "under the next name");
        assert_eq!(run["status"]["result"]["version"], 0, "{run:#}");
        scene.is_right(act);
    }
    field.keeps_secrets(&[]);
}

/// How a pod ends whose Run is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// It is asked to, and what stands before the gate goes on while it still lives.
    Asked,
    /// At once, as with its node; what stands before the gate goes on when it is dead.
    Killed,
}

#[test]
fn a_run_deleted_while_it_commits_leaves_a_whole_version_or_none_and_no_pod() {
    let scene = Scene::new("taken-back");
    // Before the version is asked for; asked for, and the store never knows; asked for, and the store does it for a dead pod;
    // there, and nobody knows.
    let moments = [
        ("before", "_fleetloom/ledger/", Moment::Request, Ends::Asked, Choice::Lose, None),
        ("never", "_delta_log/0", Moment::Request, Ends::Killed, Choice::Lose, Some(0)),
        ("late", "_delta_log/0", Moment::Request, Ends::Killed, Choice::Pass, Some(1)),
        ("there", "_delta_log/0", Moment::Answer, Ends::Asked, Choice::Lose, Some(1)),
    ];
    let field = &scene.field;
    let deleted = |run: &str, part: &str, at: Moment, ends: Ends, then: Choice, expected: Option<usize>| {
        let gate = scene.held(run, "0s", part, at);
        gate.reached();
        let answered = scene.way.gate(Moment::Answer, &format!("/taken-back/{run}/{part}"), 0);
        let pods = field.pods(run, "commit");
        field.kubectl.delete("run", run).expect("it can be deleted");
        if ends == Ends::Killed {
            // One that has heard of its end is sometimes faster than the signal, and as dead.
            pods.iter().for_each(|pod| drop(signal(pod, Signal::KILL)));
            field.gone("pod", run);
        }
        gate.open(then);
        if (ends, then) == (Ends::Killed, Choice::Pass) {
            answered.reached();
        }
        drop(answered);
        ["job", "pod", "configmap"].iter().for_each(|kind| field.gone(kind, run));
        let versions = field.versions(run);
        assert_eq!(versions, expected.unwrap_or(versions), "{run}");
        match versions {
            0 => {}
            _ => scene.is_right(run),
        }
        // The table is as good as ever for the next.
        let next = format!("{run}-next");
        field.start(&next, run, &json!({}));
        let next = field.complete(&next);
        assert_eq!(next["status"]["result"]["version"], 0, "{next:#}");
        scene.is_right(run);
    };
    thread::scope(|scope| {
        for (run, part, at, ends, then, expected) in moments {
            scope.spawn(move || deleted(run, part, at, ends, then, expected));
        }
    });
    field.keeps_secrets(&[]);
}
