//! Who makes things go wrong: one act after the other, each chosen by chance, with pauses between them.

use super::fleet::Fleet;
use super::story::Story;
use crate::chance::Chance;
use crate::field::{Field, OPERATOR};
use crate::shared;
use fleetloom_tests::cluster::{Kubectl, Result, Trouble, has_condition, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// Runs of a Pipeline that have not ended and may work: one at work and one that waits.
const BUSY: usize = 2;

/// Pauses between acts, ms: from the first to the sum.
const PAUSE_MS: (u64, usize) = (200, 2_800);

/// How long something is frozen, ms: less than it takes to be given up.
const FROZEN_MS: (u64, usize) = (1_000, 7_000);

/// What of the node is frozen. etcd and the API server with it are the memory of all, versitygw is the buckets.
const PARTS: [&str; 7] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "containerd", "versitygw"];

type Act = for<'a, 'f> fn(&'a mut Actor<'f>) -> Result<String>;

/// What is done, and how often of a hundred times or so.
const ACTS: [(usize, &str, Act); 16] = [
    (4, "operator killed", |it| it.operator_killed()),
    (6, "operator's pod deleted", |it| it.operator_deleted()),
    (5, "operator frozen", |it| it.operator_frozen()),
    (9, "worker killed", |it| it.worker_signalled(Signal::KILL)),
    (9, "worker stopped", |it| it.worker_signalled(Signal::TERM)),
    (6, "worker deleted", |it| it.worker_deleted()),
    (5, "worker evicted", |it| it.worker_evicted()),
    (5, "worker frozen", |it| it.worker_frozen()),
    (7, "Job deleted", |it| it.job_deleted()),
    (8, "Run suspended", |it| it.run_suspended()),
    (12, "Run resumed", |it| it.run_resumed()),
    (5, "Run scaled", |it| it.run_scaled()),
    (2, "Run deleted", |it| it.run_deleted()),
    (3, "API server restarted", |_: &mut Actor<'_>| shared().restart_api_server().map(|()| String::new())),
    (7, "part frozen", |it| it.part_frozen()),
    (12, "object replaced", |it| it.object_replaced()),
];

/// The one.
pub(super) struct Actor<'f> {
    field: &'f Field<'f>,
    fleets: Vec<Fleet>,
    chance: Chance,
    story: Story,
}

impl<'f> Actor<'f> {
    /// One that has done nothing yet.
    pub(super) const fn new(field: &'f Field, fleets: Vec<Fleet>, chance: Chance, story: Story) -> Self {
        Self { field, fleets, chance, story }
    }

    /// Starts Runs, so that each Pipeline has one at work and one that waits.
    pub(super) fn keep_busy(&mut self) {
        let runs = match self.field.kubectl.list("runs", "") {
            Ok(runs) => runs,
            Err(error) => return self.story.tell("Run started", Err(error.to_string())),
        };
        for index in 0..self.fleets.len() {
            let name = self.fleets[index].name;
            let busy = |run: &&Value| run["spec"]["pipeline"] == name && !has_ended(run) && !is_suspended(run);
            if runs.iter().filter(busy).count() < BUSY {
                let done = self.run_started(index);
                self.story.tell("Run started", done.map_err(|error| error.to_string()));
            }
        }
    }

    fn run_started(&mut self, index: usize) -> Result<String> {
        let recompute = if self.chance.below(3) == 0 { "Stale" } else { "All" };
        let parallelism = 1 + self.chance.below(3);
        let fleet = &mut self.fleets[index];
        fleet.runs += 1;
        let name = format!("{}-{}", fleet.name, fleet.runs);
        let spec = json!({"pipeline": fleet.name, "recompute": recompute, "parallelism": parallelism});
        let run =
            json!({"apiVersion": "fleetloom.dev/v1alpha1", "kind": "Run", "metadata": {"name": name}, "spec": spec});
        self.field.kubectl.apply(&run.to_string()).map(|()| format!("{name}, recompute {recompute}"))
    }

    /// Does one thing.
    pub(super) fn act(&mut self) {
        let mut left = self.chance.below(ACTS.iter().map(|(often, ..)| often).sum());
        for (often, name, act) in ACTS {
            if left < often {
                let done = act(self);
                return self.story.tell(name, done.map_err(|error| error.to_string()));
            }
            left -= often;
        }
    }

    /// Lets a moment pass: when the next thing goes wrong is part of what is tried.
    pub(super) fn pause(&mut self) {
        self.wait(PAUSE_MS);
    }

    fn wait(&mut self, (least, more): (u64, usize)) {
        thread::park_timeout(Duration::from_millis(least + self.chance.below(more) as u64));
    }

    /// Lets go of everything: what is suspended may go on.
    pub(super) fn stop(mut self) -> (Vec<Fleet>, Story) {
        let resumed = self.field.kubectl.until_each(("runs", ""), 0, super::after::SETTLED, |run| {
            if is_suspended(run) {
                // The next look sees whether that was heard.
                let _asked = self.patch(run, &json!({"suspend": false}));
            }
            !is_suspended(run)
        });
        self.story.tell("all resumed", resumed.map(|runs| format!("{} Runs", runs.len())).map_err(|it| it.to_string()));
        (self.fleets, self.story)
    }

    fn operator(&mut self) -> Result<(Kubectl, Value)> {
        let kubectl = shared().kubectl().within(OPERATOR);
        let pods = kubectl.list("pods", "")?;
        let running: Vec<&Value> = pods.iter().filter(|pod| runs(pod)).collect();
        let pod = self.chance.one(&running).ok_or_else(|| Trouble::new("no operator runs"))?;
        Ok((kubectl, (*pod).clone()))
    }

