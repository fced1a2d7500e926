//! A crowd of nodes that only say that they run pods: etcd and an API server, the controllers and the scheduler of Kubernetes,
//! and kwok, which plays the kubelet of every node. What becomes of a pod stands in its annotations, see
//! `tests/cluster/crowd.yaml`. All on 127.0.0.1, without root; thousands of pods on two cores.

use super::authority::Who;
use super::control::Memory;
use super::part::Part;
use super::{Kubectl, Result, Trouble, folder, kubectl, programs, wait, words};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Until all nodes are ready.
const DEADLINE: Duration = Duration::from_secs(120);

/// How often they are asked for.
const POLL: Duration = Duration::from_millis(500);

/// The controllers that Jobs, their pods and whatever belongs to something need. Others would find nodes without a heartbeat.
const CONTROLLERS: [&str; 5] = [
    "job-controller",
    "garbage-collector-controller",
    "pod-garbage-collector-controller",
    "ttl-after-finished-controller",
    "namespace-controller",
];

/// A running crowd. All of it is gone when it is dropped, or when this process ends in whatever way.
#[derive(Debug)]
pub struct Crowd {
    memory: Memory,
    parts: Vec<Part>,
}

impl Crowd {
    /// Starts one of so many nodes; all of them are ready.
    ///
    /// Errors: a program is missing (kwok: `.ci/kubernetes kwok`), or a part does not come up.
    pub fn start(nodes: usize) -> Result<Self> {
        let programs = ["kube-controller-manager", "kube-scheduler", "kwok"].map(programs::find);
        let [controllers, scheduler, kwok] = programs;
        let (controllers, scheduler, kwok) = (controllers?, scheduler?, kwok?);
        let memory = Memory::alone()?;
        let commands = [
            ("kube-controller-manager", controllers_of(&controllers, &memory)),
            ("kube-scheduler", scheduler_of(&scheduler, &memory)?),
            ("kwok", kwok_of(&kwok, &memory)?),
        ];
        let logs = memory.folder.join("logs");
        let mut crowd = Self { memory, parts: Vec::new() };
        for (name, command) in commands {
            crowd.parts.push(Part::guarded(name, &command, &logs, None)?);
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": (0..nodes).map(node).collect::<Vec<_>>()});
        crowd.kubectl().fed(&["create", "-f", "-"], &list.to_string())?;
        crowd.wait(nodes)?;
        Ok(crowd)
    }

    /// `kubectl` as one who may do everything.
    pub const fn kubectl(&self) -> &Kubectl {
        &self.memory.kubectl
    }

    /// Starts a further program on this machine, which ends with the crowd. It gets the environment of this process.
    ///
    /// Errors: it cannot be started.
    pub fn run(&mut self, name: &'static str, command: &Command) -> Result<()> {
        self.parts.push(Part::guarded(name, command, &self.memory.folder.join("logs"), None)?);
        Ok(())
    }

    /// What a part or a further program said so far.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.memory.folder.join(format!("logs/{name}.log"))).unwrap_or_default()
    }

    fn wait(&mut self, nodes: usize) -> Result<()> {
        let kubectl = self.memory.kubectl.clone();
        let waited = wait::until("all nodes are ready", DEADLINE, POLL, || {
            self.memory.alive()?;
            self.parts.iter_mut().try_for_each(Part::alive)?;
            let ready = kubectl.list("nodes", "").unwrap_or_default();
            let ready = ready.iter().filter(|node| kubectl::has_condition(node, "Ready")).count();
            Ok((ready == nodes).then_some(()))
        });
        waited.map_err(|error| {
            let said: Vec<_> = self.parts.iter().map(Part::said).collect();
            Trouble::new(format!("{error}\n{}", said.join("\n")))
        })
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let ended = self.parts.iter_mut().map(Part::stop).fold(Ok(()), Result::and);
        if let Err(error) = ended.and(self.memory.end()) {
            eprintln!("{error}");
        }
    }
}

fn node(number: usize) -> Value {
    let name = format!("node-{number}");
    let labels = json!({"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"});
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
}

/// Everything that ended stays, to be looked at; nothing waits for leave to call.
fn controllers_of(program: &Path, memory: &Memory) -> Command {
    let mut command = Command::new(program);
    command.arg("--kubeconfig").arg(memory.kubectl.kubeconfig());
    command.args(["--controllers", &CONTROLLERS.join(","), "--leader-elect=false", "--secure-port=0"]);
    command.args(["--kube-api-qps=2000", "--kube-api-burst=4000", "--concurrent-job-syncs=20"]);
    command.arg("--terminated-pod-gc-threshold=0");
    // By default it would look for plugins below /usr, and make that folder of the machine's.
    command.arg("--flex-volume-plugin-dir").arg(memory.folder.join("volume-plugins"));
    command
}

fn scheduler_of(program: &Path, memory: &Memory) -> Result<Command> {
    let kubeconfig = memory.authority.client("scheduler", &Who::SCHEDULER, &memory.server)?;
    let words = folder::write(&memory.folder, "scheduler.yaml", &words::scheduler(&kubeconfig))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(words).arg("--secure-port=0");
    Ok(command)
}

fn kwok_of(program: &Path, memory: &Memory) -> Result<Command> {
    let words = folder::write(&memory.folder, "kwok.yaml", include_str!("../../cluster/crowd.yaml"))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(words).arg("--kubeconfig").arg(memory.kubectl.kubeconfig());
    Ok(command)
}
