//! The operator as a process, with the real Job controller and scheduler and 50 nodes on which kwok plays the kubelet: many Runs
//! at once, one of very many indexes, each way to fail, and Runs that are stopped and started again and again. No worker
//! computes anything: what a pod comes to stands in its Pipeline (`words.rs`).

mod counts;
mod ends;
mod many;
mod storm;
mod wide;
mod words;

use counts::Counts;
use fleetloom_tests::cluster::{Crowd, Kubectl, has_condition};
use fleetloom_tests::program;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Nodes of the crowd.
const NODES: usize = 50;

/// No Run of these tests takes longer, all of them together, on two cores that do other things too.
const DEADLINE: Duration = Duration::from_secs(90 * 60);

/// Most bytes of a Run's status.
const STATUS_BYTES_MAX: usize = 8 * 1024;

/// A namespace of a test's own on the crowd. One test at a time: what the API server was asked is counted for all of it.
struct Yard {
    kubectl: Kubectl,
    counts: Counts,
    _alone: MutexGuard<'static, ()>,
}

impl Yard {
    fn new(name: &str) -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        // Another test that failed has left nothing half done that would matter here.
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (crowd, metrics) = crowd();
        crowd.kubectl().run(&["create", "namespace", name]).expect("a namespace can be made");
        Self { kubectl: crowd.kubectl().within(name), counts: Counts::of(crowd, *metrics), _alone: alone }
    }

    /// Makes an Archive, and these Pipelines that read it.
    fn pipelines(&self, pipelines: &[Value]) {
        self.create([words::archive()].iter().chain(pipelines));
    }

    /// Makes resources, with one call.
    fn create<'v>(&self, resources: impl IntoIterator<Item = &'v Value>) {
        let items: Vec<&Value> = resources.into_iter().collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.kubectl.fed(&["create", "-f", "-"], &list.to_string()).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until so many Runs have ended, which are all.
    fn ended(&self, runs: usize) -> Vec<Value> {
        let ended = self.kubectl.until_each(("runs", ""), runs, DEADLINE, has_ended);
        let ended = ended.unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
        assert_eq!(ended.len(), runs, "no Run comes of itself");
        for run in &ended {
            assert!(run["status"].to_string().len() <= STATUS_BYTES_MAX, "{run}");
        }
        ended
    }

    /// The Jobs there are, by name.
    fn jobs(&self) -> Vec<Value> {
        self.kubectl.list("jobs", "").unwrap_or_else(|error| panic!("{error}"))
    }

    /// What was asked of the API server, and by the operator, since the test began.
    fn counted(&self) -> Counts {
        let (crowd, metrics) = crowd();
        Counts::of(crowd, *metrics).since(&self.counts)
    }

    /// Insists that the operator broke no promise.
    fn is_sound(&self) {
        let log = crowd().0.log(OPERATOR);
        assert!(!log.contains("panicked"), "{log}");
    }

    fn told(&self) -> String {
        let log = crowd().0.log(OPERATOR);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

fn has_ended(run: &Value) -> bool {
    has_condition(run, "Complete") || has_condition(run, "Failed")
}

/// The condition of that type.
fn condition<'v>(resource: &'v Value, kind: &str) -> &'v Value {
    let conditions = resource["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn name(resource: &Value) -> &str {
    resource["metadata"]["name"].as_str().expect("every resource has a name")
}

/// The operator's program.
const OPERATOR: &str = "fleetloom-operator";

/// The crowd with the operator at work on it, and the port of its metrics. All of it ends with this process.
fn crowd() -> &'static (Crowd, u16) {
    static CROWD: OnceLock<(Crowd, u16)> = OnceLock::new();
    CROWD.get_or_init(|| {
        let mut crowd = Crowd::start(NODES).unwrap_or_else(|error| panic!("{error}"));
        let operator = program::path().with_file_name(OPERATOR);
        let crds = Command::new(&operator).arg("crd").output().expect("the operator lies beside the worker");
        let crds = String::from_utf8(crds.stdout).expect("words");
        crowd.kubectl().fed(&["apply", "--server-side", "-f", "-"], &crds).expect("the CRDs are taken");
        for kind in ["archives", "pipelines", "runs"] {
            let kind = format!("{kind}.fleetloom.dev");
            crowd.kubectl().until("crd", &kind, |crd| has_condition(crd, "Established")).expect("it is served");
        }
        let [metrics, health] = [free(), free()];
        let mut command = Command::new("env");
        command.arg(format!("KUBECONFIG={}", crowd.kubectl().kubeconfig().display())).arg(operator).arg("run");
        command.args(["--metrics-port", &metrics.to_string(), "--health-port", &health.to_string()]);
        crowd.run(OPERATOR, &command).expect("the operator starts");
        listens(metrics);
        (crowd, metrics)
    })
}

/// Waits until somebody listens on a port.
fn listens(port: u16) {
    let until = Instant::now() + Duration::from_secs(60);
    while let Err(error) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        assert!(Instant::now() < until, "the operator does not listen on {port}: {error}");
        thread::park_timeout(Duration::from_millis(50));
    }
}

/// A port that nobody listens on now.
fn free() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