    fn operator_killed(&mut self) -> Result<String> {
        let (_, pod) = self.operator()?;
        signal(&pod, Signal::KILL).map(|()| name(&pod))
    }

    fn operator_deleted(&mut self) -> Result<String> {
        let (kubectl, pod) = self.operator()?;
        let at_once: &[&str] = if self.chance.below(2) == 0 { &["--grace-period=0", "--force"] } else { &[] };
        kubectl.run(&[&["delete", "pod", &name(&pod), "--wait=false"][..], at_once].concat()).map(|_| name(&pod))
    }

    fn operator_frozen(&mut self) -> Result<String> {
        let (_, pod) = self.operator()?;
        self.frozen(&pod)
    }

    /// Stops a pod's processes for a while. Whether they are still there then is nobody's concern.
    fn frozen(&mut self, pod: &Value) -> Result<String> {
        signal(pod, Signal::STOP)?;
        self.wait(FROZEN_MS);
        let _gone = signal(pod, Signal::CONT);
        Ok(name(pod))
    }

    /// A pod of the field that runs.
    fn worker(&mut self) -> Result<Value> {
        let pods = self.field.kubectl.list("pods", "")?;
        let running: Vec<&Value> = pods.iter().filter(|pod| runs(pod)).collect();
        self.chance.one(&running).map(|pod| (*pod).clone()).ok_or_else(|| Trouble::new("no worker runs"))
    }

    fn worker_signalled(&mut self, how: Signal) -> Result<String> {
        let pod = self.worker()?;
        signal(&pod, how).map(|()| name(&pod))
    }

    fn worker_deleted(&mut self) -> Result<String> {
        let pod = self.worker()?;
        self.field.kubectl.run(&["delete", "pod", &name(&pod), "--wait=false"]).map(|_| name(&pod))
    }

    fn worker_evicted(&mut self) -> Result<String> {
        let name = name(&self.worker()?);
        let words = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}).to_string();
        let path = format!("/api/v1/namespaces/{}/pods/{name}/eviction", self.field.name);
        self.field.kubectl.fed(&["create", "--raw", &path, "-f", "-"], &words).map(|_| name)
    }

    fn worker_frozen(&mut self) -> Result<String> {
        let pod = self.worker()?;
        self.frozen(&pod)
    }

    fn job_deleted(&mut self) -> Result<String> {
        let jobs = self.field.kubectl.list("jobs", "")?;
        let going_on: Vec<&Value> = jobs.iter().filter(|job| !has_condition(job, "Complete")).collect();
        let job = self.chance.one(&going_on).ok_or_else(|| Trouble::new("no Job is under way"))?;
        self.field.kubectl.run(&["delete", "job", &name(job), "--wait=false"]).map(|_| name(job))
    }

    /// A Run for which that holds.
    fn run(&mut self, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let runs = self.field.kubectl.list("runs", "")?;
        let fit: Vec<&Value> = runs.iter().filter(|run| holds(run)).collect();
        self.chance.one(&fit).map(|run| (*run).clone()).ok_or_else(|| Trouble::new("there is no such Run"))
    }

    fn patch(&self, run: &Value, spec: &Value) -> Result<String> {
        let words = json!({"spec": spec}).to_string();
        self.field.kubectl.run(&["patch", "run", &name(run), "--type=merge", "-p", &words]).map(|_| name(run))
    }

    fn run_suspended(&mut self) -> Result<String> {
        let run = self.run(|run| !has_ended(run) && !is_suspended(run))?;
        self.patch(&run, &json!({"suspend": true}))
    }

    fn run_resumed(&mut self) -> Result<String> {
        let run = self.run(is_suspended)?;
        self.patch(&run, &json!({"suspend": false}))
    }

    fn run_scaled(&mut self) -> Result<String> {
        let (run, replicas) = (self.run(|run| !has_ended(run))?, 1 + self.chance.below(4));
        let arguments = ["scale", "run", &name(&run), &format!("--replicas={replicas}")];
        self.field.kubectl.run(&arguments).map(|_| format!("{} to {replicas}", name(&run)))
    }

    fn run_deleted(&mut self) -> Result<String> {
        let run = self.run(|_| true)?;
        self.field.kubectl.run(&["delete", "run", &name(&run), "--wait=false"]).map(|_| name(&run))
    }

    fn part_frozen(&mut self) -> Result<String> {
        let part = PARTS[self.chance.below(PARTS.len())];
        shared().marks().signal(part, Signal::STOP)?;
        self.wait(FROZEN_MS);
        shared().marks().signal(part, Signal::CONT)?;
        Ok(part.to_owned())
    }

    fn object_replaced(&mut self) -> Result<String> {
        let index = self.chance.below(self.fleets.len());
        Ok(self.fleets[index].replace(self.field, &mut self.chance))
    }
}

fn name(resource: &Value) -> String {
    resource["metadata"]["name"].as_str().expect("every resource has a name").to_owned()
}

fn has_ended(run: &Value) -> bool {
    has_condition(run, "Complete") || has_condition(run, "Failed")
}

fn is_suspended(run: &Value) -> bool {
    run["spec"]["suspend"] == true
}

/// Whether a pod's container is at work.
fn runs(pod: &Value) -> bool {
    !pod["status"]["containerStatuses"][0]["state"]["running"].is_null()
}
